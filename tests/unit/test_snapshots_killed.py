"""Snapshots: what was killed, at whatever instant, is finished or was nothing."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pytest_warmci.clients import files
from pytest_warmci.errors import SnapshotDamaged, StateDamaged
from pytest_warmci.store import treecopy
from pytest_warmci.store.snapshots import (
    generations,
    measure,
    sweep,
    verify,
)
from tests.unit.snapshot_app import App, wreck


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A small app."""
    return App(tmp_path / "app")


CHANGING = (
    *("mkdir", "link", "symlink", "rename", "replace", "unlink", "rmdir"),
    *("chmod", "fchmod", "utime", "chown", "setxattr", "removexattr"),
    *("write", "pwrite", "ftruncate", "fsync", "copy_file_range"),
)
"""Every call by which our code changes a file system, but for creating an empty file."""


class Killed(BaseException):
    """Stands for a kill: nothing may clean up after it."""


def kill_points(monkeypatch: pytest.MonkeyPatch, deadly: int) -> list[int]:
    """Let the process die at the `deadly`-th call that changes a file system."""
    calls: list[int] = []

    def guard(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            calls.append(1)
            if len(calls) >= deadly:
                raise Killed
            return real(*args, **more)

        return call

    for name in CHANGING:
        monkeypatch.setattr(os, name, guard(getattr(os, name)))
    return calls


def roots_seen(app: App) -> dict[str, str]:
    """Name what each root holds now: `old`, `new` or `absent`."""
    seen = {}
    for name, path in app.roots.items():
        if not os.path.lexists(path):
            seen[name] = "absent"
        else:
            seen[name] = measure({name: path}).digest
    return seen


def test_a_restore_killed_anywhere_is_finished_by_the_next(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every single change: no root is half restored, no mixture, and once more brings all."""
    wanted = app.facts()
    digest = app.take()
    new = roots_seen(app)
    spare = app.folder.with_name("spare")
    wreck(app)
    app.secrets.mkdir()
    (app.secrets / "password").write_text("other")
    old = roots_seen(app)
    assert not set(old.values()) & set(new.values())
    shutil.copytree(app.folder, spare, symlinks=True)

    deadly = 0
    outcomes = set()
    while True:
        deadly += 1
        with monkeypatch.context() as patch:
            calls = kill_points(patch, deadly)
            try:
                app.restore(digest)
            except Killed:
                pass
            else:
                assert deadly == len(calls) + 1
                break
        found = roots_seen(app)
        states = {
            "new" if state == new[name] else "old" if state == old[name] else state
            for name, state in found.items()
        }
        assert states <= {"old", "absent"} or states <= {"new", "absent"}, (deadly, states)
        outcomes.add(frozenset(states))
        if deadly % 3 == 0:  # die in the recovery as well, now and then
            with monkeypatch.context() as patch:
                kill_points(patch, deadly // 2 + 1)
                with suppress(Killed):
                    app.restore(digest)
        app.restore(digest)
        assert wanted == app.facts(), deadly
        assert [] == app.leftovers()
        shutil.rmtree(app.folder)
        shutil.copytree(spare, app.folder, symlinks=True)

    assert wanted == app.facts()
    assert {frozenset({"old"}), frozenset({"absent"}), frozenset({"new"})} <= outcomes


def test_a_killed_take_leaves_no_generation(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """At every single change: it is whole, or not there; the sweep takes the rest."""
    before = app.facts()
    first = app.take("g1")
    app.env.write_text("A=2\n")
    second = measure(app.roots).digest
    after = app.facts()
    assert before != after

    deadly = 0
    while True:
        deadly += 1
        with monkeypatch.context() as patch:
            kill_points(patch, deadly)
            try:
                app.take("g2")
            except Killed:
                pass
            else:
                break
        if "g2" in generations(app.snapshots):
            verify(app.snapshots, "g2", second)
        verify(app.snapshots, "g1", first)
        sweep(app.snapshots, {"g1"})
        assert ["g1"] == [path.name for path in app.snapshots.iterdir()]

    assert deadly > 10
    assert after == app.facts()
    verify(app.snapshots, "g2", second)


def test_a_restore_starts_over_after_a_partial_one(app: App) -> None:
    """A stale build, old data set aside, one root swapped and one missing."""
    before = app.facts()
    digest = app.take()
    stale = app.volume.with_name(".db.restoring")
    shutil.copytree(app.volume, stale)
    (stale / "version").write_text("half")
    app.volume.rename(app.volume.with_name(".garbage-0011223344556677"))
    app.env.write_text("A=2\n")

    app.restore(digest)

    assert before == app.facts()
    assert [] == app.leftovers()


def test_what_was_set_aside_stays_while_the_snapshot_is_rotten(app: App) -> None:
    """It may be all that is left of the data."""
    digest = app.take()
    aside = app.volume.with_name(".garbage-0011223344556677")
    app.volume.rename(aside)
    shutil.rmtree(app.snapshots / "g1" / "objects")

    with pytest.raises(SnapshotDamaged):
        app.restore(digest)

    assert (aside / "version").exists()


def test_a_swap_that_fails_says_so(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has changed, and that the snapshot is whole; the next restore finishes it."""
    before = app.facts()
    digest = app.take()
    real = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if target == app.volume:
            raise OSError(errno.EIO, "broken")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(StateDamaged, match="could not be put in place") as caught:
        app.restore(digest)
    monkeypatch.undo()

    assert "moved aside" in caught.value.changed
    app.restore(digest)
    assert before == app.facts()


def test_durable_before_it_has_its_name(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data, then manifest, then the name: in this order on the disk."""
    order: list[str] = []
    real_sync, real_write, real_rename = treecopy._syncfs, files.write_text, files.rename

    def sync(descriptor: int) -> None:
        order.append("data")
        real_sync(descriptor)

    def write(path: Path, text: str, mode: int = 0o600) -> None:
        order.append(path.name)
        real_write(path, text, mode)

    def rename(source: Path, target: Path) -> None:
        order.append(target.name)
        real_rename(source, target)

    monkeypatch.setattr(treecopy, "_syncfs", sync)
    monkeypatch.setattr(files, "write_text", write)
    monkeypatch.setattr(files, "rename", rename)
    app.take()

    assert ["data", "manifest.json", "g1"] == order
