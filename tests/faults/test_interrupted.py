"""Ctrl-C, SIGTERM and SIGHUP in every step: left at once, not green, the known-good as it was."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.e2e.workshop import Workshop
from tests.faults.aftermath import check_known_good, check_quiet
from tests.faults.interrupting import (
    Before,
    check_goes_on,
    check_interrupted,
    check_left,
    look,
    struck,
)

QUICK = (
    "restore#1+20",
    "recover#1",
    "prepare#1",
    "restore#1",
    "deploy#1",
    "deploy#1+1000",
    "witness#1",
    "upgrade#1+1500",
    "test#6",
    "stop#1",
    "stop#1+3",
)
"""Steps of a quick run, and moments in them: while files are put back (which the first run of a
test has to do), or an install is linked.

Most tests are one step: the sixth stretch is after the upgrade.
"""

INSTALL = (
    "recover#1",
    "prepare#1+3",
    "deploy#1+500",
    "test#3",
    "restart#1",
    "restart#1+2500",
    "remove#1",
    "remove#1+700",
    "promote#1",
    "promote#1+2000",
)
"""Steps of a cold run of a recipe's first version, up to and with its promotion."""

UPGRADE = ("base#1", "witness#1", "upgrade#1", "upgrade#1+1500", "test#24", "remove#2")
"""Steps that a cold run has beyond these when there is a version to upgrade from."""

WORKERS = [
    pytest.param("SIGINT-group", ("-n2",), id="SIGINT-to-the-group-of-workers"),
    pytest.param("SIGTERM-parent", ("-n2",), id="SIGTERM-to-the-controller"),
    pytest.param("SIGTERM", ("-n2",), id="SIGTERM-to-the-worker"),
]


def interrupted_in(
    workshop: Workshop, before: Before, steps: Sequence[str], blow: str, *words: str
) -> None:
    """Run a session for each of the steps, which is struck there; look at once what it left."""
    for step in steps:
        outcome = struck(workshop, step, blow, *words)

        assert len(outcome.results) == 1, f"not struck in {step}"
        check_interrupted(workshop, outcome, before)


@pytest.mark.core
@pytest.mark.cost(30)
def test_ctrl_c_in_any_step_of_a_quick_run_is_answered_by_leaving(radicale: Workshop) -> None:
    """The one that comes after them all has nothing to recover."""
    before = look(radicale)

    interrupted_in(radicale, before, QUICK, "SIGINT", "--quick")

    check_goes_on(radicale, before)


@pytest.mark.core
@pytest.mark.cost(30)
def test_sigterm_in_any_step_of_a_cold_run_is_answered_by_leaving(lean: Workshop) -> None:
    """The promotion is one of its steps: the old known-good is put back."""
    before = look(lean)

    interrupted_in(lean, before, INSTALL, "SIGTERM")

    again = lean.pytest()
    assert again.status == 0, again.text
    assert again.result["promoted"] is True
    check_quiet(lean)


@pytest.mark.nightly
@pytest.mark.cost(45)
@pytest.mark.parametrize(("blow", "words"), [pytest.param("SIGTERM", (), id="SIGTERM"), *WORKERS])
def test_whoever_is_told_a_quick_run_is_left(
    radicale: Workshop, blow: str, words: tuple[str, ...]
) -> None:
    """With workers and without, by any signal, in any step."""
    before = look(radicale)
    # What a controller has to pass on may come when a stop is over, and with it the run.
    steps = [each for each in QUICK if blow != "SIGTERM-parent" or not each.startswith("stop")]

    interrupted_in(radicale, before, steps, blow, "--quick", *words)

    check_goes_on(radicale, before)


@pytest.mark.nightly
@pytest.mark.cost(45)
@pytest.mark.parametrize(("blow", "words"), [pytest.param("SIGINT", (), id="SIGINT"), *WORKERS])
def test_whoever_is_told_a_cold_run_is_left(
    lean: Workshop, blow: str, words: tuple[str, ...]
) -> None:
    """And is not promoted."""
    before = look(lean)

    interrupted_in(lean, before, INSTALL, blow, *words)


@pytest.mark.nightly
@pytest.mark.cost(60)
def test_a_cold_run_of_an_upgrade_is_left(radicale: Workshop) -> None:
    """In what the upgrade stage adds."""
    before = look(radicale)

    interrupted_in(radicale, before, UPGRADE, "SIGHUP", "--warmci-head=published")


@pytest.mark.cost(8)
@pytest.mark.parametrize(
    ("blow", "step"),
    [
        ("SIGINT-group", "restore#1+20"),
        ("SIGHUP-group", "upgrade#1"),
        ("SIGTERM-parent", "deploy#1"),
        ("SIGINT-parent", "test#6"),
        ("SIGTERM", "stop#1"),
    ],
)
def test_workers_and_their_controller_leave_together(
    radicale: Workshop, blow: str, step: str
) -> None:
    """Whichever of them is told: when the session has ended, all is put back."""
    before = look(radicale)

    outcome = struck(radicale, step, blow, "--quick", "-n2")

    check_interrupted(radicale, outcome, before)
    check_goes_on(radicale, before)


@pytest.mark.cost(6)
def test_what_comes_after_the_leaving_does_not_change_what_was_kept(radicale: Workshop) -> None:
    """The run had passed so far: its volumes are for looking at, its result is not green."""
    before = look(radicale)

    outcome = struck(radicale, "test#14", "SIGINT", "--quick")

    assert (outcome.status, outcome.result["reason"]) == (2, "interrupted"), outcome.text
    check_quiet(radicale)
    assert check_known_good(radicale, before.known_good) == before.known_good
    check_goes_on(radicale, before)


@pytest.mark.cost(5)
@pytest.mark.parametrize("words", [(), ("-n2",)], ids=["alone", "workers"])
def test_a_signal_before_a_run_has_begun_leaves_no_result(
    radicale: Workshop, words: tuple[str, ...]
) -> None:
    """While tests are collected: its first change is to read the recipe's repository."""
    before = look(radicale)
    blow = "SIGTERM-parent" if words else "SIGTERM"

    # Not the Python that a controller starts, which is a worker.
    only = r"subprocess\.Popen (?!.*python)"
    outcome = struck(radicale, "+1", blow, "--quick", *words, only=only)

    assert (outcome.status, outcome.results) == (2, []), outcome.text
    check_left(radicale, before)


@pytest.mark.cost(8)
@pytest.mark.parametrize("words", [("-x",), ("--maxfail=1", "-n2")], ids=["alone", "workers"])
def test_an_early_stop_is_the_failure_that_it_is(
    radicale: Workshop, words: tuple[str, ...]
) -> None:
    """The head that fails late: exit 1, the app is left at once."""
    before = look(radicale)

    outcome = radicale.pytest("--quick", "--warmci-head=fails-late", *words)

    assert (outcome.status, outcome.result["verdict"]) == (1, "failed"), outcome.text
    check_left(radicale, before)
