"""What the end-to-end tests share: a seeded state directory for each recipe, copied for each test.

Nothing here is a fake: sessions are real pytest processes on real servers. The fixtures are in
tests/seeded.py; a test of something that any recipe shows asks for `radicale`, whose run takes seconds.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_warmci.clients import command
from pytest_warmci.engines.process.engine import ProcessEngine
from pytest_warmci.engines.process.plan import UNPRIVILEGED
from pytest_warmci.model import KnownGood
from pytest_warmci.naming import canonical_domain
from pytest_warmci.recipes.enrolment import read_enrolment
from pytest_warmci.runs.deploying import bring_up, take_down
from pytest_warmci.runs.place import Place
from pytest_warmci.runs.witness import find_witness
from pytest_warmci.store import snapshots
from pytest_warmci.store.registry import Registry
from pytest_warmci.store.state import StateDirectory, open_state

ROOT = Path(__file__).parents[2]
KEYCLOAK = ROOT / "recipe_tests" / "keycloak"
RADICALE = ROOT / "recipe_tests" / "radicale"
SYNAPSE = ROOT / "recipe_tests" / "matrix-synapse"
RADICALE_SSO = ROOT / "recipe_tests" / "radicale-sso"
BASE, SEEDED, HEAD = "26.5.6", "26.6.4", "26.7.3"
LIMIT = 800.0


@dataclass
class Outcome:
    """What a session left: exit status, output, and the results of its runs."""

    status: int
    text: str
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def results(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.data.get("results", [])
        return found

    @property
    def result(self) -> dict[str, Any]:
        """The only result."""
        assert len(self.results) == 1, self.text
        return self.results[0]


class Workshop:
    """A state directory and the recipe that is run on it.

    `pytest` runs a session; `known_good`, `place`, `entry_bytes` and `volumes_digest` read what it
    left on disk; `boots_with_witness` looks into the data with the app's own eyes, `migrated_by`
    into Keycloak's database; `processes` finds what still runs, `elsewhere` what is left outside.

    Args:
        state: The state directory; made by the first session.
        recipe: The recipe's folder.

    Attributes:
        python: The words that run Python in a session.
        folder: Where it runs.
    """

    def __init__(self, state: Path, recipe: Path = KEYCLOAK) -> None:
        self.root = state
        self.recipe = recipe
        self.python: tuple[str | Path, ...] = (sys.executable,)
        self.folder = ROOT

    def pytest(self, *words: str, env: dict[str, str] | None = None) -> Outcome:
        """Run a real session on the recipe's folder (or on the ids among `words`)."""
        target = self.root.parent / f"{self.root.name}.json"
        target.unlink(missing_ok=True)
        ids = [word for word in words if "::" in word or word.endswith(".py")]
        rest = [word for word in words if word not in ids]
        done = command.run(
            [
                *self.python,
                *("-m", "pytest", "-rs", "-o", f"cache_dir={self.root}.cache"),
                *(ids or [str(self.recipe)]),
                *(f"--warmci-state={self.root}", f"--warmci-json={target}"),
                *rest,
            ],
            timeout=LIMIT,
            cwd=self.folder,
            env={**clean_environment(), **self.environment, **(env or {})},
            check=False,
        )
        data = json.loads(target.read_text("utf-8")) if target.exists() else {}
        text = done.text + done.stderr.decode("utf-8", "replace")
        print(text)  # noqa: T201 - shown by pytest when the test fails
        return Outcome(done.code, text, data)

    @property
    def environment(self) -> dict[str, str]:
        """What sessions and commands need in their environment."""
        return {}

    def elsewhere(self) -> list[str]:
        """What is left of it outside of the state directory, where nobody looks."""
        return []

    @property
    def state(self) -> StateDirectory:
        return open_state(self.root)

    @property
    def place(self) -> Place:
        """The canonical's place."""
        domain = canonical_domain(self.recipe.name)
        return Place(self.recipe.name, domain, self.state.app("process", domain))

    @property
    def known_good(self) -> KnownGood:
        found = Registry(self.state).find("process", self.recipe.name)
        assert found is not None
        return found

    def apps(self) -> list[str]:
        """The domains of all apps that have a folder, sorted."""
        found = self.state.apps("process").iterdir()
        return sorted(path.name for path in found if not path.name.startswith("."))

    def entry_bytes(self) -> bytes:
        """The registry entry, to the byte."""
        return (self.state.canonicals("process") / f"{self.recipe.name}.yml").read_bytes()

    def volumes_digest(self) -> str:
        """Digest of what the canonical's volumes hold now."""
        place = self.place
        return snapshots.measure({"volumes": place.folder / "volumes", **place.roots}).digest

    def migrated_by(self) -> str:
        """The newest row of Keycloak's own `migration_model`, read from the stopped database.

        For Keycloak only. A copy is asked: looking must not change the volume.
        """
        copy = self.root.parent / f"{self.root.name}-look"
        shutil.rmtree(copy, ignore_errors=True)
        volume, postgres = self.database()
        shutil.copytree(volume, copy, symlinks=True)
        prefix = UNPRIVILEGED if os.geteuid() == 0 else ()
        done = command.run(
            [*prefix, postgres, "--single", "-D", copy, "keycloak"],
            timeout=60,
            stdin=b"select version from migration_model order by update_time desc limit 1\n",
        )
        shutil.rmtree(copy)
        [version] = re.findall(r'version = "([^"]+)"', done.text)
        return str(version)

    def database(self) -> tuple[Path, Path]:
        """Where Keycloak's database lies, and the server's program."""
        [volume] = (self.place.folder / "volumes").iterdir()
        [postgres] = self.state.cache.glob("process/trees/*postgres*/bin/postgres")
        return volume, postgres

    def boots_with_witness(self) -> int:
        """Boot the canonical as it lies there, count the witness, and stop it again."""
        enrolment = read_enrolment(self.recipe)
        engine = ProcessEngine(self.recipe, self.state.cache, show)
        witness = find_witness(self.recipe)
        assert witness is not None
        place = self.place
        try:
            deployed = bring_up(engine, place, enrolment, place.deployed_stack())
            return witness.check(deployed.app, dict(self.known_good.witness))
        finally:
            take_down(engine, place, enrolment)

    def processes(self) -> list[str]:
        """Command lines of all processes that use this state directory."""
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if f"={self.root}/".encode() in path.read_bytes():
                    line = path.with_name("cmdline").read_bytes().replace(b"\0", b" ")
                    found.append(line.decode("utf-8", "replace"))
            except OSError:
                continue
        return found


