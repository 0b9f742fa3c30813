"""The journal: there exactly while something may be half done."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_warmci.clients.machine import boot_id, process_start
from pytest_warmci.errors import StateDamaged
from pytest_warmci.store.journal import Journal


def test_its_life(tmp_path: Path) -> None:
    """Nothing, begun, noted, ended; each seen by another who looks."""
    journal = Journal(tmp_path)

    assert Journal(tmp_path).read() is None
    journal.begin("quick", run="1a2b3c", session="s", generation="g")
    begun = Journal(tmp_path).read()
    journal.note(step="upgrade", generation="h")
    noted = Journal(tmp_path).read()
    journal.end()

    assert begun is not None
    assert begun.pop("begun").endswith("Z")
    assert {
        "format": 1,
        "op": "quick",
        "run": "1a2b3c",
        "session": "s",
        "boot": boot_id(),
        "generation": "g",
    } == begun
    assert noted is not None
    assert begun | {"step": "upgrade", "generation": "h", "begun": noted["begun"]} == noted
    assert Journal(tmp_path).read() is None
    assert [] == list(tmp_path.iterdir())


def test_a_second_operation_is_refused(tmp_path: Path) -> None:
    """The first one stays to be finished."""
    Journal(tmp_path).begin("promote", run="1", session="s")

    with pytest.raises(StateDamaged, match="not finished") as caught:
        Journal(tmp_path).begin("quick", run="2", session="s")

    found = Journal(tmp_path).read()
    assert found is not None
    assert "promote" == found["op"]
    assert "run the recipe again" in caught.value.remedy


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": 2}'])
def test_a_damaged_journal_never_means_clean(tmp_path: Path, content: str) -> None:
    """Reading, adding and beginning all stop at it."""
    (tmp_path / "journal.json").write_text(content)
    journal = Journal(tmp_path)

    with pytest.raises(StateDamaged):
        journal.read()
    with pytest.raises(StateDamaged):
        journal.note(step="x")
    with pytest.raises(StateDamaged):
        journal.begin("quick", run="1", session="s")

    assert content == (tmp_path / "journal.json").read_text()


def test_no_note_without_a_journal(tmp_path: Path) -> None:
    """A note would say that something is in flight."""
    with pytest.raises(StateDamaged, match="no open journal"):
        Journal(tmp_path).note(step="x")

    assert [] == list(tmp_path.iterdir())


def test_end_twice_is_fine(tmp_path: Path) -> None:
    """Recovery may be killed between the two."""
    Journal(tmp_path).end()


def test_a_process_is_told_from_its_successor() -> None:
    """A live one has a start, one that is not there has none."""
    assert process_start(1) >= 0
    assert process_start(2**22 + 1) == 0
