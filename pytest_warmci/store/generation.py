"""One generation's folder: written from live roots, and read again to the last byte."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import IO

from pytest_warmci.errors import SnapshotDamaged
from pytest_warmci.protocols import Root
from pytest_warmci.store.manifest import (
    REMEDY,
    Entry,
    Manifest,
    Measured,
    known_link,
    measure_entries,
    read_manifest,
    write_manifest,
)
from pytest_warmci.store.streams import apart, read_trees
from pytest_warmci.store.treecopy import copy_data, copy_stream, durably
from pytest_warmci.store.treescan import Node, Scan, changed, hash_of, opened, scan


def build_generation(
    folder: Path, looked: Scan, read: Sequence[Entry], roots: Mapping[str, Root]
) -> Measured:
    """Create a generation's folder from what was looked at, durably.

    Args:
        folder: Where; does not exist yet, and is of no use when this raises.
        looked: The scan of the roots that are here.
        read: What the roots behind an engine had when they were read before.
        roots: Name to live root.

    Raises:
        SnapshotRefused: Something changed since then or cannot be read.
        OSError: It cannot be written.
    """
    folder.mkdir(0o700)
    store = _Objects(folder / "objects")
    near, far = apart(roots)
    entries: list[Entry] = []
    hashes: dict[tuple[str, str], str] = {}
    with durably([folder]):
        for node in looked.nodes:
            entry = known_link(node.entry, hashes) or store.copy(node)
            hashes[entry.root, entry.path] = entry.sha256
            entries.append(entry)
        # Each file was checked when its copy was done; this is for folders, and for files that
        # came, went or changed after that.
        _check_unchanged(looked, scan(near))
        copied = read_trees(far, store.keep)
        if measure_entries(copied) != measure_entries(read):
            raise changed(", ".join(root.where for root in far.values()).encode())
    entries = sorted([*entries, *copied], key=lambda entry: entry.root)
    measured = measure_entries(entries, looked.sockets)
    kinds = {entry.root: entry.kind for entry in copied if not entry.path}
    write_manifest(folder, {**looked.roots, **kinds}, entries, measured)
    return measured


def verified(folder: Path, digest: str, *, from_disk: bool = False) -> Manifest:
    """Return the manifest of a generation after all of it was read and compared.

    Args:
        folder: The generation's.
        digest: What it must have.
        from_disk: Ask for the bytes on the disk, not those still in memory.

    Raises:
        SnapshotDamaged: It is missing or anything differs; the error names up to five things.
        StateDamaged: A newer version of pytest-warmci wrote it.
    """
    manifest = read_manifest(folder)
    faults = []
    if manifest.measured.digest != digest:
        faults.append(f"its digest is {manifest.measured.digest}, not {digest}")
    expected = {str(entry.object): entry for entry in manifest.entries if entry.object is not None}
    objects = folder / "objects"
    try:
        found = {path.name for path in objects.iterdir()}
    except OSError as error:
        found = set()
        faults.append(str(error))
    faults += [f"objects/{name} should not be there" for name in sorted(found - expected.keys())]
    for name, entry in expected.items():
        why = _object_fault(objects / name, entry, from_disk=from_disk)
        if why:
            faults.append(f"objects/{name} ({entry.where}) {why}")
    if faults:
        more = [f"and {len(faults) - 5} more"] if len(faults) > 5 else []
        raise SnapshotDamaged(
            "the snapshot is damaged",
            where=str(folder),
            why="\n".join(faults[:5] + more),
            remedy=REMEDY,
        )
    return manifest


class _Objects:
    """The new folder with the data of a generation's files, by number."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()
        folder.mkdir(0o700)

    def copy(self, node: Node) -> Entry:
        """Copy a node's data, if it has any; the hash is that of the source, not of the copy."""
        if node.entry.kind != "file":
            return node.entry
        with self._new() as (number, target), opened(node) as source:
            try:
                copy_data(source, target, node.entry.size)
            except EOFError:
                raise changed(node.path) from None
            return replace(node.entry, sha256=hash_of(source), object=number)

    def keep(self, entry: Entry, data: IO[bytes]) -> Entry:
        """Write a file's data that come only once; the hash is that of what came."""
        with self._new() as (number, target):
            return replace(entry, sha256=copy_stream(data, target), object=number)

    @contextmanager
    def _new(self) -> Iterator[tuple[int, int]]:
        number = next(self._numbers)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        target = os.open(self._folder / str(number), flags, 0o400)
        try:
            yield number, target
        finally:
            os.close(target)


def _check_unchanged(before: Scan, after: Scan) -> None:
    then = {node.path: node.signature for node in before.nodes}
    now = {node.path: node.signature for node in after.nodes}
    for path in sorted(then.keys() | now.keys()):
        if then.get(path) != now.get(path):
            raise changed(path)


def _object_fault(path: Path, entry: Entry, *, from_disk: bool) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size != entry.size:
            return f"has {found.st_size} bytes, not {entry.size}"
        if from_disk:
            # Else what was just written is read from memory. A wish, not a command; fine so.
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        return "" if hash_of(descriptor) == entry.sha256 else "has other content"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    finally:
        os.close(descriptor)
