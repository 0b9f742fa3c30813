"""`kill -9` of pytest in every step of a cold run and in every moment of a promotion."""

from __future__ import annotations

import pytest

from pytest_warmci.model import KnownGood
from tests.e2e.workshop import Workshop
from tests.faults import steps
from tests.faults.aftermath import check_known_good, check_put_back, check_quiet, check_recovered
from tests.faults.striking import killed, last_run, names, recorded

MAKING = {
    "before the app has a journal": r"os\.link .*/radi-\S+/journal\.json",
    "while the app is made": r"os\.rename .*/radi-\S+/env$",
    "before the app's folder is renamed for deletion": r"os\.rename .*/process/radi-\S+ ",
    "while the app's folder is deleted": r"shutil\.rmtree .*/apps/process/\.garbage-",
}
"""Moments of a cold run's own app."""

BEFORE = {
    "before the canonical's journal is begun": ("+1", r"os\.link .*/warm-\S+/journal\.json"),
    "before the old volumes go": ("promote#1", ""),
    "before the old secrets go": ("promote#1+1", r"os\.rename .*/secrets "),
    "while the new app is made": ("promote#1+1", r"os\.rename .*/deployed\.json$"),
    "while its install is linked": ("promote#1+99", r"os\.link .*/run/app/install/"),
    "when its server has just been started": ("promote#1+2", r"os\.rename .*/owners/\w+\.json$"),
    "before its server is told to stop": ("promote#1+1", r"os\.kill"),
    "before the snapshot is begun": ("promote#1+1", r"os\.mkdir .*/snapshot/\.building-"),
    "while the snapshot is written": ("promote#1+9", r"open .*/snapshot/\.building-\S+/objects/"),
    "before the snapshot has its name": ("promote#1+1", r"os\.rename .*/snapshot/gen-"),
    "before the entry is written": ("+1", r"open .*/canonicals/"),
    "before the entry is renamed into place": ("+1", r"os\.rename .*/canonicals/"),
}
"""Moments of a promotion at which the old known-good stands."""

AFTER = {
    "after the entry was renamed into place": ("+1", r"os\.rename .*/quarantine\.json"),
    "before the old snapshot goes": ("+1", r"os\.rename .*/snapshot/gen-\S+ \S+/\.garbage-"),
    "while the old snapshot is deleted": ("+1", r"shutil\.rmtree .*/snapshot/\.garbage-"),
    "before the canonical's journal is ended": ("+2", r"os\.remove .*/warm-\S+/journal\.json"),
    "before the result is there": ("+1", r"os\.rename .*/result\.json"),
}
"""Moments of a promotion at which the new one does."""


@pytest.mark.cost(75)
def test_cold_runs_killed_in_one_step_after_the_other_leave_nothing(radicale: Workshop) -> None:
    """The next one is killed one step later; the last one comes through. No step is left out."""
    before = radicale.known_good

    for step in steps.COLD:
        killed(radicale, step, "--warmci-head=published")
        check_known_good(radicale, before)
    last, seen = recorded(radicale, "--warmci-head=published")

    check_promoted_again(radicale, before)
    check_recovered(radicale, last, radicale.known_good)
    assert sorted(step if step != "test#6" else "test" for step in steps.COLD) == names(seen)


@pytest.mark.cost(12)
@pytest.mark.parametrize("moment", MAKING)
def test_a_cold_run_killed_around_its_own_app_is_cleaned_up_by_the_next(
    lean: Workshop, moment: str
) -> None:
    """The app of the dead run goes, and the canonical was never touched."""
    before = lean.known_good

    killed(lean, "+1", only=MAKING[moment])

    assert before == check_known_good(lean, before)
    check_put_back(lean)
    again = lean.pytest()
    check_promoted_again(lean, before)
    check_recovered(lean, again, lean.known_good)


@pytest.mark.cost(12)
@pytest.mark.parametrize("moment", BEFORE)
def test_a_promotion_killed_before_its_entry_is_there_leaves_the_old_known_good(
    lean: Workshop, moment: str
) -> None:
    """And a quick run would start from it; here the next cold run promotes after all."""
    before = lean.known_good
    at, only = BEFORE[moment]

    killed(lean, at, only=only)

    assert before == check_known_good(lean, before)
    again = lean.pytest()
    check_promoted_again(lean, before)
    check_recovered(lean, again, lean.known_good)


@pytest.mark.cost(12)
@pytest.mark.parametrize("moment", AFTER)
def test_a_promotion_killed_after_its_entry_was_there_has_moved_the_known_good(
    lean: Workshop, moment: str
) -> None:
    """What is left to clean up is the next run's."""
    before = lean.known_good
    at, only = AFTER[moment]

    killed(lean, at, only=only)

    new = check_known_good(lean)
    assert last_run(lean) == new.promoted_by != before.promoted_by
    check_put_back(lean)
    again = lean.pytest()
    check_promoted_again(lean, new)
    check_recovered(lean, again, lean.known_good)


@pytest.mark.core
@pytest.mark.cost(20)
def test_the_entry_is_the_one_instant_at_which_the_known_good_moves(lean: Workshop) -> None:
    """Killed right before it and, in the next run, right after it."""
    old = lean.known_good

    at, only = BEFORE["before the entry is renamed into place"]
    killed(lean, at, only=only)
    assert old == check_known_good(lean, old)
    at, only = AFTER["after the entry was renamed into place"]
    killed(lean, at, only=only)

    new = check_known_good(lean)
    assert last_run(lean) == new.promoted_by != old.promoted_by
    last = lean.pytest()
    check_promoted_again(lean, new)
    check_recovered(lean, last, lean.known_good)


def check_promoted_again(workshop: Workshop, before: KnownGood) -> None:
    """The run that was last has moved the known-good, and the canonical lies there as it says."""
    assert last_run(workshop) == workshop.known_good.promoted_by != before.promoted_by
    check_put_back(workshop)
    check_quiet(workshop)
