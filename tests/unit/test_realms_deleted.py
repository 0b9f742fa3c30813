"""Realms checked in and deleted: those that carry the token of their record, and no other."""

from __future__ import annotations

import pytest

from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.errors import KeycloakTrouble
from pytest_warmci.runs import realms as module
from pytest_warmci.runs.realm_owner import RealmOwner
from pytest_warmci.runs.realms import delete_all, delete_one
from pytest_warmci.store import realm_records
from pytest_warmci.store.realm_records import RealmRecord
from tests.unit.live_fakes import FakeLive
from tests.unit.test_realms import crowd, names, realms, records


def test_checking_in_disables_at_once_and_deletes_later(live: FakeLive, run: RealmOwner) -> None:
    own = realms(live, run)
    realm = own.check_out()

    own.check_in(realm)

    assert (["blog-1a2b3c"], []) == (names(live), own.alive())
    assert live.fake.realms_["blog-1a2b3c"]["enabled"] is False
    assert {"blog-1a2b3c": "disabled"} == records(run.state)
    assert [] == own.delete_due()
    assert ([], {}) == (names(live), records(run.state))


def test_what_cannot_be_disabled_is_due_all_the_same(live: FakeLive, run: RealmOwner) -> None:
    def fail(_name: str) -> None:
        raise KeycloakTrouble("no")

    own = realms(live, run)
    realm = own.check_out()
    live.fake.trouble["disable"] = fail

    with pytest.raises(KeycloakTrouble):
        own.check_in(realm)

    assert [] == own.delete_due()
    assert [] == names(live)


def test_only_what_is_due_is_deleted(live: FakeLive, run: RealmOwner) -> None:
    """What is alive stays; nobody else's is touched."""
    crowd(live, 1)
    own = realms(live, run)
    own.check_in(own.check_out())
    own.check_out("2")

    assert [] == own.delete_due()

    assert {"blog-1a2b3c-2", "wiki-000000"} == set(names(live))
    assert ["blog-1a2b3c-2"] == own.alive() == list(records(run.state))


@pytest.mark.parametrize("carries", ["theirs", "", None])
@pytest.mark.parametrize("ours", ["ours", ""])
def test_a_realm_without_the_records_token_is_never_deleted(
    live: FakeLive, run: RealmOwner, carries: str | None, ours: str
) -> None:
    """Its name may be right: then ours is gone, and its record too."""
    attributes = {} if carries is None else {"warmci.token": carries}
    live.fake.realms_["blog-1a2b3c"] = {"enabled": True, "attributes": attributes}
    record = RealmRecord("blog-1a2b3c", "1a2b3c", "blog", ours, "then", condition="disabled")
    realm_records.put(run.state, record)

    with hold(module.mutex(run.state), who=Holder("1a2b3c", "realms", "x"), limit=0):
        delete_one(live, record.realm, record.run, record.token)

    assert (["blog-1a2b3c"], {}) == (names(live), records(run.state))


def test_what_could_not_be_deleted_is_said_and_stays_on_record(
    live: FakeLive, run: RealmOwner
) -> None:
    """The next one is tried all the same."""

    def fail(name: str) -> None:
        if name == "blog-1a2b3c":
            raise KeycloakTrouble("deadlock", where="here", why="who knows")

    own = realms(live, run)
    for suffix in ("", "2"):
        own.check_in(own.check_out(suffix))
    live.fake.trouble["delete"] = fail

    assert ["realm blog-1a2b3c was not deleted: here: deadlock: who knows"] == own.delete_due()
    assert (["blog-1a2b3c"], {"blog-1a2b3c": "disabled"}) == (names(live), records(run.state))


def test_a_keycloak_that_is_gone_is_asked_once(live: FakeLive, run: RealmOwner) -> None:
    """The others would only wait for the same; each is told."""
    own = realms(live, run)
    for suffix in ("", "2", "3"):
        own.check_in(own.check_out(suffix))
    live.dead = KeycloakTrouble("has ended")

    def fail(_name: str) -> None:
        raise KeycloakTrouble("does not answer")

    live.fake.trouble["find"] = fail
    before = live.fake.count("find")

    said = own.delete_due()

    assert 1 == live.fake.count("find") - before
    assert [f"realm blog-1a2b3c{each} was not deleted" for each in ("", "-2", "-3")] == [
        text.partition(":")[0] for text in said
    ]


def test_a_keycloak_that_is_too_slow_is_given_up(
    live: FakeLive, run: RealmOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_GIVE_UP", -1.0)
    own = realms(live, run)
    for suffix in ("", "2"):
        own.check_in(own.check_out(suffix))

    def fail(_name: str) -> None:
        raise KeycloakTrouble("deadlock")

    live.fake.trouble["delete"] = fail

    assert [
        "realm blog-1a2b3c was not deleted: deadlock",
        "realm blog-1a2b3c-2 was not deleted: Keycloak is too slow",
    ] == own.delete_due()


def test_what_is_gone_already_is_fine(live: FakeLive, run: RealmOwner) -> None:
    """Deleted by a hand, or by a first try."""
    own = realms(live, run)
    own.check_in(own.check_out())
    live.fake.realms_.pop("blog-1a2b3c")

    assert [] == own.delete_due()
    assert {} == records(run.state)


def test_a_damaged_record_hides_no_other_realm(live: FakeLive, run: RealmOwner) -> None:
    """And is told, with its place."""
    own = realms(live, run)
    for suffix in ("", "2"):
        own.check_in(own.check_out(suffix))
    damaged = run.state.run("1a2b3c") / "realms" / "blog-1a2b3c.json"
    damaged.write_text("{")

    (said,) = own.delete_due()

    assert str(damaged) in said
    assert ["blog-1a2b3c"] == names(live)


def test_everything_may_be_deleted_at_once(live: FakeLive, run: RealmOwner) -> None:
    """By who has the records, of whatever condition."""
    own = realms(live, run)
    for suffix in ("", "2"):
        own.check_out(suffix)

    assert [] == delete_all(live, realm_records.of_all(run.state))
    assert ([], {}) == (names(live), records(run.state))
