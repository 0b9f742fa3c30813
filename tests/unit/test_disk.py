"""Free space is asked for first, and named when it ran out all the same."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from pytest_warmci.clients import disk
from pytest_warmci.errors import DiskTooSmall


def test_free_bytes_of_a_place_that_does_not_exist_yet(tmp_path: Path) -> None:
    """A missing path counts as the folder above it."""
    assert disk.free_bytes(tmp_path / "not" / "yet") > 0


def test_enough_room_passes(tmp_path: Path) -> None:
    """One byte fits."""
    disk.require_free(tmp_path, 1, "a byte")


def test_too_little_room_names_both_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what for, how much, how much there is, and what to do."""
    monkeypatch.setattr(disk, "free_bytes", lambda path: 3 * 1024**2)

    with pytest.raises(DiskTooSmall) as caught:
        disk.require_free(tmp_path, 5 * 1024**3, "the snapshot")

    assert "not enough free space for the snapshot" == caught.value.what
    assert "needs 5.0 GiB, available 3.0 MiB" == caught.value.why
    assert "warmci status" in caught.value.remedy
    assert str(tmp_path) == caught.value.where


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named(tmp_path: Path, code: int) -> None:
    """Disk and quota both become the one error."""
    with pytest.raises(DiskTooSmall) as caught, disk.disk_trouble_named(tmp_path):
        raise OSError(code, "full")

    assert str(tmp_path) == caught.value.where


def test_other_trouble_is_left_alone(tmp_path: Path) -> None:
    """A broken disk is not a full one."""
    with pytest.raises(OSError, match="broken"), disk.disk_trouble_named(tmp_path):
        raise OSError(errno.EIO, "broken")


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (1024**4 * 2, "2.0 TiB")],
)
def test_sizes_as_people_read_them(count: int, expected: str) -> None:
    """The unit fits the number."""
    assert expected == disk.human_size(count)
