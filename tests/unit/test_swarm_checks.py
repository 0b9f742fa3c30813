"""What must hold before anything is deployed to a Swarm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_warmci.errors import (
    EngineUnavailable,
    FetchFailed,
    InputError,
    NotEvaluated,
)
from tests.fake_docker import NAMESPACE
from tests.unit.compose_stack import STACK
from tests.unit.swarm_app import COMPOSE, SwarmApp, swarm_app


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SwarmApp:
    return swarm_app(tmp_path, monkeypatch)


@pytest.mark.parametrize("kind", ["service", "network", "secret", "config", "volume"])
@pytest.mark.parametrize(
    "labels", [{NAMESPACE: STACK}, {NAMESPACE: STACK, "pytest-warmci.state": "another"}]
)
def test_a_stack_of_somebody_else_is_refused(
    kind: str, labels: dict[str, str], app: SwarmApp
) -> None:
    """By name, and before anything is made or even pulled."""
    app.docker.add(kind, "theirs", labels)
    app.docker.images.clear()
    before = {name: list(things) for name, things in app.docker.things.items()}

    with pytest.raises(NotEvaluated) as caught:
        app.engine.deploy(app.spot, app.stack())

    assert f"there is a stack '{STACK}' that is not ours" == caught.value.what
    assert f"without our label: {kind} theirs" == caught.value.why
    assert before == app.docker.things


@pytest.mark.parametrize(
    ("swarm", "what"),
    [
        ({"LocalNodeState": "inactive"}, "the Docker engine is in no Swarm"),
        ({"LocalNodeState": ""}, "the Docker engine is in no Swarm"),
        ({"LocalNodeState": "locked"}, "the Docker engine is in no Swarm"),
        ({"ControlAvailable": False}, "the Docker engine is a worker of its Swarm, not a manager"),
    ],
)
def test_no_swarm(
    swarm: dict[str, Any], what: str, app: SwarmApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: "/usr/bin/docker")
    app.engine.check()
    app.docker.state |= swarm
    with pytest.raises(EngineUnavailable) as caught:
        app.new_engine().check()

    assert what == caught.value.what
    assert "unix:///fake.sock (DOCKER_HOST)" == caught.value.where


def test_no_command_line(app: SwarmApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)

    with pytest.raises(EngineUnavailable, match="there is no program `docker`"):
        app.engine.check()


@pytest.mark.parametrize(
    ("compose", "what"),
    [
        (COMPOSE.replace("_password_v1", "_" + "p" * 40), "characters, Docker takes 64"),
        (COMPOSE.replace("_conf_v1", "_" + "c" * 40), "characters, Docker takes 64"),
        (COMPOSE.replace("  db:", f"  {'d' * 40}:"), "characters, Docker takes 63"),
    ],
)
def test_names_that_are_too_long(compose: str, what: str, app: SwarmApp) -> None:
    with pytest.raises(InputError) as caught:
        app.engine.examine(app.stack(compose))

    assert caught.value.what.endswith(what)
    assert STACK in caught.value.what


@pytest.mark.parametrize(
    ("volume", "what"),
    [
        ("{external: true}", "the volume data is external (data)"),
        ("{external: true, name: shared}", "the volume data is external (shared)"),
        ("{name: shared}", "the volume data has a name of its own (shared)"),
    ],
)
def test_data_that_is_not_the_apps_alone(volume: str, what: str, app: SwarmApp) -> None:
    """Of a name of its own every app of the recipe would use the same volume."""
    compose = COMPOSE.replace("data: }", f"data: {volume}}}")

    with pytest.raises(EngineUnavailable) as caught:
        app.engine.examine(app.stack(compose))

    assert what == caught.value.what


def test_a_volume_named_after_its_stack_is_fine(app: SwarmApp) -> None:
    app.engine.examine(app.stack(COMPOSE.replace("data: }", 'data: {name: "${STACK_NAME}_x"}}')))


def test_examining_sees_variables(app: SwarmApp) -> None:
    with pytest.raises(InputError, match="the variable DOCKER_HOST cannot be used"):
        app.engine.examine(app.stack(DOCKER_HOST="x"))


def test_images_are_pulled_once_where_they_are_missing(app: SwarmApp) -> None:
    """And said, because it takes long."""
    app.docker.registry = {"db:1": app.docker.images.pop("db:1")}

    app.engine.prepare(app.stack())
    app.engine.prepare(app.stack())

    assert ["pulling db:1"] == app.said


def test_an_image_that_nobody_has(app: SwarmApp) -> None:
    del app.docker.images["web:1"]

    with pytest.raises(FetchFailed):
        app.engine.prepare(app.stack())


def test_a_network_that_is_missing(app: SwarmApp) -> None:
    """With the command that makes it."""
    app.docker.things["network"].clear()

    with pytest.raises(EngineUnavailable) as caught:
        app.engine.prepare(app.stack())

    assert "the Swarm has no network 'proxy'" == caught.value.what
    assert "docker network create --driver overlay --attachable proxy" == caught.value.remedy
