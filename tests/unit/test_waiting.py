"""Waiting: how often, how long, and what the error carries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_warmci.clients import waiting
from pytest_warmci.clients.waiting import Look, WaitedTooLong, wait_until


class Clock:
    """Time that passes by sleeping only."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(waiting, "time", made)
    return made


def looks(*seen: bool) -> Iterator[Look]:
    yield from (Look(each, f"look {number}") for number, each in enumerate(seen))


def test_a_condition_that_holds_needs_no_sleep(clock: Clock) -> None:
    """The first look is at once."""
    assert Look(ok=True, state="look 0") == wait_until(looks(True).__next__, timeout=0)
    assert [] == clock.slept


def test_it_must_hold_in_a_row(clock: Clock) -> None:
    """One bad look begins the count anew."""
    seen = looks(True, False, True, True, True)

    found = wait_until(seen.__next__, timeout=9, every=1, times=2)

    assert "look 3" == found.state


def test_the_last_state_is_in_the_error(clock: Clock) -> None:
    """With the seconds that really passed; the last sleep ends at the deadline."""
    with pytest.raises(WaitedTooLong) as caught:
        wait_until(lambda: Look(ok=False, state=f"at {clock.now:.1f}"), timeout=1.0, every=0.4)

    assert "at 101.0" == caught.value.state
    assert 1.0 == pytest.approx(caught.value.seconds)
    assert [0.4, 0.4, 0.2] == pytest.approx(clock.slept)


def test_a_look_at_the_deadline_counts(clock: Clock) -> None:
    """Time is up only after one more look."""
    found = wait_until(lambda: Look(clock.now >= 101.0, "late"), timeout=1.0, every=0.4)

    assert found.ok


def test_a_look_may_end_the_waiting(clock: Clock) -> None:
    """What it raises is not swallowed."""

    def look() -> Look:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        wait_until(look, timeout=9)


def test_only_changes_are_told(clock: Clock) -> None:
    """The same words twice are no news."""
    words = iter(["a", "a", "b", "a"])
    told: list[str] = []

    with pytest.raises(StopIteration):
        wait_until(lambda: Look(ok=False, state=next(words)), timeout=9, on_change=told.append)

    assert ["a", "b", "a"] == told
