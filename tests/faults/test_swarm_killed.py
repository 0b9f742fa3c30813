"""`kill -9` of pytest on a Swarm, in steps and in moments: nothing there dies with it.

Each run is killed after it has recovered what the one before had left, and the last one comes through.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from pytest_warmci.model import KnownGood
from tests.e2e.swarm_workshop import SwarmWorkshop
from tests.e2e.workshop import RADICALE
from tests.faults import steps
from tests.faults.aftermath import check_known_good, check_put_back, check_quiet, check_recovered
from tests.faults.steps import check_quick_runs_recover_each_other
from tests.faults.striking import by_hand, killed, last_run
from tests.swarm_fixtures import Seeded

Moments = Mapping[str, tuple[str, str]]
"""Where a run is killed, and which changes are counted until then (see `strike`)."""

DEPLOYS = r"subprocess\.Popen \S+ \S+/recipe$"
"""`docker stack deploy`, which is the only program that runs in the recipe's folder."""

INSIDE: Moments = {
    "before the app's Swarm is recorded": ("deploy#1+1", r"os\.rename .*/stack/home\.json"),
    "before the secret is there": ("deploy#1+1", r"http\.client\.send POST \S+/secrets/create"),
    "before the deployment is recorded": ("deploy#1+1", r"os\.rename .*/stack/deploy\.json"),
    "before Docker has the base": ("deploy#1+1", DEPLOYS),
    "when Docker has the base": ("deploy#1+2", r"http\.client\.send GET \S+/tasks"),
    "before Docker has head": ("upgrade#1+1", DEPLOYS),
    "when Docker has head": ("upgrade#1+2", r"http\.client\.send GET \S+/tasks"),
    "between two configs that go": ("stop#1+2", r"http\.client\.send DELETE \S+/configs/"),
    "before the journal is ended": ("+2", r"os\.remove .*/journal\.json"),
}
"""Moments of a quick run, where one thing has been made or removed and the next one has not."""

RESTORING: Moments = {
    "while the data are built": ("restore#2+1", r"os\.mkdir .*/\._data\.restoring/"),
    "between the old data and the new": ("restore#2+1", r"os\.rename \S+ \S+/_data$"),
}
"""Moments of the restore after a head that did not pass."""

ONLY_HEADS = ("restore#2+1", r"http\.client\.send DELETE \S+/volumes/")
"""Before a volume goes that only head has."""

RECOVERING: Moments = {
    "before the old data are moved aside": ("+1", r"os\.rename \S+/_data "),
    "between the old data and the new": ("+1", r"os\.rename \S+ \S+/_data$"),
    "before what was moved aside is deleted": ("+1", r"shutil\.rmtree .*\.garbage-"),
    "before the journal is ended": ("+1", r"os\.remove .*/journal\.json"),
}
"""Moments of a recovery from such a kill."""

STANDS: Moments = {
    "when the old volume has gone": ("promote#1+1", r"os\.rename .*/deployed\.json$"),
    "before the entry is renamed into place": ("+1", r"os\.rename .*/canonicals/"),
}
"""Moments of a promotion at which the old known-good stands."""

HAS_MOVED = ("+1", r"os\.rename .*/quarantine\.json")
"""After the entry was renamed into place, before anything of the old known-good goes."""

CUT_SHORT = "was cut short: restored the known-good 1.1.0+3.8.3"


@pytest.fixture
def radicale(radicale_on_swarm: Seeded) -> SwarmWorkshop:
    """Radicale's canonical on the Swarm, which is shared: a test that fails may fail the next ones."""
    shared = radicale_on_swarm.workshop
    return SwarmWorkshop(shared.front, shared.root, RADICALE, "app", hurried=True)


@pytest.mark.core
@pytest.mark.cost(90)
def test_quick_runs_killed_in_one_step_after_the_other_recover_each_other(
    radicale: SwarmWorkshop,
) -> None:
    check_quick_runs_recover_each_other(radicale)


@pytest.mark.cost(110)
def test_quick_runs_killed_in_one_moment_after_the_other_recover_each_other(
    radicale: SwarmWorkshop,
) -> None:
    """Where something of the app is on the Swarm, and something is not."""
    before = radicale.known_good

    _killed_in_each(radicale, INSIDE, before, "--quick")

    check_recovered(radicale, radicale.pytest("--quick"), before)


@pytest.mark.cost(100)
def test_restores_and_recoveries_killed_in_one_moment_after_the_other_are_finished_in_the_end(
    radicale: SwarmWorkshop,
) -> None:
    """The data lie there as the known-good says; a volume that only head has made is gone."""
    before = radicale.known_good

    _killed_in_each(radicale, RESTORING, before, "--quick", "--warmci-head=damaged-data")
    for number, (at, only) in enumerate(RECOVERING.values()):
        if number % 2:
            killed(radicale, f"recover#1{at}", "--quick", only=only)
        else:
            assert by_hand(radicale, "recover", at=at, only=only).code == -9
        check_known_good(radicale, before)
    at, only = ONLY_HEADS
    killed(radicale, at, "--quick", "--warmci-head=empty-volume", only=only)
    assert [f"volume {radicale.stack}_collections"] == radicale.elsewhere()

    done = by_hand(radicale, "recover", "radicale", "--json")
    assert done.code == 0, done.output
    [app] = json.loads(done.text)["apps"]
    assert any(CUT_SHORT in each for each in app["done"])
    assert by_hand(radicale, "reap", "--dry-run").text == "nothing to reap\n"
    check_known_good(radicale, before)
    check_put_back(radicale)
    check_quiet(radicale)


@pytest.mark.nightly
@pytest.mark.cost(200)
def test_cold_runs_killed_in_one_step_after_the_other_leave_nothing(
    radicale: SwarmWorkshop,
) -> None:
    """Each one removes the app of the one before, with all that the Swarm had of it."""
    before, entry = radicale.known_good, radicale.entry_bytes()

    for step in steps.COLD[:-1]:  # the last one is the promotion
        killed(radicale, step, "--warmci-head=published")
        assert entry == radicale.entry_bytes()
    done = by_hand(radicale, "recover")

    assert done.code == 0, done.output
    check_known_good(radicale, before)
    check_put_back(radicale)
    check_quiet(radicale)


@pytest.mark.nightly
@pytest.mark.cost(190)
def test_a_promotion_killed_in_a_moment_moves_the_known_good_or_does_not(
    radicale: SwarmWorkshop,
) -> None:
    """It moves when its entry is renamed into place, and not before; a quick run starts from it."""
    before, entry = radicale.known_good, radicale.entry_bytes()

    _killed_in_each(radicale, STANDS, before, "--warmci-head=published")
    assert entry == radicale.entry_bytes()
    at, only = HAS_MOVED
    killed(radicale, at, "--warmci-head=published", only=only)

    new = check_known_good(radicale)
    assert last_run(radicale) == new.promoted_by != before.promoted_by
    check_put_back(radicale)
    check_recovered(radicale, radicale.pytest("--quick"), new)


def _killed_in_each(
    workshop: SwarmWorkshop, moments: Moments, before: KnownGood, *words: str
) -> None:
    """Kill one run after the other; the known-good is whole each time."""
    for at, only in moments.values():
        killed(workshop, at, *words, only=only)
        check_known_good(workshop, before)
