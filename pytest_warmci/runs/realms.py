"""The realms of one run: checked out, checked in, deleted.

A realm is a lease. Its record is there before it is made, and the request that makes it writes
into it whose it is; so whatever happens, whoever reaps knows. Making and deleting are serialised
between all processes, which costs no throughput and spares Keycloak its races.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pytest_warmci.clients.locks import Holder, describe, hold, holder
from pytest_warmci.clients.machine import utc_now
from pytest_warmci.clients.realm_form import (
    client_form,
    new_client,
    new_user,
    realm_form,
    user_form,
)
from pytest_warmci.clients.waiting import Look, WaitedTooLong, wait_until
from pytest_warmci.errors import KeycloakTrouble, LockBusy, StateDamaged, WarmciError
from pytest_warmci.model import RealmClient, RealmUser
from pytest_warmci.naming import live_domain, new_token, realm_name, realm_run
from pytest_warmci.protocols import Progress
from pytest_warmci.runs.live_keycloak import KEYCLOAK, LiveKeycloak
from pytest_warmci.runs.realm import Realm
from pytest_warmci.runs.realm_owner import RealmOwner
from pytest_warmci.store import realm_records
from pytest_warmci.store.realm_records import RealmRecord
from pytest_warmci.store.state import StateDirectory

CAP: Final = 50
"""Realms of runs that are alive at once: deleting gets slow above it (0.6 s with 50, 1.6 s with
200, measured on 26.7.3)."""

LIFETIME: Final = 12 * 3600
"""Seconds after which a realm is reaped of which nothing is known but what it says itself."""

ATTRIBUTE: Final = "warmci."
"""How the attributes begin that say whose a realm is."""

MUTEX_SECONDS: Final = 300.0
_ROOM_SECONDS: Final = 900.0
_GIVE_UP: Final = 60.0
"""Seconds after which a run stops deleting realms on a server that does not do it."""


class Realms:
    """The realms of one owner on one live-warm Keycloak, which both outlive this object.

    Args:
        live: The Keycloak, which the caller holds.
        owner: Who owns the realms, alive.
        own_keys: Send each realm's keys with it; else the server makes them.
        cap: How many realms may be alive at once.
        room_limit: Seconds to wait for room under the cap.
        progress: Told what we wait for.
    """

    def __init__(
        self,
        live: LiveKeycloak,
        owner: RealmOwner,
        *,
        own_keys: bool = True,
        cap: int = CAP,
        room_limit: float = _ROOM_SECONDS,
        progress: Progress = lambda _text: None,
    ) -> None:
        self.live = live
        self.owner = owner
        self._own_keys = own_keys
        self._cap = cap
        self._room_limit = room_limit
        self._progress = progress

    def check_out(
        self,
        suffix: str = "",
        *,
        client: tuple[RealmClient, Iterable[str], Iterable[str]] | None = None,
        users: Iterable[str] = (),
        app: str = "",
    ) -> Realm:
        """Make a realm.

        Args:
            suffix: What its name ends with, beside the run's id; tells those of a run apart.
            client: A client of an app, its flows, and the URLs that it may be led back to.
            users: The names of its users.
            app: The domain of the app that it is for.

        Raises:
            KeycloakTrouble: It cannot be made.
            LockBusy: There are too many, or they are made too slowly, for too long.
        """
        name = realm_name(self.owner.recipe, self.owner.id, suffix)
        record = RealmRecord(
            realm=name,
            run=self.owner.id,
            recipe=self.owner.recipe,
            token=new_token(),
            made=utc_now(),
            app=app,
            engine=self.live.service.engine.name,
        )
        people = {each: new_user(each) for each in users}
        control = new_client("warmci")
        forms = [client_form(control)]
        if client is not None:
            forms.append(client_form(client[0], flows=client[1], redirects=list(client[2])))
        first = not self._alive()
        begun, waited = time.monotonic(), False
        while True:
            with self._mutex("make a realm"):
                if not first or self._has_room():
                    self._make(record, forms, list(people.values()))
                    break
            if waited and time.monotonic() - begun >= self._room_limit:
                raise self._no_room(begun)  # others were faster, again and again
            self._wait_for_room(begun)
            waited = True
        return Realm(self.live, record, control, client[0] if client else None, people)

    def check_in(self, realm: Realm) -> None:
        """Let nobody log in to a realm any more; it is deleted later, see `delete_due`.

        Raises:
            KeycloakTrouble: Keycloak does not do it; the realm goes with the others all the same.
        """
        record = realm.record
        realm_records.put(self.owner.state, _disabled(record))
        self.live.administrator.disable(record.realm)

    def delete_due(self) -> list[str]:
        """Delete the owner's realms that were checked in, one after the other.

        Returns:
            What could not be deleted, one sentence each; whoever reaps will.
        """
        damaged: list[StateDamaged] = []
        due = [each for each in self._records(damaged.append) if each.condition == "disabled"]
        return [each.summary for each in damaged] + delete_all(self.live, due)

    def alive(self) -> list[str]:
        """Return the names of the owner's realms that were not checked in."""
        return [each.realm for each in self._alive()]

    def _records(
        self, on_damaged: Callable[[StateDamaged], object] = lambda _damage: None
    ) -> list[RealmRecord]:
        return realm_records.of_run(self.owner.state, self.owner.id, on_damaged)

    def _alive(self) -> list[RealmRecord]:
        return [each for each in self._records() if each.condition == "live"]

    def _make(
        self, record: RealmRecord, clients: list[dict[str, Any]], users: list[RealmUser]
    ) -> None:
        state, name = self.owner.state, record.realm
        realm_records.put(state, record)
        try:
            form = realm_form(
                name,
                title=f"{record.recipe}, run {record.run}",
                attributes=attributes(state, record),
                keys=self.live.keys.take(name) if self._own_keys else None,
                clients=clients,
                users=[user_form(each) for each in users],
            )
            self.live.administrator.create(form)
        except BaseException:
            # It may be there or come to be there yet: the record stays, as one that is due.
            realm_records.put(state, _disabled(record))
            raise

    def _has_room(self) -> bool:
        listed = self.live.administrator.realms()
        return sum(realm_run(each.name) is not None for each in listed) < self._cap

    def _wait_for_room(self, begun: float) -> None:
        """Wait until there is room, as far as can be seen without the mutex."""
        self.delete_due()
        said = ""

        def look() -> Look:
            nonlocal said
            if self._has_room():
                return Look(True, "")
            text = self._full()
            if text != said:
                self._progress(text)
                said = text
            return Look(False, text)

        left = self._room_limit - (time.monotonic() - begun)
        try:
            wait_until(look, timeout=max(left, 0.0), every=0.5)
        except WaitedTooLong:
            raise self._no_room(begun) from None

    def _no_room(self, begun: float) -> LockBusy:
        return LockBusy(
            f"{self._cap} realms are in use",
            where=self.live.record.domain,
            why=f"{self._full()}; waited {time.monotonic() - begun:.0f} s",
            remedy="warmci realms shows whose they are; warmci reap removes those of dead runs",
        )

    def _full(self) -> str:
        return f"waiting for one of {self._cap} realms: {_holders(self.owner)}"

    def _mutex(self, why: str) -> AbstractContextManager[None]:
        who = Holder(run=self.owner.id, mode="realms", why=why, recipe=self.owner.recipe)
        return hold(mutex(self.owner.state), who=who, limit=MUTEX_SECONDS)


