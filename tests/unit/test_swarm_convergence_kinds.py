"""Convergence of every kind of service: how many tasks, whether they should end, whose it is."""

from __future__ import annotations

import pytest

from pytest_warmci.clients.waiting import Look
from pytest_warmci.engines.swarm.convergence import ServiceLook, look_at
from tests.unit.swarm_facts import GLOBAL, STACK, TOKEN, service, task
from tests.unit.swarm_story import NO_PLACE, Facts, Story, crash


def test_no_replica_at_all() -> None:
    """Converged when the old ones are gone; that nothing runs is no fault."""
    story = Story(earlier={"task-1"})
    none = {"Replicated": {"Replicas": 0}}

    story.waits("", task(1, "running", desired="remove"), mode=none)
    story.converged("", mode=none)
    story.converged("", task(1, "shutdown"), mode=none, after=60)


def test_two_replicas() -> None:
    story = Story()
    two = {"Replicated": {"Replicas": 2}}

    story.waits("", task(1, "running"), mode=two)
    story.waits("", task(1, "running"), task(2, "starting"), mode=two)
    story.converged("", task(1, "running"), task(2, "running"), mode=two)
    story.waits("", task(1, "running"), task(2, "running"), task(3, "running"), mode=two)


def test_a_replica_unless_it_is_said() -> None:
    story = Story()

    story.waits("", mode={"Replicated": {}})
    story.converged("", task(1, "running"), mode={"Replicated": {}})


def test_a_global_service() -> None:
    """One on each node that takes it: as many as Swarm makes, and at least one."""
    story = Story()

    story.waits("", mode=GLOBAL)
    story.waits("", task(1, "running"), task(2, "preparing"), mode=GLOBAL)
    story.waits("", task(1, "running"), task(2, "ready", desired="ready"), mode=GLOBAL)
    story.converged("", task(1, "running"), task(2, "running"), mode=GLOBAL)


@pytest.mark.parametrize(
    ("job", "wanted"),
    [
        ({"ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": 1}}, 1),
        ({"ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": 3}}, 3),
        ({"ReplicatedJob": {"MaxConcurrent": 2}}, 2),
        ({"ReplicatedJob": {}}, 1),
    ],
)
def test_a_job_has_converged_when_it_is_done(job: Facts, wanted: int) -> None:
    """Its tasks are meant to end; while they run nothing is wrong."""
    story = Story()
    done = [task(number, "complete", desired="complete") for number in range(1, wanted + 1)]
    last = task(wanted, "running", desired="complete")

    story.waits("", *done[:-1], last, mode=job, after=60)
    story.converged("", *done, mode=job)


def test_a_job_that_was_done_before_must_be_done_again() -> None:
    """Each deployment runs it anew; what it is made of may be the same."""
    story = Story(earlier={"task-1"})
    job = {"ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": 1}}
    before = task(1, "complete", desired="remove", iteration=0)

    story.waits("", before, mode=job, iteration=1)
    story.waits(
        "", before, task(2, "running", desired="complete", iteration=1), mode=job, iteration=1
    )
    story.converged(
        "", before, task(2, "complete", desired="complete", iteration=1), mode=job, iteration=1
    )


def test_a_global_job_is_done_on_every_node() -> None:
    story = Story()
    job: Facts = {"GlobalJob": {}}
    done = [task(number, "complete", desired="complete") for number in (1, 2)]

    story.waits("", done[0], task(2, "running", desired="complete"), mode=job)
    story.converged("", *done, mode=job)


def test_a_job_that_fails_for_good_is_down() -> None:
    """Without a restart nothing is going to do it any more."""
    story = Story()
    job = {"ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": 1}}
    story.waits("", crash(1), mode=job)

    found = story.doomed("", crash(1), mode=job, after=3)

    assert found.reason.endswith("never starts it again: task: non-zero exit (1)")


def test_a_job_that_fails_again_and_again_is_in_a_loop() -> None:
    story = Story()
    job = {"ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": 5}}
    story.waits("", task(1, "complete", desired="complete"), task(2, "running"), mode=job)
    story.waits("", *(task(n, "complete", desired="complete") for n in (1, 2, 3, 4)), mode=job)
    done = [task(number, "complete", desired="complete") for number in (1, 2, 3, 4)]

    found = story.doomed("", *done, crash(5), crash(6), crash(7), task(8, "new"), mode=job)

    assert "crashes again and again: task: non-zero exit (1)" == found.reason


def test_a_job_that_cannot_be_placed() -> None:
    story = Story()
    job = {"ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": 1}}
    pending = task(1, "pending", NO_PLACE, desired="complete")
    story.waits("", pending, mode=job)

    assert f"cannot be placed: {NO_PLACE}" == story.doomed("", pending, mode=job, after=5).reason


@pytest.mark.parametrize("update", ["", "updating", "completed"])
def test_what_somebody_else_deploys_meanwhile_is_not_ours(update: str) -> None:
    """Trouble of the place, however well it runs."""
    found = Story().doomed(update, task(1, "running"), token="another")

    assert "somebody else has deployed it meanwhile" == found.reason
    assert found.place


def test_a_service_that_is_missing() -> None:
    """It is named; the others are not."""
    story = Story("app", "db", "cache")

    found = story.look([service("app")], task(1, "running"))

    assert Look(False, f"{STACK}_cache is not there; {STACK}_db is not there") == found


def test_services_of_before_do_not_matter() -> None:
    """Docker leaves them where they are, as operators do."""
    story = Story("app")
    before = service("gone", "paused", token="the one before")

    assert story.look([service("app"), before], task(1, "running")).ok


def test_all_services_must_be_up() -> None:
    """Each says how it is."""
    story = Story("app", "db")
    both = [service("app"), service("db", "updating")]

    found = story.look(both, task(1, "starting"), task(2, "preparing", of="db"))

    assert f"{STACK}_app 0/1, starting; {STACK}_db 0/1, preparing, update updating" == found.state
    both = [service("app"), service("db")]
    assert story.look(both, task(1, "running"), task(2, "running", of="db")).ok


def test_a_look_has_the_tasks_of_its_own_service_in_their_order() -> None:
    tasks = [task(2, "running"), task(3, "running", of="db"), task(1, "failed", "x")]

    found = look_at(service(), tasks, TOKEN, {"task-1"})

    assert isinstance(found, ServiceLook)
    assert ["task-1", "task-2"] == [each.id for each in found.tasks]
    assert [True, False] == [each.earlier for each in found.tasks]
    assert [True, False] == [each.ended for each in found.tasks]


def test_labels_may_be_missing() -> None:
    """A service that somebody made by hand within our stack is not taken for ours."""
    bare = service()
    del bare["Spec"]["Labels"]
    bare["UpdateStatus"] = None

    assert not look_at(bare, [], TOKEN, ()).intended
