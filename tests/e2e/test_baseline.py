"""A damaged known-good: healed or restored where one half is whole, set aside where none is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.workshop import Workshop


def flip_a_byte(path: Path) -> None:
    """Change one byte in the middle of a file, and nothing else of it."""
    found = path.stat()
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    path.chmod(found.st_mode & 0o7777)


def largest(folder: Path) -> Path:
    return max(
        (path for path in folder.rglob("*") if path.is_file()),
        key=lambda path: path.stat().st_size,
    )


@pytest.mark.cost(35)
def test_a_damaged_snapshot_is_taken_anew_from_equal_volumes(workshop: Workshop) -> None:
    """The digest is the entry's own before and after; only the copy is new."""
    before = workshop.known_good
    flip_a_byte(largest(workshop.place.snapshots))

    outcome = workshop.pytest("--quick")

    assert outcome.status == 0, outcome.text
    assert any("taken anew" in note for note in outcome.result["notes"])
    assert outcome.result["known_good"] == {"before": before.digest, "after": before.digest}
    assert workshop.known_good.generation != before.generation
    assert any("healed" in path.read_text() for path in workshop.state.alerts.glob("*.json"))


@pytest.mark.cost(35)
def test_damaged_volumes_are_restored_first(workshop: Workshop) -> None:
    """A changed byte in a volume is no base to start from."""
    flip_a_byte(largest(workshop.place.folder / "volumes"))

    outcome = workshop.pytest("--quick")

    assert outcome.status == 0, outcome.text
    assert any("volumes restored to known-good first" in note for note in outcome.result["notes"])


@pytest.mark.cost(10)
def test_both_damaged_is_not_evaluated_and_quarantined(workshop: Workshop) -> None:
    """Nothing is left to start from: never the recipe's failure, and loud."""
    entry = workshop.entry_bytes()
    flip_a_byte(largest(workshop.place.snapshots))
    flip_a_byte(largest(workshop.place.folder / "volumes"))

    outcome = workshop.pytest("--quick")

    assert outcome.status == 75, outcome.text
    assert outcome.result["verdict"] == "not-evaluated"
    assert "damaged" in outcome.result["reason"]
    assert workshop.entry_bytes() == entry
    assert (workshop.place.folder / "quarantine.json").is_file()
    assert any("quarantined" in path.read_text() for path in workshop.state.alerts.glob("*.json"))
    listed = workshop.pytest("--quick", "--collect-only", "-q")
    assert "cold (quick asked: canonical quarantined" in listed.text
