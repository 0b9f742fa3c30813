"""Looking at a live tree without changing it and without following a link out of it."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Final

from pytest_warmci.errors import NotEvaluated
from pytest_warmci.store.manifest import Entry, Kind, text_of

_CHUNK: Final = 1 << 20

_NO_XATTRS: Final = frozenset({errno.ENOTSUP, errno.ENODATA})

_KINDS: Final[Mapping[int, Kind]] = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFLNK: "symlink",
}


class SnapshotRefused(NotEvaluated):
    """A tree cannot be kept in a snapshot, or not be put back, as it is."""


@dataclass(frozen=True, slots=True)
class Node:
    """A path of a live tree: its entry (without content), where it is, and its inode then."""

    entry: Entry
    path: bytes
    found: os.stat_result

    @property
    def signature(self) -> tuple[int, ...]:
        """What cannot stay the same when somebody changes the inode."""
        return signature(self.found)


@dataclass(frozen=True, slots=True)
class Scan:
    """All that was found below some roots, in a fixed order: roots by name, parents first."""

    roots: Mapping[str, str]
    nodes: tuple[Node, ...]
    sockets: tuple[str, ...]


def signature(found: os.stat_result) -> tuple[int, ...]:
    """Return what cannot stay the same when somebody changes this inode (but the atime)."""
    return (
        found.st_dev,
        found.st_ino,
        found.st_mode,
        found.st_nlink,
        found.st_uid,
        found.st_gid,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
    )


def scan(roots: Mapping[str, Path]) -> Scan:
    """Look at everything below `roots`; a root that does not exist is `absent`.

    Raises:
        SnapshotRefused: Something there cannot be kept: a device, a named pipe, a mount point, an
            unreadable folder, a root that is a symbolic link or lies inside another.
    """
    check_apart(roots)
    kinds: dict[str, str] = {}
    nodes: list[Node] = []
    sockets: list[str] = []
    first_names: dict[tuple[int, int], tuple[str, str]] = {}
    for root in sorted(roots):
        kinds[root] = "absent"
        for node in _walk(root, os.fsencode(roots[root].absolute()), sockets):
            if not node.entry.path:
                kinds[root] = node.entry.kind
            nodes.append(_with_link(node, first_names))
    return Scan(kinds, tuple(nodes), tuple(sockets))


def check_apart(places: Mapping[str, Path]) -> None:
    """Make sure that no place lies inside another or is the same.

    Raises:
        SnapshotRefused: Two of them do.
    """
    real = sorted((path.parent.resolve() / path.name, name) for name, path in places.items())
    for (upper, upper_name), (lower, lower_name) in pairwise(real):
        # Sorted by parts, whatever lies inside a folder follows it at once.
        if lower.is_relative_to(upper):
            raise SnapshotRefused(
                f"{lower_name} lies inside {upper_name}",
                where=str(lower),
                remedy="give every root a folder of its own",
            )


def with_hash(node: Node) -> Entry:
    """Return a node's entry with the hash of its content.

    Raises:
        SnapshotRefused: It cannot be read, or changed meanwhile.
    """
    if node.entry.kind != "file":
        return node.entry
    with opened(node) as descriptor:
        return replace(node.entry, sha256=hash_of(descriptor))


@contextmanager
def opened(node: Node) -> Iterator[int]:
    """Open a file for reading; at the end make sure that it is still what the scan saw.

    Raises:
        SnapshotRefused: It cannot be read, or it changed since the scan.
    """
    with readable(node.path):
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(node.path, flags)
    try:
        yield descriptor
        if signature(os.fstat(descriptor)) != node.signature:
            raise changed(node.path)
    finally:
        os.close(descriptor)


def hash_of(descriptor: int) -> str:
    """Return the sha256 of an open file's whole content (holes as zeros), in hex."""
    digest = hashlib.sha256()
    offset = 0
    while chunk := os.pread(descriptor, _CHUNK, offset):
        digest.update(chunk)
        offset += len(chunk)
    return digest.hexdigest()


def changed(path: bytes) -> SnapshotRefused:
    """Return the error for a file that somebody changes while we read it."""
    return SnapshotRefused(
        "changed while it was read",
        where=_shown(path),
        why="something still writes to this app's data",
        remedy="undeploy the app, then try again",
    )


@contextmanager
def readable(path: bytes) -> Iterator[None]:
    """Turn errors of looking at `path` into ours.

    Raises:
        SnapshotRefused: It cannot be read, or went away.
    """
    try:
        yield
    except FileNotFoundError:
        raise changed(path) from None
    except OSError as error:
        raise SnapshotRefused(
            "cannot be read",
            where=_shown(path),
            why=error.strerror or str(error),
            remedy="make it readable for the user who runs this, or run it as its owner",
        ) from error


def read_xattrs(path: bytes) -> dict[str, str]:
    """Return the extended attributes (ACLs and capabilities too): name to value in hex."""
    try:
        names = os.listxattr(path, follow_symlinks=False)
        return {
            text_of(os.fsencode(name)): os.getxattr(path, name, follow_symlinks=False).hex()
            for name in sorted(names)
        }
    except OSError as error:
        if error.errno in _NO_XATTRS:
            return {}
        raise


def _walk(root: str, top: bytes, sockets: list[str]) -> Iterator[Node]:
    try:
        device = os.lstat(top).st_dev
    except FileNotFoundError:
        return
    # A stack, not recursion: a tree may be deeper than Python's.
    pending = [(top, b"")]
    while pending:
        path, relative = pending.pop()
        with readable(path):
            found = os.lstat(path)
            if stat.S_ISSOCK(found.st_mode) and relative:
                sockets.append(_shown(path))
                continue
            node = _node(root, path, relative, found, device)
            yield node
            if node.entry.kind == "folder":
                names = sorted(os.listdir(path), reverse=True)
                joined = relative + b"/" if relative else b""
                pending += [(path + b"/" + name, joined + name) for name in names]


def _node(root: str, path: bytes, relative: bytes, found: os.stat_result, device: int) -> Node:
    kind = _KINDS.get(stat.S_IFMT(found.st_mode))
    if found.st_dev != device:
        raise _refused(path, "is another file system, mounted inside the tree")
    if kind is None:
        raise _refused(path, "is a device, pipe or socket, which has no content to keep")
    if kind == "symlink" and not relative:
        raise _refused(path, "is a symbolic link, where the data itself belongs")
    target = os.readlink(path) if kind == "symlink" else b""
    entry = Entry(
        root=root,
        path=text_of(relative),
        kind=kind,
        mode=stat.S_IMODE(found.st_mode),
        uid=found.st_uid,
        gid=found.st_gid,
        mtime_ns=found.st_mtime_ns,
        xattrs=read_xattrs(path),
        size=found.st_size if kind == "file" else 0,
        target=text_of(target),
    )
    return Node(entry, path, found)


def _with_link(node: Node, first_names: dict[tuple[int, int], tuple[str, str]]) -> Node:
    """Note the first name of a file that has several; names outside the roots do not count."""
    entry = node.entry
    if entry.kind != "file" or node.found.st_nlink < 2:
        return node
    here = (entry.root, entry.path)
    first = first_names.setdefault((node.found.st_dev, node.found.st_ino), here)
    return node if first == here else replace(node, entry=replace(entry, link=first))


def _refused(path: bytes, what: str) -> SnapshotRefused:
    return SnapshotRefused(
        what, where=_shown(path), remedy="move it out of the app's data, then try again"
    )


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")
