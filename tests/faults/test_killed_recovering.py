"""Killed again while it recovers; and recovered by hand."""

from __future__ import annotations

import json

import pytest

from tests.e2e.workshop import Workshop
from tests.faults.aftermath import check_known_good, check_put_back, check_quiet, check_recovered
from tests.faults.striking import by_hand, killed

MOMENTS = {
    "before an orphan is told to stop": r"os\.kill",
    "before an orphan is forgotten": r"os\.remove .*/owners/",
    "while the volumes are built": r"open .*/\.volumes\.restoring/",
    "before the old volumes are moved aside": r"os\.rename \S+/volumes ",
    "between the old volumes and the new ones": r"os\.rename \S+ \S+/volumes$",
    "before what was moved aside is deleted": r"shutil\.rmtree .*/\.garbage-",
    "before the journal is ended": r"os\.remove .*/journal\.json",
}
"""Moments of the recovery of a canonical whose servers were left running."""

CUT_SHORT = "was cut short: restored the known-good 1.1.0+3.8.3"


@pytest.mark.cost(12)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_recovery_killed_twice_is_finished_by_the_run_after_that(
    radicale: Workshop, moment: str
) -> None:
    """In the same moment both times."""
    before = radicale.known_good
    killed(radicale, "test#6", "--quick")

    for _ in range(2):
        killed(radicale, "recover#1+1", "--quick", only=MOMENTS[moment])
        check_known_good(radicale, before)

    check_recovered(radicale, radicale.pytest("--quick"), before)


@pytest.mark.cost(18)
def test_recoveries_killed_in_one_moment_after_the_other_are_finished_in_the_end(
    radicale: Workshop,
) -> None:
    """Runs and the command by turns, each of them killed a little later than the one before."""
    before = radicale.known_good
    killed(radicale, "test#6", "--quick")

    for number, only in enumerate(MOMENTS.values()):
        if number % 2:
            killed(radicale, "recover#1+1", "--quick", only=only)
        else:
            assert by_hand(radicale, "recover", at="+1", only=only).code == -9
        check_known_good(radicale, before)

    check_recovered(radicale, radicale.pytest("--quick"), before)


@pytest.mark.core
@pytest.mark.cost(10)
def test_warmci_recover_does_what_the_next_run_does(radicale: Workshop) -> None:
    """Afterwards there is nothing left to reap, and nothing left to recover for the next run."""
    before = radicale.known_good
    killed(radicale, "test#6", "--quick")

    done = by_hand(radicale, "recover", "radicale", "--json")

    assert done.code == 0, done.output
    [app] = json.loads(done.text)["apps"]
    assert app["outcome"] == "recovered"
    assert any(CUT_SHORT in each for each in app["done"])
    assert by_hand(radicale, "reap", "--dry-run").text == "nothing to reap\n"
    check_known_good(radicale, before)
    check_put_back(radicale)
    check_quiet(radicale)
    again = radicale.pytest("--quick")
    check_recovered(radicale, again, before)
    assert not [note for note in again.result["notes"] if CUT_SHORT in note]


@pytest.mark.cost(8)
@pytest.mark.parametrize("moment", MOMENTS)
def test_warmci_recover_killed_half_way_is_run_again(radicale: Workshop, moment: str) -> None:
    """It ends with the known-good in its place, whatever the first one had done."""
    before = radicale.known_good
    killed(radicale, "test#6", "--quick")

    first = by_hand(radicale, "recover", at="+1", only=MOMENTS[moment])
    second = by_hand(radicale, "recover")

    assert (-9, 0) == (first.code, second.code), second.output
    assert by_hand(radicale, "reap", "--dry-run").text == "nothing to reap\n"
    check_known_good(radicale, before)
    check_put_back(radicale)
    check_quiet(radicale)


@pytest.mark.cost(8)
@pytest.mark.parametrize("half_way", [False, True], ids=["at once", "after it was killed"])
def test_warmci_recover_removes_the_app_of_a_killed_cold_run(
    lean: Workshop, *, half_way: bool
) -> None:
    """Processes, port, folder and journal; the canonical is left as it lies there."""
    before = lean.known_good
    killed(lean, "test#4")

    if half_way:
        only = r"os\.rename .*/process/radi-\S+ "
        assert by_hand(lean, "recover", at="+1", only=only).code == -9
    done = by_hand(lean, "recover")

    assert done.code == 0, done.output
    assert by_hand(lean, "reap", "--dry-run").text == "nothing to reap\n"
    check_known_good(lean, before)
    check_put_back(lean)
    check_quiet(lean)
