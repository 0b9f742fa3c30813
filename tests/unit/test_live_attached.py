"""The live-warm Keycloak in use: who holds it, who waits for whom, what stops it."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any

import pytest

from pytest_warmci.clients.locks import Holder, hold, holder
from pytest_warmci.errors import KeycloakTrouble, LockBusy
from pytest_warmci.runs import live
from pytest_warmci.runs.live_keycloak import LiveKeycloak
from pytest_warmci.store.journal import Journal
from pytest_warmci.store.live_records import read_live
from tests.fake_keycloak import TOKEN
from tests.fakes import FakeEngine
from tests.unit.haunts import SsoHaunt
from tests.unit.test_live import SPOILT, change_env, change_record

LOGIN = f"POST /realms/master{TOKEN}"
USER = Holder("1a2b3c", "quick", "ghost: uses Keycloak")


def attach(sso: SsoHaunt, held: ExitStack, who: Holder = USER) -> LiveKeycloak:
    return held.enter_context(live.attached(sso.service, who=who, limit=0, progress=sso.say))


def operator_realm(sso: SsoHaunt) -> None:
    """Let somebody make a realm of their own."""
    sso.keycloak.realms["mine"] = {"realm": "mine", "enabled": True}
    sso.keycloak.keep()


def deploys(sso: SsoHaunt) -> list[str]:
    return [call.split()[2] for call in sso.calls("deploy") if "live-keycloak" in call]


# -- attaching -------------------------------------------------------------------------------


def test_many_are_attached_at_once(sso: SsoHaunt) -> None:
    """The first starts it; the lock is shared, and free afterwards."""
    lock = sso.live_place.lock
    with ExitStack() as held:
        first, second = attach(sso, held), attach(sso, held, Holder("77aa77", "cold", "x"))
        record = holder(lock)

    assert (first.url, 1) == (second.url, len(deploys(sso)))
    assert record is not None
    assert (USER.run, 1) == (record["run"], record["others"]) or "77aa77" == record["run"]
    assert holder(lock) is None
    assert sso.keycloak.url == first.url


def test_one_that_is_not_right_is_started_anew(sso: SsoHaunt) -> None:
    """With its data."""
    sso.start_keycloak()
    operator_realm(sso)
    change_env(sso)

    with ExitStack() as held:
        found = attach(sso, held)

    assert found.record == read_live(sso.live_place.folder)
    assert (["mine"], 2) == (sso.realms, len(deploys(sso)))


def test_who_uses_it_is_not_disturbed(sso: SsoHaunt) -> None:
    """It is started anew after they have left; over the limit they are named."""
    with ExitStack() as held:
        attach(sso, held)
        change_env(sso)

        with pytest.raises(LockBusy) as caught, ExitStack() as other:
            attach(sso, other, Holder("77aa77", "cold", "x"))

    assert "run 1a2b3c (quick, pid " in caught.value.why
    assert "ghost: uses Keycloak" in caught.value.why
    assert 1 == len(deploys(sso))


def test_who_changes_it_is_waited_for(sso: SsoHaunt) -> None:
    who = Holder("", "reconcile", "upgrade it")

    with (
        hold(sso.live_place.lock, who=who, limit=0),
        pytest.raises(LockBusy, match="live-keycloak") as caught,
        ExitStack() as held,
    ):
        attach(sso, held)

    assert "upgrade it" in caught.value.why


def test_one_that_does_not_stay_up_is_given_up(
    sso: SsoHaunt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not tried for ever."""
    real = live.start

    def start(*words: Any, **more: Any) -> LiveKeycloak:
        found = real(*words, **more)
        sso.kill_keycloak()
        return found

    monkeypatch.setattr(live, "start", start)

    with pytest.raises(KeycloakTrouble, match="does not stay up") as caught, ExitStack() as held:
        attach(sso, held)

    assert "it was started 3 times" in caught.value.why
    assert 3 == len(deploys(sso))


def test_one_that_somebody_else_has_started_meanwhile_is_fine(
    sso: SsoHaunt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They had the lock before us."""
    real = live.start

    def start(*words: Any, **more: Any) -> LiveKeycloak:
        with monkeypatch.context() as patch:
            patch.setattr(live, "start", real)
            sso.start_keycloak()
        return real(*words, **more)

    monkeypatch.setattr(live, "start", start)
    with ExitStack() as held:
        attach(sso, held)

    assert 1 == len(deploys(sso))


# -- stopping --------------------------------------------------------------------------------


def test_stopping_leaves_nothing_but_data(sso: SsoHaunt) -> None:
    """And there is nothing to do the second time."""
    sso.start_keycloak()

    assert (True, False) == (sso.stop_keycloak(), sso.stop_keycloak())

    assert (None, {}) == (read_live(sso.live_place.folder), FakeEngine.servers)
    assert (sso.live_place.place.folder / "volumes").is_dir()


def test_where_there_never_was_one_there_is_nothing_to_stop(bare: SsoHaunt) -> None:
    assert not bare.stop_keycloak()
    assert [] == bare.calls()


def test_stopping_waits_for_who_uses_it(sso: SsoHaunt) -> None:
    with ExitStack() as held:
        attach(sso, held)

        with pytest.raises(LockBusy) as caught:
            sso.stop_keycloak()

    assert "ghost: uses Keycloak" in caught.value.why
    assert sso.keycloak.url


def test_one_whose_processes_are_gone_is_forgotten(sso: SsoHaunt) -> None:
    sso.start_keycloak()
    sso.kill_keycloak()

    assert not sso.stop_keycloak()

    assert read_live(sso.live_place.folder) is None


# -- what runs -------------------------------------------------------------------------------


def test_what_runs_is_found_whichever_it_is(sso: SsoHaunt) -> None:
    """By who only looks or reaps."""
    assert live.running(sso.live_place) is None
    sso.start_keycloak()
    change_record(sso, fingerprint="0" * 64)

    found = live.running(sso.live_place)

    assert found is not None
    assert sso.keycloak.url == found.url


def test_what_has_ended_does_not_run(sso: SsoHaunt) -> None:
    sso.start_keycloak()
    sso.kill_keycloak()

    assert live.running(sso.live_place) is None


@pytest.mark.parametrize(
    "name",
    ["no administrator", "no password", "other password", "other issuer", "no master", "silent"],
)
def test_what_runs_and_does_not_work_is_trouble(sso: SsoHaunt, name: str) -> None:
    sso.start_keycloak()
    SPOILT[name](sso)

    with pytest.raises(KeycloakTrouble):
        live.running(sso.live_place)


def test_a_journal_of_ours_is_no_obstacle(sso: SsoHaunt) -> None:
    """Of a later start that was cut short."""
    Journal(sso.live_place.place.folder).begin("live-start", run="keycloak", session="")

    sso.start_keycloak()

    assert Journal(sso.live_place.place.folder).read() is None
    assert [] == sso.calls("remove")
    assert json.loads((sso.live_place.place.folder / "running.json").read_text())
