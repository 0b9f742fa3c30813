"""A quick run against the same boots by hand, and against a cold run, side by side."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import pytest

from pytest_warmci.clients import command
from pytest_warmci.clients.java import java_runtime
from pytest_warmci.runs.session import SessionRuns
from pytest_warmci.runs.training import train_canonical
from pytest_warmci.settings import Setting, Settings
from tests.benchmarks.figures import median, report
from tests.e2e.workshop import HEAD, SEEDED, Outcome, Workshop, clean_environment, show

ROUNDS = 3
BY_HAND = Path(__file__).with_name("by_hand.py")


def by_hand(workshop: Workshop) -> float:
    """Run the hand-written script once on a copy of the known-good's volume; seconds."""
    [volume] = (workshop.place.folder / "volumes").iterdir()
    [secret] = (workshop.place.folder / "secrets").glob("db_password*")
    done = command.run(
        [
            *(sys.executable, BY_HAND, workshop.state.cache / "process", volume),
            *(workshop.recipe / "process", java_runtime().home, SEEDED, HEAD),
        ],
        timeout=300,
        env={**clean_environment(), "BY_HAND_PASSWORD": secret.read_text("utf-8").strip()},
    )
    found = re.search(r"total ([\d.]+) s", done.text)
    assert found is not None, done.output
    return float(found[1])


def train(workshop: Workshop) -> None:
    """Train the known-good's boot, as `warmci seed` does."""
    settings = Settings(
        mode=Setting("cold", "default"),
        state=Setting(workshop.root, "--warmci-state"),
        head=Setting("HEAD", "default"),
        source=Setting(None, "default"),
        engine=Setting("process", "default"),
        lock_limit=Setting(10.0, "default"),
        allow_lower=Setting(False, "default"),
        keep=Setting(None, "test"),
        server_keys=Setting(False, "default"),
        session="benchmark",
    )
    runs = SessionRuns(settings, show)
    show(train_canonical(runs, workshop.recipe))


@pytest.mark.nightly
@pytest.mark.cost(400)
def test_quick_against_by_hand_against_cold(
    seeded: tuple[Workshop, Outcome], workshop: Workshop
) -> None:
    """One warm-up, then rounds of by hand and quick in turns, then a cold run of the same head on
    the same cache, so that nothing is fetched or built in it."""
    train(workshop)
    assert workshop.pytest("--quick").status == 0
    hands, quicks, walls, added = [], [], [], []
    for _ in range(ROUNDS):
        outcome = workshop.pytest("--quick", "--warmci-head=damaged-data")
        assert outcome.status == 1  # restores, so that both begin with known-good volumes
        hands.append(by_hand(workshop))
        begun = time.monotonic()
        outcome = workshop.pytest("--quick")
        walls.append(time.monotonic() - begun)
        assert outcome.status == 0, outcome.text
        phases = sum(phase["seconds"] for phase in outcome.result["phases"])
        quicks.append(outcome.result["seconds"])
        added.append(walls[-1] - phases)
    cold = workshop.pytest()
    assert cold.status == 0, cold.text
    cold_seconds = cold.result["seconds"]
    report(
        "keycloak on the process engine (seconds, medians)",
        {
            "by hand": median(hands),
            "quick, run": median(quicks),
            "quick, whole session": median(walls),
            "cold, run": cold_seconds,
            "quick adds to its phases, share of the session": median(added) / median(walls),
            "quick / cold": median(quicks) / cold_seconds,
            "quick / by hand": median(quicks) / median(hands),
        },
    )
