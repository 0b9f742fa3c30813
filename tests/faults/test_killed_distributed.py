"""`kill -9` under `-n 2`: of a worker, of the controller, of both."""

from __future__ import annotations

import json

import pytest

from tests.e2e.workshop import Outcome, Workshop
from tests.faults.aftermath import check_known_good, check_put_back, check_quiet, check_recovered
from tests.faults.striking import last_run, struck

QUICK = ("--quick", "-n2")


def check_not_evaluated(workshop: Workshop, outcome: Outcome, *, runs: int) -> None:
    """The session says that the recipe left no result, and nobody has resumed it."""
    assert outcome.status == 75, outcome.text
    assert outcome.results == []
    assert outcome.data["without_result"] == ["radicale"]
    record = json.loads(workshop.state.session(outcome.data["session"]).read_text("utf-8"))
    assert record["without_result"] == ["radicale"]
    assert record["exit_status"] == 75
    assert "the worker died; the rest of its recipe was not run" in outcome.text
    assert len(list(workshop.state.runs.iterdir())) == runs


@pytest.mark.cost(10)
@pytest.mark.parametrize(
    ("step", "head"),
    [
        ("prepare#1", "HEAD"),
        ("deploy#1", "HEAD"),
        pytest.param("test#6", "HEAD", marks=pytest.mark.core),
        ("stop#1", "HEAD"),
        ("restore#2", "damaged-data"),
    ],
)
def test_a_killed_worker_is_recovered_by_its_controller(
    radicale: Workshop, step: str, head: str
) -> None:
    """When the session ends, nothing is left for a next run to recover."""
    before = radicale.known_good
    words = (*QUICK, f"--warmci-head={head}")

    outcome = struck(radicale, step, "kill", *words)

    check_not_evaluated(radicale, outcome, runs=1)
    check_known_good(radicale, before)
    if step != "prepare#1":
        check_put_back(radicale)
    check_quiet(radicale)
    check_recovered(radicale, radicale.pytest("--quick", "-n2"), before)


@pytest.mark.cost(15)
@pytest.mark.parametrize("step", ["test#4", "remove#1", "promote#1"])
def test_the_app_of_a_killed_worker_is_removed_by_its_controller(
    lean: Workshop, step: str
) -> None:
    """A cold run's app; and the canonical, if the worker had begun to promote, is put back."""
    before = lean.known_good

    outcome = struck(lean, step, "kill", "-n2")

    check_not_evaluated(lean, outcome, runs=1)
    assert before == check_known_good(lean, before)
    check_put_back(lean)
    check_quiet(lean)
    again = lean.pytest("-n2")
    assert again.status == 0, again.text
    assert again.result["promoted"] is True
    check_quiet(lean)


@pytest.mark.cost(10)
@pytest.mark.parametrize(
    "step", ["deploy#1", pytest.param("test#6", marks=pytest.mark.core), "upgrade#1", "stop#1"]
)
def test_workers_leave_by_themselves_when_their_controller_is_killed(
    radicale: Workshop, step: str
) -> None:
    """The next run waits for their lock."""
    before = radicale.known_good

    outcome = struck(radicale, step, "kill-parent", *QUICK)

    assert outcome.status == -9, outcome.text
    left = last_run(radicale)
    check_recovered(radicale, radicale.pytest(*QUICK), before)
    assert left != last_run(radicale)


@pytest.mark.cost(10)
@pytest.mark.parametrize("step", ["recover#1", "upgrade#1", "test#6", "stop#1"])
def test_worker_and_controller_killed_together_are_recovered_by_the_next_run(
    radicale: Workshop, step: str
) -> None:
    """As if there had been no workers."""
    before = radicale.known_good

    outcome = struck(radicale, step, "kill-both", *QUICK)

    assert outcome.status == -9, outcome.text
    check_known_good(radicale, before)
    check_recovered(radicale, radicale.pytest(*QUICK), before)


@pytest.mark.cost(15)
def test_a_promoting_worker_and_its_controller_killed_together_leave_the_old_known_good(
    lean: Workshop,
) -> None:
    """The next run promotes after all."""
    before = lean.known_good

    outcome = struck(lean, "promote#1+1", "kill-both", "-n2", only=r"os\.rename .*/snapshot/gen-")

    assert outcome.status == -9, outcome.text
    assert before == check_known_good(lean, before)
    again = lean.pytest("-n2")
    assert again.status == 0, again.text
    assert again.result["promoted"] is True
    check_put_back(lean)
    check_quiet(lean)
