"""Fixtures of a recipe's tests: handles to the lane, which own nothing that must be cleaned up.

They are there only in sessions that touch a recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import cast

import pytest

from pytest_warmci.api import App, Canonical, Http, Keycloak, Realm, Sso
from pytest_warmci.errors import InputError
from pytest_warmci.model import Enrolment, Mode
from pytest_warmci.plugin.collect import Key, floor_of
from pytest_warmci.runs.lane import Lane
from pytest_warmci.runs.run import Run
from pytest_warmci.runs.sign_on import SignOn


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
def live_keycloak(_lane: Lane) -> Keycloak:
    """The live-warm Keycloak, which is started when it is not there: url, version."""
    return _sign_on(_lane).live


@pytest.fixture
def realm(_lane: Lane) -> Iterator[Realm]:
    """A fresh realm of the live-warm Keycloak, for one test."""
    with _checked_out(_lane) as found:
        yield found


@pytest.fixture(scope="class")
def class_realm(_lane: Lane) -> Iterator[Realm]:
    """A fresh realm for the tests of one class."""
    with _checked_out(_lane) as found:
        yield found


@pytest.fixture(scope="module")
def module_realm(_lane: Lane) -> Iterator[Realm]:
    """A fresh realm for the tests of one file."""
    with _checked_out(_lane) as found:
        yield found


@pytest.fixture(scope="session")
def session_realm(_lane: Lane) -> Iterator[Realm]:
    """A fresh realm for all tests of the recipe in one stage."""
    with _checked_out(_lane) as found:
        yield found


@pytest.fixture
def realms(_lane: Lane) -> Iterator[Callable[[str], Realm]]:
    """As many fresh realms as a test wants, by name: `realms("other")`."""
    with ExitStack() as held:
        known: dict[str, Realm] = {}

        def find(name: str) -> Realm:
            if name not in known:
                known[name] = held.enter_context(_checked_out(_lane, name))
            return known[name]

        yield find


@pytest.fixture(scope="session")
def sso(app: App) -> Sso:
    """What the app was given to log people in with: realm, client, user, users."""
    return app.sso


def _sign_on(lane: Lane) -> SignOn:
    if lane.run.sign_on is None:
        raise InputError("this run has no Keycloak", where=lane.run.recipe)
    return lane.run.sign_on


@contextmanager
def _checked_out(lane: Lane, name: str = "") -> Iterator[Realm]:
    sign_on = _sign_on(lane)
    found = sign_on.check_out(name)
    try:
        yield found
    finally:
        sign_on.check_in(found)


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
