"""The command itself: verbs, options, exit codes, and one message for each error."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from pytest_warmci import __version__
from pytest_warmci.cli import main
from pytest_warmci.cli.output import exit_status
from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.errors import (
    CommandFailed,
    InputError,
    Interrupted,
    LockBusy,
    RecipeFailed,
    UsageError,
    WarmciError,
)
from pytest_warmci.store.alerts import raise_alert
from pytest_warmci.store.state import open_state
from tests.unit.warm_state import DOMAIN, parsed, put_known_good, put_result

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with no state anywhere near."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("WARMCI_STATE", raising=False)
    return tmp_path


def warmci(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_help_says_what_there_is() -> None:
    """Verbs, the state directory, and every exit code."""
    text = warmci("--help").stdout

    for word in (
        "doctor",
        "live",
        "logs",
        "plan",
        "realms",
        "reap",
        "recover",
        "runs",
        "seed",
        "shell",
        "status",
        "--state",
        "WARMCI_STATE",
    ):
        assert word in text
    for code, meaning in (("0", "done"), ("1", "failed"), ("2", "usage"), ("75", "not evaluated")):
        assert re.search(rf"^ +{code} +.*{meaning}", text, re.MULTILINE)


@pytest.mark.parametrize(
    "verb", ["doctor", "logs", "new", "plan", "reap", "recover", "runs", "seed", "shell", "status"]
)
def test_every_verb_has_json_state_and_help(verb: str) -> None:
    """The same options everywhere."""
    done = warmci(verb, "--help")

    assert 0 == done.exit_code
    assert "--json" in done.stdout
    assert "--state" in done.stdout


def test_version() -> None:
    """The package's."""
    assert f"warmci, version {__version__}\n" == warmci("--version").stdout


@pytest.mark.parametrize(
    "arguments", [["unknown"], ["status", "--colour"], ["seed"], ["status", "a", "b"]]
)
def test_wrong_usage(arguments: list[str]) -> None:
    """2, and click's own message on standard error."""
    done = warmci(*arguments)

    assert (2, "") == (done.exit_code, done.stdout)
    assert "Usage:" in done.stderr


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("x"), 2),
        (InputError("x"), 2),
        (Interrupted("x"), 2),
        (RecipeFailed("x"), 1),
        (CommandFailed("x"), 75),
        (LockBusy("x"), 75),
        (WarmciError("x"), 75),
    ],
)
def test_exit_status_of_errors(error: WarmciError, status: int) -> None:
    """By whose fault it is."""
    assert status == exit_status(error)


def test_an_error_is_one_message(here: Path) -> None:
    """What, where, why and what to do on standard error; no traceback, nothing on the other."""
    (here / "state").write_text("")

    done = warmci("status", "--state", "state")

    assert (2, "") == (done.exit_code, done.stdout)
    assert (
        f"warmci: {here / 'state'}: the state directory is not a folder\n"
        "  do:  choose another one: --warmci-state DIR\n"
    ) == done.stderr


def test_an_error_as_json(here: Path) -> None:
    """Programs get the same facts; people still get the message."""
    (here / "state").write_text("")

    done = warmci("status", "--state", "state", "--json")

    facts = parsed(done.stdout)
    assert (2, 2) == (done.exit_code, facts["exit_status"])
    assert "the state directory is not a folder" == facts["error"]["what"]
    assert "not a folder" in done.stderr


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 2, "warmci: interrupted\n"),
        (PermissionError(13, "Permission denied", "/x"), 75, "warmci: /x: Permission denied\n"),
    ],
)
def test_what_nobody_raises_on_purpose(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str
) -> None:
    """Ctrl-C and the system's refusals are messages too."""
    from pytest_warmci.runs import status

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(status, "look", fail)

    done = warmci("status")

    assert (code, "") == (done.exit_code, done.stdout)
    assert done.stderr.startswith(said)