def delete_all(live: LiveKeycloak, records: Iterable[RealmRecord]) -> list[str]:
    """Delete realms one after the other, each under the mutex for itself.

    Returns:
        What could not be deleted, one sentence each.
    """
    state = live.service.state
    failed: list[str] = []
    begun = time.monotonic()
    hopeless = ""
    for record in records:
        if not hopeless and failed and time.monotonic() - begun > _GIVE_UP:
            hopeless = "Keycloak is too slow"
        if hopeless:
            failed.append(f"realm {record.realm} was not deleted: {hopeless}")
            continue
        who = Holder(run=record.run, mode="realms", why="delete a realm", recipe=record.recipe)
        try:
            with hold(mutex(state), who=who, limit=MUTEX_SECONDS):
                delete_one(live, record.realm, record.run, record.token)
        except (WarmciError, OSError) as error:
            text = error.summary if isinstance(error, WarmciError) else str(error)
            failed.append(f"realm {record.realm} was not deleted: {text}")
            trouble = live.trouble() if isinstance(error, KeycloakTrouble) else None
            if trouble is not None:
                hopeless = trouble.what  # the others would only wait for the same
    return failed


def delete_one(live: LiveKeycloak, realm: str, run: str, token: str) -> None:
    """Delete one realm of a run and forget it; the caller has the mutex.

    Only what carries the token is deleted: a name may look right and be another's.

    Raises:
        KeycloakTrouble: It is still there.
    """
    from pytest_warmci.clients.keycloak import token_of

    found = live.administrator.find(realm)
    if found is not None and token and token_of(found) == token:
        live.administrator.delete(realm)
    live.keys.give_back(realm)
    realm_records.drop(live.service.state, run, realm)


def mutex(state: StateDirectory) -> Path:
    """Return the lock under which realms are made and deleted. Nobody takes another one under it."""
    return state.lock(f"{live_domain(KEYCLOAK)}.realms")


def attributes(state: StateDirectory, record: RealmRecord) -> Mapping[str, str]:
    """Return what a realm says of its owner."""
    return {
        f"{ATTRIBUTE}token": record.token,
        f"{ATTRIBUTE}state": state.uuid,
        f"{ATTRIBUTE}run": record.run,
        f"{ATTRIBUTE}recipe": record.recipe,
        f"{ATTRIBUTE}made": record.made,
        f"{ATTRIBUTE}expires": str(int(time.time()) + LIFETIME),
    }


def _disabled(record: RealmRecord) -> RealmRecord:
    return replace(record, condition="disabled")


def _holders(owner: RealmOwner) -> str:
    """Say who has the realms, beside `owner`."""
    state = owner.state
    runs = sorted({each.run for each in realm_records.of_all(state)} - {owner.id})
    found = [holder(state.run(run) / "lease.lock") for run in runs]
    named = [describe(each) for each in found if each is not None]
    more = f" and {len(named) - 3} more" if len(named) > 3 else ""
    return (", ".join(named[:3]) + more) or "runs that are dead, see warmci reap"
