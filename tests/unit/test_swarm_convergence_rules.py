"""The rules by which a deployment on a Swarm has converged, waits, or never will."""

from __future__ import annotations

import pytest

from pytest_warmci.engines.swarm.convergence import Doomed
from tests.unit.swarm_facts import STACK, old, service, task
from tests.unit.swarm_story import NO_PLACE, Facts, Story, crash


def test_who_ended_by_itself_is_down_for_ever() -> None:
    """On-failure and exit code 0: no error is anywhere. Between two tasks there may be none."""
    story = Story()
    ended = task(1, "complete")

    assert f"{STACK}_app 0/1" == story.waits("", ended).partition(",")[0]
    story.waits("", ended, after=2.9)
    found = story.doomed("", ended, after=0.2)

    assert (
        "is down, and Swarm never starts it again: ended by itself with exit code 0"
        == found.reason
    )
    assert not found.place


def test_an_instant_without_a_task_is_not_down() -> None:
    """The clock begins anew each time."""
    story = Story()
    story.waits("", task(1, "failed", "x"))
    story.waits("", task(1, "failed", "x"), task(2, "ready", desired="ready"), after=2.5)
    story.waits("", task(1, "failed", "x"), task(2, "failed", "x"), after=2.5)
    story.waits("", task(1, "failed", "x"), task(2, "failed", "x"), after=2.5)

    story.doomed("", task(1, "failed", "x"), task(2, "failed", "x"), after=2.5)


def test_a_service_that_was_down_before_and_is_not_started_is_down() -> None:
    """Deploying the same again changes nothing; what it died of is from before."""
    story = Story(earlier={"task-1"})
    story.waits("", task(1, "complete", code=0))

    found = story.doomed("", task(1, "complete"), after=3)

    assert found.reason.endswith("ended by itself with exit code 0")


def test_no_task_while_it_is_updated_is_not_down() -> None:
    story = Story(earlier={"task-1"})
    story.waits("updating", old(1, "shutdown"))

    story.waits("updating", old(1, "shutdown"), after=60)


def test_down_without_any_error_says_so() -> None:
    story = Story()
    story.waits("", task(1, "shutdown"))

    found = story.doomed("", task(1, "shutdown"), after=3)

    assert "is down, and Swarm never starts it again: no error was given" == found.reason


@pytest.mark.parametrize("update", ["", "completed"])
def test_what_a_service_wishes_is_not_what_runs(update: str) -> None:
    """It said the new image and 1/1 while an old task ran."""
    story = Story(earlier={"task-1"})

    story.waits(update, old(1, "running"), image="web:2")


@pytest.mark.parametrize(
    ("template", "spec"),
    [
        ({"Resources": {"Limits": {"MemoryBytes": 2}}}, {"Resources": {"Limits": {}}}),
        ({"Networks": [{"Target": "a"}, {"Target": "b"}]}, {"Networks": [{"Target": "a"}]}),
        ({"RestartPolicy": {"Condition": "any"}}, {"RestartPolicy": {"Condition": "none"}}),
        ({"LogDriver": {"Name": "none"}}, {}),
        ({"ForceUpdate": 1}, {"ForceUpdate": 0}),
    ],
)
def test_a_change_outside_of_the_container_is_one(template: Facts, spec: Facts) -> None:
    """Swarm makes the task anew; for an instant only the old one is there, and no update."""
    story = Story(earlier={"task-1"})

    story.waits("", task(1, "running", **spec), **template)
    story.converged(
        "completed", task(1, "shutdown", **spec), task(2, "running", **template), **template
    )


def test_a_task_may_stay_when_only_its_placement_changes() -> None:
    """Swarm leaves it where the new one would be met."""
    story = Story(earlier={"task-1"})

    story.converged("", task(1, "running"), Placement={"Constraints": ["node.role==manager"]})


@pytest.mark.parametrize("state", ["starting", "preparing", "ready"])
def test_completed_comes_too_early(state: str) -> None:
    """After a stuck update was superseded, 36 seconds before the task ran."""
    story = Story(earlier={"task-1"})

    story.waits("completed", old(1, "shutdown"), task(2, state), after=36)
    story.converged("completed", old(1, "shutdown"), task(2, "running"))


