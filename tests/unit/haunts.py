"""A recipe of the fake engine, its state directory with a known-good, and engines with trouble."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from pytest_warmci.clients.locks import Holder
from pytest_warmci.clients.rsa import KeyPair
from pytest_warmci.model import KnownGood, Mode
from pytest_warmci.runs import live
from pytest_warmci.runs.lane import Lane
from pytest_warmci.runs.live_keycloak import LiveKeycloak, LivePlace, LiveService, open_service
from pytest_warmci.runs.place import Place
from pytest_warmci.runs.roots import roots_of
from pytest_warmci.runs.session import SessionRuns
from pytest_warmci.store import snapshots
from pytest_warmci.store.registry import Registry
from pytest_warmci.store.state import StateDirectory, open_state
from tests import ghost
from tests.fake_keycloak import FakeKeycloak
from tests.fakes import FakeEngine, Trouble
from tests.far_engine import FarEngine, StreamEngine
from tests.sso_ghost import KeycloakApp, KeycloakEngine

WHO = Holder("", "live", "a test")


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
        return Place("ghost", domain, self.opened.app(self.engine().name, domain))

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
        return Registry(self.opened).find(self.engine().name, "ghost")

    def calls(self, *verbs: str) -> list[str]:
        found = self.calls_file.read_text().splitlines() if self.calls_file.exists() else []
        return [line for line in found if not verbs or line.split()[0] in verbs]

    def cold_apps(self) -> list[str]:
        apps = self.opened.apps(self.engine().name)
        return sorted(path.name for path in apps.glob("[!.]*") if path != self.place.folder)

    def check_known_good(self) -> KnownGood:
        """The entry, its snapshot and the live volumes are one; nothing is in flight."""
        entry = self.entry()
        assert entry is not None
        snapshots.verify(self.place.snapshots, entry.generation, entry.digest)
        assert entry.digest == snapshots.measure(roots_of(self.engine(), self.place)).digest
        assert [entry.generation] == snapshots.generations(self.place.snapshots)
        assert not (self.place.folder / "journal.json").exists()
        assert not (self.place.folder / "running.json").exists()
        return entry


@dataclass
class FarHaunt(Haunt):
    """The same on an engine whose data are not in the app's folder."""

    def engine(self) -> FarEngine:
        return FarEngine(self.calls_file, self.trouble)


@dataclass
class StreamHaunt(FarHaunt):
    """The same where they are reached as streams only."""

    def engine(self) -> StreamEngine:
        return StreamEngine(self.calls_file, self.trouble)


@dataclass
class SsoHaunt(Haunt):
    """The same with single sign-on, and a Keycloak beside it."""

    keycloak_trouble: dict[str, Trouble] = field(default_factory=dict)

    @property
    def live_place(self) -> LivePlace:
        return LivePlace(self.opened, self.keycloak_engine())

    @property
    def service(self) -> LiveService:
        """What the live-warm Keycloak is made of."""
        folder = self.recipe.with_name("keycloak")
        return open_service(folder, self.opened, self.keycloak_engine())

    @property
    def keycloak(self) -> FakeKeycloak:
        """The Keycloak that runs."""
        app: KeycloakApp = FakeEngine.servers[self.live_place.place.folder]
        return app.fake

    @property
    def realms(self) -> list[str]:
        """The realms of the Keycloak that runs, but `master`."""
        return [name for name in self.keycloak.realms if name != "master"]

    def keycloak_engine(self) -> KeycloakEngine:
        return KeycloakEngine(self.calls_file, self.keycloak_trouble)

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
            make_engine=lambda folder, _: (
                self.keycloak_engine() if folder.name == "keycloak" else self.engine()
            ),
        )

    def say(self, text: str) -> None:
        self.said.append(text)

    def start_keycloak(self) -> LiveKeycloak:
        return live.start(self.service, who=WHO, limit=0, progress=self.say)

    def stop_keycloak(self) -> bool:
        return live.stop(self.live_place, who=WHO, limit=0, progress=self.say)

    def kill_keycloak(self) -> None:
        """Let its process be gone; nobody knows of it."""
        folder = self.live_place.place.folder
        FakeEngine.servers.pop(folder).stop()
        (folder / "running.json").unlink()


def give_back(lane: Lane) -> None:
    """Give back the locks of a run whose process is gone, as the kernel does: its app runs on."""
    lane._track.release()
    lane._lease.close()
    if lane.run.sign_on is not None:
        lane.run.sign_on._held.close()


def cheap_pair() -> KeyPair:
    """Return a key pair that costs nothing, and is good for nothing."""
    return KeyPair(secrets.token_hex(8), "certificate")
