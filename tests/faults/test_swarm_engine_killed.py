"""The Docker engine is killed under a run: whatever follows is not held against the recipe.

Its containers go on until it starts again, which ends them; the Swarm then makes them anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from tests.e2e.swarm_workshop import SwarmWorkshop
from tests.e2e.workshop import RADICALE, Outcome
from tests.faults.aftermath import check_known_good, check_put_back, check_quiet, check_recovered
from tests.faults.striking import by_hand, struck
from tests.swarm.engine import Swarm
from tests.swarm_fixtures import Seeded

Back = Literal["at once", "meanwhile", "never"]
"""Whether the run waits until the engine is back, goes on without, or never sees it again."""

KILLED_SECONDS = 300.0

CONVERGES = r"http\.client\.send GET \S+/tasks"
"""The second time in a deployment it is asked what has become of it."""

SETTLES = r"http\.client\.send GET \S+/containers/json"

ANEW = "the Docker engine was away or started anew while the app was deployed"
SILENT = "no Docker engine answers"


@pytest.fixture
def radicale(radicale_on_swarm: Seeded) -> Iterator[SwarmWorkshop]:
    """Radicale's canonical on the Swarm, whose engine is there again for the next test."""
    shared = radicale_on_swarm.workshop
    workshop = SwarmWorkshop(shared.front, shared.root, RADICALE, "app", hurried=True)
    entry = workshop.entry_bytes()
    yield workshop
    if not shared.front.swarm.api.answers():
        shared.front.swarm.start()
    shared.front.wait_serving()
    assert entry == workshop.entry_bytes()


@contextmanager
def dying(swarm: Swarm, back: Back, folder: Path) -> Iterator[str]:
    """Have the engine started again when it was killed in the block; gives the blow that does it."""
    kill = f"kill -9 {swarm.pid}"
    gate = folder / "gate"

    def revive() -> None:
        swarm.wait_ended(KILLED_SECONDS)
        swarm.start()
        if back == "at once":
            gate.write_text("open\n")

    if back == "never":
        yield f"run:{kill}"
        swarm.wait_ended(0)
        return
    os.mkfifo(gate)
    with ThreadPoolExecutor(1) as pool:
        revived = pool.submit(revive)
        yield f"run:sh -c '{kill}; read word < {gate}'" if back == "at once" else f"run:{kill}"
        revived.result()
    gate.unlink()


def without_engine(
    workshop: SwarmWorkshop, folder: Path, at: str, back: Back, *words: str, only: str = ""
) -> Outcome:
    """Run a session whose engine dies at a point; it is not evaluated, and nothing is lost."""
    before = workshop.known_good
    with dying(workshop.front.swarm, back, folder) as blow:
        outcome = struck(workshop, at, blow, *words, only=only)
    assert outcome.status == 75, outcome.text
    check_known_good(workshop, before)
    return outcome


@pytest.mark.core
@pytest.mark.cost(60)
def test_tests_that_fail_because_the_engine_started_anew_are_not_evaluated(
    radicale: SwarmWorkshop, tmp_path: Path
) -> None:
    """They find nobody, and the app is another one than before. The run itself puts all back."""
    outcome = without_engine(radicale, tmp_path, "test#6", "at once", "--quick")

    result = outcome.result
    assert ("not-evaluated", 0) == (result["verdict"], result["tests"]["failed"])
    assert f"{ANEW}, so a failure says nothing about the recipe" in result["reason"]
    assert "do:  see why in the engine's own log, and run again" in outcome.text
    check_put_back(radicale)
    check_quiet(radicale)
    check_recovered(radicale, radicale.pytest("--quick"), radicale.known_good)


@pytest.mark.nightly
@pytest.mark.cost(90)
def test_an_engine_that_dies_in_a_step_is_why_the_run_is_not_evaluated(
    radicale: SwarmWorkshop, tmp_path: Path
) -> None:
    """The run recovers by itself what the engine is back for; the next one does the rest."""
    before = radicale.known_good

    for at in ("deploy#1+2", "upgrade#1+2"):
        outcome = without_engine(radicale, tmp_path, at, "at once", "--quick", only=CONVERGES)
        assert SILENT in outcome.result["reason"]
        check_put_back(radicale)
        check_quiet(radicale)
    outcome = without_engine(radicale, tmp_path, "stop#1+1", "meanwhile", "--quick", only=SETTLES)
    assert SILENT in outcome.result["reason"]
    assert "undone by the next run, or now by: warmci recover" in outcome.text

    check_recovered(radicale, radicale.pytest("--quick"), before)


@pytest.mark.nightly
@pytest.mark.cost(60)
def test_an_engine_that_comes_back_under_the_run_is_why_it_is_not_evaluated(
    radicale: SwarmWorkshop, tmp_path: Path
) -> None:
    """Tests go on while it starts; what becomes of the app depends on when it is back."""
    before = radicale.known_good

    outcome = without_engine(radicale, tmp_path, "test#6", "meanwhile", "--quick")

    assert ("not-evaluated", 0) == (
        outcome.result["verdict"],
        outcome.result["tests"]["failed"],
    )
    check_recovered(radicale, radicale.pytest("--quick"), before)


@pytest.mark.nightly
@pytest.mark.cost(70)
def test_an_engine_that_stays_away_is_told_until_it_is_back(
    radicale: SwarmWorkshop, tmp_path: Path
) -> None:
    """The journal stays, the next run and `warmci recover` say what to do, and then do it."""
    before = radicale.known_good

    outcome = without_engine(radicale, tmp_path, "test#6", "never", "--quick")
    assert SILENT in outcome.result["reason"]
    assert "do:  start it, or name another one in DOCKER_HOST" in outcome.text
    journal = radicale.place.folder / "journal.json"
    assert "quick" == json.loads(journal.read_text())["op"]
    again = radicale.pytest("--quick")
    assert (75, []) == (again.status, again.results), again.text
    assert SILENT in again.text
    done = by_hand(radicale, "recover")
    assert (75, True) == (done.code, SILENT in done.text), done.output
    assert journal.exists()
    check_known_good(radicale, before)

    radicale.front.swarm.start()
    done = by_hand(radicale, "recover")

    assert done.code == 0, done.output
    check_put_back(radicale)
    check_quiet(radicale)
    check_recovered(radicale, radicale.pytest("--quick"), before)


@pytest.mark.nightly
@pytest.mark.cost(130)
def test_an_engine_that_dies_under_a_cold_run_fails_nothing_and_promotes_nothing(
    radicale: SwarmWorkshop, tmp_path: Path
) -> None:
    """The throw-away app is removed by the run itself; a green one is not promoted."""
    words = ("--warmci-head=published",)

    outcome = without_engine(radicale, tmp_path, "upgrade#1+2", "at once", *words, only=CONVERGES)
    assert "not-evaluated" == outcome.result["verdict"]
    assert SILENT in outcome.result["reason"]
    check_quiet(radicale)
    outcome = without_engine(radicale, tmp_path, "promote#1+2", "at once", *words, only=CONVERGES)
    assert ("passed", False) == (outcome.result["verdict"], outcome.result["promoted"])
    assert SILENT in outcome.result["promotion_reason"]

    check_put_back(radicale)
    check_quiet(radicale)
