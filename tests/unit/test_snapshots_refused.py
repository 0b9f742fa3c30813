"""Snapshots: what cannot be kept or put back is refused, and nothing has changed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_warmci.clients import disk
from pytest_warmci.errors import DiskTooSmall, InputError, SnapshotDamaged
from pytest_warmci.store import generation, treecopy, treescan
from pytest_warmci.store.snapshots import (
    SnapshotRefused,
    generations,
    measure,
    remove,
    verify,
)
from tests.unit.snapshot_app import App, wreck


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A small app."""
    return App(tmp_path / "app")


def test_other_copy_errors_come_through(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken disk is not worked around, and nothing of the generation stays."""

    def broken(*_: object) -> int:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "copy_file_range", broken)
    with pytest.raises(OSError, match="broken"):
        app.take()

    assert [] == generations(app.snapshots)
    assert [] == app.leftovers()


def test_a_root_without_a_place_is_refused(app: App) -> None:
    """Half of an app is not restored."""
    digest = app.take()
    before = app.facts()
    del app.roots["env"]

    with pytest.raises(SnapshotRefused, match="no place is given for env"):
        app.restore(digest)

    app.roots["env"] = app.env
    assert before == app.facts()


def refuse_pipe(app: App) -> Path:
    os.mkfifo(app.volume / "pipe")
    return app.volume / "pipe"


def refuse_link(app: App) -> Path:
    app.env.unlink()
    app.env.symlink_to("secrets/password")
    return app.env


def refuse_nested(app: App) -> Path:
    app.roots["inner"] = app.volume / "base"
    return app.volume / "base"


def refuse_twice(app: App) -> Path:
    app.roots["again"] = app.folder / "secrets" / ".." / "env"
    return app.env


def refuse_store(app: App) -> Path:
    app.snapshots = app.volume / "snapshot"
    return app.snapshots


@pytest.mark.parametrize(
    "prepare", [refuse_pipe, refuse_link, refuse_nested, refuse_twice, refuse_store]
)
def test_what_cannot_be_kept_is_refused_by_name(app: App, prepare: Callable[[App], Path]) -> None:
    """Before anything is written."""
    path = prepare(app)

    with pytest.raises(SnapshotRefused) as caught:
        app.take()

    assert str(path.resolve() if path != app.env else path) == str(
        Path(caught.value.where).parent.resolve() / Path(caught.value.where).name
    )
    assert caught.value.remedy
    assert [] == generations(app.snapshots)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
def test_devices_are_refused(app: App) -> None:
    """They have no content to keep."""
    try:
        os.mknod(app.volume / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("no devices in this container")

    with pytest.raises(SnapshotRefused, match="device"):
        app.take()


def test_another_file_system_inside_is_refused(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mount inside a volume belongs to somebody else."""
    real = os.lstat
    inner = os.fsencode(app.volume / "base")

    def elsewhere(path: Any) -> os.stat_result:
        found = real(path)
        if path != inner:
            return found
        fields = list(found)
        fields[2] = 987654
        return os.stat_result(fields)

    monkeypatch.setattr(os, "lstat", elsewhere)

    with pytest.raises(SnapshotRefused, match="another file system") as caught:
        measure(app.roots)

    assert str(app.volume / "base") == caught.value.where


def test_what_we_could_not_put_back_is_not_kept(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """A known-good that cannot be restored is none."""
    monkeypatch.setattr(os, "geteuid", lambda: 54321)

    with pytest.raises(SnapshotRefused, match="could not be put back"):
        app.take()

    assert [] == generations(app.snapshots)


def test_an_unreadable_file_is_named(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its path; root may read all, so the refusal is played."""
    real = os.open
    path = os.fsencode(app.volume / "version")

    def refuse(name: Any, *rest: Any, **more: Any) -> int:
        if name == path:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(name, *rest, **more)

    monkeypatch.setattr(os, "open", refuse)

    with pytest.raises(SnapshotRefused, match="cannot be read") as caught:
        measure(app.roots)

    assert (str(app.volume / "version"), "Permission denied") == (
        caught.value.where,
        caught.value.why,
    )


MEDDLERS: dict[str, Callable[[App], object]] = {
    "grows": lambda app: (app.volume / "version").write_text("177"),
    "shrinks": lambda app: (app.volume / "base" / "table").write_bytes(b""),
    "vanishes": lambda app: (app.secrets / "password").unlink(),
    "is added": lambda app: (app.volume / "base" / "new").touch(),
    "earlier one changes": lambda app: app.env.write_text("A=2\n"),
}


@pytest.mark.parametrize("meddle", MEDDLERS.values(), ids=MEDDLERS.keys())
def test_a_tree_that_changes_meanwhile_is_refused(
    app: App, monkeypatch: pytest.MonkeyPatch, meddle: Callable[[App], object]
) -> None:
    """Whenever it happens; nothing of the generation stays."""
    real = treecopy.copy_data
    copied: list[int] = []

    def copy(source: int, target: int, size: int) -> None:
        copied.append(size)
        if len(copied) == 2:  # env is done, the others are not
            meddle(app)
        real(source, target, size)

    monkeypatch.setattr(generation, "copy_data", copy)

    with pytest.raises(SnapshotRefused, match="changed while it was read"):
        app.take()

    assert [] == generations(app.snapshots)
    assert [] == app.leftovers()


def test_a_file_that_changes_while_it_is_measured(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The digest would be of something that never was."""
    real = treescan.hash_of

    def meddle(descriptor: int) -> str:
        found = real(descriptor)
        (app.volume / "version").write_text("177")
        return found

    monkeypatch.setattr(treescan, "hash_of", meddle)

    with pytest.raises(SnapshotRefused, match="changed while it was read") as caught:
        measure(app.roots)

    assert str(app.volume / "version") == caught.value.where


def test_a_generation_is_made_once(app: App) -> None:
    """An existing one is never written to."""
    digest = app.take()
    app.env.write_text("A=2\n")

    with pytest.raises(SnapshotRefused, match="exists"):
        app.take()

    verify(app.snapshots, "g1", digest)


@pytest.mark.parametrize("name", ["", ".hidden", "../g1", "a/b"])
def test_names_of_generations_stay_inside(app: App, name: str) -> None:
    """For every call that takes one."""
    calls: list[Callable[[], object]] = [
        lambda: app.take(name),
        lambda: verify(app.snapshots, name, ""),
        lambda: app.restore("", name),
        lambda: remove(app.snapshots, name),
    ]
    for call in calls:
        with pytest.raises(InputError, match="cannot name a generation"):
            call()


def test_too_little_room_is_known_first(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways, with both numbers, before anything is written."""
    digest = app.take()
    wreck(app)
    before = app.facts()
    monkeypatch.setattr(disk, "free_bytes", lambda path: 100)

    with pytest.raises(DiskTooSmall, match="the snapshot") as caught:
        app.take("g2")
    with pytest.raises(DiskTooSmall, match="restoring"):
        app.restore(digest)

    assert "available 100 B" in caught.value.why
    assert before == app.facts()
    assert ["g1"] == generations(app.snapshots)
    assert [] == app.leftovers()


def test_a_disk_that_fills_up_meanwhile(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old generation and the live tree stay, and nothing else does."""
    digest = app.take()
    wreck(app)
    before = app.facts()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "copy_file_range", full)
    with pytest.raises(DiskTooSmall):
        app.take("g2")
    with pytest.raises(DiskTooSmall):
        app.restore(digest)
    monkeypatch.undo()

    assert before == app.facts()
    assert ["g1"] == generations(app.snapshots)
    assert [] == app.leftovers()


def test_a_copy_that_differs_is_not_kept(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hash is the source's, so a file system that copies wrongly is found out."""

    def corrupt(source: int, target: int, size: int) -> None:
        os.pwrite(target, b"\0" * size, 0)

    monkeypatch.setattr(generation, "copy_data", corrupt)

    with pytest.raises(SnapshotDamaged, match="damaged") as caught:
        app.take()

    assert "has other content" in caught.value.why
    assert [] == generations(app.snapshots)
