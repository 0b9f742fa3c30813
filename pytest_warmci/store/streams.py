"""Roots behind an engine: a tree read from a tar stream, and written as one.

What a stream cannot carry is never kept from one, and refused before one is filled. So a tree that
came from a stream has the same digest again after it went back as one.
"""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import IO, Final, NoReturn, cast

from pytest_warmci.errors import SnapshotDamaged
from pytest_warmci.protocols import FarRoot, Root
from pytest_warmci.store.manifest import REMEDY, Entry, Kind, bytes_of, text_of
from pytest_warmci.store.treescan import SnapshotRefused

_CHUNK: Final = 1 << 20
_SECOND: Final = 1_000_000_000
_BLOCK: Final = tarfile.BLOCKSIZE
_END: Final = bytes(2 * _BLOCK)

_LAST: Final = 9_223_372_036
"""The last second that Docker sets on a file. Source: moby's pkg/system, chtimes.go."""

_XATTR: Final = "SCHILY.xattr."
_CARRIED: Final = "security.capability"

_KINDS: Final[Mapping[bytes, Kind]] = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.LNKTYPE: "file",
    tarfile.DIRTYPE: "folder",
    tarfile.SYMTYPE: "symlink",
}

Keep = Callable[[Entry, IO[bytes]], Entry]
"""Takes a file's entry and its data; returns the entry with their hash."""


class NotCarried(SnapshotRefused):
    """A snapshot cannot be put back through an engine as it is; it can where the data lie."""


def apart(roots: Mapping[str, Root]) -> tuple[dict[str, Path], dict[str, FarRoot]]:
    """Sort roots by whether they are here or behind an engine."""
    near = {name: root for name, root in roots.items() if isinstance(root, Path)}
    far = {name: root for name, root in roots.items() if not isinstance(root, Path)}
    return near, far


def hash_only(entry: Entry, data: IO[bytes]) -> Entry:
    """Read a file's data for nothing but their hash."""
    digest = sha256()
    while chunk := data.read(_CHUNK):
        digest.update(chunk)
    return replace(entry, sha256=digest.hexdigest())


def read_trees(far: Mapping[str, FarRoot], keep: Keep = hash_only) -> list[Entry]:
    """Read roots behind an engine, with all data; the order is that of a scan.

    Args:
        far: Name to root.
        keep: Called for each file once, whatever its number of names.

    Raises:
        SnapshotRefused: Something there cannot be kept, or a stream did not come to its end.
    """
    return [entry for name in sorted(far) for entry in _read_tree(name, far[name], keep)]


def check_carried(entries: Iterable[Entry]) -> None:
    """See that a stream can bring back every one of these entries as it is.

    Raises:
        NotCarried: It cannot; the error says which.
    """
    for entry in entries:
        if entry.mtime_ns % _SECOND:
            _refuse_entry(entry, "its time is finer than a second")
        if not 0 <= entry.mtime_ns <= _LAST * _SECOND:
            _refuse_entry(entry, "Docker does not set such a time")
        if entry.xattrs.keys() - {_CARRIED}:
            _refuse_entry(entry, f"it has attributes: {', '.join(sorted(entry.xattrs))}")
        if entry.link is not None and entry.link[0] != entry.root:
            _refuse_entry(entry, f"it is one file with a name in {entry.link[0]}")


def write_tree(entries: Iterable[Entry], objects: Path, top: str) -> Iterator[bytes]:
    """Yield one root as a tar stream.

    Args:
        entries: Those of the root, in the manifest's order.
        objects: The folder with the data.
        top: The root's name in the stream.

    Raises:
        SnapshotDamaged: An object is missing or shorter than it was.
    """
    for entry in entries:
        info = tarfile.TarInfo(f"{top}/{entry.path}" if entry.path else top)
        info.mode, info.uid, info.gid = entry.mode, entry.uid, entry.gid
        info.mtime = entry.mtime_ns // _SECOND
        info.pax_headers = {
            _XATTR + name: text_of(bytes.fromhex(value)) for name, value in entry.xattrs.items()
        }
        if entry.kind == "folder":
            info.type = tarfile.DIRTYPE
        elif entry.kind == "symlink":
            info.type, info.linkname = tarfile.SYMTYPE, entry.target
        elif entry.link is not None:
            info.type, info.linkname = tarfile.LNKTYPE, f"{top}/{entry.link[1]}"
        else:
            info.size = entry.size
        yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        if info.size:
            yield from _data_of(entry, objects)
            # Never an empty piece: to some it is the end.
            yield from filter(None, [bytes(-info.size % _BLOCK)])
    yield _END


