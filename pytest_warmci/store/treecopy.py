"""Copying a file's data with its holes, and giving a built path the metadata of its entry."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from pytest_warmci.store.manifest import Entry, bytes_of
from pytest_warmci.store.treescan import SnapshotRefused, read_xattrs

_CHUNK: Final = 1 << 20

_BY_HAND: Final = frozenset(
    {errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.ETXTBSY}
)
"""What says "not with this call between these two", and nothing about the disk."""


def copy_data(source: int, target: int, size: int) -> None:
    """Copy `size` bytes between two open files; the target is empty, and holes stay holes.

    Raises:
        EOFError: The source ended before `size`.
        OSError: Reading or writing failed.
    """
    for start, end in data_ranges(source, size):
        reached = _copy_in_kernel(source, target, start, end)
        _copy_by_hand(source, target, reached, end)
    os.ftruncate(target, size)


def copy_stream(source: IO[bytes], target: int) -> str:
    """Copy all of a stream into an open empty file, zeros as holes; return its sha256, in hex.

    Raises:
        OSError: Reading or writing failed.
    """
    digest = hashlib.sha256()
    size = 0
    while chunk := source.read(_CHUNK):
        digest.update(chunk)
        if chunk.count(0) != len(chunk):
            _write(target, memoryview(chunk), size)
        size += len(chunk)
    os.ftruncate(target, size)
    return digest.hexdigest()


def data_ranges(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield begin and end of every stretch of data in an open file; the rest are holes."""
    offset = 0
    while offset < size:
        try:
            start = os.lseek(descriptor, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return  # only a hole is left
            if error.errno not in _BY_HAND:
                raise
            yield offset, size  # this file system does not tell
            return
        if start >= size:
            return
        offset = min(os.lseek(descriptor, start, os.SEEK_HOLE), size)
        yield start, offset


def allocated(found: os.stat_result) -> int:
    """Return about how many bytes of disk a copy of this file takes."""
    return min(found.st_blocks * 512, found.st_size)


def apply_metadata(path: bytes, entry: Entry) -> None:
    """Give what was built at `path` owner, extended attributes, mode and time of its entry.

    The order matters: a change of owner clears setuid and capabilities, and attributes of a file
    can only be set while it is writable.

    Raises:
        SnapshotRefused: We may not; the error says what.
    """
    found = os.lstat(path)
    if (found.st_uid, found.st_gid) != (entry.uid, entry.gid):
        try:
            os.chown(path, entry.uid, entry.gid, follow_symlinks=False)
        except PermissionError as error:
            raise _not_permitted(entry, f"give it to {entry.uid}:{entry.gid}") from error
    _set_xattrs(path, entry)
    if entry.kind != "symlink":
        os.chmod(path, entry.mode)
    os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns), follow_symlinks=False)


@contextmanager
def durably(folders: Iterable[Path]) -> Iterator[None]:
    """Make durable what the block writes to the file systems that hold `folders`.

    Raises:
        OSError: A disk could not take it: nothing written there can be relied on.
    """
    descriptors: dict[int, int] = {}
    try:
        for folder in folders:
            # Opened before the first byte is written: the kernel reports an error to those who
            # had the file system open when it happened.
            device = folder.stat().st_dev
            if device not in descriptors:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
                descriptors[device] = os.open(folder, flags)
        yield
        for descriptor in descriptors.values():
            _syncfs(descriptor)
    finally:
        for descriptor in descriptors.values():
            os.close(descriptor)


def _syncfs(descriptor: int) -> None:
    # One call for the whole tree: thousands of fsyncs take thirty times as long, and unlike
    # `os.sync` it reports what could not be written.
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syncfs(descriptor) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _copy_in_kernel(source: int, target: int, start: int, end: int) -> int:
    """Copy with the kernel's help; return how far that went."""
    while start < end:
        try:
            count = os.copy_file_range(source, target, end - start, start, start)
        except OSError as error:
            if error.errno in _BY_HAND:
                return start
            raise
        if count == 0:
            return start  # some file systems say that and mean "no"
        start += count
    return start


def _copy_by_hand(source: int, target: int, start: int, end: int) -> None:
    while start < end:
        chunk = os.pread(source, min(_CHUNK, end - start), start)
        if not chunk:
            raise EOFError
        _write(target, memoryview(chunk), start)
        start += len(chunk)


def _write(target: int, data: memoryview, start: int) -> None:
    while data:
        count = os.pwrite(target, data, start)
        data = data[count:]
        start += count


def _set_xattrs(path: bytes, entry: Entry) -> None:
    # Exactly those of the entry: a new file may have inherited an ACL or a label.
    current = read_xattrs(path)
    try:
        for name in current.keys() - entry.xattrs.keys():
            os.removexattr(path, bytes_of(name), follow_symlinks=False)
        for name, value in entry.xattrs.items():
            if current.get(name) != value:
                data = bytes.fromhex(value)
                os.setxattr(path, bytes_of(name), data, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EACCES, errno.ENOTSUP):
            raise
        raise _not_permitted(entry, "set its extended attributes") from error


def _not_permitted(entry: Entry, what: str) -> SnapshotRefused:
    return SnapshotRefused(
        f"may not {what}",
        where=entry.where,
        why=f"this runs as user {os.geteuid()}",
        remedy="run it as the user who made the data, or as root",
    )
