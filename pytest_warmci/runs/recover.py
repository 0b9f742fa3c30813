"""Finishing what a dead run had begun; the first thing under every app's lock.

Everything here can be killed and done again. Only what a registry entry names is ever written
into its place: healing cannot move a known-good.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from pytest_warmci.clients import interrupts
from pytest_warmci.clients.files import remove_tree, sweep_garbage, sync_folder
from pytest_warmci.errors import BaselineRotten, SnapshotDamaged, StateDamaged, WarmciError
from pytest_warmci.model import KnownGood
from pytest_warmci.naming import new_run_id
from pytest_warmci.protocols import Engine
from pytest_warmci.runs.place import Place
from pytest_warmci.runs.roots import clear_roots, restore_roots, roots_of
from pytest_warmci.store import snapshots
from pytest_warmci.store.alerts import raise_alert, settle_alert
from pytest_warmci.store.journal import Journal
from pytest_warmci.store.kept import drop_kept, read_kept
from pytest_warmci.store.quarantine import clear_quarantine, mark_quarantined
from pytest_warmci.store.registry import Registry, RegistryWriter
from pytest_warmci.store.state import StateDirectory

STOP_SECONDS: Final = 180.0
"""How long a dead run's app may take to stop: nobody asks its recipe.yml."""


UNDONE: Final = "what had begun is finished or undone by the next run, or now by: warmci recover"
"""What becomes of what a run could not end."""


@contextmanager
def undone_later() -> Iterator[None]:
    """Say in an error of ours that what it has interrupted is undone later, unless it says more."""
    try:
        yield
    except WarmciError as error:
        if error.changed == "nothing":
            error.changed = UNDONE
        raise


def quarantine(state: StateDirectory, place: Place, reason: str) -> None:
    """Set a canonical aside until the next promotion, loudly."""
    mark_quarantined(place.folder, reason)
    raise_alert(
        state.alerts,
        kind="canonical.quarantined",
        subject=place.recipe,
        what=f"the canonical is set aside: {reason}",
        where=place.domain,
        remedy=f"warmci seed {place.recipe}",
    )


def recover_canonical(
    state: StateDirectory, engine: Engine, place: Place, session: str
) -> list[str]:
    """Finish what a dead run left of a canonical; the caller holds its lock.

    Returns:
        What was done, one sentence each.

    Raises:
        StateDamaged: The journal or the entry cannot be read.
        SnapshotDamaged: What must be restored is damaged; the canonical is quarantined.
    """
    with interrupts.shielded():
        return _recover(state, engine, place, session)


def _recover(state: StateDirectory, engine: Engine, place: Place, session: str) -> list[str]:
    journal = Journal(place.folder)
    begun = journal.read()
    known_good = Registry(state).find(engine.name, place.recipe)
    # Of a canonical at another base domain nothing belongs here.
    entry = known_good if known_good is not None and known_good.domain == place.domain else None
    done: list[str] = []
    left = engine.leftovers(place)
    if begun is not None or left:
        engine.undeploy(place)
        engine.settle(place, STOP_SECONDS)
        if begun is None:
            journal.begin("restore", run="recover", session=session)
            begun = {"op": "restore", "run": "an unknown run"}
        kept = read_kept(place.folder)
        if kept is not None:
            done.append(f"ended the app that run {kept.run} had kept until {kept.until}")
        elif left:
            done.append(f"ended {', '.join(left)}")
        done.append(_put_back(state, engine, place, entry, begun))
        drop_kept(place.folder)
        place.unwire()
        settle_alert(state.alerts, "restore.failed", place.recipe)
    snapshots.sweep(place.snapshots, {known_good.generation} if known_good else set())
    sweep_garbage(place.folder)
    journal.end()
    return done


def _put_back(
    state: StateDirectory,
    engine: Engine,
    place: Place,
    entry: KnownGood | None,
    begun: Mapping[str, Any],
) -> str:
    what = f"{begun.get('op')} of run {begun.get('run')}"
    if entry is not None and begun.get("generation") == entry.generation:
        # It may have died before its entry was durable, and the old generation goes next.
        sync_folder(state.canonicals(engine.name))
        clear_quarantine(place.folder)
        return f"{what} had written its entry already: finished it"
    if entry is None:
        engine.remove(place)
        clear_roots(engine, place)
        return f"{what} was cut short: removed what it had made, there was no known-good"
    restore(state, engine, place, entry)
    return f"{what} was cut short: restored the known-good {entry.version}"


def restore(state: StateDirectory, engine: Engine, place: Place, entry: KnownGood) -> None:
    """Put the known-good back: version, data, secrets and `.env` together, then verified.

    Raises:
        SnapshotDamaged: It cannot be; the canonical is quarantined.
    """
    try:
        with interrupts.shielded():
            restore_roots(engine, place, entry.generation, entry.digest)
    except SnapshotDamaged as error:
        quarantine(state, place, error.summary)
        raise


def ensure_known_good(
    state: StateDirectory, engine: Engine, place: Place, entry: KnownGood
) -> tuple[KnownGood, list[str]]:
    """Verify a known-good's snapshot by content; heal it from equal volumes when it is damaged.

    Returns:
        The entry (its generation differs after healing, its digest never does) and what was done.

    Raises:
        BaselineRotten: Snapshot and volumes are both damaged; the canonical is quarantined.
    """
    try:
        snapshots.verify(place.snapshots, entry.generation, entry.digest)
        return entry, []
    except SnapshotDamaged as error:
        damage = error
    with interrupts.shielded():
        return _heal(state, engine, place, entry, damage)


def _heal(
    state: StateDirectory, engine: Engine, place: Place, entry: KnownGood, damage: SnapshotDamaged
) -> tuple[KnownGood, list[str]]:
    roots = roots_of(engine, place)
    live = snapshots.measure(roots)
    if live.digest != entry.digest:
        quarantine(state, place, damage.summary)
        raise BaselineRotten(
            "the known-good is damaged, and so are the kept volumes",
            where=place.recipe,
            why=str(damage),
            remedy=f"warmci seed {place.recipe} (quick runs go cold until then)",
            changed="the canonical is quarantined and an alert was raised",
        ) from damage
    healed = replace(entry, generation=new_generation(place))
    taken = snapshots.take(place.snapshots, healed.generation, roots)
    if taken.digest != entry.digest:
        raise StateDamaged("the volumes changed while they were copied", where=place.domain)
    RegistryWriter(state).put(healed)  # the digest is the entry's own, compared just above
    snapshots.remove(place.snapshots, entry.generation)
    raise_alert(
        state.alerts,
        kind="snapshot.healed",
        subject=place.recipe,
        what=f"the snapshot had changed by itself and was taken anew: {damage.summary}",
        where=str(place.snapshots),
        remedy="check the disk and the memory of this machine",
    )
    return healed, [f"the snapshot was damaged and was taken anew: {damage.summary}"]


def new_generation(place: Place) -> str:
    """Return a name for the next snapshot of an app."""
    numbers = [
        int(name.removeprefix("gen-").partition("-")[0])
        for name in snapshots.generations(place.snapshots)
        if name.startswith("gen-")
    ]
    return f"gen-{max(numbers, default=0) + 1:06d}-{new_run_id()}"


def remove_app(engine: Engine, place: Place, timeout: float) -> None:
    """Remove a throw-away app: processes first, its journal last."""
    with interrupts.shielded():
        engine.undeploy(place)
        engine.settle(place, timeout)
        engine.remove(place)
        clear_roots(engine, place)
        remove_tree(place.folder)
