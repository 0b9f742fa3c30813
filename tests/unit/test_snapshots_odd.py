"""Snapshots: links, holes, names that are no text and folders nobody may write come back."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pytest_warmci.store.snapshots import (
    measure,
    take,
)
from tests.unit.snapshot_app import App, wreck


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A small app."""
    return App(tmp_path / "app")


def test_holes_stay_holes(app: App) -> None:
    """In the snapshot and in what is restored: leading, in the middle, trailing."""
    sparse = app.volume / "sparse"
    with sparse.open("wb") as file:
        file.seek(8 << 20)
        file.write(b"middle")
        file.truncate(16 << 20)
    (app.volume / "hole").touch()
    os.truncate(app.volume / "hole", 4 << 20)
    if sparse.stat().st_blocks * 512 > 1 << 20:
        pytest.skip("no holes on this file system")
    before = app.facts()
    digest = app.take()
    sparse.write_bytes(b"")

    app.restore(digest)

    assert before == app.facts()
    big = [
        path
        for path in [*(app.snapshots / "g1" / "objects").iterdir(), *app.volume.iterdir()]
        if path.stat().st_size >= 4 << 20
    ]
    assert 4 == len(big)
    assert all(path.stat().st_blocks * 512 <= 1 << 20 for path in big)


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, 0])
def test_without_the_kernels_help(app: App, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """A file system that refuses to copy, or copies nothing and says so, gets the long way."""
    calls: list[int] = []

    def refuse(*_: object) -> int:
        calls.append(code)
        if code:
            raise OSError(code, "no")
        return 0

    monkeypatch.setattr(os, "copy_file_range", refuse)
    (app.volume / "big").write_bytes(os.urandom(3 << 20))
    before = app.facts()
    digest = app.take()
    wreck(app)

    app.restore(digest)

    assert calls
    assert before == app.facts()


def test_where_holes_are_not_told(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without SEEK_DATA has everything copied."""
    real = os.lseek

    def refuse(descriptor: int, offset: int, how: int) -> int:
        if how == os.SEEK_DATA:
            raise OSError(errno.EINVAL, "no")
        return real(descriptor, offset, how)

    monkeypatch.setattr(os, "lseek", refuse)

    assert app.take() == measure(app.roots).digest


def test_hard_links_come_back(app: App) -> None:
    """Within a root and across two; a name outside the roots does not count."""
    os.link(app.volume / "version", app.volume / "base" / "also")
    os.link(app.volume / "version", app.secrets / "third")
    os.link(app.env, app.folder / "outside")
    digest = app.take()
    for path in (app.volume / "base" / "also", app.secrets / "third"):
        path.unlink()
        path.write_text("17")

    app.restore(digest)

    inodes = [
        path.stat().st_ino
        for path in (
            app.volume / "version",
            app.volume / "base" / "also",
            app.secrets / "third",
        )
    ]
    assert 1 == len(set(inodes))
    assert 4 == len(list((app.snapshots / "g1" / "objects").iterdir()))
    assert 1 == app.env.stat().st_nlink


def test_a_restore_never_writes_through_a_link(app: App) -> None:
    """A file outside that shares the inode keeps what it has."""
    digest = app.take()
    app.env.write_text("A=2\n")
    os.link(app.env, app.folder / "outside")

    app.restore(digest)

    assert "A=2\n" == (app.folder / "outside").read_text()
    assert "A=1\n" == app.env.read_text()


def test_links_are_not_followed(app: App) -> None:
    """To a folder outside, to nowhere, in a circle: the link is kept, not what it points to."""
    outside = app.folder / "outside"
    outside.mkdir()
    (outside / "huge").write_bytes(b"x" * 100_000)
    links = {"out": str(outside), "up": "../../outside", "dead": "none", "loop": "loop"}
    for name, target in links.items():
        (app.volume / name).symlink_to(target)
        os.utime(app.volume / name, ns=(5, 7), follow_symlinks=False)
    before = app.facts()
    taken = take(app.snapshots, "g1", app.roots)
    for name in links:
        (app.volume / name).unlink()
    (app.volume / "out").mkdir()

    app.restore(taken.digest)

    assert before == app.facts()
    assert 4 == taken.files
    assert b"x" * 100_000 == (outside / "huge").read_bytes()


NAMES = [
    b"caf\xe9",
    b"\xff\xfe",
    "é".encode(),
    "e\u0301".encode(),
    b"new\nline",
    b"tab\t",
    b" space ",
    b"-rf",
    b"back\\slash",
    b'quo"te',
    b"Case",
    b"case",
    b".hidden",
    b"..data",
    b".garbage-mine",
    b"manifest.json",
    b"n" * 255,
]


def test_names_are_bytes(app: App) -> None:
    """Also those that are no text, those that look alike, and those that look like ours."""
    top = os.fsencode(app.volume)
    for number, name in enumerate(NAMES):
        Path(os.fsdecode(top + b"/" + name)).write_text(str(number))
    (app.volume / "link").symlink_to(os.fsdecode(b"caf\xe9"))
    before = app.facts()
    digest = app.take()
    wreck(app)
    for name in NAMES:
        Path(os.fsdecode(top + b"/" + name)).unlink()

    app.restore(digest)

    assert before == app.facts()
    assert set(NAMES) <= {os.fsencode(name) for name in os.listdir(app.volume)}  # noqa: PTH208


def test_deep_and_empty_and_read_only_folders(app: App) -> None:
    """Two hundred levels, an empty folder, one of mode 0500 with content, one of mode 0."""
    deep = app.volume.joinpath(*["d"] * 200)
    deep.mkdir(parents=True)
    (deep / "bottom").write_text("x")
    (app.volume / "empty").mkdir(mode=0o1777)
    closed = app.volume / "closed"
    closed.mkdir()
    (closed / "file").write_text("x")
    (closed / "file").chmod(0o400)
    closed.chmod(0o500)
    before = app.facts()
    digest = app.take()
    wreck(app)

    app.restore(digest)

    assert before == app.facts()
