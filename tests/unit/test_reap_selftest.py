"""What the reaper does beside deleting realms: tidying up after them, testing itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_warmci.clients.locks import Holder, hold, holder
from pytest_warmci.clients.rsa import KeyPair
from pytest_warmci.errors import KeycloakTrouble
from pytest_warmci.runs import reap_realms as module
from pytest_warmci.runs.realm_owner import RealmOwner
from pytest_warmci.runs.realms import CAP, mutex
from pytest_warmci.runs.reap_realms import (
    MOST,
    ReapedRealm,
    reap_all_realms,
    reap_realms,
    self_test,
)
from pytest_warmci.store import key_stock, realm_records
from tests.unit.live_fakes import FakeLive
from tests.unit.test_reap_realms import leave, there


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_stock, "new_key_pair", lambda: KeyPair("p", "c"))


def test_what_a_dead_run_has_never_made_is_forgotten(live: FakeLive) -> None:
    """Its record and its keys."""
    state = live.service.state
    name = leave(live)
    live.keys.take(name)
    del live.fake.realms_[name]

    assert [] == reap_realms(live)

    assert ([], []) == (realm_records.of_all(state), live.keys.used())


def test_what_a_live_run_is_about_to_make_is_not_forgotten(
    live: FakeLive, run: RealmOwner
) -> None:
    name = leave(live, run.id, lease=False)
    live.keys.take(name)
    del live.fake.realms_[name]

    assert [] == reap_realms(live)

    assert [name] == [each.realm for each in realm_records.of_all(run.state)] == live.keys.used()


def test_what_comes_to_be_at_the_last_moment_is_not_forgotten(live: FakeLive) -> None:
    """A dead run's request may still be at work."""
    name = leave(live)
    live.keys.take(name)
    realm = live.fake.realms_.pop(name)
    live.fake.trouble["find"] = lambda _name: live.fake.realms_.update({name: realm})

    reap_realms(live)

    assert [name] == [each.realm for each in realm_records.of_all(live.service.state)]
    assert [name] == live.keys.used()


def test_tidying_waits_for_nobody(live: FakeLive) -> None:
    """The next pass will do it."""
    name = leave(live)
    live.keys.take(name)
    del live.fake.realms_[name]

    with hold(mutex(live.service.state), who=Holder("77aa77", "realms", "x"), limit=0):
        assert [] == reap_realms(live)

    assert [name] == live.keys.used()


def test_another_runs_damaged_record_is_no_obstacle(live: FakeLive) -> None:
    name = leave(live, "000001")
    leave(live, "000002")
    (live.service.state.run("000001") / "realms" / f"{name}.json").write_text(
        json.dumps({"format": 1})
    )

    assert ["kept", "removed"] == [each.outcome for each in reap_realms(live)]


# -- the self-test ---------------------------------------------------------------------------


def clean(live: FakeLive) -> None:
    """Nothing of a self-test is left."""
    state = live.service.state
    assert ([], [], []) == (there(live), live.keys.used(), realm_records.of_all(state))
    assert [] == list(state.runs.iterdir())


def test_a_reaper_that_works_passes_its_test(live: FakeLive) -> None:
    """And leaves nothing of it."""
    found = self_test(live)

    assert {"-live": "kept", "-dead": "removed"} == {
        each.realm[-5:]: each.outcome for each in found
    }
    assert {"selftest"} == {each.realm.partition("-")[0] for each in found}
    clean(live)


def wrong(live: FakeLive) -> str:
    """Let it fail its test; return why."""
    with pytest.raises(KeycloakTrouble, match="the reaper does not do what it has to") as caught:
        self_test(live)
    assert "do not reap until this is understood" in caught.value.remedy
    return caught.value.why