class _Source:
    """The bytes of a stream, as tarfile reads them; knows how they ended."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = b""
        self._at = 0
        self.total = 0
        self.tail = b""

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; nothing at the end only."""
        while self._at == len(self._chunk):
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._chunk, self._at = chunk, 0
            self.total += len(chunk)
            self.tail = (self.tail + chunk[-len(_END) :])[-len(_END) :]
        piece = self._chunk[self._at : self._at + size]
        self._at += len(piece)
        return piece


def _read_tree(root: str, far: FarRoot, keep: Keep) -> list[Entry]:
    found: dict[str, Entry] = {}
    firsts: dict[str, str] = {}
    with far.read() as chunks:
        source = _Source(chunks)
        try:
            end = 0
            with tarfile.open(
                fileobj=cast("IO[bytes]", source),  # it only reads
                mode="r|",
                bufsize=_CHUNK,
                encoding="utf-8",
                errors="surrogateescape",
            ) as tar:
                for member in tar:
                    path = _path(far, member.name)
                    if member.islnk():
                        first = firsts[path] = _path(far, member.linkname)
                        if first not in found:
                            _refuse_stream(far, f"{first!r} comes after another name of it")
                        found[path] = replace(found[first], path=path)
                    else:
                        found[path] = _kept(root, path, member, tar, far, keep)
                    end = member.offset_data + (member.size + _BLOCK - 1) // _BLOCK * _BLOCK
            while source.read(_CHUNK):
                pass
        except (tarfile.TarError, EOFError) as error:
            _refuse_stream(far, str(error))
    # The answer of an engine that fails in the middle ends as if all was well.
    if source.total < end + len(_END) or source.tail != _END:
        _refuse_stream(far, "it has no end")
    if found.keys().isdisjoint({""}):
        _refuse_stream(far, f"there is no {far.top} in it")
    return _in_order(found, firsts)


def _in_order(found: Mapping[str, Entry], firsts: Mapping[str, str]) -> list[Entry]:
    """Sort entries as a scan does, and name the first name of each file that has several."""
    entries = []
    named: dict[str, Entry] = {}
    for path in sorted(found, key=lambda path: bytes_of(path).split(b"/")):
        entry, identity = found[path], firsts.get(path, path)
        first = named.setdefault(identity, entry)
        if first is not entry:
            entry = replace(entry, link=(first.root, first.path), object=None)
        entries.append(entry)
    return entries


def _kept(
    root: str, path: str, member: tarfile.TarInfo, tar: tarfile.TarFile, far: FarRoot, keep: Keep
) -> Entry:
    kind = _KINDS.get(member.type)
    where = f"{far.where}: {path.encode('utf-8', 'backslashreplace').decode()}"
    if kind is None:
        raise SnapshotRefused(
            "is a device or pipe, which has no content to keep",
            where=where,
            remedy="move it out of the app's data, then try again",
        )
    value = member.pax_headers.get(_XATTR + _CARRIED)
    entry = Entry(
        root=root,
        path=path,
        kind=kind,
        mode=stat.S_IMODE(member.mode),
        uid=member.uid,
        gid=member.gid,
        mtime_ns=int(member.mtime // 1) * _SECOND,
        xattrs={} if value is None else {_CARRIED: bytes_of(value).hex()},
        size=member.size if kind == "file" else 0,
        target=member.linkname if kind == "symlink" else "",
    )
    if kind != "file":
        return entry
    data = tar.extractfile(member)
    if data is None:
        raise EOFError(f"no data of {where}")
    return keep(entry, data)


def _path(far: FarRoot, name: str) -> str:
    """Return the path of a member within its root."""
    top, _, path = name.partition("/")
    if top != far.top or ".." in path.split("/"):
        _refuse_stream(far, f"{name!r} is not below {far.top}")
    return path


def _data_of(entry: Entry, objects: Path) -> Iterator[bytes]:
    path = objects / str(entry.object)
    left = entry.size
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            while left:
                chunk = os.read(descriptor, min(left, _CHUNK))
                if not chunk:
                    raise EOFError(f"{left} bytes are missing")
                left -= len(chunk)
                yield chunk
        finally:
            os.close(descriptor)
    except (EOFError, OSError) as error:
        raise SnapshotDamaged(
            "an object of the snapshot is missing or too short",
            where=str(path),
            why=f"it holds {entry.where}: {error}",
            remedy=REMEDY,
        ) from error


def _refuse_entry(entry: Entry, why: str) -> NoReturn:
    raise NotCarried(
        "cannot be put back through the engine",
        where=entry.where,
        why=why,
        remedy="run as root on the machine of the engine; or make a new known-good there: "
        "warmci seed",
    )


def _refuse_stream(far: FarRoot, why: str) -> NoReturn:
    raise SnapshotRefused(
        "what the engine sends is not whole",
        where=far.where,
        why=why,
        remedy="its log says what it could not read; then try again",
    )
