"""The live-warm Keycloak dies or hangs under those who use it: they are not evaluated, and go on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_warmci.engines.process.engine import ProcessEngine
from pytest_warmci.recipes.enrolment import read_enrolment
from pytest_warmci.runs.deploying import bring_up
from tests.e2e.workshop import KEYCLOAK, RADICALE_SSO, Outcome, show
from tests.faults.crowd import Crowd, Running, wait_for_file
from tests.signed_on import SignedOn, copy_beside_keycloak

TEST = """
import os, pathlib
from pytest_warmci.clients.waiting import Look, wait_until

def test_one(sso, realm):
    assert realm.token(realm.user("zoe"))
    assert sso.realm.token(sso.user)

def test_two(sso, realm):
    pathlib.Path(os.environ["COME"]).touch()
    gate = pathlib.Path(os.environ["GATE"])
    wait_until(lambda: Look(gate.exists(), "shut"), timeout=120)
    assert sso.realm.token(sso.user)
    assert False, "an assert that failed while Keycloak was not the same"
"""


@contextmanager
def in_the_middle(workshop: SignedOn, tmp_path: Path) -> Iterator[tuple[Running, Path]]:
    """A quick session that is in its test; yield it, and the file that lets it on."""
    recipe = copy_beside_keycloak(RADICALE_SSO, tmp_path / "recipe_tests", TEST)
    come, gate = tmp_path / "come", tmp_path / "gate"
    with Crowd(tmp_path / "crowd") as crowd:
        env = {"COME": str(come), "GATE": str(gate)}
        running = crowd.start(workshop.root, recipe, "--quick", env=env)
        wait_for_file(come, running, seconds=200)
        try:
            yield running, gate
        finally:
            gate.touch()


def check_excused(workshop: SignedOn, outcome: Outcome, words: str) -> None:
    """The session said what was wrong and blamed nobody; the next one works, and cleans up."""
    assert outcome.status == 75, outcome.text
    assert "not-evaluated" == outcome.result["verdict"]
    assert words in outcome.result["reason"]
    assert outcome.result["known_good"]["before"] == outcome.result["known_good"]["after"]
    assert workshop.known_good.digest == workshop.volumes_digest()
    assert [] == list((workshop.root / "alerts").glob("*.json"))

    following = workshop.pytest("--quick")

    assert following.status == 0, following.text
    workshop.check_no_realms()


@pytest.mark.core
@pytest.mark.cost(60)
def test_keycloak_is_killed_under_a_test(
    signed_on: tuple[SignedOn, Outcome], tmp_path: Path
) -> None:
    """The next run starts it again."""
    workshop, _ = signed_on
    with in_the_middle(workshop, tmp_path) as (running, gate):
        os.kill(workshop.pids()["app"], signal.SIGKILL)
        gate.touch()
        outcome = running.end()

    check_excused(workshop, outcome, "does not answer")


@pytest.mark.cost(80)
def test_keycloak_is_killed_and_started_again_under_a_test(
    signed_on: tuple[SignedOn, Outcome], tmp_path: Path
) -> None:
    """What failed may have met the old one, so it says nothing."""
    workshop, _ = signed_on
    with in_the_middle(workshop, tmp_path) as (running, gate):
        engine = ProcessEngine(KEYCLOAK, workshop.state.cache, show)
        place, enrolment = workshop.live_place, read_enrolment(KEYCLOAK)
        os.kill(workshop.pids()["app"], signal.SIGKILL)
        engine.undeploy(place)
        engine.settle(place, enrolment.stop_timeout)
        bring_up(engine, place, enrolment, place.deployed_stack())
        gate.touch()
        outcome = running.end()

    check_excused(workshop, outcome, "the live-warm Keycloak was started anew while it was used")


@pytest.mark.nightly
def test_keycloak_hangs_under_a_test(signed_on: tuple[SignedOn, Outcome], tmp_path: Path) -> None:
    """Every wait has an end, and the next run gets rid of it."""
    workshop, _ = signed_on
    with in_the_middle(workshop, tmp_path) as (running, gate):
        os.kill(workshop.pids()["app"], signal.SIGSTOP)
        gate.touch()
        begun = time.monotonic()
        outcome = running.end()
        took = time.monotonic() - begun

    assert took < 300, f"{took:.0f} s"
    check_excused(workshop, outcome, "does not answer")


@pytest.mark.core
@pytest.mark.cost(25)
def test_a_session_is_killed_with_its_realms(
    signed_on: tuple[SignedOn, Outcome], tmp_path: Path
) -> None:
    """The next run removes them, and takes their keys back."""
    workshop, _ = signed_on
    with in_the_middle(workshop, tmp_path) as (running, _):
        running.process.kill()
        running.process.wait()
        # The app's own, and one of each test: the first test's waits to be deleted.
        assert 3 == len(workshop.realms()) == len(workshop.recorded())
        assert 3 == len(workshop.live.keys.used())

    following = workshop.pytest("--quick")

    assert following.status == 0, following.text
    assert 3 == sum("removed realm" in note for note in following.result["notes"])
    workshop.check_no_realms()
    assert not (workshop.place.folder / "run.env").exists()
