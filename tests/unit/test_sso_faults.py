"""Runs whose Keycloak does not work: whose fault it is that something failed."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_warmci.clients.locks import holder
from pytest_warmci.errors import (
    BaselineRotten,
    KeycloakTrouble,
    RecipeFailed,
)
from pytest_warmci.protocols import AppPlace
from pytest_warmci.store.alerts import open_alerts
from tests import ghost
from tests.fakes import FakeEngine
from tests.unit.haunts import SsoHaunt
from tests.unit.test_sso_runs import clean, ghost_deploys


def lose_keycloak(sso: SsoHaunt, version: str) -> None:
    """Let an app's start fail since Keycloak dies meanwhile."""

    def fail(_engine: FakeEngine, _app: AppPlace) -> None:
        if ghost_deploys(sso)[-1].endswith(version):
            if sso.live_place.place.folder in FakeEngine.servers:
                sso.kill_keycloak()
            raise RecipeFailed("cannot reach its issuer")

    sso.trouble["wait_converged"] = fail


def test_a_known_good_that_misses_keycloak_is_not_rotten(sso: SsoHaunt) -> None:
    """It is tried once, and no alert is raised."""
    lose_keycloak(sso, "1.1")
    lane = sso.lane("quick")

    with pytest.raises(KeycloakTrouble, match="has ended while it was used"):
        lane.goto("upgrade", "base")

    result = lane.close(narrowed=[], interrupted=False)
    assert ("not-evaluated", []) == (result.verdict, open_alerts(sso.opened.alerts))
    assert 1 == len(ghost_deploys(sso))
    sso.check_known_good()


def test_a_base_that_misses_keycloak_is_not_rotten(sso: SsoHaunt) -> None:
    lose_keycloak(sso, "1.1")
    lane = sso.lane("cold")

    with pytest.raises(KeycloakTrouble, match="has ended while it was used"):
        lane.goto("upgrade", "base")

    assert "not-evaluated" == lane.close(narrowed=[], interrupted=False).verdict


@pytest.mark.parametrize("mode", ["quick", "cold"])
def test_a_base_that_does_not_work_beside_a_keycloak_that_does_is_rotten(
    sso: SsoHaunt, mode: Any
) -> None:
    def fail(_engine: FakeEngine, _app: AppPlace) -> None:
        raise RecipeFailed("no")

    sso.trouble["wait_converged"] = fail
    lane = sso.lane(mode)

    with pytest.raises(BaselineRotten):
        lane.goto("upgrade", "base")

    lane.close(narrowed=[], interrupted=False)
    clean(sso)


@pytest.mark.parametrize("mode", ["quick", "cold"])
def test_a_head_that_misses_keycloak_is_not_evaluated(sso: SsoHaunt, mode: Any) -> None:
    """With what was said of it."""
    lose_keycloak(sso, "1.2")
    lane = sso.lane(mode)

    with pytest.raises(KeycloakTrouble, match="says nothing about the recipe") as caught:
        lane.goto("upgrade", "head")

    assert "cannot reach its issuer" in caught.value.why
    assert "not-evaluated" == lane.close(narrowed=[], interrupted=False).verdict


def test_a_test_that_fails_without_keycloak_is_excused(sso: SsoHaunt) -> None:
    lane = sso.lane("quick")
    lane.goto("upgrade", "head")
    assert lane.excuse() is None

    sso.kill_keycloak()

    excuse = lane.excuse()
    assert isinstance(excuse, KeycloakTrouble)
    assert (
        "the live-warm Keycloak has ended while it was used, so a failure says nothing about the"
        " recipe" == excuse.what
    )
    lane.block("upgrade", excuse)
    assert "not-evaluated" == lane.close(narrowed=[], interrupted=False).verdict
    sso.check_known_good()


def test_a_keycloak_that_does_not_start_is_not_the_recipes_failure(sso: SsoHaunt) -> None:
    def fail(_engine: FakeEngine, _app: AppPlace) -> None:
        raise RecipeFailed("no")

    sso.keycloak_trouble["deploy"] = fail
    lane = sso.lane("quick")

    with pytest.raises(KeycloakTrouble, match="does not start"):
        lane.goto("upgrade", "base")

    assert "not-evaluated" == lane.close(narrowed=[], interrupted=False).verdict
    assert [] == ghost_deploys(sso)
    sso.check_known_good()


def test_a_keycloak_that_dies_before_the_end_keeps_no_run_from_ending(sso: SsoHaunt) -> None:
    """What could not be deleted is told, and reaped later."""
    lane = ghost.drive(sso.lane("quick"), close=False)
    assert lane.run.sign_on is not None
    assert lane.run.sign_on.check_out().name
    sso.kill_keycloak()

    result = lane.close(narrowed=[], interrupted=False)

    assert any("its realms are left: " in note for note in result.notes)
    assert holder(sso.live_place.lock) is None
    later = ghost.drive(sso.lane("quick"))
    assert later.result is not None
    assert any(f"run {lane.run.id} died" in note for note in later.result.notes)
    clean(sso)
