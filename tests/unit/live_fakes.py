"""A live-warm Keycloak in memory for the tests of realms: an administrator that is strict about the
rules that no Keycloak can see, and a place without an engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from pytest_warmci.clients.keycloak import TOKEN_KEY, Administrator, BriefRealm, KeycloakAdmin
from pytest_warmci.clients.locks import Holder, hold, holder
from pytest_warmci.errors import KeycloakTrouble
from pytest_warmci.protocols import Engine
from pytest_warmci.runs.live_keycloak import LiveKeycloak, LivePlace
from pytest_warmci.runs.realm_owner import RealmOwner
from pytest_warmci.store import realm_records
from pytest_warmci.store.live_records import LiveRecord
from pytest_warmci.store.state import StateDirectory

DOMAIN = "live-keycloak.warmci.localhost"

Trouble = Callable[[str], object]
"""Called with a realm's name before a verb does its work; may raise."""


@dataclass
class FakeAdministrator:
    """Realms by name, as they were sent.

    Whoever makes a realm must have it on record (but the one that the reaper plants for itself)
    and hold the mutex; whoever deletes one must hold the mutex. `trouble` has what happens before a verb, by its name; `after` what happens after.
    """

    state: StateDirectory
    realms_: dict[str, dict[str, Any]] = field(default_factory=dict)
    trouble: dict[str, Trouble] = field(default_factory=dict)
    after: dict[str, Trouble] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.realms_.setdefault("master", {"realm": "master", "enabled": True})

    def realms(self) -> list[BriefRealm]:
        with self._around("realms", ""):
            return [BriefRealm(name, each["enabled"]) for name, each in self.realms_.items()]

    def find(self, name: str) -> dict[str, Any] | None:
        with self._around("find", name):
            return self.realms_.get(name)

    def create(self, form: Mapping[str, Any]) -> None:
        name, token = form["realm"], form["attributes"][TOKEN_KEY]
        self._must(self._locked(), f"{name} is made without the mutex")
        record = [each for each in realm_records.of_all(self.state) if each.realm == name]
        known = [each.token for each in record] == [token]
        self._must(known or name.startswith("selftest-"), f"{name} is made and on no record")
        with self._around("create", name):
            if name in self.realms_:
                raise KeycloakTrouble(f"there is a realm {name} already")
            self.realms_[name] = dict(form)

    def disable(self, name: str) -> None:
        with self._around("disable", name):
            if name in self.realms_:
                self.realms_[name]["enabled"] = False

    def delete(self, name: str) -> None:
        self._must(self._locked(), f"{name} is deleted without the mutex")
        self._must(name in self.realms_, f"{name} is deleted and not there")
        self._must(name != "master", "master is deleted")
        with self._around("delete", name):
            self.realms_.pop(name, None)

    def create_client(self, realm: str, form: Mapping[str, Any]) -> None:
        with self._around("create_client", realm):
            self.realms_[realm]["clients"].append(form)

    def create_user(self, realm: str, form: Mapping[str, Any]) -> None:
        with self._around("create_user", realm):
            self.realms_[realm]["users"].append(form)

    def bound(self, realm: str) -> KeycloakAdmin:
        raise AssertionError("nobody asks for it here")

    def count(self, verb: str) -> int:
        """Tell how often it was asked for something."""
        return sum(call.split()[0] == verb for call in self.calls)

    @contextmanager
    def _around(self, verb: str, name: str) -> Iterator[None]:
        self.calls.append(f"{verb} {name}".strip())
        if verb in self.trouble:
            self.trouble[verb](name)
        yield
        if verb in self.after:
            self.after[verb](name)

    def _locked(self) -> bool:
        return holder(self.state.lock(f"{DOMAIN}.realms")) is not None

    def _must(self, kept: bool, rule: str) -> None:
        if not kept:
            self.broken.append(rule)
            raise AssertionError(rule)


class FakeLive(LiveKeycloak):
    """A live-warm Keycloak with such an administrator, which works unless `dead` says why not."""

    dead: KeycloakTrouble | None = None

    def trouble(self) -> KeycloakTrouble | None:
        return self.dead

    @property
    def fake(self) -> FakeAdministrator:
        return cast("FakeAdministrator", self.administrator)


class NoEngine:
    """The name of one; nobody asks it for anything."""

    name = "process"
    told: Sequence[str] = ()


def fake_live(state: StateDirectory) -> FakeLive:
    """Return one for a state directory, with no realm but `master`."""
    place = LivePlace(state, cast("Engine", NoEngine()))
    record = LiveRecord(
        recipe="keycloak",
        engine="process",
        domain=DOMAIN,
        url="http://127.0.0.1:1",
        version="10.7.1+26.6.4",
        commit="c" * 40,
        fingerprint="f" * 64,
        started="2026-02-01T12:00:03Z",
    )
    live = FakeLive(place, record, ())
    live.__dict__["administrator"] = cast("Administrator", FakeAdministrator(state))
    return live


@contextmanager
def alive(state: StateDirectory, run: str, recipe: str = "blog") -> Iterator[RealmOwner]:
    """Be a run that is alive for the block; its folder stays."""
    folder: Path = state.run(run)
    folder.mkdir(0o700, exist_ok=True)
    who = Holder(run, "quick", f"{recipe}: the run", recipe=recipe)
    with hold(folder / "lease.lock", who=who, limit=0):
        yield RealmOwner(state, run, recipe)
