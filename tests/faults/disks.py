"""A small disk of its own for a state directory, which can be full or read-only at any instant.

Also a program, for a strike inside a session (`STRIKE_WITH=run:...`, see `strike`):
`disks.py full|no-names|read-only FOLDER`.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

SIZE = 1400 * 1024 * 1024
"""Bytes: what a cold run wants to be free, and some. Memory is only used for what is written."""

NAMES = 100_000

SHORT_OF = ("full", "no-names")
"""What a disk runs out of: bytes and names, or names alone, while `df` shows free space."""


@dataclass(frozen=True)
class SmallDisk:
    """A tmpfs that is mounted at a folder."""

    folder: Path

    def mount(self) -> None:
        """Mount it, empty.

        Raises:
            OSError: We may not.
        """
        self.folder.mkdir(mode=0o700)
        options = f"mode=0700,size={SIZE},nr_inodes={NAMES}"
        done = _run("mount", "-t", "tmpfs", "-o", options, "tmpfs", self.folder)
        if done.returncode != 0:
            raise OSError(errno.EPERM, done.stderr.decode().strip())

    def unmount(self) -> None:
        """Take it away, also when something still has it open."""
        if _run("umount", self.folder).returncode != 0:
            _run("umount", "--lazy", self.folder)

    def fill(self, short_of: str) -> None:
        """Leave not one free page (`full`) or not one free name (both).

        The disk shrinks to what is used: like any full disk, it has room for what is deleted.
        """
        limit = time.monotonic() + 10
        while True:
            found = os.statvfs(self.folder)
            size = (found.f_blocks - found.f_bfree) * found.f_frsize
            names = found.f_files - found.f_ffree
            room = max(size, found.f_frsize) if short_of == "full" else SIZE
            if self._remount(f"size={room},nr_inodes={names}"):
                return
            if time.monotonic() > limit:  # a server was quicker, again and again
                raise OSError(errno.EBUSY, "cannot fill", str(self.folder))

    def empty(self) -> None:
        """Give it free space again, and let it be written to."""
        assert self._remount(f"rw,size={SIZE},nr_inodes={NAMES}")

    def protect(self) -> bool:
        """Make it read-only; tell whether that went: nothing may be open for writing."""
        return self._remount("ro")

    def is_full(self) -> bool:
        """Tell whether it has been filled."""
        return os.statvfs(self.folder).f_files < NAMES

    def _remount(self, options: str) -> bool:
        return _run("mount", "-o", f"remount,{options}", self.folder).returncode == 0


def _run(*words: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(words, check=False, capture_output=True)


if __name__ == "__main__":
    what, folder = sys.argv[1:]
    disk = SmallDisk(Path(folder))
    if what == "read-only":
        disk.protect()
    else:
        disk.fill(what)
