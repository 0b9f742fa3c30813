"""Removing the realms of dead runs from the live-warm Keycloak, and saying why the others stay.

A realm goes only when its name, what it says of itself and what we know of its run agree that
nobody has it. Realm `master`, and what we did not make, are never looked into.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from pytest_warmci.clients.locks import Holder, describe, hold, holder
from pytest_warmci.clients.machine import utc_now
from pytest_warmci.errors import KeycloakTrouble, LockBusy, StateDamaged, WarmciError
from pytest_warmci.naming import new_token, realm_name, realm_run
from pytest_warmci.protocols import Engine
from pytest_warmci.runs.live import running
from pytest_warmci.runs.live_keycloak import LiveKeycloak, LivePlace
from pytest_warmci.runs.realm_owner import owner
from pytest_warmci.runs.realms import (
    ATTRIBUTE,
    MUTEX_SECONDS,
    Realms,
    attributes,
    delete_all,
    delete_one,
    mutex,
)
from pytest_warmci.store import realm_records
from pytest_warmci.store.kept import read_kept
from pytest_warmci.store.realm_records import RealmRecord
from pytest_warmci.store.state import StateDirectory

MOST: Final = 25
"""Realms that one pass deletes; more would be a sign that something is wrong, and take minutes."""

MOST_AT_START: Final = 5
"""Those that a run deletes when it begins to use Keycloak: its author waits."""

Outcome = Literal["removed", "kept", "failed"]


@dataclass(frozen=True, slots=True)
class ReapedRealm:
    """What became of one realm (in a dry run: what would), and why.

    `run` is whose it is by its name, empty for a foreign one.
    """

    realm: str
    run: str
    outcome: Outcome
    why: str

    def to_json(self) -> dict[str, str]:
        """Return it as plain data."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.outcome} realm {self.realm}: {self.why}"


def reap_realms(
    live: LiveKeycloak, *, dry_run: bool = False, most: int = MOST, first: str = ""
) -> list[ReapedRealm]:
    """Delete the realms of dead runs.

    Args:
        live: The Keycloak that runs.
        dry_run: Only say what would be done.
        most: How many to delete, or to try to, at most.
        first: The realm to begin with.

    Returns:
        One entry for each realm but `master`.

    Raises:
        KeycloakTrouble: Keycloak does not answer.
    """
    found: list[ReapedRealm] = []
    tried = 0
    for name in _names(live, first):
        judged = judge(live, name)
        if judged.outcome == "removed" and tried >= most:
            judged = ReapedRealm(name, judged.run, "kept", f"{most} go in one pass: reap again")
        elif judged.outcome == "removed":
            tried += 1  # one that cannot be deleted takes the longest
            judged = judged if dry_run else _delete(live, judged)
        found.append(judged)
    if not dry_run:
        _tidy(live)
    return found


def reap_all_realms(
    state: StateDirectory, engines: Iterable[Engine], *, dry_run: bool, self_tested: bool
) -> list[ReapedRealm]:
    """Reap on each engine's live-warm Keycloak that runs; see `reap_realms` and `self_test`.

    Raises:
        KeycloakTrouble: The reaper cannot test itself, or fails.
    """
    found: list[ReapedRealm] = []
    tested = False
    for engine in engines:
        try:
            live = running(LivePlace(state, engine))
            if live is not None and not self_tested:
                found += reap_realms(live, dry_run=dry_run)
        except KeycloakTrouble as error:
            if self_tested:
                raise
            found.append(ReapedRealm("", "", "failed", error.summary))
            continue
        if live is not None and self_tested:
            found += self_test(live)
            tested = True
    if self_tested and not tested:
        raise untestable()
    return found


def untestable() -> KeycloakTrouble:
    """Return why the reaper cannot test itself where no Keycloak runs."""
    return KeycloakTrouble(
        "the reaper cannot test itself: the live-warm Keycloak does not run",
        remedy="warmci live start",
    )


def judge(live: LiveKeycloak, name: str) -> ReapedRealm:
    """Say what is to become of a realm; changes nothing."""
    state = live.service.state
    run = realm_run(name) or ""
    if not run:
        return ReapedRealm(name, "", "kept", "its name is not one of a run's realm")
    lease = state.run(run) / "lease.lock"
    alive = holder(lease)
    if alive is not None:
        return ReapedRealm(name, run, "kept", f"in use by {describe(alive)}")
    realm = live.administrator.find(name)
    if realm is None:
        return ReapedRealm(name, run, "kept", "it is being deleted")
    kept = _foreign(state, run, realm)
    try:
        kept = kept or _wanted(live, run, realm)
        known = lease.exists()
    except StateDamaged:
        known = False  # somebody may look at its app
    if kept:
        return ReapedRealm(name, run, "kept", kept)
    if known:
        return ReapedRealm(name, run, "removed", f"run {run} died")
    return _by_expiry(name, run, _said(realm))


def _foreign(state: StateDirectory, run: str, realm: Mapping[str, Any]) -> str:
    """Return why a realm with a name like ours is not ours; empty when it is."""
    from pytest_warmci.clients.keycloak import token_of

    said = _said(realm)
    if not token_of(realm) or said.get("run") != run:
        return "nothing in it says that we have made it"
    if said.get("state") != state.uuid:
        return "it belongs to another state directory"
    return ""


def _wanted(live: LiveKeycloak, run: str, realm: Mapping[str, Any]) -> str:
    """Return why a dead run's realm is still wanted; empty when it is not.

    Raises:
        StateDamaged: Its record cannot be read.
    """
    from pytest_warmci.clients.keycloak import token_of

    record = realm_records.find(live.service.state, run, str(realm["realm"]))
    if record is None:
        return ""
    if record.token != token_of(realm):
        return "its record is of another realm of that name"
    return _kept(live, record)


