"""Snapshots: a damaged one is found and never goes live."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_warmci.errors import SnapshotDamaged, StateDamaged
from pytest_warmci.store import rebuilding, treecopy
from pytest_warmci.store.snapshots import (
    SnapshotRefused,
    verify,
)
from tests.unit.snapshot_app import App, Fact, wreck


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A small app."""
    return App(tmp_path / "app")


@pytest.fixture
def taken(app: App) -> Iterator[tuple[App, str, dict[bytes, Fact]]]:
    """A snapshot, and a live tree that has changed since; it must stay so in the test."""
    digest = app.take()
    wreck(app)
    before = app.facts()
    yield app, digest, before
    assert before == app.facts()
    assert [] == app.leftovers()


def test_any_damaged_byte_is_found(taken: tuple[App, str, dict[bytes, Fact]]) -> None:
    """In every object and all over the manifest; live is not touched."""
    app, digest, _ = taken
    folder = app.snapshots / "g1"
    manifest = folder / "manifest.json"
    places = [(path, 0) for path in (folder / "objects").iterdir()]
    places += [(manifest, offset) for offset in range(0, manifest.stat().st_size, 29)]
    for path, offset in places:
        whole = path.read_bytes()
        spoilt = bytes([*whole[:offset], whole[offset] ^ 1, *whole[offset + 1 :]])
        if path == manifest and _same_json(whole, spoilt):
            continue
        path.chmod(0o600)
        path.write_bytes(spoilt)
        with pytest.raises(StateDamaged) as caught:
            verify(app.snapshots, "g1", digest)
        with pytest.raises(StateDamaged):
            app.restore(digest)
        assert str(folder) in caught.value.where
        path.write_bytes(whole)
    verify(app.snapshots, "g1", digest)


def _same_json(one: bytes, other: bytes) -> bool:
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return False


def empty_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    (folder / "manifest.json").touch()


def cut_short(folder: Path) -> None:
    for path in (folder / "objects").iterdir():
        if path.stat().st_size == 4000:
            path.chmod(0o600)
            os.truncate(path, 1)


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda folder: next((folder / "objects").iterdir()).unlink(), "is missing"),
        (lambda folder: (folder / "objects" / "999").touch(), "should not be there"),
        (lambda folder: shutil.rmtree(folder / "objects"), "objects"),
        (lambda folder: (folder / "manifest.json").unlink(), "the snapshot is missing"),
        (shutil.rmtree, "the snapshot is missing"),
        (cut_short, "has 1 bytes, not 4000"),
        (empty_manifest, "cannot be read"),
    ],
)
def test_missing_parts_are_named(
    taken: tuple[App, str, dict[bytes, Fact]], damage: Callable[[Path], object], expected: str
) -> None:
    """What, where, and what to do; live is not touched."""
    app, digest, _ = taken
    damage(app.snapshots / "g1")

    with pytest.raises(SnapshotDamaged) as caught:
        app.restore(digest)

    assert expected in str(caught.value)
    assert "warmci seed" in caught.value.remedy


def test_the_digest_must_be_the_entrys(taken: tuple[App, str, dict[bytes, Fact]]) -> None:
    """A whole snapshot of something else is not it."""
    app, digest, _ = taken
    other = digest[:-1] + ("0" if digest[-1] != "0" else "1")

    with pytest.raises(SnapshotDamaged, match="damaged") as caught:
        app.restore(other)

    assert f"its digest is {digest}, not {other}" == caught.value.why


def test_a_newer_snapshot_asks_for_an_upgrade(taken: tuple[App, str, dict[bytes, Fact]]) -> None:
    """It is not called damaged, so nobody heals it."""
    app, digest, _ = taken
    path = app.snapshots / "g1" / "manifest.json"
    text = path.read_text().replace('"format": 1', '"format": 2')
    path.chmod(0o600)
    path.write_text(text)

    with pytest.raises(StateDamaged, match="newer version") as caught:
        app.restore(digest)

    assert not isinstance(caught.value, SnapshotDamaged)


def test_owners_that_cannot_be_given_are_named(
    taken: tuple[App, str, dict[bytes, Fact]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything live has changed."""
    app, digest, _ = taken
    real = os.lstat

    def foreign(path: Any) -> os.stat_result:
        found = real(path)
        if not isinstance(path, bytes) or b".restoring" not in path:
            return found
        fields = list(found)
        fields[4] = 4242
        return os.stat_result(fields)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "no")

    monkeypatch.setattr(os, "chown", refuse)
    monkeypatch.setattr(os, "lstat", foreign)
    with pytest.raises(SnapshotRefused, match="may not give it to"):
        app.restore(digest)
    monkeypatch.undo()


def test_a_build_that_differs_never_goes_live(
    taken: tuple[App, str, dict[bytes, Fact]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is measured before the swap."""
    app, digest, _ = taken
    real = treecopy.apply_metadata

    def forget(path: bytes, entry: Any) -> None:
        real(path, entry)
        if entry.kind == "folder":
            Path(os.fsdecode(path)).chmod(0o777)

    monkeypatch.setattr(rebuilding, "apply_metadata", forget)

    with pytest.raises(SnapshotDamaged, match="what was restored is not") as caught:
        app.restore(digest)

    assert "nothing" == caught.value.changed


def test_a_mount_point_is_not_swapped(
    taken: tuple[App, str, dict[bytes, Fact]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot be renamed; that is known before any other root is."""
    app, digest, _ = taken
    monkeypatch.setattr(os.path, "ismount", lambda path: path == app.volume)

    with pytest.raises(SnapshotRefused, match="mount point"):
        app.restore(digest)
