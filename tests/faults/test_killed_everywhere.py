"""Killed at many points, spread evenly over all that a step changes: at night.

Each run is killed a little later than the one before, which it recovers first.
"""

from __future__ import annotations

import pytest

from tests.e2e.workshop import Workshop
from tests.faults.aftermath import check_known_good, check_put_back, check_quiet, check_recovered
from tests.faults.striking import STORE, killed, last_run, recorded, sample

FAILING = ("--quick", "--warmci-head=damaged-data")
ENTRY = 10
"""How many of the step's last changes are left to the tail: the entry is written among them."""

TAIL = 36
"""How many of a promoting run's last changes to look at; the first of them are still the step's."""


@pytest.mark.nightly
@pytest.mark.cost(150)
def test_a_failing_run_killed_at_any_change_of_its_stop_or_its_restore(
    radicale: Workshop,
) -> None:
    """The known-good is never touched, and in the end the next run passes."""
    before = radicale.known_good
    _, steps = recorded(radicale, *FAILING)

    for step, most in (("stop#1", 5), ("restore#2", 20)):
        for event in sample(steps[step], most):
            killed(radicale, f"{step}+{event}", *FAILING)
            assert before == check_known_good(radicale, before)

    check_recovered(radicale, radicale.pytest("--quick"), before)


@pytest.mark.nightly
@pytest.mark.cost(150)
def test_a_promoting_run_killed_at_any_change_of_what_is_kept(lean: Workshop) -> None:
    """The known-good is the old one until it is the new one, and whole at every instant."""
    lean.pytest()
    last, steps = recorded(lean, only=STORE)
    assert last.result["promoted"] is True

    for event in sample(steps["promote#1"] - ENTRY, 16):
        before = lean.known_good
        killed(lean, f"promote#1+{event}", only=STORE)
        assert before == check_known_good(lean, before)
    # The entry, the clean-up, the result.
    for event in sample(TAIL, 10):
        before = lean.known_good
        killed(lean, f"+{steps[''] - TAIL + event}", only=STORE)
        after = check_known_good(lean)
        assert after.promoted_by in (before.promoted_by, last_run(lean))

    again = lean.pytest()
    assert again.status == 0, again.text
    check_put_back(lean)
    check_quiet(lean)