def test_where_the_state_is(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Option of the verb, option before it, WARMCI_STATE, the user's own: in this order."""

    def used(*arguments: str) -> tuple[str, str]:
        state = parsed(warmci(*arguments).stdout)["state"]
        return state["path"], state["origin"]

    assert (str(here / "home/warmci"), "default") == used("status", "--json")

    monkeypatch.setenv("WARMCI_STATE", "from-env")
    assert (str(here / "from-env"), "WARMCI_STATE") == used("status", "--json")
    assert (str(here / "before"), "--state") == used("--state", "before", "status", "--json")
    assert (str(here / "after"), "--state") == used(
        "--state", "before", "status", "--state", "after", "--json"
    )


def test_the_plugins_name_of_the_option_works_too(here: Path) -> None:
    """Messages name it, whoever shows them."""
    done = warmci("status", "--warmci-state", "there", "--json")

    assert str(here / "there") == parsed(done.stdout)["state"]["path"]


def test_an_empty_state_option() -> None:
    """Not the current folder."""
    done = warmci("status", "--state", "")

    assert 2 == done.exit_code
    assert "--state is empty" in done.stderr


# -- status ------------------------------------------------------------------------------------


def test_status_of_nothing(here: Path) -> None:
    """No state directory: said, 0, and none is made."""
    done = warmci("status", "--state", "none")

    assert 0 == done.exit_code
    assert (
        f"nothing is warm: there is no state directory at {here / 'none'} (--state)\n"
        == done.stdout
    )
    assert [] == list(here.iterdir())


def test_status_of_an_empty_state(here: Path) -> None:
    """The way to a first known-good."""
    open_state(here / "state")

    assert "warmci seed RECIPE" in warmci("status", "--state", "state").stdout
    assert "nothing of other is warm" in warmci("status", "other", "--state", "state").stdout


def test_status_is_a_table(here: Path) -> None:
    """All that a person asks: version, commit, address, age, size, state, last results, alerts."""
    state = open_state(here / "state")
    put_known_good(state.root)
    put_result(state, "1a2b3c")
    put_result(
        state,
        "1a2b3d",
        mode="quick",
        requested_mode="quick",
        verdict="failed",
        seconds=12.4,
        promoted=False,
        authority=False,
    )
    for _ in range(2):
        raise_alert(
            state.alerts,
            kind="baseline.rotten",
            subject="miniapp",
            what="it does not work",
            where=DOMAIN,
            facts={"n": 1},
            remedy="run x",
        )

    with hold(state.lock(DOMAIN), who=Holder("77aa77", "quick", "quick run"), limit=0):
        done = warmci("--state", state.root, "status")

    assert (0, "") == (done.exit_code, done.stderr)
    for text in (
        "miniapp",
        "process",
        "1.1.0+1.1 cccccccc",
        "http://localhost:20001",
        " KiB",
        "in use by run 77aa77 (quick, pid",
        "cold: passed in 61 s, ",
        "quick: failed in 12 s, ",
    ):
        assert text in done.stdout
    assert re.search(
        r"ALERT baseline\.rotten: miniapp \(\d+ s ago, 2 times\)\n  n: 1\n  what: it does not work\n"
        rf"  where: {re.escape(DOMAIN)}\n  do: run x\n",
        done.stdout,
    )
    assert "\x1b" not in done.stdout


def test_status_says_which_size_it_does_not_know(here: Path) -> None:
    """Volumes of a Swarm."""
    state = open_state(here / "state")
    put_known_good(state.root)
    assert " + ?" not in warmci("status", "--state", "state").stdout

    shutil.rmtree(state.app("process", DOMAIN) / "volumes")

    assert re.search(r"\d KiB \+ \?", warmci("status", "--state", "state").stdout)


def test_status_does_not_colour_files(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says: colour is for terminals."""
    put_known_good(here / "state")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "40")

    text = warmci("--state", "state", "status").stdout

    assert "\x1b" not in text
    assert re.search(r"miniapp +1\.1\.0\+1\.1 cccccccc .* known-good .* cold: never", text)


def test_status_as_json(here: Path) -> None:
    """Nothing else on standard output."""
    put_known_good(here / "state")

    done = warmci("--state", "state", "status", "--json")

    facts = parsed(done.stdout)
    assert (0, "", 1) == (done.exit_code, done.stderr, facts["format"])
    assert ["miniapp"] == [thing["recipe"] for thing in facts["canonicals"]]


def test_the_installed_command_is_quick_and_clean(here: Path) -> None:
    """As a program of its own: it works, and does not import what a look does not need."""
    put_known_good(here / "state")
    script = (
        "import sys; from pytest_warmci.cli import main\n"
        "try: main(['--state', 'state', 'status'])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "slow = {'pydantic', 'requests', 'psutil', 'keycloak', 'pytest', 'rich.progress'}\n"
        "assert not slow & sys.modules.keys(), slow & sys.modules.keys()\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)
    assert "known-good" in done.stdout


def test_the_entry_point_is_a_command() -> None:
    """`warmci` calls it without arguments."""
    names = "doctor live logs new plan realms reap recover runs schema seed shell status"

    assert isinstance(main, click.Group)
    assert names.split() == main.list_commands(click.Context(main))
