"""The steps of whole runs, on every engine, and runs that are killed in one after the other."""

from __future__ import annotations

from tests.e2e.workshop import Workshop
from tests.faults.aftermath import check_known_good, check_recovered
from tests.faults.striking import killed, names, recorded

QUICK = (
    "recover#1",
    "prepare#1",
    "restore#1",
    "deploy#1",
    "witness#1",
    "upgrade#1",
    "test#6",
    "stop#1",
)
"""Steps of a quick run. Most tests are one step: the sixth stretch is after the upgrade."""

COLD = (
    "recover#1",
    "prepare#1",
    "deploy#1",
    "test#6",
    "remove#1",
    "base#1",
    "witness#1",
    "upgrade#1",
    "restart#1",
    "remove#2",
    "promote#1",
)
"""Steps of a cold run that promotes. Most tests are one step."""


def check_quick_runs_recover_each_other(workshop: Workshop) -> None:
    """Kill one quick run after the other, each a step later; the last one comes through.

    Each recovers what the one before had left. No step is left out.
    """
    before = workshop.known_good

    for step in QUICK:
        killed(workshop, step, "--quick")
        check_known_good(workshop, before)
    last, steps = recorded(workshop, "--quick")

    check_recovered(workshop, last, before)
    assert sorted(step if step != "test#6" else "test" for step in QUICK) == names(steps)
