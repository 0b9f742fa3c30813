"""The mark of an app that a run leaves running for a person to look at, and until when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pytest_warmci.clients import files
from pytest_warmci.errors import InputError, StateDamaged
from pytest_warmci.model import FORMAT
from pytest_warmci.store.state import StateDirectory

FILE: Final = "kept-alive.json"

_REMEDY: Final = "remove the file: the next run then removes the app"


@dataclass(frozen=True, slots=True)
class KeptApp:
    """One app that is left running.

    `run` is who left it, `until` when that ends (ISO 8601 in UTC), `why` in a few words what it is
    there for. `version` may be empty (not published).
    """

    run: str
    recipe: str
    domain: str
    url: str
    until: str
    why: str
    commit: str
    version: str

    def expired(self, now: datetime) -> bool:
        """Tell whether its time is over; `now` is aware of its time zone."""
        return now >= _moment(self.until)


def write_kept(folder: Path, kept: KeptApp) -> None:
    """Mark the app in `folder` as left running, durably; replaces an earlier mark.

    Raises:
        InputError: The mark says too little, or is about another folder; nothing changed.
        DiskTooSmall: There is no room for it.
    """
    path = folder / FILE
    record = {"format": FORMAT, **asdict(kept)}
    why = _fault(folder, record)
    if why:
        raise InputError("this cannot mark a kept app", where=str(path), why=why)
    files.write_json(path, record)


def read_kept(folder: Path) -> KeptApp | None:
    """Return the mark of the app in `folder`, None when it is not kept.

    Raises:
        StateDamaged: There is a mark, but it cannot be read: that never means "not kept".
    """
    path = folder / FILE
    try:
        record = files.read_record(path, "mark of a kept app", remedy=_REMEDY)
    except FileNotFoundError:
        return None
    why = _fault(folder, record)
    if why:
        raise StateDamaged(
            "the mark of a kept app is damaged", where=str(path), why=why, remedy=_REMEDY
        )
    return KeptApp(**{field.name: record[field.name] for field in fields(KeptApp)})


def drop_kept(folder: Path) -> None:
    """Remove the mark durably; fine when there is none.

    Raises:
        OSError: It cannot be removed.
    """
    try:
        (folder / FILE).unlink()
    except FileNotFoundError:
        return
    files.sync_folder(folder)


def kept_apps(
    state: StateDirectory, on_damaged: Callable[[StateDamaged], None] | None = None
) -> list[tuple[Path, KeptApp]]:
    """Return folder and mark of every kept app of every engine, by domain.

    Args:
        state: The state directory.
        on_damaged: Told of a mark that cannot be read, so that it hides no other one.

    Raises:
        StateDamaged: A mark cannot be read, and there is no `on_damaged`.
    """
    found = []
    for path in (state.root / "apps").glob(f"*/*/{FILE}"):
        if path.parent.name.startswith("."):  # garbage that waits to be deleted
            continue
        try:
            kept = read_kept(path.parent)
        except StateDamaged as error:
            if on_damaged is None:
                raise
            on_damaged(error)
            continue
        if kept is not None:
            found.append((path.parent, kept))
    return sorted(found, key=lambda each: (each[1].domain, each[0]))


def _fault(folder: Path, record: dict[str, Any]) -> str:
    """Say what is wrong with a record; empty when nothing is."""
    for field in fields(KeptApp):
        value = record.get(field.name)
        if not isinstance(value, str) or not (value or field.name in ("version", "why")):
            return f"`{field.name}` is {value!r}"
    try:
        _moment(record["until"])
    except ValueError:
        return f"`until` is {record['until']!r}, which is no time in UTC"
    if record["domain"] != folder.name:
        return f"it is about {record['domain']}"
    return ""


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no time zone")
    return moment.astimezone(UTC)
