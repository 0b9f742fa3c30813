"""A pytest plugin that breaks this package on purpose, to see that the tests of faults notice.

Load it with `-p tests.faults.planted`; `PLANTED` names the bug, nothing is broken without it. Only
the session that loads it is broken.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pytest_warmci.model import KnownGood
from pytest_warmci.runs import quick, reap, recover
from pytest_warmci.runs.run import Run
from pytest_warmci.store import rebuilding, snapshots
from pytest_warmci.store.manifest import Measured
from pytest_warmci.store.registry import RegistryWriter


def skip_teardown() -> None:
    """Apps are left as they are when a run leaves them."""
    _replace(quick, "take_down", lambda *_: None)
    _replace(recover, "remove_app", lambda *_: None)


def release_early() -> None:
    """A run has the lock of its app for an instant only."""

    @contextmanager
    def hold(*words: Any, **more: Any) -> Iterator[None]:
        with original(*words, **more):
            pass
        yield

    original = Run.hold
    _replace(Run, "hold", hold)


def write_the_entry_first() -> None:
    """A snapshot gets its name only when the entry that points to it has been written."""

    def take(folder: Path, generation: str, roots: Mapping[str, Path]) -> Measured:
        measured = take_now(folder, generation, roots)
        named = folder / generation
        late.append((named.rename(folder / ".building-late"), named))
        return measured

    def put(writer: RegistryWriter, entry: KnownGood) -> None:
        put_now(writer, entry)
        for unnamed, named in late:
            unnamed.rename(named)

    late: list[tuple[Path, Path]] = []
    take_now, put_now = snapshots.take, RegistryWriter.put
    _replace(snapshots, "take", take)
    _replace(RegistryWriter, "put", put)


def skip_restore() -> None:
    """The known-good is said to be restored, and nothing is."""
    _replace(recover, "restore", lambda *_: None)


def restore_unverified() -> None:
    """A restore loses what is in a file, and nobody compares."""

    def build(entries: Any, objects: Path, built: Mapping[str, Path]) -> None:
        build_all(entries, objects, built)
        for path in built["volumes"].rglob("*.ics"):
            path.write_bytes(b"")

    build_all = rebuilding.build
    _replace(rebuilding, "build", build)
    _replace(snapshots, "_compare", lambda *_, **__: None)


def skip_recovery() -> None:
    """A run does not care what dead ones have left."""
    _replace(recover, "recover_canonical", lambda *_: [])
    _replace(reap, "reap_apps", lambda *_: [])


BUGS: Final[Mapping[str, Callable[[], None]]] = {
    "teardown is skipped": skip_teardown,
    "the lock is given back early": release_early,
    "the entry is written before the snapshot is there": write_the_entry_first,
    "the restore is skipped": skip_restore,
    "the restore is not verified": restore_unverified,
    "recovery is skipped": skip_recovery,
}


def _replace(owner: Any, name: str, bug: Any) -> None:
    assert hasattr(owner, name), f"there is no {name} to break any more"
    setattr(owner, name, bug)


if os.environ.get("PLANTED"):
    BUGS[os.environ["PLANTED"]]()
