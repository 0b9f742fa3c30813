"""The realms that a run has made, recorded in its folder before they are made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal

from pytest_warmci.clients import files
from pytest_warmci.errors import StateDamaged
from pytest_warmci.model import FORMAT
from pytest_warmci.store.state import StateDirectory

FOLDER: Final = "realms"

Condition = Literal["live", "disabled"]


@dataclass(frozen=True, slots=True)
class RealmRecord:
    """One realm of one run.

    `token` is in the realm's attributes too; `made` is UTC; `app` is the domain of the app that
    was wired to it (empty for none); `disabled` is one that waits to be deleted.
    """

    realm: str
    run: str
    recipe: str
    token: str
    made: str
    app: str = ""
    condition: Condition = "live"


def put(state: StateDirectory, record: RealmRecord) -> None:
    """Write a record durably."""
    folder = state.run(record.run) / FOLDER
    files.make_folder(folder)
    files.write_json(folder / f"{record.realm}.json", {"format": FORMAT, **asdict(record)})


def drop(state: StateDirectory, record: RealmRecord) -> None:
    """Forget a realm that is gone; fine when there is no record."""
    (state.run(record.run) / FOLDER / f"{record.realm}.json").unlink(missing_ok=True)


def find(state: StateDirectory, run: str, realm: str) -> RealmRecord | None:
    """Return a realm's record, None when there is none.

    Raises:
        StateDamaged: It cannot be read.
    """
    path = state.run(run) / FOLDER / f"{realm}.json"
    try:
        return _read(path)
    except FileNotFoundError:
        return None


def of_run(state: StateDirectory, run: str) -> list[RealmRecord]:
    """Return the realms that a run has made and that are not known to be gone.

    Raises:
        StateDamaged: A record cannot be read.
    """
    return list(_read_all((state.run(run) / FOLDER).glob("*.json")))


def of_all(state: StateDirectory) -> list[RealmRecord]:
    """Return those of all runs, by run; see `of_run`."""
    return list(_read_all(state.runs.glob(f"*/{FOLDER}/*.json")))


def _read_all(paths: Iterator[Path]) -> Iterator[RealmRecord]:
    for path in sorted(paths):
        try:
            yield _read(path)
        except FileNotFoundError:  # its run deleted it meanwhile
            continue


def _read(path: Path) -> RealmRecord:
    data: dict[str, Any] = files.read_record(path, "record of a realm")
    known = {each.name for each in fields(RealmRecord)}
    try:
        record = RealmRecord(**{name: data[name] for name in known & data.keys()})
    except TypeError as error:
        raise StateDamaged(
            "the record of a realm is not complete",
            where=str(path),
            why=str(error),
            remedy="delete it; warmci reap then goes by what the realm itself says",
        ) from error
    return record
