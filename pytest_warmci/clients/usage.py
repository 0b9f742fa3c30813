"""How much room on disk a tree takes."""

from __future__ import annotations

import os
from pathlib import Path


def tree_bytes(folder: Path) -> int:
    """Return the bytes that a tree takes on disk, each file once whatever its number of names.

    What goes away meanwhile or cannot be read counts as nothing.
    """
    total = 0
    seen: set[tuple[int, int]] = set()
    waiting: list[str | Path] = [folder]
    while waiting:
        for entry in entries(waiting.pop()):
            try:
                found = entry.stat(follow_symlinks=False)
                is_folder = entry.is_dir(follow_symlinks=False)
            except OSError:
                continue
            if found.st_nlink > 1 and not is_folder:
                if (found.st_dev, found.st_ino) in seen:
                    continue
                seen.add((found.st_dev, found.st_ino))
            total += found.st_blocks * 512
            if is_folder:
                waiting.append(entry.path)
    return total


def entries(folder: str | Path) -> list[os.DirEntry[str]]:
    """List what is in a folder; nothing when it cannot be read or is none."""
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []
