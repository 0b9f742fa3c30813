"""The mutation in flight, written before it begins: a dead run's successor finishes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from pytest_warmci.clients import files
from pytest_warmci.clients.machine import boot_id, utc_now
from pytest_warmci.errors import StateDamaged
from pytest_warmci.model import FORMAT

_REMEDY: Final = "run the recipe again: every run recovers first"


class Journal:
    """The journal of one app. Its file exists exactly while something may be half done.

    All calls belong under the app's lock.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "journal.json"

    def begin(self, op: str, *, run: str, session: str, **facts: object) -> None:
        """Record durably that `op` is about to change the app.

        Args:
            op: What is about to happen: "quick", "promote", "restore".
            run: The run's id.
            session: The session's id.
            **facts: Whatever recovery needs (JSON).

        Raises:
            StateDamaged: An earlier operation is not finished.
            DiskTooSmall: There is no room even for this; nothing changed.
        """
        record = {
            **facts,
            "format": FORMAT,
            "op": op,
            "run": run,
            "session": session,
            "begun": utc_now(),
            "boot": boot_id(),
        }
        if not files.create_json(self._path, record):
            raise StateDamaged(
                "an earlier operation on this app is not finished",
                where=str(self._path),
                remedy=_REMEDY,
            )

    def note(self, **facts: object) -> None:
        """Add facts to the open journal, or replace them, durably.

        Raises:
            StateDamaged: No journal is open, or it cannot be read.
            DiskTooSmall: There is no room; the journal is as it was.
        """
        record = self.read()
        if record is None:
            raise StateDamaged("there is no open journal", where=str(self._path), remedy=_REMEDY)
        files.write_json(self._path, {**record, **facts})

    def end(self) -> None:
        """Record durably that nothing is half done; fine when no journal is open.

        Raises:
            OSError: The file cannot be removed.
        """
        try:
            self._path.unlink()
        except FileNotFoundError:
            return
        files.sync_folder(self._path.parent)

    def read(self) -> dict[str, Any] | None:
        """Return the open journal, None when nothing is in flight.

        Raises:
            StateDamaged: There is one, but it cannot be read: that never means "nothing".
        """
        try:
            return files.read_record(self._path, "journal", remedy=_REMEDY)
        except FileNotFoundError:
            return None
