"""Files appear all at once or not at all, and what is deleted leaves its place at once."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_warmci.clients import files, interrupts
from pytest_warmci.clients.machine import process_start
from pytest_warmci.errors import DiskTooSmall, SnapshotDamaged, StateDamaged


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_mode_holds_whatever_the_umask_is(tmp_path: Path) -> None:
    """A file of ours is 0600, or what was asked for, under any umask."""
    before = os.umask(0o277)
    try:
        files.write_bytes(tmp_path / "a", b"x")
        files.write_text(tmp_path / "b", "ü", mode=0o400)
    finally:
        os.umask(before)

    assert 0o600 == stat.S_IMODE((tmp_path / "a").stat().st_mode)
    assert 0o400 == stat.S_IMODE((tmp_path / "b").stat().st_mode)
    assert "ü".encode() == (tmp_path / "b").read_bytes()
    assert ["a", "b"] == names(tmp_path)


def test_file_and_folder_are_synced_around_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Content before the name, the name before we return."""
    calls: list[str] = []
    real_sync, real_replace = os.fsync, Path.replace

    def sync(descriptor: int) -> None:
        calls.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        real_sync(descriptor)

    def replace(self: Path, target: Path) -> Path:
        calls.append("rename")
        return real_replace(self, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", replace)
    files.write_bytes(tmp_path / "a", b"x")

    assert ["file", "rename", "folder"] == calls


@pytest.mark.parametrize("call", ["write", "fsync"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    """The old content stays, nothing is left beside it, and the error names the file."""
    path = tmp_path / "a"
    files.write_bytes(path, b"old")

    def full(*_: Any) -> int:
        raise OSError(code, "full")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(DiskTooSmall) as caught:
        files.write_bytes(path, b"new")
    monkeypatch.undo()

    assert str(path) == caught.value.where
    assert "nothing" == caught.value.changed
    assert b"old" == path.read_bytes()
    assert ["a"] == names(tmp_path)


def test_a_write_in_pieces_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel may take less than it was given."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data[:3])))

    files.write_bytes(tmp_path / "a", b"0123456789")

    assert b"0123456789" == (tmp_path / "a").read_bytes()


def test_create_is_won_once(tmp_path: Path) -> None:
    """The second caller is told so and changes nothing."""
    path = tmp_path / "a.json"

    assert files.create_json(path, {"format": 1, "who": "first"})
    assert not files.create_json(path, {"format": 1, "who": "second"})
    assert "first" == files.read_record(path, "thing")["who"]
    assert ["a.json"] == names(tmp_path)


@pytest.mark.parametrize(
    ("name", "write"), [("a.json", files.write_json), ("a.yml", files.write_yaml)]
)
def test_records_come_back(tmp_path: Path, name: str, write: Callable[[Path, Any], None]) -> None:
    """Also text that looks like a number, a date or a truth value."""
    record = {"format": 1, "a": "1e3", "b": "2026-01-01", "c": "yes", "d": ["ü", None, 1.5]}

    write(tmp_path / name, record)

    assert record == files.read_record(tmp_path / name, "thing")


def test_yaml_has_its_comment(tmp_path: Path) -> None:
    """The header stands above, as a comment in every line."""
    files.write_yaml(tmp_path / "a.yml", {"format": 1}, "one\n\ntwo")

    assert "# one\n#\n# two\nformat: 1\n" == (tmp_path / "a.yml").read_text()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b""),
        ("a.json", b'{"format": 1'),
        ("a.json", b"\xff"),
        ("a.json", b"[1]"),
        ("a.json", b"{}"),
        ("a.json", b'{"format": true}'),
        ("a.json", b'{"format": "1"}'),
        ("a.json", b'{"format": 0}'),
        ("a.yml", b""),
        ("a.yml", b"a: [1"),
        ("a.yml", b"\x00"),
    ],
)
def test_a_damaged_record_is_never_none(tmp_path: Path, name: str, content: bytes) -> None:
    """Whatever is in the file, the error names it, its kind and the remedy."""
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(SnapshotDamaged, match="thing") as caught:
        files.read_record(path, "thing", remedy="mend it", damaged=SnapshotDamaged)

    assert (str(path), "mend it") == (caught.value.where, caught.value.remedy)
    assert caught.value.why


def test_a_newer_record_is_not_damaged(tmp_path: Path) -> None:
    """It asks for an upgrade, and nobody may take it for something to heal."""
    path = tmp_path / "a.json"
    path.write_text('{"format": 7}')

    with pytest.raises(StateDamaged) as caught:
        files.read_record(path, "thing", damaged=SnapshotDamaged)

    assert StateDamaged is type(caught.value)
    assert (
        "the thing was written by a newer version of pytest-warmci (format 7, this one knows 1)"
        == caught.value.what
    )
    assert "upgrade pytest-warmci" == caught.value.remedy


