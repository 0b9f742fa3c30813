"""Realms checked out: on record before they are made, as many as there is room for."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest

from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.clients.rsa import KeyPair
from pytest_warmci.errors import KeycloakTrouble, LockBusy
from pytest_warmci.model import RealmClient
from pytest_warmci.runs import realms as module
from pytest_warmci.runs.realm_owner import RealmOwner
from pytest_warmci.runs.realms import Realms
from pytest_warmci.store import key_stock, realm_records
from pytest_warmci.store.realm_records import RealmRecord
from pytest_warmci.store.state import StateDirectory
from tests.unit.live_fakes import FakeLive, alive


def realms(live: FakeLive, run: RealmOwner, **more: Any) -> Realms:
    return Realms(live, run, own_keys=False, **more)


def names(live: FakeLive) -> list[str]:
    return [name for name in live.fake.realms_ if name != "master"]


def records(state: StateDirectory) -> dict[str, str]:
    return {each.realm: each.condition for each in realm_records.of_all(state)}


def crowd(live: FakeLive, count: int) -> None:
    """Let there be realms of other runs."""
    for number in range(count):
        live.fake.realms_[f"wiki-{number:06x}"] = {"enabled": True, "attributes": {}}


# -- checking out ----------------------------------------------------------------------------


def test_a_realm_says_whose_it_is(live: FakeLive, run: RealmOwner) -> None:
    """To people and to who reaps."""
    realm = realms(live, run).check_out("other", app="warm-blog.x")

    sent = live.fake.realms_["blog-1a2b3c-other"]
    record = realm.record
    expires = sent["attributes"].pop("warmci.expires")
    assert "blog, run 1a2b3c" == sent["displayName"]
    assert {
        "warmci.token": record.token,
        "warmci.state": run.state.uuid,
        "warmci.run": "1a2b3c",
        "warmci.recipe": "blog",
        "warmci.made": record.made,
    } == sent["attributes"]
    assert int(expires) > 0
    assert [record] == realm_records.of_run(run.state, "1a2b3c")
    assert ("warm-blog.x", "live") == (record.app, record.condition)
    assert ("blog-1a2b3c-other", "http://127.0.0.1:1/realms/blog-1a2b3c-other") == (
        realm.name,
        realm.issuer,
    )


def test_a_realm_is_on_record_before_it_is_made(live: FakeLive, run: RealmOwner) -> None:
    """The fake administrator has seen to it; here is what it has seen."""
    seen: list[dict[str, str]] = []
    live.fake.trouble["create"] = lambda _name: seen.append(records(run.state))

    realms(live, run).check_out()

    assert [{"blog-1a2b3c": "live"}] == seen


def test_a_realm_comes_with_its_clients_and_users(live: FakeLive, run: RealmOwner) -> None:
    """In one request: a client of ours to look in with, the app's own, and people."""
    app = RealmClient("app", "s3cret")

    realm = realms(live, run).check_out(
        client=(app, ("code",), ("http://localhost:1/back",)), users=("ana", "bea")
    )

    sent = live.fake.realms_["blog-1a2b3c"]
    control, own = sent["clients"]
    assert ("warmci", realm.control.secret) == (control["clientId"], control["secret"])
    assert ("app", "s3cret", True, False, ["http://localhost:1/back"]) == (
        own["clientId"],
        own["secret"],
        own["standardFlowEnabled"],
        own["directAccessGrantsEnabled"],
        own["redirectUris"],
    )
    assert ["ana", "bea"] == [each["username"] for each in sent["users"]] == list(realm.users)
    assert realm.users["ana"].password == sent["users"][0]["credentials"][0]["value"]
    assert 1 == live.fake.count("create")
    assert {
        app.secret,
        realm.control.secret,
        *(each.password for each in realm.users.values()),
    } == set(realm.secret_values)


