"""Logs of services: kept small while these run, and without secrets when they have ended.

A service appends to its log itself, so that it can outlive us; nothing stands in between that
could hold it back. So somebody has to look.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from pytest_warmci.clients.files import remove_tree, write_bytes
from pytest_warmci.engines.secrets import mask
from pytest_warmci.errors import DiskTooSmall

MOST: Final = 64 * 1024 * 1024
"""Bytes of a log above which its beginning is dropped."""

KEPT: Final = 1024 * 1024
"""Bytes that are kept of it then."""

_EVERY: Final = 0.1
"""Seconds between two looks; a service can write that long without being seen."""

_DROPPED: Final = f"warmci: this log had more than {MOST >> 20} MiB, its beginning was dropped\n"


class LogWatch:
    """Keeps the logs of running apps small, in a thread that ends with the last of them."""

    def __init__(self) -> None:
        self._folders: set[Path] = set()
        self._guard = threading.Lock()
        self._changed = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, app: Path) -> None:
        """Watch the logs of the app in that folder, until `end`."""
        with self._guard:
            self._folders.add(app / "logs")
            if self._thread is None:
                self._changed.clear()
                self._thread = threading.Thread(target=self._look, name="logs", daemon=True)
                self._thread.start()

    def end(self, app: Path) -> None:
        """Watch them no longer."""
        with self._guard:
            self._folders.discard(app / "logs")
            thread = self._thread if not self._folders else None
            if thread is not None:
                self._thread = None
                self._changed.set()
        if thread is not None:
            thread.join()

    def _look(self) -> None:
        while not self._changed.wait(_EVERY):
            with self._guard:
                folders = list(self._folders)
            for folder in folders:
                cap_logs(folder)


def cap_logs(folder: Path) -> None:
    """Drop the beginning of every log in a folder that has grown too large, and say so in it."""
    for path in folder.glob("*.log"):
        # It may be gone, or the disk full: then there is nothing that we could do about it.
        with suppress(OSError):
            if path.stat().st_size > MOST:
                _cap(path)


def _cap(path: Path) -> None:
    flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags), "rb+", buffering=0) as file:
        file.seek(-KEPT, os.SEEK_END)
        # Half a line may be half a secret, and one line of that length is no loss.
        end = file.read(KEPT).partition(b"\n")[2]
        # What the service writes in between goes too; it appends, so it goes on at the new end.
        file.truncate(0)
        file.write(_DROPPED.encode() + end)


def mask_logs(app: Path) -> None:
    """Blot an app's secrets out of its logs; nothing of it may run any more.

    A log where that is not possible goes.
    """
    for path in (app / "logs").glob("*.log"):
        try:
            text = path.read_text("utf-8", "surrogateescape")
            without = mask(app, text)
            if without != text:
                write_bytes(path, without.encode("utf-8", "surrogateescape"))
        except (OSError, DiskTooSmall):
            remove_tree(path)
