"""The mark of a canonical that is set aside; it lies beside the app, not in the entry."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pytest_warmci.clients.files import make_folder, read_record, remove_tree, write_json
from pytest_warmci.model import FORMAT

FILE: Final = "quarantine.json"


def quarantine_reason(app: Path) -> str:
    """Return why the canonical in an app's folder is set aside; empty when it is not.

    Raises:
        StateDamaged: The mark cannot be read.
    """
    path = app / FILE
    if not path.is_file():
        return ""
    return str(read_record(path, "quarantine mark").get("reason", "unknown"))


def mark_quarantined(app: Path, reason: str) -> None:
    """Set a canonical aside."""
    make_folder(app)
    write_json(app / FILE, {"format": FORMAT, "reason": reason})


def clear_quarantine(app: Path) -> None:
    """Take a canonical back: only a promotion does."""
    remove_tree(app / FILE)
