"""`kill -9` under `-n 2`: of a worker, of the controller, of both."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_warmci.clients.waiting import Look, wait_until
from pytest_warmci.store.results import read_result
from tests.e2e.workshop import Outcome, Workshop
from tests.faults.aftermath import check_known_good, check_put_back, check_quiet, check_recovered
from tests.faults.crowd import Crowd, gate
from tests.faults.striking import last_run, struck

QUICK = ("--quick", "-n2")


def check_without_result(workshop: Workshop, outcome: Outcome) -> None:
    """The session says that the recipe left no result, and nobody has resumed it."""
    assert outcome.results == []
    assert outcome.data["without_result"] == ["radicale"]
    record = json.loads(workshop.state.session(outcome.data["session"]).read_text("utf-8"))
    assert record["without_result"] == ["radicale"]
    assert record["exit_status"] == outcome.status
    assert "the worker died; the rest of its recipe was not run" in outcome.text
    assert len(list(workshop.state.runs.iterdir())) == 1


@pytest.mark.cost(10)
@pytest.mark.parametrize(
    "step",
    ["prepare#1", "deploy#1", pytest.param("test#6", marks=pytest.mark.core), "stop#1"],
)
def test_a_killed_worker_is_recovered_by_its_controller(radicale: Workshop, step: str) -> None:
    """When the session ends, nothing is left for a next run to recover."""
    before = radicale.known_good

    outcome = struck(radicale, step, "kill", *QUICK)

    assert outcome.status == 75, outcome.text
    check_without_result(radicale, outcome)
    check_known_good(radicale, before)
    if step != "prepare#1":  # nothing had been changed, what an earlier run has kept lies there
        check_put_back(radicale)
    check_quiet(radicale)
    check_recovered(radicale, radicale.pytest(*QUICK), before)


@pytest.mark.cost(10)
def test_a_worker_killed_while_it_restores_is_recovered_by_its_controller(
    radicale: Workshop,
) -> None:
    """The test that had failed is a failure all the same: that comes before not evaluated."""
    before = radicale.known_good

    outcome = struck(radicale, "restore#2+60", "kill", *QUICK, "--warmci-head=damaged-data")

    assert outcome.status == 1, outcome.text
    assert "data lost: the witness had 6, now it finds 4" in outcome.text
    check_without_result(radicale, outcome)
    check_known_good(radicale, before)
    check_put_back(radicale)
    check_quiet(radicale)


@pytest.mark.cost(15)
@pytest.mark.parametrize("step", ["test#4", "remove#1", "promote#1"])
def test_the_app_of_a_killed_worker_is_removed_by_its_controller(
    lean: Workshop, step: str
) -> None:
    """A cold run's app; and the canonical, if the worker had begun to promote, is put back."""
    before = lean.known_good

    outcome = struck(lean, step, "kill", "-n2")

    assert outcome.status == 75, outcome.text
    check_without_result(lean, outcome)
    assert before == check_known_good(lean, before)
    check_put_back(lean)
    check_quiet(lean)
    again = lean.pytest("-n2")
    assert again.status == 0, again.text
    assert again.result["promoted"] is True
    check_quiet(lean)


@pytest.mark.cost(10)
@pytest.mark.parametrize("step", ["deploy#1", "upgrade#1", "test#6", "stop#1"])
def test_workers_leave_by_themselves_when_their_controller_is_killed(
    radicale: Workshop, step: str
) -> None:
    """They undeploy, restore and write a result, and nobody has to recover after them."""
    before = radicale.known_good

    outcome = struck(radicale, step, "kill-parent", *QUICK)

    # Its output has come to an end, so the workers, who had a share in it, are gone.
    assert outcome.status == -9, outcome.text
    result = read_result(radicale.state.run(last_run(radicale)))
    assert ("not-evaluated", "interrupted") == (result.verdict, result.reason)
    check_known_good(radicale, before)
    if step != "stop#1":  # there all tests had passed: what they ran on is kept
        check_put_back(radicale)
    check_quiet(radicale)
    check_recovered(radicale, radicale.pytest(*QUICK), before)


@pytest.mark.cost(10)
def test_the_next_run_waits_for_a_worker_whose_controller_was_killed(
    radicale: Workshop, tmp_path: Path
) -> None:
    """It comes while the worker still leaves, and says whose lock it waits for."""
    before = radicale.known_good
    with gate(tmp_path) as (stop, come, opened), Crowd(tmp_path / "crowd") as crowd:
        script = tmp_path / "gate.sh"
        # The worker runs it, so its parent's parent is the controller.
        parent = "$(sed -n 's/^PPid:[^0-9]*//p' /proc/$PPID/status)"
        script.write_text(f"kill -9 {parent}\n{script.read_text()}")
        words = ("-p", "tests.faults.strike", "--quick", "-n", "2", radicale.recipe)
        first = crowd.start(radicale.root, *words, env={**stop, "STRIKE_AT": "stop#1"})
        wait_until(lambda: Look(come.exists(), "it has not come"), timeout=120)
        second = crowd.start(radicale.root, "--quick", "-n", "2", radicale.recipe)
        second.wait_for("waiting for warm-radicale")
        opened.touch()
        outcome = second.end()

    assert first.end().status == -9
    check_recovered(radicale, outcome, before)


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
