"""Free space: asked for before something is written, and named when it ran out all the same.

So is a disk that takes no writes: an error turns many a file system read-only.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pytest_warmci.errors import DiskReadOnly, DiskTooSmall, NotEvaluated

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})

_LITTLE: Final = 8 * 1024 * 1024
"""Free bytes below which a disk is full: what fails there may fail for that alone."""

_FEW: Final = 64
"""Free inodes below which it is full as well."""

_REMEDY: Final = "free some space there; `warmci status` shows what is big"
_REMEDY_READ_ONLY: Final = "see why it is (`dmesg` tells of a broken disk), make it writable again"


def existing_ancestor(path: Path) -> Path:
    """Return `path`, or the nearest folder above it that exists."""
    path = path.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def free_bytes(path: Path) -> int:
    """Return how many bytes we may still write at `path` (which need not exist yet).

    Raises:
        OSError: The file system cannot be asked.
    """
    found = os.statvfs(existing_ancestor(path))
    # What is reserved for root is left out, also when we are root: a disk filled to its last
    # block harms the whole machine.
    return found.f_bavail * found.f_frsize


def require_free(path: Path, needed: int, what: str) -> None:
    """Make sure that `needed` bytes can be written at `path`.

    Args:
        path: Where they go; need not exist yet.
        needed: Bytes.
        what: What they are for, e.g. "the snapshot of keycloak".

    Raises:
        DiskTooSmall: There is less; the error has both numbers.
    """
    available = free_bytes(path)
    if available < needed:
        raise DiskTooSmall(
            f"not enough free space for {what}",
            where=str(path),
            why=f"needs {human_size(needed)}, available {human_size(available)}",
            remedy=_REMEDY,
        )


def human_size(count: int) -> str:
    """Return a number of bytes as people read it: `512 B`, `1.5 MiB`."""
    if count < 1024:
        return f"{count} B"
    size = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if size < 1024:
            return f"{size:.1f} {unit}"
    return f"{size / 1024:.1f} TiB"


def trouble_at(folder: Path) -> NotEvaluated | None:
    """Return what keeps files from being written in `folder` now, None when nothing does.

    Raises:
        OSError: The file system cannot be asked.
    """
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    if free < _LITTLE:
        return _full(folder, f"available {human_size(free)}")
    if found.f_files and found.f_favail < _FEW:  # some file systems do not count them
        return _full(folder, f"available {human_size(free)}, but only {found.f_favail} inodes")
    probe = folder / f".tmp-{secrets.token_hex(8)}"
    try:
        # A quota, or a disk that broke and still calls itself writable.
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        return disk_trouble(error, folder)
    return None


def disk_trouble(error: OSError, path: Path) -> NotEvaluated | None:
    """Return the error about `path` that "no space left" and its like are, else None."""
    if error.errno in _FULL:
        return _full(path, str(error))
    return _read_only(path, str(error)) if error.errno == errno.EROFS else None


@contextmanager
def disk_trouble_named(path: Path) -> Iterator[None]:
    """Turn "no space left", "quota exceeded" and "read-only" into an error about `path`.

    Raises:
        DiskTooSmall: The disk or the quota was full.
        DiskReadOnly: It took no writes.
    """
    try:
        yield
    except OSError as error:
        named = disk_trouble(error, path)
        if named is None:
            raise
        raise named from error


def _full(path: Path, why: str) -> DiskTooSmall:
    return DiskTooSmall("the disk is full", where=str(path), why=why, remedy=_REMEDY)


def _read_only(path: Path, why: str) -> DiskReadOnly:
    return DiskReadOnly(
        "the disk is read-only", where=str(path), why=why, remedy=_REMEDY_READ_ONLY
    )