@pytest.mark.parametrize("update", ["", "completed"])
def test_two_tasks_for_the_place_of_one_are_swarms_fault(update: str) -> None:
    """One of the update, one of a restart: both wanted, and none is taken away."""
    story = Story(earlier={"task-1"})
    both = task(2, "running"), task(3, "running")

    assert f"{STACK}_app 2/1" == story.waits(update, crash(1), *both).partition(",")[0]
    story.waits(update, crash(1), *both, after=4.9)
    found = story.doomed(update, crash(1), *both, after=0.2)

    assert (
        "no update is under way, and Swarm keeps 2 tasks running where 1 should be" == found.reason
    )
    assert found.place


def test_more_than_wanted_for_an_instant_is_fine() -> None:
    """The clock begins anew each time."""
    story = Story()
    story.waits("completed", task(1, "running"), task(2, "running"))
    story.waits("completed", task(1, "running"), task(2, "running"), after=4)

    story.converged("completed", task(1, "shutdown"), task(2, "running"))
    story.waits("completed", task(2, "running"), task(3, "running"), after=4)
    story.waits("completed", task(2, "running"), task(3, "running"), after=4)


@pytest.mark.parametrize(
    ("update", "first"),
    [
        ("updating", task(1, "running")),
        ("completed", task(1, "running", desired="shutdown")),
        ("completed", old(1, "running")),
        ("completed", task(1, "starting")),
    ],
)
def test_one_that_is_not_there_to_stay_has_time(update: str, first: Facts) -> None:
    """An update that is under way, one that is told to stop, one of before, one that begins."""
    story = Story()

    story.waits(update, first, task(2, "running"))
    story.waits(update, first, task(2, "running"), after=60)


def test_a_task_that_cannot_be_placed_is_given_some_seconds() -> None:
    """It stays pending for ever, and the old version runs."""
    story = Story(earlier={"task-1"})
    pending = task(2, "pending", NO_PLACE)

    assert story.waits("updating", old(1, "running"), pending).endswith(f", {NO_PLACE}")
    story.waits("updating", old(1, "running"), pending, after=4.9)
    found = story.doomed("updating", old(1, "running"), pending, after=0.2)

    assert f"cannot be placed: {NO_PLACE}" == found.reason


def test_a_task_that_waits_for_the_port_of_one_that_is_stopping_has_time() -> None:
    """Stop-first on a busy machine: the old task has its whole grace to end."""
    story = Story(earlier={"task-1"})
    pending = task(2, "pending", NO_PLACE)

    story.waits("updating", old(1, "running", desired="shutdown"), pending)
    story.waits("updating", old(1, "running", desired="shutdown"), pending, after=30)
    story.waits("updating", old(1, "shutdown"), pending)
    story.waits("updating", old(1, "shutdown"), pending, after=4.9)
    found = story.doomed("updating", old(1, "shutdown"), pending, after=0.2)

    assert f"cannot be placed: {NO_PLACE}" == found.reason


def test_pending_without_an_error_or_only_for_an_instant_is_fine() -> None:
    story = Story()

    story.waits("", task(1, "pending"))
    story.waits("", task(1, "pending"), after=60)
    story.waits("", task(1, "pending", NO_PLACE))
    story.waits("", task(1, "assigned"), after=4)
    story.waits("", task(2, "pending", NO_PLACE))
    story.waits("", task(2, "pending", NO_PLACE), after=4)


def test_a_pending_task_that_is_not_wanted_any_more_does_not_matter() -> None:
    story = Story()
    gone = task(1, "pending", NO_PLACE, desired="shutdown")

    story.waits("", gone, task(2, "starting"))
    story.waits("", gone, task(2, "starting"), after=60)


