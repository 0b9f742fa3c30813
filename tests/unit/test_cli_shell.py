"""`warmci shell`: a program beside a kept app, and what it gets to know."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pytest_warmci.cli import main
from pytest_warmci.clients.files import make_folder, write_text
from pytest_warmci.store.kept import FILE, KeptApp, write_kept
from pytest_warmci.store.state import StateDirectory, open_state
from tests.unit.warm_state import parsed

ROOT = Path(__file__).parents[2]


def until(minutes: float) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


MINI = KeptApp(
    run="1a2b3c",
    recipe="miniapp",
    domain="mini-1a2b3c.warmci.localhost",
    url="http://localhost:20001",
    until="",
    why="--warmci-keep",
    commit="c" * 40,
    version="1.1.0+1.1",
)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateDirectory:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WARMCI_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return open_state(tmp_path / "state")


def keep(state: StateDirectory, kept: KeptApp = MINI, minutes: float = 30.5) -> Path:
    """Leave an app there, with an `.env` and a secret."""
    folder = state.app("process", kept.domain)
    make_folder(folder / "secrets")
    write_text(folder / "secrets" / "admin_password_v1", "hunter2")
    write_text(
        folder / "env",
        "ADMIN=ana\nGREETING='a $b \"c\"'\nPATH=/evil\nLD_PRELOAD=/evil.so\nLDAP_HOST=ldap\n"
        "WARMCI_APP_URL=http://evil.example.org\n",
    )
    write_kept(folder, replace(kept, until=until(minutes)))
    return folder


def warmci(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["shell", *arguments])


def as_program(*arguments: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own: what it runs writes to its own outputs."""
    return subprocess.run(
        [sys.executable, "-c", "from pytest_warmci.cli import main; main()", "shell", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_a_command_sees(state: StateDirectory) -> None:
    """The app's facts and its `.env`, which replaces nothing that our programs need."""
    folder = keep(state)

    done = as_program("miniapp", "--", "env", "-0")

    env = dict(line.split("=", 1) for line in done.stdout.split("\0") if line)
    assert 0 == done.returncode
    assert {
        "ADMIN": "ana",
        "GREETING": 'a $b "c"',
        "LDAP_HOST": "ldap",
        "PATH": os.environ["PATH"],
        "WARMCI_APP_URL": "http://localhost:20001",
        "WARMCI_APP_DOMAIN": "mini-1a2b3c.warmci.localhost",
        "WARMCI_APP_RECIPE": "miniapp",
        "WARMCI_APP_VERSION": "1.1.0+1.1",
        "WARMCI_APP_FOLDER": str(folder),
        "WARMCI_SECRETS_DIR": str(folder / "secrets"),
    }.items() <= env.items()
    assert "LD_PRELOAD" not in env
    assert "hunter2" not in done.stdout + done.stderr
    assert done.stderr.startswith("warmci: miniapp 1.1.0+1.1 at http://localhost:20001 until 2")
    assert "Z, 30 min " in done.stderr


def test_a_secret_is_a_file_of_its_owner(state: StateDirectory) -> None:
    keep(state)

    done = as_program("miniapp", "--", "sh", "-c", 'cat "$WARMCI_SECRETS_DIR/admin_password_v1"')
    mode = (state.app("process", MINI.domain) / "secrets" / "admin_password_v1").stat().st_mode

    assert "hunter2" == done.stdout
    assert 0o600 == stat.S_IMODE(mode)


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143)]
)
def test_it_ends_as_its_program(state: StateDirectory, script: str, code: int) -> None:
    keep(state)

    assert code == as_program("1a2b3c", "--", "sh", "-c", script).returncode