def seed(root: Path, recipe: Path) -> tuple[Workshop, Outcome]:
    """Make a state directory that a green cold run of the newest published version has seeded.

    With `WARMCI_TEST_CACHE` in the environment, downloads and prepared installs are kept there.
    """
    shared = os.environ.get("WARMCI_TEST_CACHE")
    if shared:
        root.mkdir(mode=0o700)
        Path(shared).mkdir(mode=0o700, parents=True, exist_ok=True)
        (root / "cache").symlink_to(shared)
    workshop = Workshop(root, recipe)
    outcome = workshop.pytest("--warmci-head", "published")
    assert outcome.status == 0, outcome.text
    return workshop, outcome


def assert_untouched(workshop: Workshop, entry: bytes) -> None:
    """The known-good is as it was: its entry, its volumes to the byte, its data to its user."""
    assert workshop.entry_bytes() == entry
    assert workshop.volumes_digest() == workshop.known_good.digest
    assert workshop.boots_with_witness() == workshop.known_good.evidence["witnessed"]
    assert workshop.processes() == []


def assert_not_promoted(workshop: Workshop, outcome: Outcome, entry: bytes, why: str) -> None:
    """A complete green cold run, with authority, that left the known-good where it was."""
    result = outcome.result
    assert outcome.status == 0, outcome.text
    assert result["authority"] is True
    assert result["promoted"] is False
    assert why in result["promotion_reason"]
    assert workshop.entry_bytes() == entry
    assert workshop.volumes_digest() == workshop.known_good.digest


def assert_rolled_back(workshop: Workshop, outcome: Outcome, entry: bytes) -> None:
    """A head that did not pass left nothing but its result."""
    result = outcome.result
    assert result["mode"] == result["requested_mode"] == "quick"
    assert result["known_good"]["before"] == result["known_good"]["after"]
    assert result["promoted"] is False
    assert result["authority"] is False
    assert_untouched(workshop, entry)


def show(text: str) -> None:
    """Show progress; pytest keeps it for a test that fails."""
    print(text)  # noqa: T201


def clean_environment() -> dict[str, str]:
    """Our environment without what belongs to the session that runs these tests."""
    ours = ("PYTEST", "WARMCI", "COV_", "PYTHONWARNINGS")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)}


def copy_state(source: Path, target: Path) -> None:
    """Copy a seeded state directory: the apps for real, the cache shared."""
    target.mkdir(mode=0o700, exist_ok=True)
    for path in source.iterdir():
        if path.name in ("cache", "runs", "sessions"):
            continue
        if path.is_dir():
            command.run(["cp", "-a", path, target / path.name], timeout=60)
        else:
            shutil.copy2(path, target / path.name)
    (target / "cache").symlink_to(source / "cache")


def copy_recipe(workshop: Workshop, target: Path) -> Path:
    """Copy the workshop's recipe below `target` and let it run the copy; return its folder."""
    folder = target / "recipe_tests" / workshop.recipe.name
    shutil.copytree(workshop.recipe, folder, ignore=shutil.ignore_patterns("__pycache__"))
    workshop.recipe = folder
    return folder


def write_branch(clone: Path, branch: str, start: str, files: dict[str, str]) -> None:
    """Commit files on a new branch of a recipe's clone."""
    git = ["git", "-C", str(clone), "-c", "user.name=Test", "-c", "user.email=test@example.org"]
    command.run([*git, "checkout", "-q", "-b", branch, start], timeout=30)
    for name, text in files.items():
        (clone / name).write_text(text, "utf-8")
    command.run([*git, "add", "-A"], timeout=30)
    command.run([*git, "commit", "-q", "-m", f"a change for {branch}"], timeout=30)
