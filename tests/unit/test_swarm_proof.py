"""What comes up on a Swarm is proven, and what does not says why."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pytest_warmci.engines.swarm.convergence import Convergence
from pytest_warmci.errors import (
    CommandFailed,
    EngineUnavailable,
    NotEvaluated,
    RecipeFailed,
)
from pytest_warmci.model import Stack
from tests.fake_docker import NODE
from tests.unit.compose_stack import STACK
from tests.unit.swarm_app import COMPOSE, PASSWORD, SwarmApp, swarm_app


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SwarmApp:
    return swarm_app(tmp_path, monkeypatch)


def test_a_rolled_back_update_fails_with_its_error_and_log(app: SwarmApp) -> None:
    """The end of the service's own log, with secrets blotted out."""
    app.up()
    app.docker.crashing["app"] = "task: non-zero exit (7)"
    password = app.docker.values[PASSWORD]
    lines = [b"line %d" % number for number in range(30)]
    app.docker.logs[f"{STACK}_app"] = b"\n".join([*lines, b"password " + password])

    with pytest.raises(RecipeFailed) as caught:
        app.up(app.stack(WEB="2"))

    assert "service 'app' does not come up" == caught.value.what
    why = caught.value.why.splitlines()
    assert "Swarm rolled it back: task: non-zero exit (7)" == why[0]
    assert ["line 16", "password ********"] == [why[1], why[-1]]
    assert 16 == len(why)


def test_what_fails_between_two_answers_has_its_error(app: SwarmApp) -> None:
    """The tasks are from before, the services from after; so both are asked for again."""
    app.up()
    stack = app.stack(WEB="2")
    app.engine.deploy(app.spot, stack)
    [service] = [each for each in app.docker.things["service"] if "_app" in each["Spec"]["Name"]]
    task = app.docker.all_tasks[-1]
    service["UpdateStatus"] = {"State": "updating", "Message": "update in progress"}

    def crash() -> None:
        service["UpdateStatus"] = {"State": "paused", "Message": "early termination of a task"}
        task["Status"] |= {"State": "failed", "Err": "task: non-zero exit (5)"}

    app.docker.meanwhile = crash

    with pytest.raises(RecipeFailed) as caught:
        app.engine.wait_converged(app.spot, stack, 5)

    assert "Swarm paused its update: task: non-zero exit (5)" == caught.value.why.splitlines()[0]


@pytest.mark.parametrize(
    "judge",
    [
        lambda app, stack: app.engine.wait_converged(app.spot, stack, 5),
        lambda app, stack: app.engine.prove(app.spot, stack),
    ],
    ids=["converging", "proving"],
)
def test_services_that_never_hold_still_are_not_evaluated(
    app: SwarmApp, judge: Callable[[SwarmApp, Stack], object]
) -> None:
    """Somebody deploys them again and again; that is no endless loop."""
    stack = app.up()
    [service, *_] = app.docker.things["service"]
    numbers = count()
    app.docker.meanwhile = lambda: service.update(Version={"Index": next(numbers)})

    with pytest.raises(NotEvaluated) as caught:
        judge(app, stack)

    assert f"the services of the stack '{STACK}' change without a pause" == caught.value.what
    assert "each of the 20 times" in caught.value.why


@pytest.mark.parametrize(
    "error",
    [
        EngineUnavailable("no Docker engine answers"),
        CommandFailed("Docker refused", why="configured logging driver does not support reading"),
    ],
)
def test_a_log_that_cannot_be_read_hides_no_failure(error: Exception, app: SwarmApp) -> None:
    app.up()
    app.docker.crashing["app"] = "boom"
    app.docker.logs[f"{STACK}_app"] = error

    with pytest.raises(RecipeFailed) as caught:
        app.up(app.stack(WEB="2"))

    assert "Swarm rolled it back: boom" == caught.value.why


def test_an_image_that_a_node_cannot_have_is_no_fault_of_the_recipe(app: SwarmApp) -> None:
    app.up()
    app.docker.crashing["app"] = "No such image: web:2"

    with pytest.raises(NotEvaluated) as caught:
        app.up(app.stack(WEB="2"))

    assert not isinstance(caught.value, RecipeFailed)
    assert "Swarm rolled it back: No such image: web:2" == caught.value.why


