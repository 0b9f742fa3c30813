"""Small disks for a state directory, which can be full or break at any instant.

Also a program, for a strike inside a session (`STRIKE_WITH=run:...`, see `strike`):
`disks.py full|no-names|broken FOLDER`.
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
        _unmount(self.folder)

    def fill(self, short_of: str) -> None:
        """Leave not one free name, and with `full` not one free page either.

        With `no-names`, `df` shows free space. The disk shrinks to what is used: like any full disk, it has room for what is deleted.
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

    def leave(self, free: int) -> None:
        """Leave so many bytes."""
        found = os.statvfs(self.folder)
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        assert self._remount(f"size={used + free}")

    def empty(self) -> None:
        """Give it free space again."""
        assert self._remount(f"size={SIZE},nr_inodes={NAMES}")

    def is_full(self) -> bool:
        """Tell whether it has been filled."""
        return os.statvfs(self.folder).f_files < NAMES

    def _remount(self, options: str) -> bool:
        return _run("mount", "-o", f"remount,{options}", self.folder).returncode == 0


@dataclass(frozen=True)
class RealDisk:
    """An ext4 in a file. When it breaks it takes no writes, and forgets what was not durable."""

    folder: Path

    @property
    def image(self) -> Path:
        """The file."""
        return self.folder.with_name(f"{self.folder.name}.ext4")

    def mount(self) -> None:
        """Make and mount it, empty.

        Raises:
            OSError: We may not, or there is no such file system here.
        """
        self.folder.mkdir(mode=0o700)
        with self.image.open("wb") as file:
            file.truncate(SIZE)
        made = _run("mkfs.ext4", "-q", self.image)
        if made.returncode != 0:
            raise OSError(errno.ENOTSUP, made.stderr.decode().strip())
        self._mount()
        (self.folder / "lost+found").rmdir()
        self.folder.chmod(0o700)

    def unmount(self) -> None:
        """Take it away, also when something still has it open."""
        _unmount(self.folder)

    def sync(self) -> None:
        """Make durable what is there."""
        assert _run("sync", "--file-system", self.folder).returncode == 0

    def break_down(self) -> None:
        """Let it meet an error, as far as it knows."""
        _run("mount", "-o", "remount,abort", self.folder)

    def is_broken(self) -> bool:
        """Tell whether it takes no writes."""
        try:
            (self.folder / "written").touch()
        except OSError as error:
            return error.errno == errno.EROFS
        (self.folder / "written").unlink()
        return False

    def mend(self) -> None:
        """Mount it again, as after a restart of the machine: its journal is replayed."""
        done = _run("umount", self.folder)
        assert done.returncode == 0, done.stderr
        self._mount()

    def _mount(self) -> None:
        done = _run("mount", "-o", "loop", self.image, self.folder)
        if done.returncode != 0:
            raise OSError(errno.EPERM, done.stderr.decode().strip())


def _unmount(folder: Path) -> None:
    if os.path.ismount(folder) and _run("umount", folder).returncode != 0:
        _run("umount", "--lazy", folder)


def _run(*words: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(words, check=False, capture_output=True)


if __name__ == "__main__":
    what, place = sys.argv[1:]
    if what == "broken":
        RealDisk(Path(place)).break_down()
    else:
        SmallDisk(Path(place)).fill(what)
