"""The live-warm Keycloak: attached to when it is the right one and works, started when not.

It stays up after whoever started it. Who uses it holds its lock shared, who starts, stops or
changes it holds it alone, after those who use it have left.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from pytest_warmci import __version__
from pytest_warmci.clients import interrupts
from pytest_warmci.clients.files import remove_tree
from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.clients.machine import utc_now
from pytest_warmci.errors import (
    InputError,
    KeycloakTrouble,
    NotEvaluated,
    RecipeFailed,
)
from pytest_warmci.model import FORMAT, Stack
from pytest_warmci.protocols import Progress
from pytest_warmci.runs.deploying import bring_up, deploy, take_down
from pytest_warmci.runs.live_keycloak import (
    KEYCLOAK,
    LiveKeycloak,
    LivePlace,
    LiveService,
    instances_of,
)
from pytest_warmci.runs.realm_owner import owner
from pytest_warmci.runs.realms import Realms
from pytest_warmci.runs.recover import STOP_SECONDS
from pytest_warmci.runs.roots import clear_roots
from pytest_warmci.store.journal import Journal
from pytest_warmci.store.live_records import LiveRecord, drop_live, read_live, write_live

_FIRST: Final = "live-first"
_AGAIN: Final = "live-start"
_ROUNDS: Final = 3
_LOOK_SECONDS: Final = 10.0
_STOCK: Final = 4


@contextmanager
def attached(
    service: LiveService, *, who: Holder, limit: float, progress: Progress
) -> Iterator[LiveKeycloak]:
    """Hold the live-warm Keycloak for the block, starting it when it is not there.

    Args:
        service: What it is made of.
        who: What others read while they wait.
        limit: Seconds to wait for who changes it, and to start it alone.
        progress: Told about what takes long.

    Raises:
        KeycloakTrouble: It does not start.
        LockBusy: Somebody changes it or uses a broken one for longer than `limit`.
    """
    service.check_base()
    for _ in range(_ROUNDS):
        with ExitStack() as held:
            held.enter_context(
                hold(service.lock, who=who, limit=limit, on_wait=progress, shared=True)
            )
            found = look(service)
            if found is not None:
                yield found
                return
        start(service, who=who, limit=limit, progress=progress)
    raise KeycloakTrouble(
        "the live-warm Keycloak does not stay up",
        where=service.domain,
        why=f"it was started {_ROUNDS} times, and was gone or another one right afterwards",
        remedy=f"look at its logs: {service.place.folder / 'logs'}",
    )


def look(service: LiveService) -> LiveKeycloak | None:
    """Return the Keycloak that runs when it is the one that we would start, and works.

    An open port proves nothing: what runs is compared with its record and ours, and it has to
    list its realms to us.

    Raises:
        StateDamaged: The record cannot be read.
    """
    record = read_live(service.folder)
    place = service.place
    if record is None or not place.folder.is_dir():
        return None
    try:
        stack = place.deployed_stack()
        if record.fingerprint != fingerprint(service, stack):
            return None
        instances = instances_of(service.engine.running(place))
        if not instances:
            return None
        service.engine.prove(place, stack)
        found = LiveKeycloak(service, record, instances)
        _probe(found)
    except (NotEvaluated, RecipeFailed, InputError, OSError):
        return None
    return found


def start(service: LiveService, *, who: Holder, limit: float, progress: Progress) -> LiveKeycloak:
    """Start the live-warm Keycloak, or start it anew when it is not as it should be.

    Those that use it leave first. One that somebody else has started meanwhile is fine.

    Raises:
        KeycloakTrouble: It does not start.
        LockBusy: It is in use for longer than `limit`.
    """
    service.check_base()
    with hold(service.lock, who=who, limit=limit, on_wait=progress):
        found = look(service)
        if found is not None:
            return found
        progress("starting the live-warm Keycloak (a minute; the first time more)")
        try:
            return _start(service)
        except RecipeFailed as error:
            raise KeycloakTrouble(
                "the live-warm Keycloak does not start",
                where=service.domain,
                why=str(error),
                remedy="pytest recipe_tests/keycloak says what is wrong with its recipe",
            ) from error


def stop(service: LivePlace, *, who: Holder, limit: float, progress: Progress) -> bool:
    """Stop it, after those that use it have left; its data stay.

    Returns:
        Whether there was something to stop.
    """
    with hold(service.lock, who=who, limit=limit, on_wait=progress):
        there = bool(service.engine.leftovers(service.place))
        drop_live(service.folder)
        if there:
            with interrupts.shielded():
                service.engine.undeploy(service.place)
                service.engine.settle(service.place, STOP_SECONDS)
        return there


def running(service: LivePlace) -> LiveKeycloak | None:
    """Return the Keycloak that runs, whether or not it is the one that we would start.

    Raises:
        KeycloakTrouble: It runs, as far as is known, and does not work.
        StateDamaged: The record cannot be read.
    """
    record = read_live(service.folder)
    if record is None:
        return None
    instances = instances_of(service.engine.running(service.place))
    if not instances:
        return None
    found = LiveKeycloak(service, record, instances)
    try:
        _probe(found)
    except (InputError, OSError) as error:
        raise KeycloakTrouble(
            "nobody can log in to the live-warm Keycloak as its administrator",
            where=record.domain,
            why=str(error),
            remedy="warmci live stop, then run again",
        ) from error
    return found


def fingerprint(service: LivePlace, stack: Stack) -> str:
    """Return the digest of what a server is started with: versions, configuration, our own."""
    shaped = [
        __version__,
        FORMAT,
        service.engine.name,
        stack.revision.version,
        stack.revision.commit,
        sorted(stack.keys.items()),
        [[name, sorted(each.keys.items())] for name, each in sorted(stack.services.items())],
        sorted(stack.env.items()),
        [
            [name, full, hashlib.sha256(data).hexdigest()]
            for name, (full, data) in sorted(stack.configs.items())
        ],
    ]
    return hashlib.sha256(json.dumps(shaped).encode()).hexdigest()


def _start(service: LiveService) -> LiveKeycloak:
    place, engine = service.place, service.engine
    drop_live(service.folder)
    journal = Journal(place.folder)
    begun = journal.read() if place.folder.is_dir() else None
    if engine.leftovers(place):
        take_down(engine, place, service.enrolment)
    if begun is not None and begun.get("op") == _FIRST:
        # It died before anybody had used it: a database that was made half holds nothing.
        engine.remove(place)
        clear_roots(engine, place)
        remove_tree(place.folder)
    elif begun is not None:
        journal.end()
    first = place.deployed() is None
    engine.check()
    url = engine.address(place)  # chosen once and recorded before anything is made
    journal.begin(_FIRST if first else _AGAIN, run=KEYCLOAK, session="")
    try:
        stack = _deploy(service, first=first)
        record = LiveRecord(
            recipe=KEYCLOAK,
            engine=engine.name,
            domain=place.domain,
            url=url,
            version=stack.revision.version,
            commit=stack.revision.commit,
            fingerprint=fingerprint(service, stack),
            started=utc_now(),
        )
        found = LiveKeycloak(service, record, instances_of(engine.running(place)))
        found.keys.prepare(_STOCK)
        _warm(found)
        # First: once it is on record it may be used, and what is used is never begun anew.
        journal.end()
        write_live(service.folder, record)
    except BaseException:
        # Nobody would know of it; the journal says how far it came.
        with interrupts.shielded():
            take_down(engine, place, service.enrolment)
        raise
    return found


def _deploy(service: LiveService, *, first: bool) -> Stack:
    """Deploy what ran before, or the newest published version on the first start."""
    place = service.place
    if not first:
        stack = place.deployed_stack()
        return bring_up(service.engine, place, service.enrolment, stack).stack
    source = service.source()
    revision = source.resolve("published")
    place.create(source, revision)
    return deploy(service.engine, place, service.enrolment, source, revision).stack


def _probe(found: LiveKeycloak) -> None:
    """See that it works: its administrator logs in and lists realms, and its issuer is its own.

    Raises:
        KeycloakTrouble: It does not.
    """
    from pytest_warmci.clients import oidc
    from pytest_warmci.clients.keycloak import MASTER

    if MASTER not in {each.name for each in found.administrator.realms()}:
        raise KeycloakTrouble("it lists no realm master", where=found.url)
    said = oidc.discovery(f"{found.url}/realms/{MASTER}", timeout=_LOOK_SECONDS).get("issuer")
    if said != f"{found.url}/realms/{MASTER}":
        raise KeycloakTrouble(f"its issuer is {said}", where=found.url)


def _warm(found: LiveKeycloak) -> None:
    """Do once what costs a cold server seconds, before anybody waits for it."""
    with owner(found.service.state, KEYCLOAK, "warm Keycloak up") as run:
        # Nobody is to wait for room: only who is attached can remove what takes it.
        realms = Realms(found, run, cap=sys.maxsize)
        realm = realms.check_out("warm-up", users=("ana",))
        realm.token(realm.users["ana"])
        realms.check_in(realm)
        realms.delete_due()