def test_not_converged_in_time(app: SwarmApp) -> None:
    """The caller's limit, and what there was at its end."""
    app.engine.deploy(app.spot, app.stack())
    app.docker.all_tasks[0]["Status"]["State"] = "starting"

    with pytest.raises(RecipeFailed) as caught:
        app.engine.wait_converged(app.spot, app.stack(), 0.01)

    assert "not converged after 0 s" == caught.value.what
    assert f"{STACK}_app 0/1, starting" == caught.value.why


def test_one_look_is_not_enough(app: SwarmApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Swarm has not begun yet looks as if it were done."""
    looks: list[bool] = []
    look = Convergence.look

    def noted(judged: Convergence, services: Any) -> Any:
        found = look(judged, services)
        looks.append(found.ok)
        return found

    monkeypatch.setattr(Convergence, "look", noted)

    app.up()

    assert [True, True] == looks


def unproven(app: SwarmApp, wanted: Any = None) -> NotEvaluated:
    with pytest.raises(NotEvaluated) as caught:
        app.engine.prove(app.spot, wanted or app.stack())
    return caught.value


def test_another_deployment_is_no_proof(app: SwarmApp) -> None:
    """Nor one that Swarm went back from: its labels are those of the one before."""
    app.up()
    app.docker.things["service"][0]["Spec"]["Labels"]["pytest-warmci.deploy"] = "another"

    assert "service 'app' does not run as 1.0.0+1 (1a2b3c4d) says" == unproven(app).what


def test_another_commit_is_no_proof(app: SwarmApp) -> None:
    app.up()
    app.docker.things["service"][1]["Spec"]["Labels"]["pytest-warmci.commit"] = "f" * 40

    assert unproven(app).what.startswith("service 'db' does not run as")


def test_a_missing_service_is_no_proof(app: SwarmApp) -> None:
    app.up()
    app.docker.things["service"].pop()

    assert unproven(app).what.startswith("service 'db' does not run as")


@pytest.mark.parametrize("state", ["starting", "failed", "shutdown"])
def test_no_running_task_is_no_proof(state: str, app: SwarmApp) -> None:
    """Whatever the service wishes."""
    app.up()
    app.docker.all_tasks[0]["Status"]["State"] = state

    error = unproven(app)

    assert error.what.startswith("service 'app' does not run as")
    assert error.why.startswith(f"{STACK}_app 0/1")


def test_an_old_task_beside_it_is_no_proof(app: SwarmApp) -> None:
    app.up()
    app.up(app.stack(WEB="2"))
    app.docker.all_tasks[0]["Status"]["State"] = "running"

    assert "running (old)" in unproven(app, app.stack(WEB="2")).why


def test_another_image_under_the_same_name_is_no_proof(app: SwarmApp) -> None:
    """By the id of what the container was made of."""
    app.up()
    app.docker.images["web:1"] = "sha256:another"

    assert "service 'app' does not run the image web:1" == unproven(app).what


def test_another_image_by_an_override_is_no_proof(app: SwarmApp) -> None:
    """Also where the container is on another node."""
    app.docker.others.add("app")
    compose = COMPOSE.replace('    volumes: ["files:/files"]\n', "")
    stack = app.up(app.stack(compose))
    for each in (
        app.docker.things["service"][0]["Spec"]["TaskTemplate"],
        app.docker.all_tasks[0]["Spec"],
    ):
        each["ContainerSpec"] = {"Image": "web:2"}

    assert "service 'app' does not run the image web:1" == unproven(app, stack).what


def test_a_container_that_is_gone_is_no_proof(app: SwarmApp) -> None:
    app.up()
    app.docker.all_containers.clear()

    assert "service 'app' does not run the image web:1" == unproven(app).what


def test_volumes_on_another_node_are_no_proof(app: SwarmApp) -> None:
    """They would be new and empty there; with the way to pin them."""
    app.docker.others.add("db")
    app.up()

    error = unproven(app)

    assert f"service 'db' runs on another node than {NODE}" == error.what
    assert "pin it with a placement constraint in an override file" == error.remedy


def test_a_service_without_volumes_may_be_anywhere(app: SwarmApp) -> None:
    app.docker.others.add("app")
    stack = app.up(app.stack(COMPOSE.replace('    volumes: ["files:/files"]\n', "")))

    assert "app runs web:1, db runs db:1 (dddddddddddd)" in app.engine.prove(app.spot, stack)
