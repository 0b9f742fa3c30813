"""Snapshots: all of a tree comes back."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_warmci.store.manifest import read_manifest
from pytest_warmci.store.snapshots import (
    generations,
    measure,
    remove,
    sweep,
    take,
    verify,
)
from tests.unit.snapshot_app import App, wreck


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A small app."""
    return App(tmp_path / "app")


@pytest.fixture
def xattrs(tmp_path: Path) -> None:
    """Skip where the file system has no extended attributes."""
    probe = tmp_path / "probe"
    probe.touch()
    try:
        os.setxattr(probe, "user.probe", b"1")
    except OSError as error:
        pytest.skip(f"no extended attributes here: {error}")


def test_everything_comes_back(app: App) -> None:
    """Whatever was done to it meanwhile; and nothing is left beside it."""
    before = app.facts()
    digest = app.take()
    wreck(app)
    assert before != app.facts()
    assert digest != measure(app.roots).digest

    app.restore(digest)

    assert before == app.facts()
    assert digest == measure(app.roots).digest
    assert [] == app.leftovers()


def test_taking_changes_nothing_and_says_what_is_there(app: App) -> None:
    """The live tree is only read; take, measure and verify agree."""
    before = app.facts()

    taken = take(app.snapshots, "g1", app.roots)

    assert before == app.facts()
    assert taken == measure(app.roots) == verify(app.snapshots, "g1", taken.digest)
    assert (4, 4000 + 2 + 4 + 1) == (taken.files, taken.size_bytes)
    assert taken.digest.startswith("sha256:")
    assert [] == app.leftovers()


def test_objects_hold_data_and_nothing_else(app: App) -> None:
    """No name, no setuid bit and no link of the app is ever in the store."""
    (app.volume / "version").chmod(0o6755)
    (app.volume / "link").symlink_to("version")
    app.take()

    objects = list((app.snapshots / "g1" / "objects").iterdir())

    assert {0o400} == {stat.S_IMODE(path.lstat().st_mode) for path in objects}
    assert all(path.name.isdigit() and path.is_file() for path in objects)
    assert 4 == len(objects)
    assert ["manifest.json", "objects"] == sorted(
        path.name for path in (app.snapshots / "g1").iterdir()
    )


def link_two(app: App) -> None:
    (app.secrets / "password").unlink()
    os.link(app.volume / "version", app.secrets / "password")


def change_content(app: App) -> None:
    found = app.env.stat()
    app.env.write_text("A=2\n")
    os.utime(app.env, ns=(found.st_atime_ns, found.st_mtime_ns))


def swap_two(app: App) -> None:
    found = app.volume.stat()
    (app.volume / "version").rename(app.volume / "x")
    os.utime(app.volume, ns=(found.st_atime_ns, found.st_mtime_ns))


CHANGES: dict[str, Callable[[App], object]] = {
    "content": change_content,
    "name": swap_two,
    "mode": lambda app: app.env.chmod(0o640),
    "setuid": lambda app: (app.volume / "version").chmod(0o4644),
    "time": lambda app: os.utime(app.env, ns=(0, 1)),
    "folder's time": lambda app: os.utime(app.volume / "base", ns=(0, 1)),
    "folder's mode": lambda app: app.volume.chmod(0o711),
    "added": lambda app: (app.secrets / "new").touch(),
    "removed": lambda app: (app.secrets / "password").unlink(),
    "root removed": lambda app: app.env.unlink(),
    "hard link": link_two,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_every_change_shows_and_is_undone(app: App, change: Callable[[App], object]) -> None:
    """The digest differs, and a restore brings back the old one."""
    before = app.facts()
    digest = app.take()

    change(app)
    changed = measure(app.roots).digest
    app.restore(digest)

    assert digest != changed
    assert before == app.facts()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_owners_come_back(app: App) -> None:
    """Also those without a name, on files, folders and links, with setuid kept."""
    (app.volume / "link").symlink_to("version")
    for name, uid in (("link", 4242), ("version", 4243), ("base", 4244)):
        os.chown(app.volume / name, uid, uid + 1, follow_symlinks=False)
    (app.volume / "version").chmod(0o6751)
    before = app.facts()
    digest = app.take()
    for name in ("link", "version", "base"):
        os.chown(app.volume / name, 0, 0, follow_symlinks=False)

    app.restore(digest)

    assert before == app.facts()


@pytest.mark.usefixtures("xattrs")
def test_extended_attributes_come_back(app: App) -> None:
    """Binary and empty ones, on files and folders; added ones go; read-only files too."""
    os.setxattr(app.env, "user.binary", bytes(range(256)))
    os.setxattr(app.volume / "base", "user.empty", b"")
    app.env.chmod(0o400)
    before = app.facts()
    digest = app.take()
    app.env.chmod(0o600)
    os.removexattr(app.env, "user.binary")
    os.setxattr(app.volume / "base", "user.added", b"1")
    assert digest != measure(app.roots).digest

    app.restore(digest)

    assert before == app.facts()


def test_an_absent_root_is_restored_as_absent(app: App) -> None:
    """What was not there goes again; the manifest says that it was asked for."""
    app.env.unlink()
    digest = app.take()
    app.env.write_text("new")

    app.restore(digest)

    assert not os.path.lexists(app.env)
    assert {"env": "absent", "secrets": "folder", "volumes/db": "folder"} == read_manifest(
        app.snapshots / "g1"
    ).roots


def test_a_root_that_the_snapshot_does_not_know_is_removed(app: App) -> None:
    """A volume that the upgrade added goes, and the digest is that of the snapshot again."""
    digest = app.take()
    extra = app.folder / "volumes" / "added"
    extra.mkdir()
    (extra / "file").touch()
    app.roots["volumes/added"] = extra
    assert digest != measure(app.roots).digest

    app.restore(digest)

    assert not extra.exists()
    assert digest == measure(app.roots).digest


def test_lost_folders_above_a_root_are_made_again(app: App) -> None:
    """All volumes may be gone."""
    digest = app.take()
    shutil.rmtree(app.folder / "volumes")

    app.restore(digest)

    assert digest == measure(app.roots).digest


def test_sockets_are_left_out_and_listed(app: App) -> None:
    """A dead server's socket has no content and is no difference."""
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(app.volume)  # a socket's path may be 107 bytes long
        try:
            server.bind("sock")
        finally:
            os.chdir(here)
    taken = take(app.snapshots, "g1", app.roots)
    found = app.volume.stat()
    (app.volume / "sock").unlink()
    os.utime(app.volume, ns=(found.st_atime_ns, found.st_mtime_ns))

    assert (str(app.volume / "sock"),) == taken.sockets
    assert taken.digest == measure(app.roots).digest
    assert taken == verify(app.snapshots, "g1", taken.digest)


def test_generations_are_listed_removed_and_swept(app: App) -> None:
    """Only whole ones are listed; the sweep takes all but those to keep, and leftovers."""
    assert [] == generations(app.snapshots)
    digest = app.take("g1")
    for name in ("g2", "g3"):
        app.take(name)
    (app.snapshots / ".building-0011").mkdir()
    (app.snapshots / ".garbage-0011").mkdir()

    listed = generations(app.snapshots)
    remove(app.snapshots, "g3")
    remove(app.snapshots, "g3")
    gone = sweep(app.snapshots, {"g1", "not there"})

    assert ["g1", "g2", "g3"] == listed
    assert ["g2"] == gone
    assert ["g1"] == [path.name for path in app.snapshots.iterdir()]
    verify(app.snapshots, "g1", digest)