def test_without_a_command_it_is_the_persons_shell(state: StateDirectory, tmp_path: Path) -> None:
    """`$SHELL`, which reads what is typed; where there is none, sh."""
    keep(state)
    shell = tmp_path / "my-shell"
    shell.write_text('#!/bin/sh\necho "mine for $WARMCI_APP_RECIPE"\n')
    shell.chmod(0o755)

    mine = as_program(MINI.domain, SHELL=str(shell))
    plain = as_program(MINI.domain, SHELL="", stdin='echo "typed, $ADMIN"\nexit 3\n')

    assert (0, "mine for miniapp\n") == (mine.returncode, mine.stdout)
    assert (3, "typed, ana\n") == (plain.returncode, plain.stdout)


def test_a_program_that_is_not_there(state: StateDirectory) -> None:
    keep(state)

    done = warmci("miniapp", "--", "no-such-program")

    assert 75 == done.exit_code
    assert "no-such-program" in done.stderr
    assert "Traceback" not in done.stderr


def test_which_app_is_meant(state: StateDirectory) -> None:
    """Exactly one; else the error lists those that there are."""
    other = replace(MINI, run="77aa77", domain="mini-77aa77.warmci.localhost", version="")
    keep(state)
    keep(state, other)

    several, none = warmci("miniapp", "--", "true"), warmci("nobody", "--", "true")

    assert (2, 2) == (several.exit_code, none.exit_code)
    assert "2 kept apps are called 'miniapp'" in several.stderr
    assert "no kept app is called 'nobody'\n  why: kept are:" in none.stderr
    for said in (several.stderr, none.stderr):
        assert "miniapp 1.1.0+1.1 of run 1a2b3c: mini-1a2b3c.warmci.localhost, until 2" in said
        assert "miniapp cccccccc of run 77aa77: mini-77aa77.warmci.localhost, until 2" in said
    assert 0 == as_program("77aa77", "--", "true").returncode


def test_the_list(state: StateDirectory) -> None:
    folder = keep(state)

    done = warmci("--list")
    [facts] = parsed(warmci("--list", "--json").stdout)["kept"]

    assert "miniapp 1.1.0+1.1 of run 1a2b3c: mini-1a2b3c.warmci.localhost, until 2" in done.stdout
    assert "Z (--warmci-keep)\n  http://localhost:20001, 30 min " in done.stdout
    assert ("1a2b3c", str(folder)) == (facts["run"], facts["folder"])
    assert 1700 < facts["seconds_left"] <= 1830


def test_one_whose_time_is_over(state: StateDirectory) -> None:
    """It is still there, but may go."""
    keep(state, minutes=-1)

    done = as_program("miniapp", "--", "true")

    assert 0 == done.returncode
    assert "so its time is over" in done.stderr
    assert 0 == parsed(warmci("--list", "--json").stdout)["kept"][0]["seconds_left"]


def test_a_damaged_mark_hides_no_other(state: StateDirectory) -> None:
    keep(state)
    broken = state.app("process", "broken.warmci.localhost")
    make_folder(broken)
    (broken / FILE).write_text("{")

    done = warmci("--list")

    assert (0, 2) == (done.exit_code, len(done.stdout.splitlines()))
    assert f"warmci: warning: {broken / FILE}: the mark of a kept app" in done.stderr


def test_nothing_is_kept(tmp_path: Path) -> None:
    """Also without a state directory, of which none is made."""
    there = warmci("miniapp")
    nowhere = warmci("--list", "--state", "nowhere")

    assert (2, "") == (there.exit_code, there.stdout)
    assert "no app is kept" in there.stderr
    assert (0, "no app is kept\n") == (nowhere.exit_code, nowhere.stdout)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("arguments", [[], ["--list", "miniapp"], ["miniapp", "--json"]])
def test_contradictions(state: StateDirectory, arguments: list[str]) -> None:
    keep(state)

    done = warmci(*arguments)

    assert 2 == done.exit_code
    assert "do:  " in done.stderr


def test_options_behind_the_dashes_are_the_programs(state: StateDirectory) -> None:
    keep(state)

    done = as_program("miniapp", "--", "echo", "--list", "--json", "--state", "x")

    assert "--list --json --state x\n" == done.stdout
