"""What became of a run's tests: the worst of several says, and what is missing."""

from __future__ import annotations

import pytest

from pytest_warmci.runs.outcomes import ItemOutcome, Outcomes
from pytest_warmci.store.results import Counts


@pytest.mark.parametrize(
    ("says", "counts"),
    [
        (("passed",), Counts(passed=1)),
        (("passed", "failed"), Counts(failed=1)),
        (("failed", "passed"), Counts(failed=1)),
        (("skipped",), Counts(skipped=1)),
        (("skipped-always",), Counts(skipped=1)),
        (("passed", "not-evaluated"), Counts()),
        (("not-evaluated", "failed"), Counts(failed=1)),
    ],
)
def test_the_worst_say_counts(says: tuple[ItemOutcome, ...], counts: Counts) -> None:
    """A test that passed and whose teardown failed has failed."""
    outcomes = Outcomes()
    for say in says:
        outcomes.note("item", say)

    assert counts == outcomes.counts


def test_the_first_reason_is_kept() -> None:
    """Later failures mostly follow from it."""
    outcomes = Outcomes()
    for reason in ("first", "second"):
        outcomes.note(reason, "failed", reason)
        outcomes.note(reason, "not-evaluated", f"no {reason}")

    assert ("first", "no first", True) == (outcomes.failure, outcomes.obstacle, outcomes.troubled)


def test_a_run_of_passes_and_unconditional_skips_is_complete() -> None:
    """Nothing is missing."""
    outcomes = Outcomes()
    for item, outcome in (("a", "passed"), ("b", "skipped-always")):
        outcomes.expect(item)
        outcomes.note(item, outcome)  # type: ignore[arg-type]

    assert ([], False) == (outcomes.incomplete(), outcomes.troubled)


def test_what_is_missing_is_said() -> None:
    """Deselected, never run, skipped under a condition."""
    outcomes = Outcomes()
    outcomes.deselected = 2
    for item in ("a", "b", "c"):
        outcomes.expect(item)
    outcomes.note("a", "passed")
    outcomes.note("b", "skipped")

    assert ["2 deselected", "1 not run", "1 skipped"] == outcomes.incomplete()


def test_an_interruption_is_trouble() -> None:
    """Though nothing has failed."""
    outcomes = Outcomes()
    outcomes.note("a", "passed")
    outcomes.interrupted = True

    assert outcomes.troubled