def self_test(live: LiveKeycloak) -> list[ReapedRealm]:
    """Plant a realm of a dead run and one of a live run, and see that exactly the first goes.

    Returns:
        What the pass has done.

    Raises:
        KeycloakTrouble: The reaper does not do what it has to.
    """
    with owner(live.service.state, "selftest", "the reaper tests itself") as run:
        # Nobody is to wait for room: what takes it may be what is to be reaped.
        realms = Realms(live, run, cap=sys.maxsize)
        mine = realms.check_out("live")
        try:
            found, wrong = _reap_planted(live, mine.name)
        finally:
            realms.check_in(mine)
            realms.delete_due()
    if wrong:
        raise KeycloakTrouble(
            "the reaper does not do what it has to",
            where=live.record.domain,
            why="; ".join(wrong),
            remedy="do not reap until this is understood: it might delete realms that are in use",
        )
    return found


def _reap_planted(live: LiveKeycloak, in_use: str) -> tuple[list[ReapedRealm], list[str]]:
    """Reap with a dead run's realm planted; return what was done, and what was wrong with it."""
    # Of nobody: no folder, no record, no lease, and its time is over.
    with owner(live.service.state, "selftest", "the reaper tests itself") as gone:
        name = realm_name("selftest", gone.id, "dead")
    planted = RealmRecord(name, gone.id, "selftest", new_token(), utc_now())
    try:
        _plant_expired(live, planted)
        found = reap_realms(live, first=name)
        left = {each.name for each in live.administrator.realms()}
    finally:
        delete_all(live, [planted])
    wrong = [f"{name} was not deleted"] if name in left else []
    return found, wrong + [
        f"{each} was deleted" for each in (in_use, "master") if each not in left
    ]


def _plant_expired(live: LiveKeycloak, planted: RealmRecord) -> None:
    from pytest_warmci.clients.realm_form import realm_form

    expired = {f"{ATTRIBUTE}expires": str(int(time.time()) - 1)}
    who = Holder(run=planted.run, mode="realms", why="plant a realm for the reaper")
    with hold(mutex(live.service.state), who=who, limit=MUTEX_SECONDS):
        form = realm_form(
            planted.realm,
            title="the reaper tests itself",
            attributes={**attributes(live.service.state, planted), **expired},
            keys=live.keys.take(planted.realm),
            clients=[],
            users=[],
        )
        live.administrator.create(form)


def _names(live: LiveKeycloak, first: str) -> list[str]:
    names = [each.name for each in live.administrator.realms() if each.name != "master"]
    return sorted(names, key=lambda name: name != first)


def _delete(live: LiveKeycloak, judged: ReapedRealm) -> ReapedRealm:
    from pytest_warmci.clients.keycloak import token_of

    state = live.service.state
    who = Holder(run="", mode="reap", why="delete a dead run's realm")
    try:
        with hold(mutex(state), who=who, limit=MUTEX_SECONDS):
            again = judge(live, judged.realm)  # it may have changed while we waited
            if again.outcome != "removed":
                return again
            realm = live.administrator.find(judged.realm) or {}
            delete_one(live, judged.realm, judged.run, token_of(realm))
    except (WarmciError, OSError) as error:
        text = error.summary if isinstance(error, WarmciError) else str(error)
        return ReapedRealm(judged.realm, judged.run, "failed", text)
    return judged


def _tidy(live: LiveKeycloak) -> None:
    """Forget what dead runs have recorded and never made, and take their keys back."""
    state = live.service.state
    there = {each.name for each in live.administrator.realms()}
    recorded = {
        each.realm: each
        for each in realm_records.of_all(state)
        if each.engine == live.service.engine.name  # another engine's Keycloak has its own
    }
    for name in {*recorded, *live.keys.used()} - there:
        run = realm_run(name)
        lease = state.run(run) / "lease.lock" if run else None
        who = Holder(run="", mode="reap", why="take a dead run's keys back")
        try:
            with hold(mutex(state), who=who, limit=0):
                if lease is not None and holder(lease) is not None:
                    continue
                if live.administrator.find(name) is None:
                    live.keys.give_back(name)
                    if name in recorded:
                        realm_records.drop(state, recorded[name].run, name)
        except LockBusy:
            return  # the next pass will


def _kept(live: LiveKeycloak, record: RealmRecord) -> str:
    """Return why a dead run's realm is still wanted: for an app that was kept to be looked at."""
    if not record.app:
        return ""
    folder: Path = live.service.state.app(live.service.engine.name, record.app)
    try:
        kept = read_kept(folder)
    except StateDamaged:
        return "the mark of its app cannot be read"
    if kept is None or kept.run != record.run or kept.expired(datetime.now(UTC)):
        return ""
    return f"run {kept.run} keeps its app until {kept.until}"


def _by_expiry(name: str, run: str, said: dict[str, str]) -> ReapedRealm:
    """Judge a realm of whose run nothing is known: only its own word is left."""
    try:
        expires = datetime.fromtimestamp(int(said.get("expires", "")), UTC)
    except (ValueError, OverflowError, OSError):
        return ReapedRealm(name, run, "kept", "nothing is known of its run, nor when it expires")
    when = expires.strftime("%Y-%m-%dT%H:%M:%SZ")
    if expires > datetime.now(UTC):
        return ReapedRealm(name, run, "kept", f"nothing is known of its run, it expires at {when}")
    return ReapedRealm(name, run, "removed", f"nothing is known of its run, it expired at {when}")


def _said(realm: Mapping[str, Any]) -> dict[str, str]:
    found = realm.get("attributes") or {}
    return {
        str(key).removeprefix(ATTRIBUTE): str(value)
        for key, value in found.items()
        if str(key).startswith(ATTRIBUTE)
    }
