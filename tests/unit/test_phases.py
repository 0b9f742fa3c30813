"""Timing: what a step takes counts for itself only."""

from __future__ import annotations

import pytest

from pytest_warmci.runs.phases import Phases
from pytest_warmci.store.results import PhaseTime


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_steps_come_in_the_order_of_their_ends(clock: Clock) -> None:
    """Each with its own time."""
    phases = Phases(clock)
    for name, seconds in (("restore", 1.5), ("deploy", 2.0)):
        with phases(name):
            clock.now += seconds

    assert (
        PhaseTime("restore", 1.5, "passed"),
        PhaseTime("deploy", 2.0, "passed"),
    ) == phases.done


def test_what_is_inside_counts_for_itself(clock: Clock) -> None:
    """The sum of all is the time that passed."""
    phases = Phases(clock)
    with phases("test"):
        clock.now += 1
        with phases("deploy"):
            clock.now += 2
            with phases("witness"):
                clock.now += 4
        clock.now += 8

    seconds = {each.name: each.seconds for each in phases.done}
    assert {"test": 9.0, "deploy": 2.0, "witness": 4.0} == seconds


def test_tests_in_a_row_are_one_step(clock: Clock) -> None:
    """Until something else comes between; the worst outcome is kept."""
    phases = Phases(clock)
    for number in range(3):
        with phases("test"):
            clock.now += 1
        if number == 1:
            with phases("upgrade"):
                clock.now += 5

    assert [("test", 2.0), ("upgrade", 5.0), ("test", 1.0)] == [
        (each.name, each.seconds) for each in phases.done
    ]


@pytest.mark.parametrize(
    ("error", "outcome"), [(ValueError, "failed"), (KeyboardInterrupt, "interrupted")]
)
def test_how_a_step_ended(clock: Clock, error: type[BaseException], outcome: str) -> None:
    """Its time counts all the same."""
    phases = Phases(clock)

    def step() -> None:
        clock.now += 3
        raise error

    with pytest.raises(error), phases("deploy"):
        step()

    assert (PhaseTime("deploy", 3.0, outcome),) == phases.done


def test_a_failed_test_is_not_forgotten(clock: Clock) -> None:
    """A pass behind it does not make the stretch passed."""
    phases = Phases(clock)
    with pytest.raises(ValueError, match="x"), phases("test"):
        raise ValueError("x")
    with phases("test"):
        pass

    assert ("failed",) == tuple(each.outcome for each in phases.done)


def test_what_is_still_going_on_counts_until_now(clock: Clock) -> None:
    """A result that is written inside of a step."""
    phases = Phases(clock)
    with phases("test"):
        clock.now += 1
        with phases("promote"):
            clock.now += 2
            found = {each.name: each.seconds for each in phases.done}

    assert {"promote": 2.0, "test": 1.0} == found
