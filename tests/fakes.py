"""A strict engine without programs: a database file that `deploy` migrates, served over HTTP.

It does what the real engines do where a run can tell, and is strict about rules that no engine can
see: who changes an app without its lock or before its journal is open, waits for what was not
begun, or touches volumes under a running app, gets an AssertionError and a line in the record of
calls (`broken_rules`), because a run may well take such an error for trouble of the place.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pytest_warmci.clients import files, git, locks, ports, waiting
from pytest_warmci.engines import secrets
from pytest_warmci.engines.differences import KeyDifferences
from pytest_warmci.engines.process import keys
from pytest_warmci.errors import EngineUnavailable, InputError, NotEvaluated, RecipeFailed
from pytest_warmci.model import RunningService, Stack
from pytest_warmci.naming import BASE_DOMAIN
from pytest_warmci.protocols import AppPlace, Root
from pytest_warmci.runs import deploying
from pytest_warmci.store import treecopy
from tests.ghost_server import GhostServer

SERVICE = "app"
PASSWORD = "admin_password"

_blobs: dict[str, bytes] = {}
_files: dict[str, list[git.Entry]] = {}

Trouble = Callable[["FakeEngine", AppPlace], None]
"""Called before a verb does its work; may raise what an engine may raise."""


def hurry(patch: pytest.MonkeyPatch) -> None:
    """Let waits look more often: nothing here takes long.

    Nor does anything wait for the disk: what must be durable when is the store's own to test.
    A head that never serves is given up after FAKE_PROBE_SECONDS. What git has said about an id is
    remembered: ids name content, and half of a run without servers would be starting git.
    """
    patch.setitem(waiting.wait_until.__kwdefaults__ or {}, "every", 0.002)
    patch.setattr(deploying, "_PROBE_SECONDS", float(os.environ.get("FAKE_PROBE_SECONDS", "9")))
    patch.setattr(os, "fsync", lambda _descriptor: None)
    patch.setattr(treecopy, "_syncfs", lambda _descriptor: None)
    ask_blobs, ask_files = git.Repository.blobs, git.Repository.files

    def blobs(repository: git.Repository, ids: Sequence[str]) -> list[bytes]:
        missing = [each for each in ids if each not in _blobs]
        if missing:
            _blobs.update(zip(missing, ask_blobs(repository, missing), strict=True))
        return [_blobs[each] for each in ids]

    def files(repository: git.Repository, commit: str) -> list[git.Entry]:
        if commit not in _files:
            _files[commit] = ask_files(repository, commit)
        return _files[commit]

    patch.setattr(git.Repository, "blobs", blobs)
    patch.setattr(git.Repository, "files", files)


class FakeEngine:
    """An engine whose apps are one JSON file each, and how it behaves is the recipe's to say.

    The variable BEHAVES of service `app` has words: `fails-at-once`, `fails-late` (converges, never
    serves), `loses-data`, `restarts`, `leaves-rubbish`, `engine-down`, `interrupts`.

    Args:
        calls: File to which each call is added as a line: verb, domain, commit's first letters.
        trouble: What happens before a verb, by the verb's name.
    """

    name = "process"
    base_domain = BASE_DOMAIN
    told: Sequence[str] = ()

    servers: ClassVar[dict[Path, Any]] = {}
    """What runs in this process, by the app's folder; a test that ends has none."""

    def __init__(self, calls: Path, trouble: Mapping[str, Trouble] | None = None) -> None:
        self._calls = calls
        self._trouble: Mapping[str, Trouble] = {} if trouble is None else trouble
        self._asked: set[Path] = set()

    # -- planning ----------------------------------------------------------------------------

    def check(self) -> None:
        self._trouble_with("check", None)

    def examine(self, stack: Stack) -> None:
        assert SERVICE in stack.services

    def classify(self, differing: Sequence[str]) -> KeyDifferences:
        return keys.classify(list(differing))

    def needs_training(self, stack: Stack) -> bool:
        return False

    def train(self, app: AppPlace, stack: Stack, timeout: float) -> None:
        self._must(False, "nothing here needs training")

    # -- verbs -------------------------------------------------------------------------------

    def prepare(self, stack: Stack) -> None:
        self._note("prepare", stack.domain, stack)
        self._trouble_with("prepare", None)

    def deploy(self, app: AppPlace, stack: Stack) -> None:
        self._note("deploy", app.domain, stack)
        self._check_owned(app)
        self._trouble_with("deploy", app)
        self._must(app.domain == stack.domain, "deployed what was rendered for another app")
        self._must((app.folder / "env").is_file(), "deployed an app that has no env")
        if "engine-down" in behaviour(stack):
            raise EngineUnavailable("the engine does not answer", where=app.domain)
        self._stop(app)
        for secret in stack.secrets.values():
            place = secrets.secret_path(app.folder, secret)
            place.parent.mkdir(mode=0o700, exist_ok=True)
            if not place.exists():
                place.write_text(os.urandom(8).hex())
                place.chmod(0o600)
        database = self._volume(app, stack.volumes[0]) / "database.json"
        _migrate(database, stack)
        password = self.secret(app, stack, PASSWORD)
        log = app.folder / "logs" / f"{SERVICE}.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("a") as stream:
            stream.write(f"{image_version(stack)} starts with password {password}\n")
        self._write_running(app, stack, restarted=0)
        serves = "fails-late" not in behaviour(stack)
        self.servers[app.folder] = self.serve(self._port(app), database, password, serves)
        self._asked.discard(app.folder)

    def wait_converged(self, app: AppPlace, stack: Stack, timeout: float) -> None:
        self._note("wait_converged", app.domain, stack)
        self._trouble_with("wait_converged", app)
        runs = self._running(app)
        self._must(runs["commit"] == stack.revision.commit, "waits for what was not deployed")
        words = behaviour(stack)
        if "interrupts" in words:
            raise KeyboardInterrupt
        if "fails-at-once" in words:
            raise RecipeFailed(
                f"service '{SERVICE}' ended with code 1",
                where=f"{stack.recipe} {stack.revision}",
                why="log of app:\nbad configuration",
            )
        if "restarts" in words:
            self._write_running(app, stack, restarted=1)

    def undeploy(self, app: AppPlace) -> None:
        self._note("undeploy", app.domain)
        self._check_locked(app)
        self._trouble_with("undeploy", app)
        self._asked.add(app.folder)

    def settle(self, app: AppPlace, timeout: float) -> None:
        self._note("settle", app.domain)
        self._must(app.folder in self._asked, "waits for an app that nobody told to stop")
        self._trouble_with("settle", app)
        self._stop(app)

    def remove(self, app: AppPlace) -> None:
        self._note("remove", app.domain)
        self._check_locked(app)
        self._must(not (app.folder / "running.json").exists(), "removes an app that runs")
        self._trouble_with("remove", app)
        for name in ("volumes", "secrets", "logs"):
            shutil.rmtree(app.folder / name, ignore_errors=True)
        (app.folder / "address.json").unlink(missing_ok=True)

    # -- looking -----------------------------------------------------------------------------

    def running(self, app: AppPlace) -> Sequence[RunningService]:
        place = app.folder / "running.json"
        if not place.is_file():
            return []
        runs = json.loads(place.read_text())
        instance = f"{runs['pid']}-{runs['restarted']}"
        if "restarts" in runs["behaves"]:  # again and again, in the background
            self._write(app, {**runs, "restarted": runs["restarted"] + 1})
        return [RunningService(SERVICE, runs["version"], 0.0, instance)]

    def prove(self, app: AppPlace, stack: Stack) -> str:
        self._trouble_with("prove", app)
        runs = self._running(app)
        if runs["commit"] != stack.revision.commit:
            raise NotEvaluated(f"{runs['commit'][:8]} runs, not {stack.revision}")
        return f"fake runs {stack.revision.commit[:8]}"

    def leftovers(self, app: AppPlace) -> list[str]:
        found = ["a running app"] if (app.folder / "running.json").exists() else []
        rubbish = app.folder.parent / f".rubbish-{app.domain}"
        return found + (["a network"] if rubbish.exists() else [])

    def domains(self) -> Collection[str]:
        return ()

    def data(self, app: AppPlace) -> Mapping[str, Root]:
        return {"volumes": app.folder / "volumes"}

    def make_data(self, app: AppPlace, roots: Collection[str]) -> Mapping[str, Root]:
        self._check_still(app)
        self._must(set(roots) <= {"volumes"}, "makes room for what is none of the data")
        return self.data(app)

    def drop_data(self, app: AppPlace, keep: Collection[str]) -> None:
        self._check_still(app)
        if "volumes" not in keep:
            shutil.rmtree(app.folder / "volumes", ignore_errors=True)

    def trouble(self, app: AppPlace) -> NotEvaluated | None:
        try:
            self._trouble_with("trouble", app)
        except NotEvaluated as error:
            return error
        return None

    def logs(self, app: AppPlace) -> Mapping[str, Path]:
        return {path.stem: path for path in sorted((app.folder / "logs").glob("*.log"))}

    def address(self, app: AppPlace) -> str:
        return f"http://127.0.0.1:{self._port(app)}"

    def secret(self, app: AppPlace, stack: Stack, name: str) -> str:
        if name not in stack.secrets:
            raise InputError(f"there is no secret '{name}'")
        return secrets.secret_path(app.folder, stack.secrets[name]).read_text()

    def secret_values(self, app: AppPlace) -> Collection[str]:
        return secrets.secret_values(app.folder)

    # -- inside ------------------------------------------------------------------------------

    def serve(self, port: int, database: Path, password: str, serves: bool) -> Any:
        """Begin to serve an app; what is returned has `stop`."""
        return GhostServer(port, database, password, serves, self._must)

    def _volume(self, app: AppPlace, name: str) -> Path:
        return app.folder / "volumes" / name

    def _port(self, app: AppPlace) -> int:
        place = app.folder / "address.json"
        if not place.is_file():
            app.folder.mkdir(parents=True, exist_ok=True)
            files.write_json(place, {"port": ports.choose_port(set())})
        return int(json.loads(place.read_text())["port"])

    def _write_running(self, app: AppPlace, stack: Stack, restarted: int) -> None:
        runs = {
            "commit": stack.revision.commit,
            "version": image_version(stack),
            "behaves": sorted(behaviour(stack)),
            "pid": os.getpid(),
            "restarted": restarted,
        }
        self._write(app, runs)

    def _write(self, app: AppPlace, runs: Mapping[str, object]) -> None:
        files.write_json(app.folder / "running.json", runs)

    def _running(self, app: AppPlace) -> dict[str, Any]:
        place = app.folder / "running.json"
        self._must(place.is_file(), f"{app.domain} does not run")
        found: dict[str, Any] = json.loads(place.read_text())
        return found

    def _stop(self, app: AppPlace) -> None:
        place = app.folder / "running.json"
        if place.is_file():
            if "leaves-rubbish" in self._running(app)["behaves"]:
                (app.folder.parent / f".rubbish-{app.domain}").touch()
            place.unlink()
        server = self.servers.pop(app.folder, None)
        if server is not None:
            server.stop()

    def _check_owned(self, app: AppPlace) -> None:
        self._check_locked(app)
        self._must((app.folder / "journal.json").is_file(), "made something that nobody owns yet")

    def _check_still(self, app: AppPlace) -> None:
        self._check_locked(app)
        self._must(not (app.folder / "running.json").exists(), "changes data of an app that runs")

    def _check_locked(self, app: AppPlace) -> None:
        lock = app.folder.parents[2] / "locks" / f"{app.domain}.lock"
        self._must(locks.holder(lock) is not None, f"{app.domain} is not locked")

    def _must(self, kept: bool, rule: str) -> None:
        if not kept:
            with self._calls.open("a") as stream:
                stream.write(f"BROKEN {rule}\n")
            raise AssertionError(rule)

    def _trouble_with(self, verb: str, app: AppPlace | None) -> None:
        if verb in self._trouble:
            self._trouble[verb](self, app or _NOWHERE)

    def _note(self, verb: str, domain: str, stack: Stack | None = None) -> None:
        version = "" if stack is None else f" {image_version(stack)}"
        with self._calls.open("a") as stream:
            stream.write(f"{verb} {domain.partition('.')[0]}{version}\n")


