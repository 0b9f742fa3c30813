"""Fixtures of a recipe's tests: handles to the lane, which own nothing that must be cleaned up.

They are there only in sessions that touch a recipe.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest

from pytest_warmci.api import App, Canonical, Http
from pytest_warmci.model import Enrolment, Mode
from pytest_warmci.plugin.collect import Key, floor_of
from pytest_warmci.runs.lane import Lane
from pytest_warmci.runs.run import Run


@pytest.fixture(scope="session")
def _stage(request: pytest.FixtureRequest) -> Key:
    """Where in its recipe's life the test runs.

    It does no work: it is there so that pytest ends what was built on it when the stage changes.
    """
    found = getattr(request, "param", None)
    if not isinstance(found, Key):
        pytest.fail(
            f"{request.node.nodeid} is not a plain test function of a recipe: the fixtures of"
            " pytest-warmci are for functions below a folder with a recipe.yml",
            pytrace=False,
        )
    return found


@pytest.fixture(scope="session")
def _lane(request: pytest.FixtureRequest, _stage: Key) -> Lane:
    """The lane of the test's recipe."""
    return floor_of(request.config).lane(_stage.folder)


@pytest.fixture(scope="session")
def app(_lane: Lane) -> App:
    """The app under test: url, domain, version, env, secret(name), logs(service)."""
    return _lane.app


@pytest.fixture
def http(app: App) -> Iterator[Http]:
    """A requests session bound to the app: `http.get("/path")`."""
    from pytest_warmci.clients.http import AppSession

    with AppSession(app.url) as session:
        yield cast("Http", session)


@pytest.fixture(scope="session")
def recipe(_lane: Lane) -> Enrolment:
    """The recipe's enrolment (its recipe.yml)."""
    return _lane.run.plan.enrolment


@pytest.fixture(scope="session")
def mode(_lane: Lane) -> Mode:
    """The mode that runs: cold or quick."""
    return _lane.run.plan.mode


@pytest.fixture(scope="session")
def run(_lane: Lane) -> Run:
    """The run: its id, plan, and what it has found out so far."""
    return _lane.run


@pytest.fixture(scope="session")
def canonical(request: pytest.FixtureRequest, _lane: Lane) -> Canonical | None:
    """The known-good's version, commit and digest; None when there is none."""
    floor = floor_of(request.config)
    return floor.runs.known_good(_lane.run.recipe, _lane.run.engine.name)