def test_its_keys_come_out_of_the_stock(
    live: FakeLive, run: RealmOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And go back when it is gone."""
    monkeypatch.setattr(key_stock, "new_key_pair", lambda: KeyPair("private", "certificate"))
    own = Realms(live, run)

    realm = own.check_out()
    assert ["blog-1a2b3c"] == live.keys.used()
    (kinds,) = live.fake.realms_["blog-1a2b3c"]["components"].values()
    assert ["private"] == kinds[0]["config"]["privateKey"]

    own.check_in(realm)
    own.delete_due()
    assert [] == live.keys.used()


@pytest.mark.parametrize("error", [KeycloakTrouble("no"), KeyboardInterrupt()])
@pytest.mark.parametrize("when", ["trouble", "after"])
def test_a_realm_that_could_not_be_made_is_due_to_be_deleted(
    live: FakeLive, run: RealmOwner, error: BaseException, when: str
) -> None:
    """It may be there all the same, or come to be there yet."""

    def fail(_name: str) -> None:
        raise error

    getattr(live.fake, when)["create"] = fail
    own = realms(live, run)

    with pytest.raises(type(error)):
        own.check_out()

    assert {"blog-1a2b3c": "disabled"} == records(run.state)
    assert ([], []) == (own.alive(), own.delete_due())
    assert ([], {}) == (names(live), records(run.state))


def test_a_realm_of_somebody_else_by_that_name_is_left_alone(
    live: FakeLive, run: RealmOwner
) -> None:
    live.fake.realms_["blog-1a2b3c"] = {"enabled": True, "attributes": {"warmci.token": "theirs"}}
    own = realms(live, run)

    with pytest.raises(KeycloakTrouble, match="there is a realm blog-1a2b3c already"):
        own.check_out()

    assert [] == own.delete_due()
    assert (["blog-1a2b3c"], {}) == (names(live), records(run.state))


def test_making_waits_for_who_makes_another_one(
    live: FakeLive, run: RealmOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the limit it is not evaluated, and named; nothing is made or recorded."""
    monkeypatch.setattr(module, "MUTEX_SECONDS", 0.0)
    who = Holder("77aa77", "realms", "make a realm")

    with (
        hold(run.state.lock("live-keycloak.warmci.localhost.realms"), who=who, limit=0),
        pytest.raises(LockBusy) as caught,
    ):
        realms(live, run).check_out()

    assert "run 77aa77 (realms, " in caught.value.why
    assert ([], {}) == (names(live), records(run.state))


# -- the cap ---------------------------------------------------------------------------------


def test_only_realms_of_runs_count(live: FakeLive, run: RealmOwner) -> None:
    """An operator's own ones take no room."""
    crowd(live, 2)
    for name in ("mine", "test-realm", "wiki-12345"):
        live.fake.realms_[name] = {"enabled": True}

    realms(live, run, cap=3, room_limit=0).check_out()

    assert "blog-1a2b3c" in names(live)


def test_the_first_realm_waits_for_room_and_names_who_has_it(
    live: FakeLive, run: RealmOwner
) -> None:
    """Over the limit: not evaluated, nothing made, nothing on record."""
    crowd(live, 3)
    said: list[str] = []
    with alive(run.state, "000001", "wiki"):
        realm_records.put(
            run.state, RealmRecord("wiki-000001", "000001", "wiki", "t", "2026-02-01T12:00:03Z")
        )

        with pytest.raises(LockBusy) as caught:
            realms(live, run, cap=3, room_limit=0.05, progress=said.append).check_out()

    (text,) = said
    assert text.startswith("waiting for one of 3 realms: run 000001 (quick, pid ")
    assert "3 realms are in use" == caught.value.what
    assert "run 000001 (quick, pid " in caught.value.why
    assert caught.value.remedy.startswith("warmci realms shows whose they are; warmci reap")
    assert (3, ["wiki-000001"]) == (len(names(live)), list(records(run.state)))


def test_at_most_three_of_them_are_named(live: FakeLive, run: RealmOwner) -> None:
    crowd(live, 5)
    with ExitStack() as held:
        for number in range(5):
            held.enter_context(alive(run.state, f"{number:06x}", "wiki"))
            record = RealmRecord(f"wiki-{number:06x}", f"{number:06x}", "wiki", "t", "then")
            realm_records.put(run.state, record)

        with pytest.raises(LockBusy) as caught:
            realms(live, run, cap=5, room_limit=0).check_out()

    assert 3 == caught.value.why.count("(quick, pid ")
    assert " and 2 more" in caught.value.why


def test_runs_that_are_dead_are_no_holders(live: FakeLive, run: RealmOwner) -> None:
    """Who waits for them is told what to do."""
    crowd(live, 3)

    with pytest.raises(LockBusy) as caught:
        realms(live, run, cap=3, room_limit=0).check_out()

    assert "waiting for one of 3 realms: runs that are dead, see warmci reap" in caught.value.why


def test_a_run_makes_room_of_its_own_first(live: FakeLive, run: RealmOwner) -> None:
    """It does not wait for itself, nor name itself."""
    own = realms(live, run, cap=1, room_limit=0)
    own.check_in(own.check_out())

    own.check_out("2")

    assert ["blog-1a2b3c-2"] == names(live)


def test_a_run_never_names_itself_as_the_holder(live: FakeLive, run: RealmOwner) -> None:
    """Its own realm may be one that could not be deleted."""

    def fail(_name: str) -> None:
        raise KeycloakTrouble("no")

    own = realms(live, run, cap=1, room_limit=0)
    own.check_in(own.check_out())
    live.fake.trouble["delete"] = fail

    with pytest.raises(LockBusy) as caught:
        own.check_out("2")

    assert "run 1a2b3c" not in caught.value.why


def test_a_second_realm_never_waits(live: FakeLive, run: RealmOwner) -> None:
    """Two runs that each have one and want another would wait for each other."""
    own = realms(live, run, cap=1, room_limit=0)
    own.check_out()
    crowd(live, 3)

    own.check_out("2")

    assert {"blog-1a2b3c", "blog-1a2b3c-2"} <= set(names(live))


def test_room_that_comes_is_taken(live: FakeLive, run: RealmOwner) -> None:
    crowd(live, 1)

    def leave(_name: str) -> None:
        if live.fake.count("realms") > 2:
            live.fake.realms_.pop("wiki-000000", None)

    live.fake.trouble["realms"] = leave

    realms(live, run, cap=1, room_limit=20).check_out()

    assert ["blog-1a2b3c"] == names(live)


def test_room_that_others_take_at_once_does_not_prolong_the_wait(
    live: FakeLive, run: RealmOwner
) -> None:
    """It is free when it is looked at, and taken when it is our turn."""
    looks = 0

    def flicker(_name: str) -> None:
        nonlocal looks
        looks += 1
        live.fake.realms_.pop("wiki-000000", None)
        if looks % 2:
            crowd(live, 1)

    live.fake.trouble["realms"] = flicker

    with pytest.raises(LockBusy, match="1 realms are in use"):
        realms(live, run, cap=1, room_limit=0.2).check_out()