class _Nowhere:
    domain = ""
    folder = Path("/nonexistent")


_NOWHERE = _Nowhere()


def broken_rules(calls: Path) -> list[str]:
    """Return which rules were broken, by the record of calls."""
    lines = calls.read_text().splitlines() if calls.exists() else []
    return [line for line in lines if line.startswith("BROKEN ")]


def stop_all() -> None:
    """Stop what an engine of this process still runs, as if the process had died."""
    for server in list(FakeEngine.servers.values()):
        server.stop()
    FakeEngine.servers.clear()


def image_version(stack: Stack) -> str:
    """Return the tag of the image: what the fake's database is migrated to."""
    return stack.services[SERVICE].image.rpartition(":")[2]


def behaviour(stack: Stack) -> set[str]:
    """Return the words of BEHAVES."""
    return set(stack.services[SERVICE].environment.get("BEHAVES", "").split())


def _migrate(database: Path, stack: Stack) -> None:
    version = image_version(stack)
    data: dict[str, Any] = {"schema": version, "rows": {}}
    if database.is_file():
        data = json.loads(database.read_text())
    if "loses-data" in behaviour(stack):
        data["rows"] = {}
    # Like Keycloak and others, an old version starts silently on what a newer one has migrated.
    data["schema"] = max(data["schema"], version)
    database.parent.mkdir(parents=True, exist_ok=True)
    database.write_text(json.dumps(data))
