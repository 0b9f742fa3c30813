"""Who is told twice, who has lost its terminal, who is looked at: the leaving is not torn."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.workshop import Workshop
from tests.faults.interrupting import (
    Before,
    check_goes_on,
    check_interrupted,
    check_left,
    look,
    outcome_of,
    session,
)
from tests.started import Started

WAYS = pytest.mark.parametrize("words", [(), ("-n2",)], ids=["alone", "workers"])


def deployed(workshop: Workshop) -> Path:
    """The file that is there when the canonical's server is started."""
    return workshop.place.folder / "owners" / "app.json"


def journal(workshop: Workshop) -> Path:
    """The file that is there until the known-good has been put back."""
    return workshop.place.folder / "journal.json"


@pytest.mark.cost(9)
@pytest.mark.parametrize(
    "words",
    [
        pytest.param((), id="alone", marks=pytest.mark.core),
        pytest.param(("-n2",), id="workers"),
    ],
)
def test_a_second_ctrl_c_does_not_tear_the_restore(
    radicale: Workshop, words: tuple[str, ...]
) -> None:
    """It comes while files are put back, to every process of the terminal, and is answered."""
    before = look(radicale)
    strike = {
        "STRIKE_AT": "restore#2+1",
        "STRIKE_WITH": "SIGINT-group",
    }

    with session(radicale, "--quick", *words, env=strike) as running:
        running.wait_for(deployed(radicale))
        running.tell(signal.SIGINT, group=True)
        outcome = outcome_of(radicale, running)

    assert "warmci: told to stop, still leaving radicale (restore, 0 s)\n" in running.stderr
    check_interrupted(radicale, outcome, before)
    check_goes_on(radicale, before)


@pytest.mark.cost(5)
@WAYS
def test_many_signals_do_not_tear_it_either(radicale: Workshop, words: tuple[str, ...]) -> None:
    """Of every kind, until the known-good lies there again."""
    before = look(radicale)

    with session(radicale, "--quick", *words) as running:
        running.wait_for(deployed(radicale))
        storm(running, journal(radicale))
        outcome = outcome_of(radicale, running)

    assert running.stderr.count("warmci: told to stop, still leaving radicale (") > 2
    check_interrupted(radicale, outcome, before)


