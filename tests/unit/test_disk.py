"""Free space is asked for first, and named when it ran out all the same."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_warmci.clients import disk
from pytest_warmci.errors import DiskReadOnly, DiskTooSmall


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


def test_a_disk_that_takes_no_writes_is_named(tmp_path: Path) -> None:
    """With another remedy: freeing space would not help."""
    with pytest.raises(DiskReadOnly) as caught, disk.disk_trouble_named(tmp_path):
        raise OSError(errno.EROFS, "read-only")

    assert str(tmp_path) == caught.value.where
    assert "writable" in caught.value.remedy


def test_a_disk_without_trouble_says_none(tmp_path: Path) -> None:
    """And nothing is left of asking."""
    assert disk.trouble_at(tmp_path) is None
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("pages", "inodes", "why"),
    [
        (10, 10_000, "available 40.0 KiB"),
        (100_000, 3, "available 390.6 MiB, but only 3 inodes"),
    ],
)
def test_a_disk_is_full_without_bytes_or_without_inodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pages: int, inodes: int, why: str
) -> None:
    """`df` shows the one only."""
    found = SimpleNamespace(f_bavail=pages, f_frsize=4096, f_files=10_000, f_favail=inodes)
    monkeypatch.setattr(os, "statvfs", lambda _path: found)

    trouble = disk.trouble_at(tmp_path)

    assert isinstance(trouble, DiskTooSmall)
    assert why == trouble.why


@pytest.mark.parametrize(
    ("code", "kind"), [(errno.EDQUOT, DiskTooSmall), (errno.EROFS, DiskReadOnly)]
)
def test_what_statistics_do_not_show_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception]
) -> None:
    """A quota; a disk that broke and still calls itself writable."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, "no")

    monkeypatch.setattr(Path, "touch", refuse)

    assert isinstance(disk.trouble_at(tmp_path), kind)


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
