"""Starting the live-warm Keycloak, killed at its writes: the next start finishes or begins anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from pytest_warmci.runs import live
from pytest_warmci.runs.live_keycloak import LiveKeycloak
from pytest_warmci.store.journal import Journal
from tests.fakes import FakeEngine
from tests.unit.haunts import SsoHaunt
from tests.unit.test_live import operator_realm
from tests.unit.test_promote import Death, Killed

Forget = Callable[[SsoHaunt], None]


def forget_all(sso: SsoHaunt) -> None:
    """Let there never have been one."""
    sso.stop_keycloak()
    for folder in (sso.live_place.place.folder, sso.live_place.folder):
        shutil.rmtree(folder, ignore_errors=True)


def stop(sso: SsoHaunt) -> None:
    sso.stop_keycloak()


def start_and_die(sso: SsoHaunt, number: int) -> Death:
    """Start it and die at one of the writes; the server itself lives on."""
    with pytest.MonkeyPatch.context() as patch:
        death = Death(patch, number, Killed)
        for verb in ("deploy", "undeploy", "settle"):
            sso.keycloak_trouble[verb] = death.check
        try:
            sso.start_keycloak()
        except Killed:
            pass
        finally:
            sso.keycloak_trouble.clear()
    return death


@pytest.fixture
def quick_start(sso: SsoHaunt, monkeypatch: pytest.MonkeyPatch) -> SsoHaunt:
    """A server that needs no warming up and no key pairs: both are tested elsewhere."""
    monkeypatch.setattr(live, "_warm", lambda _found: None)
    monkeypatch.setattr(live, "_STOCK", 0)
    return sso


@pytest.mark.parametrize("before", [forget_all, stop])
def test_a_death_at_any_write_is_no_obstacle_to_the_next_start(
    quick_start: SsoHaunt, before: Forget
) -> None:
    """And what is used from then on is never begun anew."""
    sso = quick_start
    total = 0
    while True:
        total += 1
        before(sso)
        death = start_and_die(sso, total)
        if not death.dead:
            break
        found: LiveKeycloak = sso.start_keycloak()
        assert found.record.url == sso.keycloak.url, total
        assert 1 == len(FakeEngine.servers), total
        operator_realm(sso)
        sso.stop_keycloak()
        sso.start_keycloak()
        assert ["mine"] == sso.realms, total
        assert Journal(sso.live_place.place.folder).read() is None, total
        del sso.keycloak.realms["mine"]
        sso.keycloak.keep()
    assert total > 5


def test_who_is_attached_after_such_a_death_loses_nothing(quick_start: SsoHaunt) -> None:
    """It is on record and works, so nobody has started it again."""
    sso = quick_start
    for number in range(1, 100):
        forget_all(sso)
        death = start_and_die(sso, number)
        if live.look(sso.service) is None:
            continue
        operator_realm(sso)
        sso.stop_keycloak()
        sso.start_keycloak()
        assert ["mine"] == sso.realms, number
        if not death.dead:
            return
    pytest.fail("it never came to its end")
