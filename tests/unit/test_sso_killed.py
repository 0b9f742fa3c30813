"""A run with single sign-on that is killed at its writes: what comes next takes it all away."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from pytest_warmci.clients.locks import holder
from pytest_warmci.store import realm_records
from tests import ghost
from tests.fakes import stop_all
from tests.unit.haunts import SsoHaunt, give_back
from tests.unit.test_promote import Death, Killed, recovered
from tests.unit.test_sso_runs import clean


def drive_and_die(sso: SsoHaunt, number: int, mode: Any, head: str) -> bool:
    """Drive a run that dies at one of its writes; return whether it did."""
    lane = sso.lane(mode, head)
    with pytest.MonkeyPatch.context() as patch:
        death = Death(patch, number, Killed)
        for verb in ("deploy", "undeploy", "settle"):
            sso.trouble[verb] = death.check
        with suppress(Killed):
            ghost.drive(lane)
    give_back(lane)
    return death.dead


@pytest.mark.parametrize(
    ("mode", "head", "every"), [("quick", "HEAD", 7), ("cold", "published", 19)]
)
def test_a_death_at_any_write_leaves_nothing_for_good(
    sso: SsoHaunt, mode: Any, head: str, every: int
) -> None:
    """No realm that nobody knows of, and no app that is wired to one that is gone."""
    sso.start_keycloak()
    number = 1
    while drive_and_die(sso, number, mode, head):
        recorded = {each.realm for each in realm_records.of_all(sso.opened)}
        assert set(sso.realms) <= recorded, number
        sso.stop_keycloak()
        assert recovered(sso) is not None, number  # stops what runs
        assert not (sso.place.folder / "run.env").exists(), number
        assert not (sso.place.folder / "run.secrets").exists(), number
        assert holder(sso.live_place.lock) is None, number
        sso.start_keycloak()
        number += every
    assert number > 3 * every
    stop_all()
    sso.trouble.clear()

    ghost.drive(sso.lane("cold"))  # reaps apps, and realms a few at a time
    for _ in range(number // (5 * every) + 1):
        ghost.drive(sso.lane("quick"))
    clean(sso)
