"""The registry: the only pointer to a known-good is read strictly and written all at once."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from pytest_warmci.errors import DiskTooSmall, InputError, StateDamaged
from pytest_warmci.model import KnownGood
from pytest_warmci.store.registry import Registry, RegistryWriter
from pytest_warmci.store.state import StateDirectory

ENTRY = KnownGood(
    recipe="keycloak",
    engine="process",
    domain="warm-keycloak.warmci.localhost",
    url="http://localhost:20001",
    version="10.7.1+26.6.4",
    commit="1234567" * 5 + "12345",
    generation="20260131-120003-1a2b3c",
    digest="sha256:" + "0" * 64,
    witness={"user": "ada", "ids": [1, 2]},
    promoted_at="2026-01-31T12:00:03Z",
    promoted_by="1a2b3c",
    evidence={"tests": {"passed": 12}},
    cold_seconds=312.5,
)


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    """A state directory with nothing in it."""
    return StateDirectory(tmp_path, "u")


def test_an_entry_comes_back(state: StateDirectory) -> None:
    """Every field as it was put, also a commit of digits only."""
    RegistryWriter(state).put(ENTRY)

    assert ENTRY == Registry(state).find("process", "keycloak")


def test_no_entry_is_none(state: StateDirectory) -> None:
    """Nobody has promoted anything."""
    assert Registry(state).find("process", "keycloak") is None
    assert [] == Registry(state).all("process")


def test_mappings_of_any_kind_can_be_put(state: StateDirectory) -> None:
    """What comes back is plain."""
    RegistryWriter(state).put(replace(ENTRY, witness=MappingProxyType({"a": (1, 2)})))

    found = Registry(state).find("process", "keycloak")

    assert found is not None
    assert {"a": [1, 2]} == found.witness


def test_a_person_can_read_it(state: StateDirectory) -> None:
    """It begins by saying what it is, and that it is not to be edited."""
    RegistryWriter(state).put(ENTRY)

    text = (state.root / "canonicals/process/keycloak.yml").read_text()

    assert text.startswith("# The known-good of keycloak on engine process")
    assert "Do not edit" in text
    assert "\nversion: 10.7.1+26.6.4\n" in text


def test_all_are_sorted_and_of_one_engine(state: StateDirectory) -> None:
    """Other engines have their own."""
    for engine, recipe in (("process", "b"), ("process", "a"), ("swarm", "c")):
        RegistryWriter(state).put(replace(ENTRY, engine=engine, recipe=recipe))

    assert ["a", "b"] == [entry.recipe for entry in Registry(state).all("process")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "format: 1",
        "]",
        "just text",
        "{whole}promoted_at: 5",
        "{whole}digest: sha256:12",
        "{whole}generation: ../../other",
        "{whole}commit: ''",
        "{whole}witness: none",
        "{whole}recipe: miniflux",
    ],
)
def test_a_damaged_entry_is_never_none(state: StateDirectory, text: str) -> None:
    """One look-up and the list both say so, with the file."""
    RegistryWriter(state).put(ENTRY)
    path = state.root / "canonicals/process/keycloak.yml"
    # In YAML the last of two equal keys counts.
    path.write_text(text.replace("{whole}", path.read_text()))

    with pytest.raises(StateDamaged) as caught:
        Registry(state).find("process", "keycloak")
    with pytest.raises(StateDamaged):
        Registry(state).all("process")

    assert str(path) == caught.value.where
    assert "warmci seed" in caught.value.remedy


def test_a_newer_entry_asks_for_an_upgrade(state: StateDirectory) -> None:
    """It may mean something else by the same words."""
    RegistryWriter(state).put(ENTRY)
    path = state.root / "canonicals/process/keycloak.yml"
    path.write_text(path.read_text().replace("format: 1", "format: 2"))

    with pytest.raises(StateDamaged, match="newer version"):
        Registry(state).find("process", "keycloak")


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "abc"},
        {"version": ""},
        {"generation": ".hidden"},
        {"generation": "a/b"},
        {"cold_seconds": -1.0},
        {"recipe": "../x"},
        {"engine": ""},
        {"format": 2},
    ],
)
def test_nonsense_is_not_put(state: StateDirectory, change: dict[str, str]) -> None:
    """The old entry stays to the byte."""
    writer = RegistryWriter(state)
    writer.put(ENTRY)
    path = state.root / "canonicals/process/keycloak.yml"
    before = path.read_bytes()

    with pytest.raises(InputError):
        writer.put(replace(ENTRY, **change))  # type: ignore[arg-type]

    assert before == path.read_bytes()
    assert [path] == [found for found in state.root.rglob("*") if found.is_file()]


def test_a_full_disk_keeps_the_old_entry(
    state: StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The known-good is still the old one."""
    writer = RegistryWriter(state)
    writer.put(ENTRY)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(DiskTooSmall):
        writer.put(replace(ENTRY, version="11.0.0+27.0.0"))
    monkeypatch.undo()

    assert ENTRY == Registry(state).find("process", "keycloak")


def test_the_reader_has_no_way_to_write(state: StateDirectory) -> None:
    """It has two methods, keeps a path and nothing else, and takes on nothing new."""
    registry = Registry(state)

    assert ["all", "find"] == [name for name in dir(registry) if not name.startswith("_")]
    assert ("_root",) == Registry.__slots__
    assert isinstance(registry._root, Path)
    with pytest.raises(AttributeError):
        registry.writer = RegistryWriter(state)  # type: ignore[attr-defined]
