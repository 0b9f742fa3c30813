"""Reaping realms: only what is ours, of a run that is dead, and wanted by nobody goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.clients.rsa import KeyPair
from pytest_warmci.errors import KeycloakTrouble
from pytest_warmci.runs import reap_realms as module
from pytest_warmci.runs.realm_owner import RealmOwner
from pytest_warmci.runs.realms import mutex
from pytest_warmci.runs.reap_realms import ReapedRealm, reap_realms
from pytest_warmci.store import key_stock, realm_records
from pytest_warmci.store.kept import KeptApp, write_kept
from pytest_warmci.store.realm_records import RealmRecord
from tests.unit.live_fakes import FakeLive, alive
from tests.unit.warm_state import fingerprint

DEAD = "dead00"
DOMAIN = "warm-blog.warmci.localhost"


def leave(
    live: FakeLive,
    owner: str = DEAD,
    suffix: str = "",
    *,
    lease: bool = True,
    record: bool = True,
    app: str = "",
    hours: float = 1,
    **said: Any,
) -> str:
    """Let a run that is dead have left a realm; return its name."""
    state = live.service.state
    name = f"blog-{owner}{suffix}"
    known = {
        "token": f"token of {name}",
        "state": state.uuid,
        "run": owner,
        "expires": str(int(time.time() + hours * 3600)),
    }
    known = {key: value for key, value in {**known, **said}.items() if value is not None}
    live.fake.realms_[name] = {
        "realm": name,
        "enabled": True,
        "attributes": {f"warmci.{key}": value for key, value in known.items()},
    }
    if record:
        realm_records.put(
            state,
            RealmRecord(name, owner, "blog", f"token of {name}", "2026-02-01T12:00:03Z", app=app),
        )
    if lease:
        with alive(state, owner):
            pass
    return name


def kept(live: FakeLive, *, run: str = DEAD, hours: float = 1) -> Path:
    """Mark the app as left running; return the mark."""
    folder = live.service.state.app("process", DOMAIN)
    folder.mkdir(parents=True, exist_ok=True)
    until = datetime.now(UTC) + timedelta(hours=hours)
    mark = KeptApp(
        run=run,
        recipe="blog",
        domain=DOMAIN,
        url="http://localhost:1",
        until=until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        why="",
        commit="c0ffee",
        version="",
    )
    write_kept(folder, mark)
    return folder / "kept-alive.json"


def only(live: FakeLive, **more: Any) -> ReapedRealm:
    """Reap; return the one entry."""
    (found,) = reap_realms(live, **more)
    return found


def there(live: FakeLive) -> list[str]:
    return [name for name in live.fake.realms_ if name != "master"]


# -- what stays ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "mine",
        "blog",
        "blog-12345",
        "blog-1234567",
        "blog-xyzxyz",
        "Blog-1a2b3c",
        "-1a2b3c",
        "1a2b3c",
    ],
)
def test_a_foreign_name_is_not_even_looked_into(live: FakeLive, name: str) -> None:
    live.fake.realms_[name] = {"enabled": True, "attributes": {"warmci.expires": "1"}}

    found = only(live)

    assert ReapedRealm(name, "", "kept", "its name is not one of a run's realm") == found
    assert 0 == live.fake.count("find")
    assert [name] == there(live)


def test_master_is_no_candidate(live: FakeLive) -> None:
    """Whatever it says of itself."""
    live.fake.realms_["master"]["attributes"] = {"warmci.expires": "1", "warmci.token": "t"}

    assert [] == reap_realms(live)
    assert (["master"], 0) == (list(live.fake.realms_), live.fake.count("find"))


def test_a_live_runs_realm_stays_whatever_its_age(live: FakeLive, run: RealmOwner) -> None:
    """And names the run."""
    name = leave(live, run.id, lease=False, hours=-1000)

    found = only(live)

    assert ("kept", [name]) == (found.outcome, there(live))
    assert found.why.startswith("in use by run 1a2b3c (quick, pid ")
    assert str(found).startswith("kept realm blog-1a2b3c: in use by run 1a2b3c")


def test_another_state_directorys_realm_stays(live: FakeLive) -> None:
    """However dead its run is, and whatever its time."""
    name = leave(live, state="another", hours=-1000)

    assert ReapedRealm(name, DEAD, "kept", "it belongs to another state directory") == only(live)
    assert [name] == there(live)


@pytest.mark.parametrize(
    "said", [{"token": None}, {"token": ""}, {"run": "77aa77"}, {"run": None}]
)
def test_a_realm_that_does_not_say_that_it_is_ours_stays(
    live: FakeLive, said: dict[str, Any]
) -> None:
    """Its name alone says nothing."""
    name = leave(live, hours=-1000, **said)

    found = only(live)

    assert ("kept", "nothing in it says that we have made it") == (found.outcome, found.why)
    assert [name] == there(live)


def test_a_realm_with_another_token_than_its_record_stays(live: FakeLive) -> None:
    name = leave(live, token="another one")

    assert "its record is of another realm of that name" == only(live).why
    assert [name] == there(live)


def test_a_realm_that_goes_by_itself_is_let_go(live: FakeLive) -> None:
    """Its run deletes it between our list and our look."""
    leave(live)
    live.fake.trouble["find"] = lambda name: live.fake.realms_.pop(name, None)

    assert "it is being deleted" == only(live).why


def test_the_realm_of_a_kept_app_stays(live: FakeLive) -> None:
    """Whoever looks at the app wants to log in to it."""
    leave(live, app=DOMAIN)
    kept(live)

    found = only(live)

    assert ("kept", ["blog-dead00"]) == (found.outcome, there(live))
    assert found.why.startswith("run dead00 keeps its app until 20")


def test_a_mark_that_cannot_be_read_never_means_not_kept(live: FakeLive) -> None:
    leave(live, app=DOMAIN)
    kept(live).write_text("{")

    assert "the mark of its app cannot be read" == only(live).why


# -- what goes -------------------------------------------------------------------------------


@pytest.mark.parametrize("record", [True, False])
def test_a_dead_runs_realm_goes(live: FakeLive, record: bool) -> None:
    """With its record, and without one."""
    name = leave(live, record=record)

    found = only(live)

    assert ReapedRealm(name, DEAD, "removed", "run dead00 died") == found
    assert {"realm": name, "run": DEAD, "outcome": "removed", "why": found.why} == found.to_json()
    assert ([], []) == (there(live), realm_records.of_all(live.service.state))


@pytest.mark.parametrize("suffix", ["-2", "-other", "-other-2"])
def test_a_realm_with_a_name_of_its_own_goes_too(live: FakeLive, suffix: str) -> None:
    leave(live, suffix=suffix)

    assert "removed" == only(live).outcome
    assert [] == there(live)


@pytest.mark.parametrize(("hours", "goes"), [(-1, True), (1, False)])
def test_without_a_lease_file_its_own_word_counts(
    live: FakeLive, hours: float, goes: bool
) -> None:
    """Somebody has deleted the runs."""
    name = leave(live, lease=False, record=False, hours=hours)

    found = only(live)

    assert ("removed" if goes else "kept", [] if goes else [name]) == (found.outcome, there(live))
    verb = "expired" if goes else "expires"
    assert found.why.startswith(f"nothing is known of its run, it {verb} at 20")


@pytest.mark.parametrize("expires", [None, "", "soon", "9" * 30])
def test_a_word_that_cannot_be_read_is_none(live: FakeLive, expires: str | None) -> None:
    name = leave(live, lease=False, record=False, expires=expires)

    assert "nothing is known of its run, nor when it expires" == only(live).why
    assert [name] == there(live)


@pytest.mark.parametrize(("hours", "goes"), [(-1, True), (1, False)])
def test_with_a_damaged_record_its_own_word_counts(
    live: FakeLive, hours: float, goes: bool
) -> None:
    """It may be of an app that somebody looks at: nobody knows any more."""
    name = leave(live, app=DOMAIN, hours=hours)
    kept(live)
    (live.service.state.run(DEAD) / "realms" / f"{name}.json").write_text("{")

    assert ("removed" if goes else "kept") == only(live).outcome
    assert ([] if goes else [name]) == there(live)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda live: kept(live, hours=-1),
        lambda live: kept(live, run="77aa77"),
        lambda live: None,
    ],
    ids=["its time is over", "another run keeps it", "nobody keeps it"],
)
def test_the_realm_of_an_app_that_is_not_kept_goes(
    live: FakeLive, spoil: Callable[[FakeLive], object]
) -> None:
    leave(live, app=DOMAIN)
    spoil(live)

    assert "removed" == only(live).outcome


def test_its_keys_come_back(live: FakeLive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_stock, "new_key_pair", lambda: KeyPair("p", "c"))
    live.keys.take(leave(live))

    reap_realms(live)

    assert [] == live.keys.used()


# -- one pass --------------------------------------------------------------------------------


def test_a_pass_deletes_so_many_at_most(live: FakeLive) -> None:
    """The others are told, and go with the next ones."""
    for number in range(7):
        leave(live, f"{number:06x}")

    first = reap_realms(live, most=3)

    assert ["removed"] * 3 + ["kept"] * 4 == [each.outcome for each in first]
    assert {"3 go in one pass: reap again"} == {each.why for each in first[3:]}
    assert [3, 1] == [
        [each.outcome for each in reap_realms(live, most=3)].count("removed") for _ in "ab"
    ]
    assert [] == there(live)


def test_what_cannot_be_deleted_counts_too(live: FakeLive) -> None:
    """Each may take a minute, and somebody waits."""
    for number in range(5):
        leave(live, f"{number:06x}")

    def fail(_name: str) -> None:
        raise KeycloakTrouble("deadlock", where="here")

    live.fake.trouble["delete"] = fail

    found = reap_realms(live, most=2)

    assert ["failed"] * 2 + ["kept"] * 3 == [each.outcome for each in found]
    assert "here: deadlock" == found[0].why
    assert 2 == live.fake.count("delete")


def test_one_that_cannot_be_deleted_does_not_keep_another(live: FakeLive) -> None:
    first, second = leave(live, "000001"), leave(live, "000002")

    def fail(name: str) -> None:
        if name == first:
            raise KeycloakTrouble("deadlock")

    live.fake.trouble["delete"] = fail

    assert ["failed", "removed"] == [each.outcome for each in reap_realms(live)]
    assert [first] == there(live)
    assert second not in live.fake.realms_


def test_what_is_recorded_of_another_engines_keycloak_is_not_forgotten(live: FakeLive) -> None:
    """It is not there, and that proves nothing: each engine has its own."""
    state = live.service.state
    ours = RealmRecord("blog-000001", "000001", "blog", "t", "then")
    theirs = replace(ours, realm="blog-000001-2", engine="far")
    for each in (ours, theirs):
        realm_records.put(state, each)

    reap_realms(live)

    assert [theirs] == realm_records.of_all(state)


def test_a_dry_run_says_the_same_and_changes_nothing(live: FakeLive, run: RealmOwner) -> None:
    """Neither there nor here."""
    leave(live, "000001")
    leave(live, "000002", lease=False, hours=-1)
    leave(live, run.id, lease=False)
    leave(live, "000003", state="another")
    realm_records.put(
        live.service.state, RealmRecord("blog-000001-2", "000001", "blog", "t", "then")
    )
    before, names = fingerprint(live.service.state.root), there(live)

    dry = reap_realms(live, dry_run=True, most=1)

    assert (before, names) == (fingerprint(live.service.state.root), there(live))
    assert (0, 0) == (live.fake.count("delete"), live.fake.count("disable"))
    assert dry == reap_realms(live, most=1)
    assert 3 == len(there(live))


def test_who_makes_or_deletes_realms_is_waited_for(
    live: FakeLive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the limit it has failed, and says who it was."""
    monkeypatch.setattr(module, "MUTEX_SECONDS", 0.0)
    name = leave(live)

    with hold(mutex(live.service.state), who=Holder("77aa77", "realms", "x"), limit=0):
        found = only(live)

    assert ("failed", [name]) == (found.outcome, there(live))
    assert "held by run 77aa77" in found.why


def test_what_has_changed_while_we_waited_is_judged_anew(
    live: FakeLive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name was given to another one meanwhile."""
    name = leave(live)
    looks = 0

    def change(_name: str) -> None:
        nonlocal looks
        looks += 1
        if looks == 2:
            live.fake.realms_[name]["attributes"]["warmci.token"] = "theirs"

    live.fake.trouble["find"] = change

    assert "its record is of another realm of that name" == only(live).why
    assert [name] == there(live)
