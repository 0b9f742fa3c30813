"""How much memory there is for us: the machine's, or less where a container is limited."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

_MEMINFO: Final = Path("/proc/meminfo")
_CGROUP: Final = Path("/proc/self/cgroup")
_GROUPS: Final = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes in all, and those that can be had now."""

    total: int
    available: int


def memory() -> Memory:
    """Return the memory of this machine, or of the tightest group of processes that we are in.

    Raises:
        OSError: The kernel does not say.
    """
    text = _MEMINFO.read_text("ascii")
    found = {name: int(kib) * 1024 for name, kib in re.findall(r"(?m)^(\w+):\s+(\d+) kB", text)}
    total, available = found["MemTotal"], found["MemAvailable"]
    for folder in _own_groups():
        limit = _number(folder / "memory.max")
        used = _number(folder / "memory.current")
        if limit is None or used is None:
            continue
        total = min(total, limit)
        available = min(available, max(limit - used + _droppable(folder), 0))
    return Memory(total, available)


def _own_groups() -> list[Path]:
    """List the folders of our control group (version 2) and of those above it."""
    try:
        text = _CGROUP.read_text("utf-8")
    except OSError:
        return []
    found = re.search(r"(?m)^0::/(.*)$", text)
    if found is None:
        return []
    path = PurePosixPath(found.group(1))
    return [_GROUPS / part for part in dict.fromkeys((path, *path.parents, PurePosixPath()))]


def _droppable(folder: Path) -> int:
    """Return the bytes of files that are kept in memory only because nobody needs the room."""
    try:
        text = (folder / "memory.stat").read_text("ascii")
    except OSError:
        return 0
    found = re.search(r"(?m)^inactive_file (\d+)$", text)
    return int(found.group(1)) if found else 0


def _number(path: Path) -> int | None:
    try:
        text = path.read_text("ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None