def test_a_reaper_that_deletes_nothing_fails_its_test(
    live: FakeLive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And cleans up by itself."""

    def lazy(_live: object, name: str) -> ReapedRealm:
        return ReapedRealm(name, "", "kept", "planted bug")

    monkeypatch.setattr(module, "judge", lazy)

    why = wrong(live)

    assert why.startswith("selftest-")
    assert why.endswith("-dead was not deleted")
    clean(live)


def test_a_reaper_that_deletes_what_is_in_use_fails_its_test(
    live: FakeLive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not see that a lease is held."""
    monkeypatch.setattr(module, "holder", lambda _lease: None)

    why = wrong(live)

    assert why.startswith("selftest-")
    assert why.endswith("-live was deleted")
    clean(live)


def test_a_reaper_that_says_so_and_deletes_nothing_fails_its_test(
    live: FakeLive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not what it says counts, but what is there."""
    monkeypatch.setattr(module, "_delete", lambda _live, judged: judged)

    assert wrong(live).endswith("-dead was not deleted")
    clean(live)


def test_a_reaper_that_deletes_master_fails_its_test(
    live: FakeLive, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.reap_realms

    def mad(*words: Any, **more: Any) -> list[ReapedRealm]:
        live.fake.realms_.pop("master")
        return real(*words, **more)

    monkeypatch.setattr(module, "reap_realms", mad)

    assert "master was deleted" == wrong(live)


def test_what_dead_runs_left_is_no_obstacle_to_the_test(live: FakeLive) -> None:
    """Neither does it wait for room that only reaping makes, nor is it put off by the cap of a pass."""
    for number in range(CAP + 5):
        leave(live, f"{number:06x}", record=False)

    found = self_test(live)

    removed = [each.realm for each in found if each.outcome == "removed"]
    assert (MOST, 1) == (len(removed), sum(each.endswith("-dead") for each in removed))
    assert CAP + 5 - (MOST - 1) == len(there(live))


def test_a_reaper_that_fails_leaves_nothing_of_its_test(live: FakeLive) -> None:
    looks = 0

    def fail(_name: str) -> None:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise KeycloakTrouble("does not answer")

    live.fake.trouble["realms"] = fail

    with pytest.raises(KeycloakTrouble, match="does not answer"):
        self_test(live)

    clean(live)


def test_keys_are_taken_under_the_mutex(live: FakeLive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else who tidies up would see keys without a realm, and hand them to another one."""
    real = key_stock.KeyStock.take
    held: list[bool] = []

    def take(stock: key_stock.KeyStock, realm: str) -> KeyPair:
        held.append(holder(mutex(live.service.state)) is not None)
        return real(stock, realm)

    monkeypatch.setattr(key_stock.KeyStock, "take", take)

    self_test(live)

    assert [True, True] == held


# -- from the command line -------------------------------------------------------------------


@dataclass
class Found:
    """What is there to reap on."""

    live: FakeLive | None = None
    error: KeycloakTrouble | None = None

    def __call__(self, _place: object) -> FakeLive | None:
        if self.error is not None:
            raise self.error
        return self.live


@pytest.fixture
def found(live: FakeLive, monkeypatch: pytest.MonkeyPatch) -> Found:
    made = Found(live)
    monkeypatch.setattr(module, "running", made)
    return made


def reap_all(live: FakeLive, **more: bool) -> list[ReapedRealm]:
    words = {"dry_run": False, "self_tested": False, **more}
    return reap_all_realms(live.service.state, [live.service.engine], **words)


def test_where_no_keycloak_runs_there_is_nothing_to_reap(live: FakeLive, found: Found) -> None:
    """But nothing to test either."""
    found.live = None

    assert [] == reap_all(live)
    with pytest.raises(KeycloakTrouble, match="cannot test itself") as caught:
        reap_all(live, self_tested=True)
    assert "warmci live start" == caught.value.remedy


def test_a_keycloak_that_does_not_work_is_told(live: FakeLive, found: Found) -> None:
    """The apps have been reaped all the same; a test of it fails."""
    found.error = KeycloakTrouble("does not answer", where="here")

    assert [ReapedRealm("", "", "failed", "here: does not answer")] == reap_all(live)
    with pytest.raises(KeycloakTrouble, match="does not answer"):
        reap_all(live, self_tested=True)


@pytest.mark.parametrize(("dry", "left"), [(True, ["blog-dead00"]), (False, [])])
def test_reaping_is_done_or_only_said(
    live: FakeLive, found: Found, dry: bool, left: list[str]
) -> None:
    leave(live)

    assert ["removed"] == [each.outcome for each in reap_all(live, dry_run=dry)]
    assert left == there(live)


def test_the_test_can_be_asked_for(live: FakeLive, found: Found) -> None:
    leave(live)

    assert 3 == len(reap_all(live, self_tested=True))
    assert [] == there(live)
