"""What a snapshot of an app covers: its data, which its engine keeps, and what is in its folder."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_warmci.protocols import Engine, Root
from pytest_warmci.runs.place import Place
from pytest_warmci.store import snapshots


def roots_of(engine: Engine, place: Place) -> Mapping[str, Root]:
    """Map each root of an app to where it is; what a snapshot does not know is not among them."""
    return {**engine.data(place), **place.roots}


def restore_roots(engine: Engine, place: Place, generation: str, digest: str) -> None:
    """Bring an undeployed app back to a generation: afterwards it has its roots and no others.

    May be killed at any instant and run again: room that was made for a root is filled the next
    time, and a root that the generation does not have is deleted only when all others are back.

    Raises:
        SnapshotDamaged: The generation is not whole (nothing has changed), or the result differs.
        SnapshotRefused: Something cannot be put back (no data have changed).
        DiskTooSmall: There is not enough room (no data have changed).
        StateDamaged: The swap is unfinished; run it again.
    """

    def places(present: frozenset[str]) -> Mapping[str, Root]:
        return {**engine.make_data(place, present - place.roots.keys()), **place.roots}

    present = snapshots.restore(place.snapshots, generation, digest, places)
    engine.drop_data(place, present)


def clear_roots(engine: Engine, place: Place) -> None:
    """Delete all that a snapshot of an undeployed app covers (and no snapshot)."""
    engine.drop_data(place, ())
    place.clear()
