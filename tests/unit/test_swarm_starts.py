"""An engine that started anew since an app was deployed is why nothing is held against the recipe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_warmci.errors import CommandFailed, EngineUnavailable, NotEvaluated
from tests.unit.swarm_app import SwarmApp, swarm_app

AWAY = "the Docker engine was away or started anew while the app was deployed"


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SwarmApp:
    return swarm_app(tmp_path, monkeypatch)


def trouble(app: SwarmApp) -> str:
    """Return what an engine of ours says, as of another session; empty when it says nothing."""
    found = app.new_engine().trouble(app.spot)
    return "" if found is None else found.what


def test_nothing_that_is_deployed_makes_trouble(app: SwarmApp) -> None:
    """Nor does an app that never was, or is gone; nor what happens before it is deployed."""
    assert "" == trouble(app)
    app.docker.bridge = "second"
    app.up()
    assert "" == trouble(app)
    app.up(app.stack(WEB="2"))
    assert "" == trouble(app)
    app.down()
    assert "" == trouble(app)
    app.docker.bridge = "third"
    app.gone()
    assert "" == trouble(app)


def test_an_engine_that_started_anew(app: SwarmApp) -> None:
    """It says where and what to do; as long as the app is there, undeployed or not."""
    app.up()
    app.docker.bridge = "second"

    found = app.engine.trouble(app.spot)

    assert isinstance(found, EngineUnavailable)
    assert (AWAY, app.docker.endpoint.url) == (found.what, found.where)
    assert "run again" in found.remedy
    app.down()
    assert AWAY == trouble(app)


def test_what_is_changed_in_place_still_suffers(app: SwarmApp) -> None:
    """A service that ended with the engine, and that head does not change, is not started again."""
    app.up()
    app.docker.bridge = "second"
    app.up(app.stack(WEB="2"))
    assert AWAY == trouble(app)

    app.down()
    app.up()

    assert "" == trouble(app)


@pytest.mark.parametrize("bridge", ["b8e5f764", ""])
@pytest.mark.parametrize("error", [EngineUnavailable("nobody"), CommandFailed("not ready")])
def test_an_engine_that_does_not_answer_is_the_trouble(
    app: SwarmApp, monkeypatch: pytest.MonkeyPatch, error: NotEvaluated, bridge: str
) -> None:
    """Nobody that asks gets an error of its own; nor does it matter whether starts can be told."""
    app.docker.bridge = bridge
    app.up()

    def fail(_name: str) -> None:
        raise error

    monkeypatch.setattr(app.docker, "find_network", fail)

    assert error is app.engine.trouble(app.spot)


def test_an_engine_whose_starts_cannot_be_told(app: SwarmApp) -> None:
    """It was told to make no such network: nothing is known, and nothing is excused."""
    app.docker.bridge = ""
    app.up()

    assert "" == trouble(app)


def test_a_record_of_an_earlier_version(app: SwarmApp) -> None:
    """It knows of no start."""
    app.up()
    path = app.spot.folder / "stack" / "deploy.json"
    record = json.loads(path.read_text())
    assert app.docker.bridge == record.pop("start")
    path.write_text(json.dumps(record))

    app.docker.bridge = "second"

    assert "" == trouble(app)
