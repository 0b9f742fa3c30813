"""One generation's folder: written from live roots, and read again to the last byte."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pytest_warmci.errors import SnapshotDamaged
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
from pytest_warmci.store.treecopy import copy_data, durably
from pytest_warmci.store.treescan import Node, Scan, changed, hash_of, opened, scan


def build_generation(folder: Path, looked: Scan, roots: Mapping[str, Path]) -> Measured:
    """Create a generation's folder from what was scanned, durably.

    Args:
        folder: Where; does not exist yet, and is of no use when this raises.
        looked: The scan of the roots.
        roots: Name to live file or folder.

    Raises:
        SnapshotRefused: Something changed since the scan or cannot be read.
        OSError: It cannot be written.
    """
    folder.mkdir(0o700)
    objects = folder / "objects"
    objects.mkdir(0o700)
    entries: list[Entry] = []
    hashes: dict[tuple[str, str], str] = {}
    with durably([folder]):
        for node in looked.nodes:
            entry = known_link(node.entry, hashes) or _keep(node, objects, len(entries))
            hashes[entry.root, entry.path] = entry.sha256
            entries.append(entry)
        # Each file was checked when its copy was done; this is for folders, and for files that
        # came, went or changed after that.
        _check_unchanged(looked, scan(roots))
    measured = measure_entries(entries, looked.sockets)
    write_manifest(folder, looked.roots, entries, measured)
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


def _keep(node: Node, objects: Path, number: int) -> Entry:
    """Copy a node's data, if it has any; the hash is that of the source, not of the copy."""
    if node.entry.kind != "file":
        return node.entry
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    target = os.open(objects / str(number), flags, 0o400)
    try:
        with opened(node) as source:
            try:
                copy_data(source, target, node.entry.size)
            except EOFError:
                raise changed(node.path) from None
            return replace(node.entry, sha256=hash_of(source), object=number)
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