def test_crashes_count_only_once_all_others_are_up() -> None:
    """An app that is faster than its database ends and is started again."""
    story = Story("app", "db")
    both = [service("app"), service("db")]
    starting, up = task(1, "starting", of="db"), task(1, "running", of="db")

    for count in (1, 2, 3, 4):
        crashes = [crash(number) for number in range(2, 2 + count)]
        assert not story.look(both, starting, *crashes, task(9, "ready")).ok
    early = [crash(number) for number in (2, 3, 4, 5)]
    assert not story.look(both, up, *early, task(9, "ready")).ok
    for count in (1, 2):
        late = [crash(number) for number in range(10, 10 + count)]
        assert not story.look(both, up, *early, *late, task(20, "ready")).ok
    late = [crash(number) for number in (10, 11, 12)]
    with pytest.raises(Doomed) as caught:
        story.look(both, up, *early, *late, task(20, "ready"))

    assert f"{STACK}_app" == caught.value.service
    assert "crashes again and again: task: non-zero exit (1)" == caught.value.reason
    assert not caught.value.place


def test_a_crash_at_the_moment_when_the_database_came_up_is_not_counted() -> None:
    """It had begun before that: the others must have been up at the look before."""
    story = Story("app", "db")
    both = [service("app"), service("db")]
    up = task(1, "running", of="db")
    story.look(both, task(1, "starting", of="db"), task(2, "running"))

    assert not story.look(both, up, crash(2), task(3, "ready")).ok
    assert not story.look(both, up, crash(2), crash(3), crash(4), task(5, "ready")).ok
    with pytest.raises(Doomed):
        story.look(both, up, crash(2), crash(3), crash(4), crash(5), task(6, "ready"))


def test_a_loop_of_a_first_deployment() -> None:
    """Swarm rolls nothing back then; there is no update status."""
    story = Story()
    story.waits("", task(1, "running", desired="running", image="web:1"))
    story.waits("", crash(1), task(2, "starting"))
    story.waits("", crash(1), crash(2), task(3, "starting"), after=16)

    found = story.doomed("", crash(1), crash(2), crash(3), task(4, "ready"), after=16)

    assert "crashes again and again: task: non-zero exit (1)" == found.reason


def test_a_service_that_completes_over_and_over_is_in_a_loop() -> None:
    story = Story()
    story.waits("", task(1, "starting"))

    found = story.doomed("", *(task(number, "complete") for number in (1, 2, 3)), task(4, "ready"))

    assert "crashes again and again: ended by itself with exit code 0" == found.reason


def test_a_loop_without_an_image_is_trouble_of_the_place() -> None:
    story = Story()
    story.waits("", task(1, "preparing"))
    rejected = [task(number, "rejected", "No such image: web:2") for number in (1, 2, 3)]

    assert story.doomed("", *rejected, task(4, "ready")).place


def test_errors_from_before_are_not_quoted() -> None:
    """Nor are they the reason for anything."""
    story = Story(earlier={"task-1", "task-2"})
    before = [old(1, "rejected", "No such image: web:1"), task(2, "failed", "long ago")]

    found = story.doomed("rollback_started", *before, task(3, "failed", "now"))

    assert "Swarm rolled it back: now" == found.reason
    assert not found.place


@pytest.mark.parametrize(("update", "image"), [("paused", "web:2"), ("rollback_started", "web:1")])
def test_what_crashes_on_until_the_update_gets_to_it_is_not_quoted(
    update: str, image: str
) -> None:
    """The version of before, in a loop: one of its tasks was made after the deployment began."""
    story = Story(earlier={"task-1"})
    loop = (old(1, "failed", "before"), old(2, "failed", "before, too"))

    found = story.doomed(update, *loop, task(3, "rejected", "No such image: web:2"), image=image)

    assert found.reason.endswith(": No such image: web:2")
    assert found.place


def test_crashes_from_before_are_not_counted() -> None:
    story = Story(earlier={"task-1", "task-2", "task-3"})
    story.waits("", task(1, "failed", "x"), task(4, "starting"))

    before = [crash(number) for number in (1, 2, 3)]
    story.waits("", *before, task(4, "starting"))


def test_errors_are_quoted_newest_first_and_once() -> None:
    story = Story()
    errors = ["a", "b", "a"]

    found = story.doomed(
        "paused", *(task(number, "failed", each) for number, each in enumerate(errors))
    )

    assert "Swarm paused its update: a; b" == found.reason


def test_too_late_names_what_the_last_one_died_of() -> None:
    """Who waits in vain must read it: all that is left then are these words."""
    story = Story()

    said = story.waits("", crash(1), task(2, "ready"))

    assert f"{STACK}_app 0/1, ready, last error: task: non-zero exit (1)" == said
