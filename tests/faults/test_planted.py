"""Bugs that are planted in the session under test turn these tests red."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable

import pytest

from tests.e2e.workshop import ROOT, Outcome, Workshop
from tests.faults.aftermath import check_known_good, check_put_back, check_quiet, check_recovered
from tests.faults.planted import BUGS
from tests.faults.striking import PLUGIN, killed, striking


def session(
    workshop: Workshop, bug: str, *words: str, env: dict[str, str] | None = None
) -> Outcome:
    """Run a session that has the bug (or none)."""
    plugins = ("-p", "tests.faults.planted", *(PLUGIN if env else ()))
    known = {"PLANTED": bug, "PYTHONPATH": str(ROOT)}
    return workshop.pytest(*plugins, *words, env=known | (env or {}))


def teardown_leaves_nothing(workshop: Workshop, bug: str) -> None:
    session(workshop, bug)
    check_quiet(workshop)


def undeploying_leaves_nothing(workshop: Workshop, bug: str) -> None:
    session(workshop, bug, "--quick", "--warmci-head=damaged-data")
    check_quiet(workshop)


def one_run_at_a_time(workshop: Workshop, bug: str) -> None:
    """While the first one tests, a second one comes that does not want to wait."""
    target = workshop.root.with_name("second.json")
    second = [
        *(sys.executable, "-m", "pytest", str(workshop.recipe), "--quick"),
        *(f"--warmci-state={workshop.root}", f"--warmci-json={target}", "--warmci-lock-limit=0"),
        *("-o", f"cache_dir={workshop.root}.second-cache"),
    ]
    env = striking("test#6", f"run:{shlex.join(second)}")

    first = session(workshop, bug, "--quick", env=env)

    found = json.loads(target.read_text("utf-8"))["exit_status"]
    assert found == 75, f"the second run was let in, and ended with {found}"
    assert first.status == 0, first.text


def the_entry_points_to_a_whole_snapshot(workshop: Workshop, bug: str) -> None:
    """Killed at the first rename after that of the entry."""
    before = workshop.known_good
    env = striking("+1", "kill", r"os\.rename \S+/(\.building-late|quarantine\.json) ")

    outcome = session(workshop, bug, env=env)

    assert outcome.status == -9, outcome.text
    assert before != check_known_good(workshop)


def the_known_good_is_put_back(workshop: Workshop, bug: str) -> None:
    session(workshop, bug, "--quick", "--warmci-head=damaged-data")
    check_put_back(workshop)


def the_next_run_recovers(workshop: Workshop, bug: str) -> None:
    before = workshop.known_good
    killed(workshop, "test#6", "--quick")
    check_recovered(workshop, session(workshop, bug, "--quick"), before)


Scenario = Callable[[Workshop, str], None]

NOTICED: list[tuple[str, str, Scenario, str]] = [
    ("teardown is skipped", "lean", teardown_leaves_nothing, "left over: .*app radi-"),
    ("teardown is skipped", "radicale", undeploying_leaves_nothing, "left over: .*process "),
    ("the lock is given back early", "radicale", one_run_at_a_time, "the second run was let in"),
    (
        "the entry is written before the snapshot is there",
        "lean",
        the_entry_points_to_a_whole_snapshot,
        "the known-good is not whole",
    ),
    ("the restore is skipped", "radicale", the_known_good_is_put_back, "not put back"),
    ("the restore is not verified", "radicale", the_known_good_is_put_back, "not put back"),
    ("recovery is skipped", "radicale", the_next_run_recovers, "the next run has not passed"),
]
"""Which bug is noticed on which state by what is checked there, and in which words."""


@pytest.mark.cost(8)
@pytest.mark.parametrize(
    ("bug", "state", "check", "words"),
    NOTICED,
    ids=[f"{bug}, {check.__name__}" for bug, _, check, _ in NOTICED],
)
def test_a_planted_bug_is_noticed(
    request: pytest.FixtureRequest, bug: str, state: str, check: Scenario, words: str
) -> None:
    """By the same checks that the other tests make."""
    workshop: Workshop = request.getfixturevalue(state)

    with pytest.raises(AssertionError, match=words):
        check(workshop, bug)


@pytest.mark.nightly
@pytest.mark.cost(8)
@pytest.mark.parametrize(
    ("state", "check"), dict.fromkeys((state, check) for _, state, check, _ in NOTICED)
)
def test_where_no_bug_is_planted_none_is_noticed(
    request: pytest.FixtureRequest, state: str, check: Scenario
) -> None:
    """What is noticed above is the bug and nothing else."""
    check(request.getfixturevalue(state), "")


def test_every_bug_that_can_be_planted_is_planted() -> None:
    """None is forgotten."""
    assert set(BUGS) == {bug for bug, *_ in NOTICED}
