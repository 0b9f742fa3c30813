"""What the unit tests of runs share: a recipe of the fake engine and its state, made once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pytest_warmci.model import KnownGood, Mode
from pytest_warmci.runs.lane import Lane
from pytest_warmci.runs.place import Place
from pytest_warmci.runs.realm_owner import RealmOwner
from pytest_warmci.runs.session import SessionRuns
from pytest_warmci.store import snapshots
from pytest_warmci.store.registry import Registry
from pytest_warmci.store.state import StateDirectory, open_state
from tests import ghost
from tests.fakes import FakeEngine, Trouble, broken_rules, hurry, stop_all
from tests.unit.live_fakes import FakeLive, alive, fake_live


@dataclass
class Haunt:
    """The recipe `ghost`, a state directory with its known-good, and engines with trouble."""

    recipe: Path
    state: Path
    calls_file: Path
    trouble: dict[str, Trouble] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    @property
    def opened(self) -> StateDirectory:
        return open_state(self.state)

    @property
    def place(self) -> Place:
        """The canonical."""
        domain = "warm-ghost.warmci.localhost"
        return Place("ghost", domain, self.opened.app("process", domain))

    def session(
        self, mode: Mode = "cold", head: str = "HEAD", *, allow_lower: bool = False
    ) -> SessionRuns:
        return ghost.session(
            self.state,
            self.calls_file,
            mode=mode,
            head=head,
            allow_lower=allow_lower,
            said=self.said,
            make_engine=lambda *_: self.engine(),
        )

    def engine(self) -> FakeEngine:
        return FakeEngine(self.calls_file, self.trouble)

    def lane(self, mode: Mode = "cold", head: str = "HEAD") -> Lane:
        return self.session(mode, head).lane(self.recipe)

    def entry(self) -> KnownGood | None:
        return Registry(self.opened).find("process", "ghost")

    def calls(self, *verbs: str) -> list[str]:
        found = self.calls_file.read_text().splitlines() if self.calls_file.exists() else []
        return [line for line in found if not verbs or line.split()[0] in verbs]

    def cold_apps(self) -> list[str]:
        apps = self.opened.apps("process")
        return sorted(path.name for path in apps.glob("*") if path != self.place.folder)

    def check_known_good(self) -> KnownGood:
        """The entry, its snapshot and the live volumes are one; nothing is in flight."""
        entry = self.entry()
        assert entry is not None
        snapshots.verify(self.place.snapshots, entry.generation, entry.digest)
        assert entry.digest == snapshots.measure(self.place.roots).digest
        assert [entry.generation] == snapshots.generations(self.place.snapshots)
        assert not (self.place.folder / "journal.json").exists()
        assert not (self.place.folder / "running.json").exists()
        return entry


@pytest.fixture(scope="session")
def haunted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `recipe_tests/ghost` and `state`, seeded."""
    top = tmp_path_factory.mktemp("haunted")
    folder = ghost.write_recipe(top / "recipe_tests")
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        ghost.seed(top / "state", folder, top / "calls")
    return top


@pytest.fixture
def haunt(haunted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Haunt]:
    """A copy of the seeded state; the recipe's folder is shared, so nobody may change it."""
    hurry(monkeypatch)
    shutil.copytree(haunted / "state", tmp_path / "state", symlinks=True)
    calls = tmp_path / "calls"
    yield Haunt(haunted / "recipe_tests" / "ghost", tmp_path / "state", calls)
    stop_all()
    assert [] == broken_rules(calls)


@pytest.fixture
def fresh(haunt: Haunt) -> Haunt:
    """The same without a known-good."""
    shutil.rmtree(haunt.place.folder)
    (haunt.state / "canonicals" / "process" / "ghost.yml").unlink()
    return haunt


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLive]:
    """A live-warm Keycloak in memory, with a state directory of its own."""
    hurry(monkeypatch)
    found = fake_live(open_state(tmp_path / "state"))
    yield found
    assert [] == found.fake.broken


@pytest.fixture
def run(live: FakeLive) -> Iterator[RealmOwner]:
    """A run of the recipe `blog` that is alive: 1a2b3c."""
    with alive(live.service.state, "1a2b3c") as found:
        yield found
