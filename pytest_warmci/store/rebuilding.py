"""Building a tree from a snapshot beside its place, and swapping it in."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from pytest_warmci.clients import files
from pytest_warmci.clients.disk import disk_trouble_named
from pytest_warmci.errors import SnapshotDamaged, StateDamaged
from pytest_warmci.store.manifest import REMEDY, Entry, bytes_of
from pytest_warmci.store.treecopy import apply_metadata, copy_data


def building_place(live: Path) -> Path:
    """Return where the new content of a root is built: beside it, so that a rename moves it."""
    return live.with_name(f".{live.name}.restoring")


def clear_leftovers(roots: Iterable[Path]) -> None:
    """Delete what a restore that was killed left beside the roots.

    Raises:
        OSError: It cannot be deleted.
    """
    places = list(roots)
    for live in places:
        files.remove_tree(building_place(live))
    for folder in {live.parent for live in places}:
        files.sweep_garbage(folder)


def build(entries: Iterable[Entry], objects: Path, places: Mapping[str, Path]) -> None:
    """Build every root of `entries` at its place, which does not exist yet.

    Args:
        entries: In the manifest's order: a folder before what is in it.
        objects: The folder with the data.
        places: Root to where it is built.

    Raises:
        SnapshotDamaged: An object is missing or shorter than it was.
        SnapshotRefused: We may not give something the owner or attributes it had.
        DiskTooSmall: The disk is full.
    """
    tops = {root: os.fsencode(place) for root, place in places.items()}
    folders: list[tuple[bytes, Entry]] = []
    for entry in entries:
        path = _path(tops, entry.root, entry.path)
        with disk_trouble_named(places[entry.root]):
            if entry.kind == "folder":
                os.mkdir(path, 0o700)
                folders.append((path, entry))
                continue
            if entry.link is not None:
                # It has its metadata already, with the first name.
                os.link(_path(tops, *entry.link), path, follow_symlinks=False)
                continue
            if entry.kind == "symlink":
                os.symlink(bytes_of(entry.target), path)
            else:
                _build_file(entry, objects, path)
            apply_metadata(path, entry)
    # Folders last and from below: filling one changes its time, and it may not be writable.
    for path, entry in reversed(folders):
        apply_metadata(path, entry)


def move_aside(live: Iterable[Path]) -> list[Path]:
    """Move everything live aside, durably; return where it is, for the caller to delete.

    The one thing that must be durable before anything is moved in: else a power cut could undo a
    move aside and keep a move in elsewhere. So the roots that are there are all old or all new at
    any instant; a crash can leave some of them missing, but never old and new ones together.

    Raises:
        StateDamaged: A rename failed; the swap is unfinished.
    """
    aside: list[Path] = []
    places = list(live)
    with _swapping():
        for path in places:
            garbage = files.garbage_name(path)
            with suppress(FileNotFoundError):
                path.rename(garbage)
                aside.append(garbage)
        for parent in {path.parent for path in places}:
            files.sync_folder(parent)
    return aside


def move_in(built: Mapping[str, Path], live: Mapping[str, Path]) -> None:
    """Move everything built to its place, durably.

    Raises:
        StateDamaged: A rename failed; the swap is unfinished.
    """
    with _swapping():
        for root, place in built.items():
            place.rename(live[root])
        for parent in {path.parent for path in live.values()}:
            files.sync_folder(parent)


@contextmanager
def _swapping() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StateDamaged(
            "the restored data could not be put in place",
            where=str(error.filename or ""),
            why=str(error),
            remedy=REMEDY,
            changed="volumes were moved aside; the snapshot is whole",
        ) from error


def _path(tops: Mapping[str, bytes], root: str, path: str) -> bytes:
    return tops[root] + b"/" + bytes_of(path) if path else tops[root]


def _build_file(entry: Entry, objects: Path, path: bytes) -> None:
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        source = os.open(objects / str(entry.object), os.O_RDONLY | os.O_CLOEXEC)
        try:
            copy_data(source, target, entry.size)
        finally:
            os.close(source)
    except (EOFError, FileNotFoundError) as error:
        raise SnapshotDamaged(
            "an object of the snapshot is missing or too short",
            where=str(objects / str(entry.object)),
            why=f"it holds {entry.where}",
            remedy=REMEDY,
        ) from error
    finally:
        os.close(target)
