"""The mark of an app that is left running."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_warmci.errors import InputError, StateDamaged
from pytest_warmci.store.kept import FILE, KeptApp, drop_kept, kept_apps, read_kept, write_kept
from pytest_warmci.store.state import StateDirectory, open_state

KEPT = KeptApp(
    run="1a2b3c",
    recipe="miniapp",
    domain="mini-1a2b3c.warmci.localhost",
    url="http://localhost:20001",
    until="2026-01-31T12:00:03Z",
    why="a test failed",
    commit="c" * 40,
    version="1.1.0+1.1",
)


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return open_state(tmp_path / "state")


def folder_of(state: StateDirectory, kept: KeptApp, engine: str = "process") -> Path:
    folder = state.app(engine, kept.domain)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_what_is_written_is_read(state: StateDirectory) -> None:
    """All of it, with a format; as it is dropped, there is nothing."""
    folder = folder_of(state, KEPT)

    assert read_kept(folder) is None
    write_kept(folder, KEPT)
    record = json.loads((folder / FILE).read_text())

    assert KEPT == read_kept(folder)
    assert 1 == record["format"]
    assert "2026-01-31T12:00:03Z" == record["until"]

    drop_kept(folder)
    drop_kept(folder)

    assert read_kept(folder) is None
    assert [] == list(folder.iterdir())


def test_when_it_is_over() -> None:
    """At the second that it names, wherever the clock that asks is."""
    before = datetime(2026, 1, 31, 12, 0, 2, tzinfo=UTC)
    then = datetime.fromisoformat("2026-01-31T14:00:03+02:00")

    assert not KEPT.expired(before)
    assert KEPT.expired(then)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"until": "soon"}, "`until` is 'soon'"),
        ({"until": "2026-01-31T12:00:03"}, "no time in UTC"),
        ({"run": ""}, "`run` is ''"),
        ({"domain": "other.warmci.localhost"}, "about other.warmci.localhost"),
    ],
)
def test_what_cannot_be_a_mark(
    state: StateDirectory, change: dict[str, str], expected: str
) -> None:
    """Refused when written, and damaged when found."""
    folder = folder_of(state, KEPT)
    write_kept(folder, KEPT)

    with pytest.raises(InputError) as refused:
        write_kept(folder, replace(KEPT, **change))

    assert expected in refused.value.why
    assert KEPT == read_kept(folder)

    record = json.loads((folder / FILE).read_text())
    (folder / FILE).write_text(json.dumps(record | change))

    with pytest.raises(StateDamaged) as damaged:
        read_kept(folder)

    assert expected in damaged.value.why


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": 1}', '{"format": 2}'])
def test_a_damaged_mark_never_means_not_kept(state: StateDirectory, content: str) -> None:
    """Whoever removes apps must not take it for one that nobody wants."""
    folder = folder_of(state, KEPT)
    (folder / FILE).write_text(content)

    with pytest.raises(StateDamaged):
        read_kept(folder)
    with pytest.raises(StateDamaged):
        kept_apps(state)


def test_all_of_them(state: StateDirectory) -> None:
    """Of every engine, by domain; not what has no mark, nor what is being deleted."""
    late = replace(KEPT, domain="z.warmci.localhost")
    early = replace(KEPT, domain="a.warmci.localhost")
    write_kept(folder_of(state, late), late)
    write_kept(folder_of(state, early, "swarm"), early)
    folder_of(state, KEPT)
    garbage = state.apps("process") / ".garbage-1"
    garbage.mkdir()
    (garbage / FILE).write_text("{")

    assert [
        (state.app("swarm", early.domain), early),
        (state.app("process", late.domain), late),
    ] == kept_apps(state)


def test_a_damaged_one_hides_no_other(state: StateDirectory) -> None:
    """It is told, and the rest is listed."""
    write_kept(folder_of(state, KEPT), KEPT)
    broken = folder_of(state, replace(KEPT, domain="broken.warmci.localhost"))
    (broken / FILE).write_text("{")
    told: list[StateDamaged] = []

    assert [KEPT] == [kept for _, kept in kept_apps(state, told.append)]
    assert [str(broken / FILE)] == [error.where for error in told]
