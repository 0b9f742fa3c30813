"""Convergence on a Swarm, judged from looks as they were seen on a real one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import pytest

from pytest_warmci.clients.waiting import Look
from pytest_warmci.engines.swarm.convergence import Convergence, Doomed, ServiceLook, look_at
from tests.unit.swarm_facts import GLOBAL, STACK, TOKEN, old, service, task

Facts = dict[str, Any]
NO_PLACE = "no suitable node (host-mode port already in use on 1 node)"


class Story:
    """One deployment of services, looked at again and again by a clock moved by hand."""

    def __init__(self, *names: str, earlier: Collection[str] = ()) -> None:
        self.now = 100.0
        self.earlier = earlier
        expected = frozenset(f"{STACK}_{name}" for name in names or ("app",))
        self.judged = Convergence(expected, lambda: self.now)

    def look(self, services: Sequence[Facts], *tasks: Facts, after: float = 0.2) -> Look:
        self.now += after
        return self.judged.look([look_at(each, tasks, TOKEN, self.earlier) for each in services])

    def app(self, update: str, *tasks: Facts, after: float = 0.2, **more: Any) -> Look:
        """Look at one service, `app`."""
        return self.look([service(update=update, **more)], *tasks, after=after)

    def waits(self, update: str, *tasks: Facts, after: float = 0.2, **more: Any) -> str:
        """Look at `app`, which has not converged and still may; return what is said."""
        found = self.app(update, *tasks, after=after, **more)
        assert not found.ok, found
        return found.state

    def converged(self, update: str, *tasks: Facts, **more: Any) -> None:
        assert Look(ok=True, state="converged") == self.app(update, *tasks, **more)

    def doomed(self, update: str, *tasks: Facts, after: float = 0.2, **more: Any) -> Doomed:
        with pytest.raises(Doomed) as caught:
            self.app(update, *tasks, after=after, **more)
        assert f"{STACK}_app" == caught.value.service
        return caught.value


# -- every case that was seen ----------------------------------------------------------------


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


# -- rules -----------------------------------------------------------------------------------


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


def test_a_task_that_cannot_be_placed_is_given_some_seconds() -> None:
    """It stays pending for ever, and the old version runs."""
    story = Story(earlier={"task-1"})
    pending = task(2, "pending", NO_PLACE)

    assert story.waits("updating", old(1, "running"), pending).endswith(f", {NO_PLACE}")
    story.waits("updating", old(1, "running"), pending, after=4.9)
    found = story.doomed("updating", old(1, "running"), pending, after=0.2)

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


def crash(number: int, **more: Any) -> Facts:
    return task(number, "failed", "task: non-zero exit (1)", code=1, **more)


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


# -- how many, and whose ---------------------------------------------------------------------


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