def storm(running: Started, until_gone: Path) -> None:
    """Send one signal after the other, as fast as somebody hits a key, until a file is gone."""
    kinds = [signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
    while until_gone.exists() and running.process.poll() is None:
        running.tell(kinds[0], group=True)
        kinds = [*kinds[1:], kinds[0]]
        try:
            running.process.wait(0.03)
        except subprocess.TimeoutExpired:
            continue


@pytest.mark.core
@pytest.mark.cost(5)
def test_a_terminal_that_is_closed_is_answered_by_leaving(radicale: Workshop) -> None:
    """It hangs up, and whatever is written from then on is an error."""
    before = look(radicale)
    master, terminal = os.openpty()

    with session(radicale, "--quick", terminal=terminal) as running:
        os.close(terminal)
        read_until(master, deployed(radicale))
        os.close(master)
        status = running.wait()

    check_gone(radicale, status, before)


@pytest.mark.cost(6)
def test_a_terminal_that_is_closed_takes_workers_along(radicale: Workshop) -> None:
    """Each of them hears of it."""
    before = look(radicale)
    master, terminal = os.openpty()

    with session(radicale, "--quick", "-n2", terminal=terminal) as running:
        os.close(terminal)
        read_until(master, deployed(radicale))
        os.close(master)
        status = running.wait()

    check_gone(radicale, status, before)


@pytest.mark.cost(5)
@WAYS
def test_a_reader_that_goes_away_does_not_stop_the_leaving(
    radicale: Workshop, words: tuple[str, ...]
) -> None:
    """`pytest | head -1`: nobody is told anything, but nothing more can be written."""
    before = look(radicale)
    reader, writer = os.pipe()

    with session(
        radicale, "--quick", *words, output=writer, env={"PYTHONUNBUFFERED": "1"}
    ) as running:
        os.close(writer)
        read_until(reader, deployed(radicale))
        os.close(reader)
        status = running.wait()

    check_gone(radicale, status, before)


def read_until(descriptor: int, there: Path) -> None:
    """Read what comes, as a terminal does, until a file is there."""
    while not there.exists():
        if select.select([descriptor], [], [], 0.02)[0]:
            assert os.read(descriptor, 4096)


def check_gone(workshop: Workshop, status: int, before: Before) -> None:
    """What its pytest ends with is pytest's own affair, but it is no success."""
    assert status not in (0, 5)
    check_left(workshop, before)
    check_goes_on(workshop, before)


SWALLOWS = """\
import os
import signal

import pytest

@pytest.mark.before_upgrade
def test_a(app):
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        pass

@pytest.mark.before_upgrade
def test_b(app):
    assert app.url == "not reached"
"""

EXITS = """\
import pytest

@pytest.mark.before_upgrade
def test_a(app):
    pytest.exit("enough", returncode=7)
"""

FAILS = """\
import pytest

@pytest.mark.before_upgrade
def test_a(app):
    assert app.url == "not this"
"""


@pytest.fixture
def authored(radicale: Workshop, tmp_path: Path) -> Workshop:
    """The recipe in a folder of its own, for tests of another author."""
    folder = tmp_path / "recipe_tests" / "radicale"
    shutil.copytree(
        radicale.recipe, folder, ignore=shutil.ignore_patterns("test_*.py", "__pycache__")
    )
    radicale.recipe = folder
    return radicale


@pytest.mark.cost(5)
@WAYS
def test_a_test_that_swallows_ctrl_c_stops_the_session(
    authored: Workshop, words: tuple[str, ...]
) -> None:
    """`except BaseException: pass`; all that ran was green."""
    (authored.recipe / "test_own.py").write_text(SWALLOWS, "utf-8")
    before = look(authored)

    with session(authored, "--quick", *words) as running:
        outcome = outcome_of(authored, running)

    assert outcome.result["tests"]["failed"] == 0
    check_interrupted(authored, outcome, before)


@pytest.mark.cost(5)
def test_a_test_that_exits_pytest_leaves_the_app(authored: Workshop) -> None:
    """With the code that its author wants."""
    (authored.recipe / "test_own.py").write_text(EXITS, "utf-8")
    before = look(authored)

    with session(authored, "--quick") as running:
        outcome = outcome_of(authored, running)

    assert (outcome.status, outcome.result["reason"]) == (7, "interrupted")
    check_left(authored, before)


@pytest.mark.cost(6)
def test_who_quits_the_debugger_leaves_the_app(authored: Workshop) -> None:
    """It was up at the prompt; Ctrl-C is the debugger's there, and ours once it is quit."""
    (authored.recipe / "test_own.py").write_text(FAILS, "utf-8")
    before = look(authored)
    strike = {"STRIKE_AT": "restore#2+1", "STRIKE_WITH": "SIGINT"}

    with session(authored, "--quick", "--pdb", env=strike) as running:
        running.wait_for("(Pdb)")
        running.tell(signal.SIGINT)
        running.wait_for("--KeyboardInterrupt--")
        running.type("import requests\n")
        running.type("requests.get(app.url + '/.web/').status_code + 1000\n")
        running.wait_for("1200")
        running.type("q\n")
        outcome = outcome_of(authored, running)

    assert "told to stop, still leaving radicale (restore, 0 s)" in running.stderr
    check_interrupted(authored, outcome, before)


@pytest.mark.cost(6)
def test_who_goes_on_from_the_debugger_gets_the_verdict(authored: Workshop) -> None:
    """A test that fails before the upgrade says nothing about the head."""
    (authored.recipe / "test_own.py").write_text(FAILS, "utf-8")
    before = look(authored)

    with session(authored, "--quick", "--pdb") as running:
        running.wait_for("(Pdb)")
        running.type("c\n")
        outcome = outcome_of(authored, running)

    assert (outcome.status, outcome.result["verdict"]) == (75, "not-evaluated"), outcome.text
    check_left(authored, before)
