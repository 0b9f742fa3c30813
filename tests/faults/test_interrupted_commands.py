"""Promotions, and the commands that work by themselves, when they are told to stop."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pytest_warmci.model import KnownGood
from tests.e2e.workshop import Outcome, Workshop
from tests.faults.aftermath import check_known_good, check_put_back, check_quiet
from tests.faults.interrupting import LIMIT, check_interrupted, look, program, session, struck
from tests.faults.striking import killed, recorded, sample
from tests.started import Started

ENTRY = "in the instant before the entry is renamed into its place"

MOMENTS = {
    "before the entry is written": r"+1 open .*/canonicals/process/\.tmp-",
    ENTRY: r"+1 os\.rename .*/canonicals/",
    "before the old generation goes": r"+1 os\.rename .*/snapshot/gen-\S+ ",
    "before the journal is ended, which recovery had ended before": r"+2 os\.remove .*/warm-\S+/journal\.json",
    "before the result is there": r"+1 os\.rename .*/result\.json",
}
"""Moments around the one in which the known-good moves: which change, and of what."""


def check_promoted_or_not(workshop: Workshop, outcome: Outcome, before: KnownGood) -> bool:
    """The registry and the result tell the same, and the volumes are what the entry says."""
    assert outcome.status == 2, outcome.text
    result, now = outcome.result, workshop.known_good
    moved = now.promoted_by == str(result["run_id"])
    assert result["promoted"] == moved, outcome.text
    if moved:
        assert result["verdict"] == "passed"
        assert result["known_good"] == {"before": before.digest, "after": now.digest}
    else:
        assert (result["verdict"], result["reason"]) == ("not-evaluated", "interrupted")
        assert now == before
    check_known_good(workshop)
    check_put_back(workshop)
    check_quiet(workshop)
    return moved


@pytest.mark.core
@pytest.mark.cost(5)
def test_a_signal_in_the_instant_of_the_entry_lets_the_promotion_happen(lean: Workshop) -> None:
    """Wholly, and the result says so: nobody could take it back."""
    before = lean.known_good
    at, _, only = MOMENTS[ENTRY].partition(" ")

    outcome = struck(lean, at, "SIGINT", only=only)

    assert check_promoted_or_not(lean, outcome, before)
    assert "told to stop, still leaving radicale" in outcome.text


@pytest.mark.cost(6)
@pytest.mark.parametrize("blow", ["SIGTERM", "SIGINT-group"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_promotion_happens_wholly_or_not_at_all(lean: Workshop, moment: str, blow: str) -> None:
    """Whichever moment around the entry it is."""
    before = lean.known_good
    at, _, only = MOMENTS[moment].partition(" ")
    words = ["-n1"] if blow == "SIGINT-group" else []

    outcome = struck(lean, at, blow, *words, only=only)

    assert check_promoted_or_not(lean, outcome, before)


@pytest.mark.nightly
@pytest.mark.cost(60)
def test_a_promotion_told_to_stop_anywhere_does_not_happen(lean: Workshop) -> None:
    """Until all of it is made and verified."""
    _, steps = recorded(lean)
    before = look(lean)

    # Not the very last ones: how many there are differs a little.
    for change in sample(int(steps["promote#1"] * 0.95), 8):
        outcome = struck(lean, f"promote#1+{change}", "SIGTERM")

        check_interrupted(lean, outcome, before)


@contextmanager
def by_hand(workshop: Workshop, *words: str, at: str = "", only: str = "") -> Iterator[Started]:
    """Run the `warmci` command on the state directory, told to stop at a point."""
    code = "import tests.faults.strike; from pytest_warmci.cli import main; main()"
    env = {
        "STRIKE_AT": at,
        "STRIKE_WITH": "SIGTERM",
        "STRIKE_ONLY": only,
        "WARMCI_STATE": str(workshop.root),
    }
    with program(workshop, [sys.executable, "-c", code, *words], env=env) as running:
        yield running


@pytest.mark.cost(8)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_seed_that_is_told_to_stop_ends_with_its_run(
    lean: Workshop, number: signal.Signals
) -> None:
    """Exit 2, after its pytest has left; told twice, it says what it waits for."""
    before = look(lean)

    with by_hand(lean, "seed", str(lean.recipe), "--no-train") as running:
        running.wait_for("recipe.yml .")  # the first test has passed, so the app runs
        running.tell(number, group=number is signal.SIGINT)
        running.tell(number, group=number is signal.SIGINT)
        status = running.wait(LIMIT)

    assert status == 2
    assert "no new known-good: the cold run could not be evaluated: interrupted" in running.stderr
    check_quiet(lean)
    assert check_known_good(lean, before.known_good) == before.known_good
    assert lean.volumes_digest() == before.volumes


@pytest.mark.cost(8)
def test_a_recovery_that_is_told_to_stop_puts_the_known_good_back_first(
    radicale: Workshop,
) -> None:
    """Then it stops, with 2."""
    before = look(radicale)
    killed(radicale, "upgrade#1", "--quick")

    with by_hand(radicale, "recover", "radicale", at="+1", only=r"os\.kill") as running:
        status = running.wait(LIMIT)

    assert status == 2
    assert "warmci: told to stop, still recovering" in running.stderr
    check_quiet(radicale)
    check_put_back(radicale)
    assert check_known_good(radicale, before.known_good) == before.known_good


@pytest.mark.cost(6)
def test_a_reaping_that_is_told_to_stop_removes_what_it_has_begun_with(lean: Workshop) -> None:
    """A dead run's app is removed wholly."""
    before = look(lean)
    killed(lean, "test#3")

    with by_hand(lean, "reap", at="+1", only=r"os\.kill") as running:
        status = running.wait(LIMIT)

    assert status == 2
    assert "warmci: told to stop, still reaping" in running.stderr
    check_quiet(lean)
    assert check_known_good(lean, before.known_good) == before.known_good


@pytest.mark.cost(5)
def test_a_command_that_only_waits_stops_at_once(radicale: Workshop) -> None:
    """Somebody else holds the app."""
    with session(radicale, "--quick") as holder:
        holder.wait_for(radicale.place.folder / "owners" / "app.json")
        with by_hand(radicale, "recover", "radicale", "--wait", "600") as running:
            running.wait_for("waiting for warm-radicale")
            running.tell(signal.SIGINT)
            status = running.wait(10)
        holder.wait(LIMIT)

    assert status == 2
