"""Timing what a run does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pytest_warmci.store.results import PhaseTime


@dataclass
class _Open:
    name: str
    begun: float
    inside: float = 0.0
    """Seconds that belong to steps inside this one."""


class Phases:
    """The timed steps of one run. The time of a step inside another one counts only for itself.

    Args:
        clock: Seconds that only grow; for tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._done: list[PhaseTime] = []
        self._open: list[_Open] = []

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time the block as phase `name`."""
        begun = _Open(name, self._clock())
        self._open.append(begun)
        outcome = "passed"
        try:
            yield
        except Exception:
            outcome = "failed"
            raise
        except BaseException:
            outcome = "interrupted"
            raise
        finally:
            self._open.pop()
            took = self._clock() - begun.begun
            if self._open:
                self._open[-1].inside += took
            _add(self._done, PhaseTime(name, took - begun.inside, outcome))

    @property
    def current(self) -> str:
        """What goes on now and for how long: `restore, 4 s`; empty when nothing does."""
        if not self._open:
            return ""
        last = self._open[-1]
        return f"{last.name}, {self._clock() - last.begun:.0f} s"

    @property
    def done(self) -> tuple[PhaseTime, ...]:
        """The steps so far, those that are still going on with their time until now."""
        now, inside = self._clock(), 0.0
        found = list(self._done)
        for each in reversed(self._open):
            took = now - each.begun
            _add(found, PhaseTime(each.name, took - each.inside - inside, "passed"))
            inside = took
        return tuple(PhaseTime(one.name, round(one.seconds, 3), one.outcome) for one in found)


def _add(done: list[PhaseTime], one: PhaseTime) -> None:
    """Tests are one step for each stretch between two others."""
    last = done[-1] if done else None
    if last is not None and last.name == one.name == "test":
        worst = one.outcome if one.outcome != "passed" else last.outcome
        done[-1] = PhaseTime("test", last.seconds + one.seconds, worst)
    else:
        done.append(one)
