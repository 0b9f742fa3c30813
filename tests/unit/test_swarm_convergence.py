"""Convergence on a Swarm: each case that was seen on a real one, look by look."""

from __future__ import annotations

import pytest

from tests.unit.swarm_facts import STACK, old, task
from tests.unit.swarm_story import Story


def test_a_first_deployment() -> None:
    """There is no update status at all."""
    story = Story()

    assert f"{STACK}_app 0/1" == story.waits("")
    for state in ("new", "pending", "assigned", "preparing", "starting"):
        assert f"{STACK}_app 0/1, {state}" == story.waits("", task(1, state))
    story.converged("", task(1, "running"))


def test_a_good_update_that_starts_first() -> None:
    """The old task runs on until its stop grace ends, also when the update is completed."""
    story = Story(earlier={"task-1"})

    assert f"{STACK}_app 1/1, running (old)" == story.waits("", old(1, "running"))
    story.waits("updating", old(1, "running"), task(2, "starting"))
    assert f"{STACK}_app 2/1, running (old), running, update updating" == story.waits(
        "updating", old(1, "running", desired="shutdown"), task(2, "running")
    )
    story.waits("completed", old(1, "running", desired="shutdown"), task(2, "running"))
    story.converged("completed", old(1, "shutdown"), task(2, "running"))


def test_a_good_update_that_stops_first() -> None:
    """0/1 while the old one stops, for as long as that takes; then `updating` for some more."""
    story = Story(earlier={"task-1"})

    stopping = (old(1, "running", desired="shutdown"), task(2, "new", desired="ready"))
    story.waits("updating", *stopping)
    story.waits("updating", old(1, "shutdown"), task(2, "ready", desired="ready"), after=10)
    story.waits("updating", old(1, "shutdown"), task(2, "starting"))
    story.waits("updating", old(1, "shutdown"), task(2, "running"))
    story.waits("updating", old(1, "shutdown"), task(2, "running"), after=5)
    story.converged("completed", old(1, "shutdown"), task(2, "running"))


@pytest.mark.parametrize("update", ["rollback_started", "rollback_completed", "rollback_paused"])
def test_a_crash_at_start_that_is_rolled_back(update: str) -> None:
    """However far that is: the old version at 1/1 and healthy is a failed upgrade."""
    story = Story(earlier={"task-1"})
    crashed = task(2, "failed", "task: non-zero exit (7)", code=7)
    story.waits("updating", old(1, "running"), crashed)

    found = story.doomed(update, old(1, "running"), crashed, image="web:1", token="the one before")

    assert "Swarm rolled it back: task: non-zero exit (7)" == found.reason
    assert not found.place


def test_one_that_never_gets_healthy() -> None:
    error = "task: non-zero exit (143): dockerexec: unhealthy container"
    story = Story(earlier={"task-1"})
    story.waits("updating", old(1, "running"), task(2, "starting"), after=20)

    found = story.doomed("rollback_completed", old(1, "running"), task(2, "failed", error))

    assert f"Swarm rolled it back: {error}" == found.reason


@pytest.mark.parametrize("update", ["rollback_started", "paused"])
def test_an_image_that_is_missing_is_trouble_of_the_place(update: str) -> None:
    """It was pulled before; where it cannot be had, that says nothing about the recipe."""
    story = Story(earlier={"task-1"})

    found = story.doomed(
        update,
        old(1, "running"),
        task(2, "rejected", "No such image: web:99"),
        task(3, "rejected", "No such image: web:99"),
    )

    assert found.reason.endswith(": No such image: web:99")
    assert found.place


def test_an_image_that_is_missing_beside_another_error_is_not() -> None:
    story = Story()

    found = story.doomed(
        "paused", task(2, "failed", "it crashed"), task(3, "rejected", "No such image: web:99")
    )

    assert "Swarm paused its update: No such image: web:99; it crashed" == found.reason
    assert not found.place


def test_one_that_dies_later_has_converged_before() -> None:
    """That is for the probe and the soak to find; it does not count as converged again."""
    story = Story(earlier={"task-1"})
    story.converged("completed", old(1, "shutdown"), task(2, "running"))

    story.waits("completed", old(1, "shutdown"), task(2, "failed", "x"), task(3, "ready"))


def test_a_paused_update() -> None:
    """For ever, whatever runs."""
    story = Story(earlier={"task-1"})

    found = story.doomed(
        "paused", old(1, "running"), task(2, "failed", "boom"), task(3, "starting")
    )

    assert "Swarm paused its update: boom" == found.reason
    assert not found.place


def test_a_pause_without_an_error_says_what_swarm_says() -> None:
    story = Story()

    found = story.doomed("paused", task(1, "running"), message="update paused due to task-1")
    assert "Swarm paused its update: update paused due to task-1" == found.reason
    found = story.doomed("paused", task(1, "running"))
    assert "Swarm paused its update: no error was given" == found.reason
    assert not found.place


def test_a_good_update_after_a_paused_one() -> None:
    """What died of the one before does not matter."""
    story = Story(earlier={"task-1", "task-2", "task-3"})
    before = [old(number, "failed", "boom") for number in (1, 2, 3)]

    story.waits("updating", *before, task(4, "starting"))
    story.converged("completed", *before, task(4, "running"))


def test_the_same_again() -> None:
    """Nothing is started anew, and the update status is gone."""
    story = Story(earlier={"task-1"})

    story.converged("", task(1, "running"))
