"""Waiting for a condition, with a deadline and the last state in the error."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the world: has the condition held, and in words what was seen."""

    ok: bool
    state: str


class WaitedTooLong(Exception):
    """The deadline passed; carries the last state that was seen."""

    def __init__(self, state: str, seconds: float) -> None:
        super().__init__(state)
        self.state = state
        self.seconds = seconds


def wait_until(
    look: Callable[[], Look],
    *,
    timeout: float,
    every: float = 0.1,
    times: int = 1,
    on_change: Callable[[str], None] | None = None,
) -> Look:
    """Look again and again until the condition held `times` times in a row.

    Args:
        look: One look; may raise to end the waiting early.
        timeout: Seconds until giving up.
        every: Seconds between two looks.
        times: How many looks in a row must be ok.
        on_change: Told each time the state's words change.

    Raises:
        WaitedTooLong: It did not hold in time.
    """
    begun = time.monotonic()
    row, last = 0, ""
    while True:
        seen = look()
        if seen.state != last:
            last = seen.state
            if on_change is not None:
                on_change(last)
        row = row + 1 if seen.ok else 0
        if row >= times:
            return seen
        left = timeout - (time.monotonic() - begun)
        if left <= 0:
            raise WaitedTooLong(seen.state, time.monotonic() - begun)
        time.sleep(min(every, left))
