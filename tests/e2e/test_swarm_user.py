"""A normal user who may talk to Docker: whole runs on a Swarm, whose volumes they cannot see."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_warmci.clients import command
from pytest_warmci.naming import canonical_domain, stack_name
from tests.e2e.swarm_workshop import SwarmWorkshop
from tests.e2e.workshop import ROOT, Outcome
from tests.swarm import catalog, front, room
from tests.swarm.front import Front
from tests.unit.snapshot_app import fact

USER = GROUP = 65_534
AS_USER = ("setpriv", f"--reuid={USER}", f"--regid={GROUP}", "--clear-groups", "--")
OURS = f"label=com.docker.stack.namespace={stack_name(canonical_domain('radicale'))}"
RECIPE = Path("recipe_tests") / "radicale"


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """A folder that every user may walk through, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="warmci-user-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def far_front() -> Iterator[Front]:
    """A Swarm of its own with a proxy, which the user's group may talk to.

    Not the one that others use: there may be a canonical of the same name.
    """
    reason = room.why_not()
    if reason:
        pytest.skip(reason)
    with front.proxied() as found:
        images = (f"ghcr.io/kozea/radicale:{version}" for version in catalog.RADICALES)
        catalog.provide(found.swarm, *images)
        os.chown(found.swarm.socket, 0, GROUP)
        found.swarm.socket.chmod(0o660)
        yield found


def a_python() -> str:
    """Return a Python like ours that the user can run."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for found in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        done = command.run([*AS_USER, "env", found, "-c", ""], timeout=20, check=False)
        if done.code == 0:
            return found
    pytest.skip(f"there is no {version} that another user can run")


class UserWorkshop(SwarmWorkshop):
    """A workshop of the user's own: a clone, a state directory, and what the proxy needs."""

    def __init__(self, front: Front, folder: Path) -> None:
        state, recipe = folder / "user" / "state", folder / "clone" / RECIPE
        super().__init__(front, state, recipe, "app", hurried=True)
        command.run(["git", "clone", "-q", ROOT, folder / "clone"], timeout=60)
        (folder / "user").mkdir()
        self._ca = shutil.copy(front.ca_file, folder / "user" / "ca.pem")
        self.overrides = [Path(shutil.copy(each, folder / "user")) for each in self.overrides]
        command.run(["chown", "-R", f"{USER}:{GROUP}", folder / "user"], timeout=60)
        command.run(["chmod", "-R", "a+rX", folder], timeout=60)
        self.python = (*AS_USER, "env", a_python())
        self.folder = folder / "clone"

    def pytest(self, *words: str, env: dict[str, str] | None = None) -> Outcome:
        home = str(self.root.parent)
        packages = f"{self.folder}:{sysconfig.get_path('purelib')}"
        ours = {"HOME": home, "TMPDIR": home, "PYTHONPATH": packages}
        more = {**ours, "REQUESTS_CA_BUNDLE": str(self._ca), **(env or {})}
        return super().pytest(*words, env=more)

    def data(self) -> dict[bytes, object]:
        """What is in the canonical's only volume, as root sees it; times in whole seconds."""
        [name] = self.front.swarm.docker("volume", "ls", "--quiet", "--filter", OURS).text.split()
        top = os.fsencode(self.front.swarm.slot.data / "volumes" / name / "_data")
        found: dict[bytes, object] = {}
        for folder, names, files in os.walk(top):
            for path in (folder, *(os.path.join(folder, each) for each in names + files)):  # noqa: PTH118
                mode, uid, gid, mtime, *rest = fact(path)
                assert isinstance(mtime, int)
                found[path.removeprefix(top)] = (mode, uid, gid, mtime // 10**9, *rest)
        return found


@pytest.mark.nightly
@pytest.mark.cost(120)
def test_runs_of_a_normal_user(far_front: Front, open_folder: Path) -> None:
    """Cold, quick, and one that damages the data: those come back with their owners."""
    workshop = UserWorkshop(far_front, open_folder)

    cold = workshop.pytest("--warmci-head", "published")
    assert cold.status == 0, cold.text
    assert (True, True) == (cold.result["complete"], cold.result["promoted"])
    kept = workshop.data()
    owners = {facts[1] for facts in kept.values() if isinstance(facts, tuple)}
    assert not {USER} & owners
    assert len(kept) > 5

    damaged = workshop.pytest("--quick", "--warmci-head", "damaged-data")
    assert (1, "failed") == (damaged.status, damaged.result["verdict"])
    assert "data lost: the witness had 6, now it finds 4" in damaged.result["reason"]
    known_good = damaged.result["known_good"]
    assert known_good["before"] == known_good["after"]
    assert kept == workshop.data()

    quick = workshop.pytest("--quick")
    assert quick.status == 0, quick.text
    assert {"before": 6, "after": 6} == quick.result["witness"]
    assert not any("restored" in note for note in quick.result["notes"])
    for outcome in (cold, damaged, quick):
        assert [] == outcome.result["leftovers"]
    assert "" == far_front.swarm.docker("ps", "--all", "--quiet", "--filter", OURS).text
