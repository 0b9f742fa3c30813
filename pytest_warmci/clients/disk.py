"""Free space: asked for before something is written, and named when it ran out all the same."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pytest_warmci.errors import DiskTooSmall

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})

_REMEDY: Final = "free some space there; `warmci status` shows what is big"


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


@contextmanager
def full_disk_named(path: Path) -> Iterator[None]:
    """Turn "no space left" and "quota exceeded" inside the block into an error about `path`.

    Raises:
        DiskTooSmall: The disk or the quota was full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise DiskTooSmall(
            "the disk is full", where=str(path), why=str(error), remedy=_REMEDY
        ) from error
