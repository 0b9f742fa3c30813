"""Which file system a path is on, and whether state may live there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_NETWORK: Final = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "davfs",
        "fuse.ceph",
        "fuse.davfs",
        "fuse.glusterfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.smbnetfs",
        "fuse.sshfs",
        "glusterfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
    }
)

_VOLATILE: Final = frozenset({"overlay", "fuse.fuse-overlayfs", "aufs", "ramfs", "tmpfs"})


def filesystem_type(path: Path) -> str:
    """Return the type of the file system that holds `path` (a real path); empty if unknown."""
    try:
        table = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    except OSError:
        return ""
    return type_in_table(path, table)


def type_in_table(path: Path, table: str) -> str:
    """Return the file system type of `path` as a mountinfo `table` says; empty if it does not."""
    depth, found = -1, ""
    for line in table.splitlines():
        left, separator, right = line.partition(" - ")
        fields = left.split(" ")
        if not separator or len(fields) < 5:
            continue
        point = Path(_unescape(fields[4]))
        # Of two mounts on one folder the later one is seen, hence "or equal".
        if path.is_relative_to(point) and len(point.parts) >= depth:
            depth, found = len(point.parts), right.split(" ")[0]
    return found


def is_network(kind: str) -> bool:
    """Tell whether locks on this type of file system mean nothing to other machines."""
    return kind in _NETWORK


def is_volatile(kind: str) -> bool:
    """Tell whether data on this type of file system goes with the machine or container."""
    return kind in _VOLATILE


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
