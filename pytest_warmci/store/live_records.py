"""The record of a live-warm service: what runs, and what it was started as."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from pytest_warmci.clients import files
from pytest_warmci.errors import StateDamaged
from pytest_warmci.model import FORMAT

FILE: Final = "running.json"


@dataclass(frozen=True, slots=True)
class LiveRecord:
    """A live-warm service that was started and has answered.

    `fingerprint` is of everything that it was started with: who finds another one does not attach
    to it. `started` is UTC.
    """

    recipe: str
    engine: str
    domain: str
    url: str
    version: str
    commit: str
    fingerprint: str
    started: str


def read_live(folder: Path) -> LiveRecord | None:
    """Return the record of a service, None when it is not running as far as is known.

    Raises:
        StateDamaged: It cannot be read.
    """
    path = folder / FILE
    try:
        data: dict[str, Any] = files.read_record(path, "record of a live-warm service")
    except FileNotFoundError:
        return None
    known = {each.name for each in fields(LiveRecord)}
    try:
        return LiveRecord(**{name: str(data[name]) for name in known & data.keys()})
    except TypeError as error:
        raise StateDamaged(
            "the record of a live-warm service is not complete",
            where=str(path),
            why=str(error),
            remedy="delete it; the service is then started anew",
        ) from error


def write_live(folder: Path, record: LiveRecord) -> None:
    """Write the record durably."""
    files.make_folder(folder)
    files.write_json(folder / FILE, {"format": FORMAT, **asdict(record)})


def drop_live(folder: Path) -> None:
    """Record durably that the service does not run; fine when there is no record."""
    path = folder / FILE
    if path.exists():
        path.unlink()
        files.sync_folder(folder)
