"""A folder as a tar stream and back, as Docker does it: not by the code that is tested."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from pytest_warmci.errors import NotEvaluated

PIECE = 700
"""Bytes; no multiple of anything."""


def pack(folder: Path, top: str) -> bytes:
    """Return all of a folder as a tar archive with times in whole seconds."""
    target = io.BytesIO()

    def whole(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.mtime = int(member.mtime // 1)
        return member

    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.add(folder, arcname=top, filter=whole)
    # Not filled up to ten kilobytes, as Python does.
    with tarfile.open(fileobj=io.BytesIO(target.getvalue())) as tar:
        last = tar.getmembers()[-1]
    return target.getvalue()[: last.offset_data + -(-last.size // 512) * 512 + 1024]


def pieces(data: bytes, size: int = PIECE) -> Iterator[bytes]:
    """Yield bytes as they come over a wire."""
    yield from (data[at : at + size] for at in range(0, len(data), size))


def unpack(stream: Iterable[bytes], folder: Path, top: str) -> None:
    """Unpack a stream whose root is `top` into a folder that is there; member by member."""
    chunks = iter(stream)
    with tarfile.open(fileobj=cast("IO[bytes]", _Reader(chunks)), mode="r|") as tar:
        folders = []
        for member in tar:
            name, _, path = member.name.partition("/")
            assert name == top, member.name
            if member.isdir():
                (folder / path).mkdir(exist_ok=True)
                folders.append((folder / path, member))
                continue
            linkname = member.linkname.removeprefix(f"{top}/" if member.islnk() else "")
            placed = member.replace(name=path, linkname=linkname)
            tar.extract(placed, folder, numeric_owner=True, filter="fully_trusted")
            os.utime(folder / path, (member.mtime, member.mtime), follow_symlinks=False)
    for place, member in reversed(folders):  # what comes into one changes its time
        os.chown(place, member.uid, member.gid)
        place.chmod(member.mode)
        os.utime(place, (member.mtime, member.mtime))
    assert b"" == b"".join(chunks).strip(b"\0")


class _Reader:
    """What comes in pieces, for who reads as much as they want."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def read(self, size: int) -> bytes:
        while len(self._rest) < size:
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            self._rest += chunk
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


class FolderRoot:
    """A root behind an engine that is a folder.

    Attributes:
        reads: How often it was read.
    """

    top = "it"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reads = 0

    @property
    def where(self) -> str:
        return f"far {self.folder.name}"

    def sent(self) -> bytes:
        """What reading it gives."""
        return pack(self.folder, self.top)

    @contextmanager
    def read(self) -> Iterator[Iterator[bytes]]:
        if not self.folder.is_dir():
            raise NotEvaluated(f"{self.where} is not there")
        self.reads += 1
        yield pieces(self.sent())

    def fill(self, stream: Iterable[bytes]) -> None:
        self.folder.mkdir(exist_ok=True)
        for path in sorted(self.folder.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink()
        unpack(stream, self.folder, self.top)
