"""`kill -9` of pytest in every step, with the servers left running: the next run recovers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.workshop import Outcome, Workshop
from tests.faults.aftermath import check_known_good, check_quiet

QUICK_STEPS = ("recover", "prepare", "restore", "deploy", "witness", "test", "upgrade", "stop")


def struck(workshop: Workshop, at: str, blow: str, *words: str) -> Outcome:
    """Run a session that is struck at a point."""
    env = {"STRIKE_AT": at, "STRIKE_WITH": blow, "PYTHONPATH": str(Path(__file__).parents[2])}
    return workshop.pytest("-p", "tests.faults.strike", *words, env=env)


@pytest.mark.core
@pytest.mark.cost(8)
@pytest.mark.parametrize("step", QUICK_STEPS)
def test_a_killed_quick_run_is_recovered_by_the_next(radicale: Workshop, step: str) -> None:
    """In each of its steps."""
    before = radicale.known_good

    outcome = struck(radicale, f"{step}#1", "kill", "--quick")

    assert outcome.status == -9, outcome.text
    check_known_good(radicale, before)
    again = radicale.pytest("--quick")
    assert again.status == 0, again.text
    assert again.result["known_good"] == {"before": before.digest, "after": before.digest}
    check_known_good(radicale, before)
    check_quiet(radicale)
