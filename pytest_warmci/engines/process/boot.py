"""What a training boot learnt, kept so that later boots of the same install are faster.

A file that has changed by itself is not used: a runtime may trust its content.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from pytest_warmci.clients.files import make_folder, read_record, remove_tree, rename, write_json
from pytest_warmci.errors import StateDamaged
from pytest_warmci.model import FORMAT


def publish(made: Path, target: Path) -> None:
    """Keep what was learnt as `target`, with its digest beside it."""
    make_folder(target.parent)
    remove_tree(_record(target))
    made.chmod(0o600)
    digest = _digest(made)
    rename(made, target)
    write_json(_record(target), {"format": FORMAT, "sha256": digest})


def find(target: Path) -> Path | None:
    """Return `target` when it is there and is what was published, else None."""
    try:
        expected = read_record(_record(target), "boot cache record")["sha256"]
        return target if _digest(target) == expected else None
    except (FileNotFoundError, StateDamaged):
        return None


def _record(target: Path) -> Path:
    return target.with_name(f"{target.name}.json")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
