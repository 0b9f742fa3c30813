"""The record of a live-warm service."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_warmci.errors import StateDamaged
from pytest_warmci.store.live_records import FILE, LiveRecord, drop_live, read_live, write_live

RECORD = LiveRecord(
    recipe="keycloak",
    engine="process",
    domain="live-keycloak.warmci.localhost",
    url="http://localhost:1",
    version="10.7.1+26.6.4",
    commit="c" * 40,
    fingerprint="f" * 64,
    started="2026-02-01T12:00:03Z",
)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """By its owner only."""
    folder = tmp_path / "live" / "keycloak"
    write_live(folder, RECORD)

    assert RECORD == read_live(folder)
    assert 0o600 == (folder / FILE).stat().st_mode & 0o777


def test_without_a_record_nothing_runs(tmp_path: Path) -> None:
    """As far as is known; there need not even be a folder."""
    assert read_live(tmp_path) is None
    assert read_live(tmp_path / "none") is None


def test_a_dropped_record_is_gone(tmp_path: Path) -> None:
    """Twice is fine."""
    write_live(tmp_path, RECORD)

    drop_live(tmp_path)
    drop_live(tmp_path)
    drop_live(tmp_path / "none")

    assert read_live(tmp_path) is None


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 1}', '{"format": 1, "url": "x"}'])
def test_a_damaged_record_never_means_that_nothing_runs(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)

    with pytest.raises(StateDamaged) as caught:
        read_live(tmp_path)

    assert str(tmp_path / FILE) == caught.value.where


def test_a_record_that_is_not_complete_says_what_to_do(tmp_path: Path) -> None:
    write_live(tmp_path, RECORD)
    data = json.loads((tmp_path / FILE).read_text())
    del data["fingerprint"]
    (tmp_path / FILE).write_text(json.dumps(data))

    with pytest.raises(StateDamaged, match="is not complete") as caught:
        read_live(tmp_path)

    assert "fingerprint" in caught.value.why
    assert "delete it; the service is then started anew" == caught.value.remedy
