"""Whose things on a Swarm are, and which Swarm an app is on."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_warmci.engines.swarm import engine as engines
from pytest_warmci.errors import EngineUnavailable, NotEvaluated
from tests.fake_docker import NAMESPACE, NODE
from tests.unit.compose_stack import STACK
from tests.unit.swarm_app import SwarmApp, swarm_app


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SwarmApp:
    return swarm_app(tmp_path, monkeypatch)


def test_what_a_foreign_stack_of_that_name_has_is_not_waited_for(app: SwarmApp) -> None:
    """Nor is it taken for left over: a recovery would try to end it."""
    app.up()
    app.down()
    theirs = {NAMESPACE: STACK}
    service = app.docker.add("service", f"{STACK}_theirs", theirs)
    app.docker._labels[service["ID"]] = theirs
    task = app.docker._task(service, {"ContainerSpec": {"Image": "web:1"}}, "running")

    assert [] == app.engine.leftovers(app.spot)
    app.engine.settle(app.spot, 0.05)

    assert [task] == app.docker.all_tasks
    with pytest.raises(NotEvaluated, match="that is not ours"):
        app.engine.deploy(app.spot, app.stack())


def test_containers_are_found_by_our_own_label(app: SwarmApp) -> None:
    """They are there when their service is gone."""
    app.up()
    app.engine.undeploy(app.spot)

    kinds = [each.partition(" ")[0] for each in app.engine.leftovers(app.spot)]
    assert {"task": 2, "container": 2} == {
        kind: kinds.count(kind) for kind in ("task", "container")
    }


@pytest.mark.parametrize("verb", ["leftovers", "undeploy", "data", "remove"])
def test_on_another_swarm_nothing_is_said_to_be_gone(app: SwarmApp, verb: str) -> None:
    """There nothing of the app is found: a recovery would delete its folder and forget it."""
    app.up()
    app.docker.id, app.docker.state["Cluster"] = "other", {"ID": "other-swarm"}
    app.engine = app.new_engine()

    with pytest.raises(EngineUnavailable, match="the app is on another Swarm") as caught:
        getattr(app.engine, verb)(app.spot)

    assert "it was deployed at unix:///fake.sock" in caught.value.why
    assert str(app.spot.folder / "stack" / "home.json") in caught.value.remedy


@pytest.mark.parametrize("same", ["engine", "swarm"])
def test_a_swarm_made_anew_and_another_manager_of_it_are_home(app: SwarmApp, same: str) -> None:
    """The first has the volumes, the second the services."""
    app.up()
    if same == "engine":
        app.docker.state |= {"Cluster": {"ID": "made-anew"}, "NodeID": "made-anew"}
    else:
        app.docker.id = "another-manager"
    app.engine = app.new_engine()

    app.down()

    assert [] == app.engine.leftovers(app.spot)
    assert {"volume:data", "volume:files"} == app.engine.data(app.spot).keys()


@pytest.mark.parametrize("verb", ["data", "make_data", "drop_data", "remove", "deploy"])
def test_another_manager_has_other_volumes(app: SwarmApp, verb: str) -> None:
    """There none would be found, and new ones made. Its services can be ended there."""
    app.up()
    app.docker.id, app.docker.state["NodeID"] = "another-manager", "another-node"
    app.engine = app.new_engine()
    more = {"make_data": ({"volume:data"},), "drop_data": ((),), "deploy": (app.stack(),)}

    with pytest.raises(EngineUnavailable, match="the app's volumes are on another node") as caught:
        getattr(app.engine, verb)(app.spot, *more.get(verb, ()))

    assert f"node {NODE}; the one at unix:///fake.sock is another-node" in caught.value.why
    app.engine.undeploy(app.spot)
    assert [] == app.docker.things["service"]


def test_where_it_is_is_written_down_before_anything_is_made(
    app: SwarmApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is killed in between is found."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(engines, "create_secrets", die)
    with pytest.raises(KeyboardInterrupt):
        app.engine.deploy(app.spot, app.stack())

    assert (app.spot.folder / "stack" / "home.json").is_file()
    assert [] == app.docker.things["secret"]
