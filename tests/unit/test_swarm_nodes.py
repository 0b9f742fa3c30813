"""A node that was away since an app was deployed is why nothing can be held against the recipe."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_warmci.errors import CommandFailed, EngineUnavailable, NotEvaluated
from tests.fake_docker import NODE, OTHER, FakeDocker
from tests.unit.swarm_app import SwarmApp, swarm_app


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SwarmApp:
    return swarm_app(tmp_path, monkeypatch)


def trouble(app: SwarmApp) -> str:
    """Return what another engine, as of another session, says; empty when it says nothing."""
    found = app.new_engine().trouble(app.spot)
    return "" if found is None else found.what


AWAY = f"the engine of node host-{NODE} was away or started anew while the app was deployed"


def test_nothing_that_is_deployed_makes_trouble(app: SwarmApp) -> None:
    """Nor does an app that never was, or is gone; nor what happens before it is deployed."""
    assert "" == trouble(app)
    app.docker.versions[NODE] += 1
    app.up()
    assert "" == trouble(app)
    app.up(app.stack(WEB="2"))
    assert "" == trouble(app)
    app.down()
    assert "" == trouble(app)
    app.docker.versions[NODE] += 1
    app.gone()
    assert "" == trouble(app)


def test_an_engine_that_started_anew(app: SwarmApp) -> None:
    """It says which, where and what to do; as long as the app is there, undeployed or not."""
    app.up()
    app.docker.versions[NODE] += 1

    found = app.engine.trouble(app.spot)

    assert isinstance(found, EngineUnavailable)
    assert (AWAY, app.docker.endpoint.url) == (found.what, found.where)
    assert "run again" in found.remedy
    app.down()
    assert AWAY == trouble(app)


def test_what_is_changed_in_place_still_suffers(app: SwarmApp) -> None:
    """A service that ended with the engine, and that head does not change, is not started again."""
    app.up()
    app.docker.versions[NODE] += 1
    app.up(app.stack(WEB="2"))
    assert AWAY == trouble(app)

    app.down()
    app.up()

    assert "" == trouble(app)


def test_only_nodes_that_the_app_is_on(app: SwarmApp) -> None:
    """In a large Swarm there is always one that comes or goes."""
    app.up()
    app.docker.versions[OTHER] += 1
    assert "" == trouble(app)
    app.docker.others = {"app"}
    app.up(app.stack(WEB="2"))

    assert AWAY.replace(NODE, OTHER) == trouble(app)


def test_a_node_that_has_left(app: SwarmApp) -> None:
    app.docker.others = {"app"}
    app.up()

    del app.docker.versions[OTHER]

    assert AWAY.replace(f"host-{NODE}", OTHER) == trouble(app)


@pytest.mark.parametrize("error", [EngineUnavailable("nobody"), CommandFailed("not ready")])
@pytest.mark.parametrize("verb", ["info", "nodes", "tasks"])
def test_an_engine_that_does_not_answer_is_the_trouble(
    app: SwarmApp, monkeypatch: pytest.MonkeyPatch, verb: str, error: NotEvaluated
) -> None:
    """Nobody that asks gets an error of its own; nor does one that starts and is not ready."""
    app.up()
    engine = app.new_engine()
    monkeypatch.setattr(app.docker, verb, failing(error))

    assert error is engine.trouble(app.spot)


def test_a_record_of_an_earlier_version(app: SwarmApp) -> None:
    """It knows no nodes."""
    app.up()
    path = app.spot.folder / "stack" / "deploy.json"
    record = json.loads(path.read_text())
    assert app.docker.versions == record.pop("nodes")
    path.write_text(json.dumps(record))

    app.docker.versions[NODE] += 1

    assert "" == trouble(app)


def failing(error: Exception) -> Callable[..., FakeDocker]:
    def fail(*_: object) -> FakeDocker:
        raise error

    return fail
