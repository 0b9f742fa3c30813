"""The realms that a run has made, recorded in its folder before they are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal, get_args

from pytest_warmci.clients import files
from pytest_warmci.errors import StateDamaged
from pytest_warmci.model import DEFAULT_ENGINE, FORMAT
from pytest_warmci.store.state import StateDirectory

FOLDER: Final = "realms"

Condition = Literal["live", "disabled"]

_REMEDY: Final = "delete it; warmci reap then goes by what the realm itself says"


@dataclass(frozen=True, slots=True)
class RealmRecord:
    """One realm of one run.

    `token` is in the realm's attributes too; `made` is UTC; `app` is the domain of the app that
    was wired to it (empty for none); `disabled` is one that waits to be deleted; `engine` is that
    of the Keycloak that has it.
    """

    realm: str
    run: str
    recipe: str
    token: str
    made: str
    app: str = ""
    condition: Condition = "live"
    engine: str = DEFAULT_ENGINE


def put(state: StateDirectory, record: RealmRecord) -> None:
    """Write a record durably."""
    folder = state.run(record.run) / FOLDER
    files.make_folder(folder)
    facts = asdict(record)
    if record.engine == DEFAULT_ENGINE:  # as before there was another one
        del facts["engine"]
    files.write_json(folder / f"{record.realm}.json", {"format": FORMAT, **facts})


def drop(state: StateDirectory, run: str, realm: str) -> None:
    """Forget durably a realm that is gone; fine when there is no record."""
    path = state.run(run) / FOLDER / f"{realm}.json"
    try:
        path.unlink()
    except FileNotFoundError:
        return
    files.sync_folder(path.parent)


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


def of_run(
    state: StateDirectory, run: str, on_damaged: Callable[[StateDamaged], object] | None = None
) -> list[RealmRecord]:
    """Return the realms that a run has made and that are not known to be gone, by name.

    Args:
        state: The state directory.
        run: The run's id.
        on_damaged: Told of a record that cannot be read, so that it hides no other one.

    Raises:
        StateDamaged: A record cannot be read, and there is no `on_damaged`.
    """
    return list(_read_all((state.run(run) / FOLDER).glob("*.json"), on_damaged))


def of_all(state: StateDirectory) -> list[RealmRecord]:
    """Return those of all runs that can be read, by run and name.

    What is wrong with another run's record is nobody's trouble but its own.
    """
    return list(_read_all(state.runs.glob(f"*/{FOLDER}/*.json"), lambda _damage: None))


def _read_all(
    paths: Iterable[Path], on_damaged: Callable[[StateDamaged], object] | None
) -> Iterator[RealmRecord]:
    for path in sorted(paths, key=lambda each: (each.parents[1].name, each.stem)):
        if path.parents[1].name.startswith("."):  # garbage that waits to be deleted
            continue
        try:
            yield _read(path)
        except FileNotFoundError:  # its run deleted it meanwhile
            continue
        except StateDamaged as damage:
            if on_damaged is None:
                raise
            on_damaged(damage)


def _read(path: Path) -> RealmRecord:
    data: dict[str, Any] = files.read_record(path, "record of a realm", remedy=_REMEDY)
    data = {"engine": DEFAULT_ENGINE, **data}
    why = _fault(path, data)
    if why:
        raise StateDamaged(
            "the record of a realm is damaged", where=str(path), why=why, remedy=_REMEDY
        )
    return RealmRecord(**{each.name: data[each.name] for each in fields(RealmRecord)})


def _fault(path: Path, data: Mapping[str, Any]) -> str:
    """Say what is wrong with a record; empty when nothing is."""
    for each in fields(RealmRecord):
        value = data.get(each.name)
        if not isinstance(value, str) or not (value or each.name == "app"):
            return f"`{each.name}` is {value!r}"
    if data["condition"] not in get_args(Condition):
        return f"`condition` is {data['condition']!r}"
    if (data["run"], data["realm"]) != (path.parents[1].name, path.stem):
        return f"it is about {data['realm']} of run {data['run']}"
    return ""
