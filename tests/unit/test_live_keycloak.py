"""What a live-warm Keycloak is, and when it may not be built on any more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_warmci.errors import InputError, KeycloakTrouble
from pytest_warmci.model import RunningService
from pytest_warmci.runs.live_keycloak import (
    LiveKeycloak,
    LivePlace,
    administrator,
    instances_of,
    keycloak_beside,
    open_service,
)
from tests.fake_keycloak import SILENCE, Trouble
from tests.unit.haunts import SsoHaunt

MASTER = "GET /realms/master"


@pytest.fixture
def started(sso: SsoHaunt) -> LiveKeycloak:
    return sso.start_keycloak()


def running(sso: SsoHaunt) -> Path:
    return sso.live_place.place.folder / "running.json"


def trouble(live: LiveKeycloak) -> KeycloakTrouble:
    found = live.trouble()
    assert found is not None
    return found


def test_one_that_works_is_no_trouble(started: LiveKeycloak) -> None:
    assert started.trouble() is None


def test_one_that_was_started_anew_is_trouble(sso: SsoHaunt, started: LiveKeycloak) -> None:
    """Though it works now: what failed may have met the old one."""
    facts = json.loads(running(sso).read_text())
    running(sso).write_text(json.dumps({**facts, "restarted": 1}))

    found = trouble(started)

    assert "the live-warm Keycloak was started anew while it was used" == found.what
    assert "run again; warmci live status shows how it is" == found.remedy
    assert 2 == sso.keycloak.count(MASTER)  # nobody asked it beside its own probe


def test_one_that_has_ended_is_trouble(sso: SsoHaunt, started: LiveKeycloak) -> None:
    sso.kill_keycloak()

    assert "the live-warm Keycloak has ended while it was used" == trouble(started).what


@pytest.mark.parametrize(
    ("status", "why"), [(SILENCE, "no answer: "), (503, 'HTTP 503: {"error": "unknown_error"}')]
)
def test_one_that_does_not_answer_is_trouble(
    sso: SsoHaunt, started: LiveKeycloak, status: int, why: str
) -> None:
    sso.keycloak.plan(MASTER, Trouble(status))

    found = trouble(started)

    assert "the live-warm Keycloak does not answer" == found.what
    assert found.why.startswith(why)
    assert "live-keycloak.warmci.localhost" == found.where


def test_a_start_is_told_from_a_later_one() -> None:
    services = [RunningService("app", "1", 0.0, "77-0"), RunningService("db", "2", 0.0, "78-0")]

    assert ("app:77-0", "db:78-0") == instances_of(services)
    assert () == instances_of([])


def test_its_place_is_no_canonical_of_it(sso: SsoHaunt) -> None:
    """Keycloak is both, and the two never share a thing."""
    place = sso.live_place

    assert "live-keycloak.warmci.localhost" == place.place.domain
    assert place.place.folder == sso.state / "apps/process/live-keycloak.warmci.localhost"
    assert place.lock == sso.state / "locks/live-keycloak.warmci.localhost.lock"
    assert place.folder == sso.state / "live/keycloak"


def test_the_keycloak_beside_a_recipe_is_the_one_it_requires(sso: SsoHaunt) -> None:
    assert sso.recipe.with_name("keycloak") == keycloak_beside(sso.recipe)


def test_without_one_there_is_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "keycloak").mkdir()  # a folder is not an enrolment

    with pytest.raises(InputError) as caught:
        keycloak_beside(tmp_path / "ghost")

    assert (
        f"{tmp_path}/keycloak: there is no Keycloak to require\n"
        "  why: a live-warm Keycloak is made of the recipe beside the one that requires it\n"
        "  do:  enrol one: warmci new keycloak --source URL"
    ) == str(caught.value)


def test_it_is_made_of_its_recipe(sso: SsoHaunt) -> None:
    """With the engine for that recipe."""
    engine = sso.keycloak_engine()

    service = open_service(sso.recipe.with_name("keycloak"), sso.opened, engine)

    assert ("keycloak", engine) == (service.enrolment.recipe, service.engine)
    assert isinstance(service, LivePlace)


def test_its_administrator_is_the_one_of_its_env(sso: SsoHaunt, started: LiveKeycloak) -> None:
    """With the password that the engine has made for it."""
    admin = administrator(sso.live_place, started.url)

    assert ["master"] == [each.name for each in admin.realms()]


def test_an_env_without_one_is_named(sso: SsoHaunt, started: LiveKeycloak) -> None:
    env = sso.live_place.place.folder / "env"
    env.write_text("TYPE=keycloak\nADMIN_USERNAME=\n")

    with pytest.raises(InputError, match="there is no ADMIN_USERNAME") as caught:
        administrator(sso.live_place, started.url)

    assert str(env) == caught.value.where
