"""The state directory: made once, closed to others, refused where locks mean nothing."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from pytest_warmci.errors import InputError, StateDamaged, UsageError
from pytest_warmci.store import mounts, state as state_module
from pytest_warmci.store.state import StateDirectory, default_root, open_state, peek_state

TABLE = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
28 27 0:30 / /home rw - nfs4 server:/home rw
29 28 0:31 / /home/me/my\\040disk rw shared:1 master:2 - xfs /dev/vdb rw
30 27 0:32 / /run rw - ext4 /dev/vdc rw
31 27 0:33 / /run rw - tmpfs tmpfs rw
not a mount
"""


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The file system that every path seems to be on."""
    seems = ["ext4"]
    monkeypatch.setattr(mounts, "filesystem_type", lambda path: seems[0])
    return seems


def test_it_is_made_once_and_explains_itself(tmp_path: Path) -> None:
    """Closed to others, with a README, and the same uuid ever after."""
    root = tmp_path / "new" / "state"

    first = open_state(root)
    second = open_state(root)

    assert first == second
    assert 0o700 == stat.S_IMODE(root.stat().st_mode)
    readme = (root / "README").read_text()
    for folder in ("canonicals", "apps", "locks", "runs", "sessions", "live", "alerts", "cache"):
        assert (root / folder).is_dir()
        assert f"{folder}/" in readme
    assert {"format", "uuid", "created"} == json.loads((root / "state.json").read_text()).keys()


def test_an_interrupted_creation_is_finished(tmp_path: Path) -> None:
    """What is there of it is no obstacle."""
    root = tmp_path / "state"
    root.mkdir(mode=0o700)
    (root / "locks").mkdir()
    (root / ".tmp-1234").write_text("")

    assert open_state(root).uuid


def test_places(tmp_path: Path) -> None:
    """Each thing lives where the README says."""
    state = StateDirectory(tmp_path, "u")
    places = {
        state.canonicals("process"): "canonicals/process",
        state.apps("process"): "apps/process",
        state.app("process", "a.b"): "apps/process/a.b",
        state.live("keycloak"): "live/keycloak",
        state.lock("keycloak"): "locks/keycloak.lock",
        state.run("1a2b3c"): "runs/1a2b3c",
        state.session("s"): "sessions/s.json",
        state.runs: "runs",
        state.sessions: "sessions",
        state.locks: "locks",
        state.alerts: "alerts",
        state.cache: "cache",
    }

    assert {path: str(path.relative_to(tmp_path)) for path in places} == places


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "/a", "a\0b", "a\nb"])
def test_no_name_leads_out(tmp_path: Path, name: str) -> None:
    """Every method that takes a name refuses such a one."""
    state = StateDirectory(tmp_path, "u")

    for place in (state.canonicals, state.apps, state.live, state.lock, state.run, state.session):
        with pytest.raises(InputError, match="cannot name a place"):
            place(name)
    with pytest.raises(InputError):
        state.app("process", name)


def test_peek_creates_nothing(tmp_path: Path) -> None:
    """A look-up leaves no trace."""
    assert peek_state(tmp_path / "none") is None
    (tmp_path / "empty").mkdir(mode=0o700)
    assert peek_state(tmp_path / "empty") is None

    assert ["empty"] == [path.name for path in tmp_path.rglob("*")]


def test_peek_finds_what_was_opened(tmp_path: Path) -> None:
    """Both see the same directory."""
    assert open_state(tmp_path / "state") == peek_state(tmp_path / "state")


@pytest.mark.parametrize("call", [open_state, peek_state])
def test_another_users_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: object
) -> None:
    """The error names the owner and the command."""
    assert callable(call)
    root = open_state(tmp_path / "state").root
    owner = state_module._user(os.geteuid())
    monkeypatch.setattr(os, "geteuid", lambda: 54321)

    with pytest.raises(UsageError) as caught:
        call(root)

    assert f"the state directory belongs to {owner}, and you are #54321" == caught.value.what
    assert f"sudo -u {owner}" in caught.value.remedy


@pytest.mark.parametrize("call", [open_state, peek_state])
@pytest.mark.parametrize("mode", [0o750, 0o701, 0o777])
def test_an_open_directory(tmp_path: Path, call: object, mode: int) -> None:
    """The error has the command that closes it."""
    assert callable(call)
    root = open_state(tmp_path / "my state").root
    root.chmod(mode)

    with pytest.raises(UsageError) as caught:
        call(root)

    assert f"mode {mode:04o}" in caught.value.what
    assert f"chmod 700 '{root}'" == caught.value.remedy


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    """Nothing is put among somebody's files."""
    root = tmp_path / "work"
    root.mkdir(mode=0o700)
    (root / "thesis.tex").write_text("")

    with pytest.raises(UsageError, match=r"not a state directory") as caught:
        open_state(root)

    assert "thesis.tex" in caught.value.why
    assert ["thesis.tex"] == [path.name for path in root.iterdir()]


def test_a_file(tmp_path: Path) -> None:
    """A file is no directory."""
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError, match="not a folder"):
        open_state(tmp_path / "file")


def test_a_newer_directory(tmp_path: Path) -> None:
    """It asks for an upgrade."""
    root = open_state(tmp_path / "state").root
    (root / "state.json").write_text('{"format": 2, "uuid": "u"}')

    with pytest.raises(StateDamaged, match="newer version"):
        open_state(root)


@pytest.mark.parametrize("content", ["", '{"format": 1}', '{"format": 1, "uuid": ""}'])
def test_a_damaged_directory(tmp_path: Path, content: str) -> None:
    """No new uuid is made up: labels on servers hold the old one."""
    root = open_state(tmp_path / "state").root
    (root / "state.json").write_text(content)

    with pytest.raises(StateDamaged, match="state directory's record"):
        open_state(root)

    assert content == (root / "state.json").read_text()


@pytest.mark.parametrize("name", ["nfs4", "cifs", "9p", "fuse.sshfs", "ceph"])
def test_network_file_systems_are_refused(tmp_path: Path, kind: list[str], name: str) -> None:
    """Before anything is created there."""
    kind[0] = name

    with pytest.raises(UsageError, match="network file system") as caught:
        open_state(tmp_path / "state")

    assert name in caught.value.what
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(("name", "count"), [("tmpfs", 1), ("overlay", 1), ("ext4", 0)])
def test_volatile_file_systems_are_warned_about(
    tmp_path: Path, kind: list[str], name: str, count: int
) -> None:
    """They work, but known-good goes with them."""
    kind[0] = name

    warnings = open_state(tmp_path / "state").warnings()

    assert count == len(warnings)
    assert all(name in text and "does not survive" in text for text in warnings)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/var/lib", "ext4"),
        ("/home/me", "nfs4"),
        ("/homework", "ext4"),
        ("/home/me/my disk/state", "xfs"),
        ("/run/x", "tmpfs"),
    ],
)
def test_the_nearest_mount_counts(path: str, expected: str) -> None:
    """The longest mount point wins, of two on one folder the later."""
    assert expected == mounts.type_in_table(Path(path), TABLE)


def test_the_default_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """It follows the desktop's convention."""
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")

    assert Path("/somewhere/warmci") == default_root()
