"""The records of realms: there before the realm is, one file each, in the folder of the run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_warmci.errors import StateDamaged
from pytest_warmci.store import realm_records
from pytest_warmci.store.realm_records import RealmRecord
from pytest_warmci.store.state import StateDirectory, open_state

FIRST = RealmRecord(
    "blog-1a2b3c", "1a2b3c", "blog", "t0ken", "2026-02-01T12:00:03Z", app="warm-blog.x"
)
SECOND = replace(FIRST, realm="blog-1a2b3c-2", token="other", app="", condition="disabled")
OTHERS = replace(FIRST, realm="wiki-77aa77", run="77aa77", recipe="wiki", token="third")


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return open_state(tmp_path / "state")


def place(state: StateDirectory, record: RealmRecord = FIRST) -> Path:
    return state.run(record.run) / "realms" / f"{record.realm}.json"


def test_what_was_put_is_found(state: StateDirectory) -> None:
    """To the last field, whoever asks."""
    for each in (SECOND, FIRST, OTHERS):
        realm_records.put(state, each)

    assert FIRST == realm_records.find(state, "1a2b3c", "blog-1a2b3c")
    assert [FIRST, SECOND] == realm_records.of_run(state, "1a2b3c")
    assert [FIRST, SECOND, OTHERS] == realm_records.of_all(state)


def test_only_a_record_of_another_engines_keycloak_names_the_engine(state: StateDirectory) -> None:
    """The others are read and written as ever."""
    theirs = replace(FIRST, realm="blog-1a2b3c-3", engine="far")
    for each in (FIRST, theirs):
        realm_records.put(state, each)

    assert '"engine"' not in place(state).read_text()
    assert '"engine": "far"' in place(state, theirs).read_text()
    assert [FIRST, theirs] == realm_records.of_run(state, "1a2b3c")


def test_what_was_not_put_is_not_found(state: StateDirectory) -> None:
    """Nor does looking make anything."""
    assert realm_records.find(state, "1a2b3c", "blog-1a2b3c") is None
    assert [] == realm_records.of_run(state, "1a2b3c") == realm_records.of_all(state)
    assert [] == list(state.runs.iterdir())


def test_what_is_put_again_is_what_counts(state: StateDirectory) -> None:
    realm_records.put(state, FIRST)
    realm_records.put(state, replace(FIRST, condition="disabled"))

    assert [replace(FIRST, condition="disabled")] == realm_records.of_run(state, "1a2b3c")


def test_what_is_dropped_is_gone(state: StateDirectory) -> None:
    """Twice is fine, and so is what was never there."""
    realm_records.put(state, FIRST)
    realm_records.put(state, SECOND)

    for _ in range(2):
        realm_records.drop(state, FIRST.run, FIRST.realm)
    realm_records.drop(state, OTHERS.run, OTHERS.realm)

    assert [SECOND] == realm_records.of_all(state)


def test_only_we_can_read_it(state: StateDirectory) -> None:
    """The token says that a realm is ours to delete."""
    realm_records.put(state, FIRST)

    assert (0o600, 0o700) == (
        place(state).stat().st_mode & 0o777,
        place(state).parent.stat().st_mode & 0o777,
    )


Damage = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.pop("token"),
        lambda data: data.update(token=None),
        lambda data: data.update(token=7),
        lambda data: data.update(condition="asleep"),
        lambda data: data.update(realm="blog-1a2b3c-2"),
        lambda data: data.update(run="77aa77"),
        lambda data: data.update(format="x"),
        lambda data: data.clear(),
    ],
    ids=["no token", "null", "number", "condition", "other realm", "other run", "format", "empty"],
)
def test_a_damaged_record_is_an_error_with_its_place(
    state: StateDirectory, damage: Damage
) -> None:
    """It never means that there is no realm, nor that there is another one."""
    realm_records.put(state, FIRST)
    data = json.loads(place(state).read_text())
    damage(data)
    place(state).write_text(json.dumps(data))

    for ask in (
        lambda: realm_records.find(state, "1a2b3c", "blog-1a2b3c"),
        lambda: realm_records.of_run(state, "1a2b3c"),
    ):
        with pytest.raises(StateDamaged) as caught:
            ask()
        assert str(place(state)) == caught.value.where


def test_the_error_says_what_to_do(state: StateDirectory) -> None:
    realm_records.put(state, FIRST)
    place(state).write_text('{"format": 1}')

    with pytest.raises(StateDamaged) as caught:
        realm_records.find(state, "1a2b3c", "blog-1a2b3c")

    assert "the record of a realm is damaged" == caught.value.what
    assert "delete it; warmci reap then goes by what the realm itself says" == caught.value.remedy


def test_a_damaged_record_hides_no_other_one(state: StateDirectory) -> None:
    """Of all runs, or where somebody is there to be told of it."""
    for each in (FIRST, SECOND, OTHERS):
        realm_records.put(state, each)
    place(state).write_text("{")
    told: list[StateDamaged] = []

    assert [SECOND, OTHERS] == realm_records.of_all(state)
    assert [SECOND] == realm_records.of_run(state, "1a2b3c", told.append)
    assert [str(place(state))] == [each.where for each in told]


def test_what_waits_to_be_deleted_has_no_records(state: StateDirectory) -> None:
    """A run's folder that is being removed."""
    realm_records.put(state, FIRST)
    state.run("1a2b3c").rename(state.runs / ".garbage-1-2-3")

    assert [] == realm_records.of_all(state)


def test_an_unknown_key_is_a_newer_versions(state: StateDirectory) -> None:
    """It is read over."""
    realm_records.put(state, FIRST)
    data = json.loads(place(state).read_text())
    place(state).write_text(json.dumps({**data, "more": 1}))

    assert FIRST == realm_records.find(state, "1a2b3c", "blog-1a2b3c")
