"""Snapshots: everything of an undeployed app, copied, verified by content, and put back.

A generation is a folder with `manifest.json` (names, owners, modes, times, hashes) and
`objects/<number>` (the data of each file, nothing else). It is built under another name and
renamed when it is durable and verified, so a generation that is there is whole. Which generation
counts is the registry entry's to say.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from pytest_warmci.clients import files
from pytest_warmci.clients.disk import disk_trouble_named, require_free
from pytest_warmci.errors import InputError, SnapshotDamaged, WarmciError
from pytest_warmci.protocols import FarRoot, Root
from pytest_warmci.store import rebuilding
from pytest_warmci.store.generation import build_generation, verified
from pytest_warmci.store.manifest import (
    REMEDY,
    Entry,
    Measured,
    known_link,
    measure_entries,
    read_manifest,
)
from pytest_warmci.store.streams import NotCarried, apart, check_carried, read_trees, write_tree
from pytest_warmci.store.treecopy import allocated, durably
from pytest_warmci.store.treescan import (
    Node,
    Scan,
    SnapshotRefused,
    check_apart,
    scan,
    with_hash,
)

__all__ = [
    "Measured",
    "NotCarried",
    "SnapshotRefused",
    "check_way",
    "generations",
    "measure",
    "remove",
    "restore",
    "sweep",
    "take",
    "verify",
]

_BUILDING: Final = ".building-"

_PER_ENTRY: Final = 1024
"""Bytes that an entry takes beside its data, generously: manifest, inode, last block."""

_CHANGED: Final = "the volumes: they may be neither old nor restored"


def measure(roots: Mapping[str, Root]) -> Measured:
    """Return digest and size of live roots, by content: every file is read.

    Two trees have the same digest exactly when a restore of one would change nothing in the other.

    Args:
        roots: Name to root; a path where nothing is counts as nothing.

    Raises:
        SnapshotRefused: Something there cannot be read or kept, or changes meanwhile.
    """
    near, far = apart(roots)
    looked = scan(near)
    entries = []
    hashes: dict[tuple[str, str], str] = {}
    for node in looked.nodes:
        entries.append(known_link(node.entry, hashes) or with_hash(node))
        hashes[node.entry.root, node.entry.path] = entries[-1].sha256
    entries += read_trees(far)
    return measure_entries(sorted(entries, key=lambda entry: entry.root), looked.sockets)


def take(snapshots: Path, generation: str, roots: Mapping[str, Root]) -> Measured:
    """Copy live roots into a new generation; when it returns, that is durable and verified.

    Args:
        snapshots: The folder of all generations of the app; created when missing.
        generation: The new one's name.
        roots: Name to root; a path where nothing is is recorded as absent. None may lie inside
            another, or have anything to do with `snapshots`.

    Raises:
        SnapshotRefused: Something cannot be kept or could not be put back by us, changed
            meanwhile, or the generation exists. Nothing was kept, as with every other error.
        DiskTooSmall: There is not enough room.
        SnapshotDamaged: What was written reads back differently.
    """
    final = _folder(snapshots, generation)
    if os.path.lexists(final):
        raise SnapshotRefused(
            "this generation exists", where=str(final), remedy="choose a new name for it"
        )
    near, far = apart(roots)
    check_apart({**near, "the snapshot": snapshots})
    looked = scan(near)
    _check_restorable(looked.nodes)
    # Read twice: only so it is known what they take, and that nobody writes to them.
    read = read_trees(far)
    check_carried(read)
    files.make_folder(snapshots)
    require_free(snapshots, _needed(looked) + _needed_for(read), "the snapshot")
    building = snapshots / (_BUILDING + secrets.token_hex(8))
    try:
        with disk_trouble_named(snapshots):
            measured = build_generation(building, looked, read, roots)
        verified(building, measured.digest, from_disk=True)
        files.rename(building, final)
    except BaseException:
        # Whatever cannot be removed now is removed by the next sweep.
        with suppress(OSError, WarmciError):
            files.remove_tree(building)
        raise
    return measured


def verify(snapshots: Path, generation: str, digest: str) -> Measured:
    """Read a generation again, all of it, and compare it with its manifest and with `digest`.

    Raises:
        SnapshotDamaged: It is missing or anything in it differs; the error says what.
        StateDamaged: A newer version of pytest-warmci wrote it.
    """
    return verified(_folder(snapshots, generation), digest).measured


def check_way(snapshots: Path, generation: str, roots: Mapping[str, Root]) -> None:
    """See that a generation can be put back where these roots are; changes nothing.

    Raises:
        NotCarried: A root is behind an engine now, and was not when it was taken.
        SnapshotDamaged: The generation's manifest cannot be read.
    """
    _, far = apart(roots)
    if far:
        entries = read_manifest(_folder(snapshots, generation)).entries
        check_carried(entry for entry in entries if entry.root in far)


def restore(
    snapshots: Path,
    generation: str,
    digest: str,
    places: Callable[[frozenset[str]], Mapping[str, Root]],
) -> frozenset[str]:
    """Bring live roots back to a generation; when it returns, that is durable and verified.

    May be killed at any instant and simply be run again. In between, a root may be missing, but
    one that is here is never half restored, nor are old and new roots there together. A root
    behind an engine is filled while all those that are here are missing.

    Args:
        snapshots: The folder of all generations of the app.
        generation: Which one.
        digest: The digest that it must have.
        places: Given the roots that the generation has, returns name to live root: at least all
            of those, and all others that may be there: one that the generation does not have is
            removed, if it is here. Called only when the generation was found whole, so it may
            make room.

    Returns:
        The roots that the generation has.

    Raises:
        SnapshotDamaged: The generation is not whole (nothing live has changed), or the result
            differs from it.
        SnapshotRefused: We may not give something its owner or attributes, or (`NotCarried`) it
            cannot be put back through an engine (nothing has changed).
        DiskTooSmall: There is not enough room (nothing has changed).
        StateDamaged: The swap is unfinished; run it again.
        NotEvaluated: So is what an engine should have filled.
    """
    folder = _folder(snapshots, generation)
    entries = verified(folder, digest).entries
    present = frozenset(entry.root for entry in entries)
    roots, far = apart(places(present))
    _check_places(present, roots, far, snapshots)
    here = [entry for entry in entries if entry.root in roots]
    there = [entry for entry in entries if entry.root not in roots]
    check_carried(there)
    for live in roots.values():
        files.make_folder(live.parent)
    # Only now that the snapshot is known to be whole: what was moved aside may be all there is.
    rebuilding.clear_leftovers(roots.values())
    built = {root: rebuilding.building_place(roots[root]) for root in sorted(present & {*roots})}
    _require_room(here, folder, roots)
    try:
        with durably(place.parent for place in built.values()):
            rebuilding.build(here, folder / "objects", built)
        _compare(built, here, changed="nothing")
    except BaseException:
        with suppress(OSError, WarmciError):
            rebuilding.clear_leftovers(roots.values())
        raise
    aside = rebuilding.move_aside(roots.values())
    _fill({root: far[root] for root in sorted(present & {*far})}, there, folder / "objects")
    rebuilding.move_in(built, roots)
    _compare(roots, here, changed=_CHANGED)
    for garbage in aside:
        files.remove_tree(garbage)
    return present


def remove(snapshots: Path, generation: str) -> None:
    """Delete a generation; fine when there is none of that name.

    Raises:
        OSError: It cannot be deleted.
    """
    files.remove_tree(_folder(snapshots, generation))


def generations(snapshots: Path) -> list[str]:
    """Return the names of all generations, sorted; none when there is no such folder."""
    with suppress(FileNotFoundError):
        return sorted(
            found.name
            for found in snapshots.iterdir()
            if found.is_dir() and not found.name.startswith(".")
        )
    return []


def sweep(snapshots: Path, keep: set[str]) -> list[str]:
    """Delete every generation but those to keep, and what interrupted calls left behind.

    Belongs under the app's lock. Returns the names of the generations that are gone.

    Raises:
        OSError: Something cannot be deleted.
    """
    gone = [name for name in generations(snapshots) if name not in keep]
    for name in gone:
        remove(snapshots, name)
    for unfinished in snapshots.glob(_BUILDING + "*"):
        files.remove_tree(unfinished)
    files.sweep_garbage(snapshots)
    return gone


def _folder(snapshots: Path, generation: str) -> Path:
    if not generation or generation.startswith(".") or "/" in generation:
        raise InputError(f"{generation!r} cannot name a generation", where=str(snapshots))
    return snapshots / generation


def _needed(looked: Scan) -> int:
    """Return the bytes that a copy takes at most."""
    files = [node for node in looked.nodes if node.entry.kind == "file" and not node.entry.link]
    return sum(allocated(node.found) for node in files) + _PER_ENTRY * len(looked.nodes)


def _needed_for(entries: Sequence[Entry]) -> int:
    """Return the bytes that the data of these entries take at most."""
    return measure_entries(entries).size_bytes + _PER_ENTRY * len(entries)


def _check_restorable(nodes: Iterable[Node]) -> None:
    """Refuse to keep what we could not put back: such a known-good would be none."""
    if os.geteuid() == 0:
        return
    groups = {os.getegid(), *os.getgroups()}
    for node in nodes:
        if node.entry.uid != os.geteuid() or node.entry.gid not in groups:
            raise SnapshotRefused(
                f"belongs to {node.entry.uid}:{node.entry.gid}, so it could not be put back",
                where=node.entry.where,
                why=f"this runs as user {os.geteuid()}, who may not give files away",
                remedy="run it as the user who made the data, or as root",
            )


def _check_places(
    present: frozenset[str],
    roots: Mapping[str, Path],
    far: Mapping[str, FarRoot],
    snapshots: Path,
) -> None:
    check_apart({**roots, "the snapshot": snapshots})
    homeless = sorted(present - roots.keys() - far.keys())
    if homeless:
        raise SnapshotRefused(
            f"no place is given for {', '.join(homeless)}", where=str(snapshots), remedy=REMEDY
        )
    for live in roots.values():
        if os.path.ismount(live):
            raise SnapshotRefused(
                "is a mount point, which cannot be swapped",
                where=str(live),
                remedy="mount the file system one folder higher",
            )


def _require_room(entries: Iterable[Entry], folder: Path, roots: Mapping[str, Path]) -> None:
    needed: dict[int, int] = {}
    places: dict[int, Path] = {}
    for entry in entries:
        parent = roots[entry.root].parent
        device = parent.stat().st_dev
        places[device] = parent
        needed[device] = needed.get(device, 0) + _PER_ENTRY
        if entry.object is not None:
            needed[device] += allocated((folder / "objects" / str(entry.object)).stat())
    for device, parent in places.items():
        require_free(parent, needed[device], "restoring the snapshot")


def _fill(far: Mapping[str, FarRoot], entries: Sequence[Entry], objects: Path) -> None:
    """Fill roots behind an engine, and read them back."""
    for name, root in far.items():
        own = (entry for entry in entries if entry.root == name)
        root.fill(write_tree(own, objects, root.top))
    _compare(far, entries, changed=_CHANGED)


def _compare(roots: Mapping[str, Root], entries: Iterable[Entry], *, changed: str) -> None:
    digest = measure_entries(entries).digest
    found = measure(roots).digest
    if found != digest:
        raise SnapshotDamaged(
            "what was restored is not what the snapshot holds",
            why=f"its digest is {found}, not {digest}",
            remedy=REMEDY,
            changed=changed,
        )
