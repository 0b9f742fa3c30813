"""`kill -9` of pytest in every step of a quick run, with the servers left running."""

from __future__ import annotations

import pytest

from tests.e2e.workshop import Workshop
from tests.faults import steps
from tests.faults.aftermath import check_known_good, check_put_back, check_quiet, check_recovered
from tests.faults.steps import check_quick_runs_recover_each_other
from tests.faults.striking import killed, names, recorded

MOMENTS = {
    "before the run has its lease": ("+1", r"os\.rename .*/lease\.json"),
    "before the app's lock is recorded": ("+1", r"os\.rename .*/locks/warm-"),
    "before the journal is begun": ("+1", r"os\.link .*/journal\.json"),
    "before the first server is started": ("+1", r"os\.rename .*/owners/\w+\.json"),
    "between a server and the record of its pid": ("+2", r"os\.rename .*/owners/\w+\.json"),
    "while the install is linked": ("deploy#1+99", r"os\.link .*/run/app/install/"),
    "before the base's server is told to stop": ("upgrade#1+1", r"os\.kill"),
    "before the head's server is told to stop": ("stop#1+1", r"os\.kill"),
    "before a server that has gone is forgotten": ("stop#1+1", r"os\.remove .*/owners/"),
    "before the kept volumes are marked": ("+1", r"os\.rename .*/kept\.json"),
    "before a log is kept": ("+1", r"os\.rename .*/logs/quick-"),
    "before the journal is ended": ("+2", r"os\.remove .*/journal\.json"),
    "before the result is there": ("+1", r"os\.rename .*/result\.json"),
    "before the lock is given back": ("+2", r"os\.rename .*/locks/warm-"),
    "before the lease is given back": ("+2", r"os\.rename .*/lease\.json"),
}
"""Moments of a quick run that lie in the middle of its steps, or between two of them."""


@pytest.mark.core
@pytest.mark.cost(35)
def test_quick_runs_killed_in_one_step_after_the_other_recover_each_other(
    radicale: Workshop,
) -> None:
    check_quick_runs_recover_each_other(radicale)


@pytest.mark.nightly
@pytest.mark.cost(8)
@pytest.mark.parametrize("step", steps.QUICK)
def test_a_quick_run_killed_in_a_step_is_recovered_by_the_next(
    radicale: Workshop, step: str
) -> None:
    """In each of them, from a state that nothing else has touched."""
    before = radicale.known_good

    killed(radicale, step, "--quick")

    check_known_good(radicale, before)
    check_recovered(radicale, radicale.pytest("--quick"), before)


@pytest.mark.cost(8)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_quick_run_killed_in_a_moment_is_recovered_by_the_next(
    radicale: Workshop, moment: str
) -> None:
    """Where one change has been made and the one that belongs to it has not."""
    before = radicale.known_good

    at, only = MOMENTS[moment]

    killed(radicale, at, "--quick", only=only)

    check_known_good(radicale, before)
    check_recovered(radicale, radicale.pytest("--quick"), before)


RESTORING = {
    "before it begins": ("restore#2", ""),
    "while the volumes are built": ("restore#2+1", r"os\.mkdir .*/\.volumes\.restoring/data"),
    "before the old volumes are moved aside": ("restore#2+1", r"os\.rename \S+/volumes "),
    "between the old volumes and the new ones": ("restore#2+1", r"os\.rename \S+ \S+/volumes$"),
    "before what was moved aside is deleted": ("restore#2+1", r"shutil\.rmtree .*\.garbage-"),
    "before the journal is ended": ("+2", r"os\.remove .*/journal\.json"),
}
"""Moments of the restore after a head that did not pass."""


@pytest.mark.cost(10)
@pytest.mark.parametrize("moment", RESTORING)
def test_a_failing_quick_run_killed_while_it_restores_is_recovered_by_the_next(
    radicale: Workshop, moment: str
) -> None:
    """The same head fails again for its own reason, and then the known-good lies there."""
    before = radicale.known_good
    at, only = RESTORING[moment]

    killed(radicale, at, "--quick", "--warmci-head=damaged-data", only=only)

    check_known_good(radicale, before)
    again, seen = recorded(radicale, "--quick", "--warmci-head=damaged-data")
    assert again.status == 1, again.text
    assert "data lost" in again.result["reason"]
    check_known_good(radicale, before)
    check_put_back(radicale)
    check_quiet(radicale)
    assert {*steps.QUICK, "restore#2"} - {"test#6"} == {*names(seen)} - {"test"}
