"""The registry of known-goods: one file per recipe and engine, the only pointer to a snapshot.

Reading and writing are two classes on purpose. The quick path gets a `Registry`, which has no way
to write and keeps nothing that leads to one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from pytest_warmci.clients import files
from pytest_warmci.errors import InputError, StateDamaged
from pytest_warmci.model import FORMAT, KnownGood
from pytest_warmci.naming import is_recipe_name
from pytest_warmci.store.state import StateDirectory

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")

_HEADER: Final = """\
The known-good of {recipe} on engine {engine}: what the last complete green cold run proved.
Written by pytest-warmci and replaced as a whole. Do not edit it: `generation` and `digest` name
the snapshot beside the app, and an entry that does not fit its snapshot is refused.
To go back to an older version: warmci seed --version V {recipe}
"""

_MAPPINGS: Final = ("witness", "evidence")

_REMEDY: Final = "put back the file from a backup; or remove it and make a new one: warmci seed"


class Registry:
    """The known-goods of one state directory, read-only."""

    __slots__ = ("_root",)

    def __init__(self, state: StateDirectory) -> None:
        self._root: Final = state.root / "canonicals"

    def find(self, engine: str, recipe: str) -> KnownGood | None:
        """Return the known-good of a recipe, None when it never had one.

        Raises:
            StateDamaged: There is an entry, but it cannot be read: that never means "none".
        """
        try:
            return _read(_entry_path(self._root, engine, recipe))
        except FileNotFoundError:
            return None

    def all(self, engine: str) -> list[KnownGood]:
        """Return every known-good of an engine, by name of the recipe.

        Raises:
            StateDamaged: An entry cannot be read.
        """
        names = sorted(path.stem for path in (self._root / engine).glob("*.yml"))
        found = [self.find(engine, name) for name in names]
        return [entry for entry in found if entry is not None]


class RegistryWriter:
    """The one that moves a known-good; for promotion, under the canonical's lock."""

    def __init__(self, state: StateDirectory) -> None:
        self._root: Final = state.root / "canonicals"

    def put(self, entry: KnownGood) -> None:
        """Make `entry` the known-good of its recipe, durably and all at once.

        That its snapshot is durable and verified is the caller's to see to, before.

        Raises:
            InputError: The entry says too little or nonsense; nothing changed.
            DiskTooSmall: There is no room; the old entry stays.
            StateDamaged: What is on disk now is not what was written.
        """
        path = _entry_path(self._root, entry.engine, entry.recipe)
        values = {field.name: getattr(entry, field.name) for field in fields(entry)}
        record = {"format": FORMAT} | {name: _plain(value) for name, value in values.items()}
        why = _fault(record)
        if why:
            raise InputError("this cannot be a registry entry", where=str(path), why=why)
        files.make_folder(path.parent)
        header = _HEADER.format(recipe=entry.recipe, engine=entry.engine)
        files.write_yaml(path, record, header)
        if _plain_record(_read(path)) != record:
            raise StateDamaged(
                "the registry entry reads back differently",
                where=str(path),
                remedy="check the disk, then run cold again",
                changed="the registry entry",
            )


def _entry_path(root: Path, engine: str, recipe: str) -> Path:
    for name in (engine, recipe):
        if not is_recipe_name(name):
            raise InputError(f"{name!r} cannot name a registry entry")
    return root / engine / f"{recipe}.yml"


def _read(path: Path) -> KnownGood:
    record = files.read_record(path, "registry entry", remedy=_REMEDY)
    why = _fault(record)
    if not why and (record["engine"], record["recipe"]) != (path.parent.name, path.stem):
        why = f"it is about {record['recipe']} on {record['engine']}"
    if why:
        raise StateDamaged(
            "the registry entry is damaged", where=str(path), why=why, remedy=_REMEDY
        )
    return KnownGood(**{field.name: record[field.name] for field in fields(KnownGood)})


def _fault(record: Mapping[str, Any]) -> str:
    """Say what is wrong with an entry's record; empty when nothing is."""
    for field in fields(KnownGood):
        value = record.get(field.name)
        if field.name in _MAPPINGS:
            fine = isinstance(value, dict)
        elif field.name == "cold_seconds":
            fine = isinstance(value, int | float) and value >= 0
        elif field.name == "format":
            fine = value == FORMAT
        else:
            fine = isinstance(value, str) and value != ""
        if not fine:
            return f"`{field.name}` is {value!r}"
    if not _DIGEST.fullmatch(record["digest"]):
        return f"`digest` is {record['digest']!r}"
    generation = record["generation"]
    if generation.startswith(".") or "/" in generation:
        return f"`generation` is {generation!r}"
    return ""


def _plain(value: object) -> object:
    """Return a value as YAML can hold it: mappings as dicts, tuples as lists."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def _plain_record(entry: KnownGood) -> dict[str, object]:
    values = {field.name: _plain(getattr(entry, field.name)) for field in fields(entry)}
    return {"format": values["format"]} | values