def test_a_missing_record_is_missing(tmp_path: Path) -> None:
    """Who asks decides what that means."""
    with pytest.raises(FileNotFoundError):
        files.read_record(tmp_path / "a.json", "thing")


def test_folders_are_made_with_those_above(tmp_path: Path) -> None:
    """All of them closed to others, and twice is fine."""
    files.make_folder(tmp_path / "a" / "b")
    files.make_folder(tmp_path / "a" / "b")

    assert 0o700 == stat.S_IMODE((tmp_path / "a").stat().st_mode)
    assert 0o700 == stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode)


def test_a_file_in_the_way_of_a_folder(tmp_path: Path) -> None:
    """It is an error, not a folder."""
    (tmp_path / "a").write_text("")

    with pytest.raises(FileExistsError):
        files.make_folder(tmp_path / "a")


def test_rename_syncs_both_parents_the_new_one_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut it is at one of both places, or at both."""
    (tmp_path / "x").mkdir()
    (tmp_path / "a").write_text("1")
    synced: list[Path] = []
    monkeypatch.setattr(files, "sync_folder", synced.append)

    files.rename(tmp_path / "a", tmp_path / "x" / "b")

    assert [tmp_path / "x", tmp_path] == synced
    assert "1" == (tmp_path / "x" / "b").read_text()


def test_remove_tree_leaves_links_alone(tmp_path: Path) -> None:
    """A link goes, what it points to stays; missing is fine."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("1")
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "link").symlink_to(tmp_path / "kept")

    for name in ("gone", "link", "never-there"):
        files.remove_tree(tmp_path / name)

    assert ["kept"] == names(tmp_path)
    assert "1" == (tmp_path / "kept" / "file").read_text()


def test_read_only_folders_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for who is not root: a data directory may be 0500 all the way down."""
    inner = tmp_path / "gone" / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "file").write_text("1")
    for folder in (inner, inner.parent, tmp_path / "gone"):
        folder.chmod(0o500)
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o500)
    (tmp_path / "gone").chmod(0o700)
    (tmp_path / "gone" / "link").symlink_to(outside)
    real = shutil.rmtree
    tries: list[Path] = []

    def refuse_once(path: Path) -> None:
        # Root is refused nothing, so the first refusal is played.
        tries.append(path)
        if len(tries) == 1:
            raise PermissionError(errno.EACCES, "read-only")
        assert 0o700 == stat.S_IMODE((path / "a" / "b").stat().st_mode)
        real(path)

    monkeypatch.setattr(shutil, "rmtree", refuse_once)
    files.remove_tree(tmp_path / "gone")

    assert ["outside"] == names(tmp_path)
    assert 0o500 == stat.S_IMODE(outside.stat().st_mode)


def test_a_removal_that_dies_leaves_garbage_for_the_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The place is free at once; the rest has a garbage name, and goes with the next sweep."""
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "file").write_text("1")

    def die(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", die)
    with pytest.raises(KeyboardInterrupt):
        files.remove_tree(tmp_path / "gone")
    monkeypatch.undo()

    (left,) = names(tmp_path)
    assert left.startswith(".garbage-")
    files.sweep_garbage(tmp_path)
    assert [] == names(tmp_path)


def test_the_sweep_spares_what_may_have_a_writer(tmp_path: Path) -> None:
    """What a live process is at stays, a dead one's goes at once; so do other names' files not."""
    alive = f"{os.getppid()}-{process_start(os.getppid())}-ab"
    again = f"{os.getppid()}-{process_start(os.getppid()) + 1}-ab"
    for name in (
        f".tmp-{alive}",
        f".garbage-{alive}",
        f".tmp-{again}",
        ".tmp-x",
        ".hidden",
        "file",
    ):
        (tmp_path / name).write_text("1")

    files.sweep_garbage(tmp_path)
    files.sweep_garbage(tmp_path / "missing")

    assert sorted([".hidden", f".garbage-{alive}", f".tmp-{alive}", "file"]) == names(tmp_path)


def test_a_deletion_that_has_begun_comes_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is told to stop: half of it, under its garbage name, would be nobody's."""
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    delete = files._delete

    def told(garbage: Path) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        delete(garbage)

    monkeypatch.setattr(files, "_delete", told)
    with interrupts.listening(lambda: "busy"), pytest.raises(interrupts.Terminated):
        files.remove_tree(tmp_path / "tree")

    assert [] == list(tmp_path.iterdir())
