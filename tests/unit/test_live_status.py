"""How the live-warm Keycloak is, and whose its realms are: looked at, never changed."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest

from pytest_warmci.errors import KeycloakTrouble, StateDamaged
from pytest_warmci.runs import live
from pytest_warmci.runs.live_status import LiveStatus, look, realms_of_runs
from pytest_warmci.runs.realm_owner import RealmOwner
from pytest_warmci.store import realm_records
from pytest_warmci.store.realm_records import RealmRecord
from tests.fake_keycloak import TOKEN, Trouble
from tests.unit.haunts import SsoHaunt
from tests.unit.live_fakes import FakeLive
from tests.unit.test_live_attached import USER
from tests.unit.test_reap_realms import leave
from tests.unit.warm_state import fingerprint


def seen(sso: SsoHaunt) -> LiveStatus:
    return look(sso.opened, sso.keycloak_engine())


def test_one_that_was_never_started_is_stopped(sso: SsoHaunt) -> None:
    assert LiveStatus("stopped") == seen(sso)


def test_one_that_works_says_what_and_since_when(sso: SsoHaunt) -> None:
    """And how many realms of runs it has; those of others do not count."""
    started = sso.start_keycloak()
    for name in ("mine", "blog-1a2b3c", "blog-1a2b3c-2"):
        sso.keycloak.realms[name] = {"realm": name, "enabled": True}

    record = started.record
    assert LiveStatus(
        "works",
        url=record.url,
        version=record.version,
        commit=record.commit,
        started=record.started,
        realms=2,
    ) == seen(sso)
    assert asdict(seen(sso)) == seen(sso).to_json()


def test_who_uses_it_is_named(sso: SsoHaunt) -> None:
    with ExitStack() as held:
        held.enter_context(live.attached(sso.service, who=USER, limit=0, progress=sso.say))

        used_by = seen(sso).used_by

    assert used_by.startswith("run 1a2b3c (quick, pid ")
    assert "" == seen(sso).used_by


def test_one_whose_processes_are_gone_is_broken(sso: SsoHaunt) -> None:
    started = sso.start_keycloak()
    sso.kill_keycloak()

    found = seen(sso)

    assert ("broken", "its processes are gone: nobody stopped it", started.url) == (
        found.condition,
        found.why,
        found.url,
    )


def test_one_that_refuses_us_is_broken(sso: SsoHaunt) -> None:
    sso.start_keycloak()
    sso.keycloak.plan(f"POST /realms/master{TOKEN}", Trouble(503))

    found = seen(sso)

    assert "broken" == found.condition
    assert "Keycloak refuses us: " in found.why


@pytest.mark.parametrize("file", ["env", "secrets/admin_password_v1"])
def test_one_whose_administrator_is_unknown_is_broken(sso: SsoHaunt, file: str) -> None:
    sso.start_keycloak()
    (sso.live_place.place.folder / file).unlink()

    found = seen(sso)

    assert "broken" == found.condition
    assert "nobody can log in to the live-warm Keycloak" in found.why


def test_a_record_that_cannot_be_read_is_an_error(sso: SsoHaunt) -> None:
    """It never means that nothing runs."""
    (sso.live_place.folder / "running.json").write_text("{")

    with pytest.raises(StateDamaged):
        seen(sso)


def test_looking_changes_nothing(sso: SsoHaunt) -> None:
    sso.start_keycloak()
    before = fingerprint(sso.state)

    seen(sso)

    assert before == fingerprint(sso.state)


# -- realms ----------------------------------------------------------------------------------


def test_every_realm_of_a_run_is_listed_with_its_holder(live: FakeLive, run: RealmOwner) -> None:
    """By name; those of others are not."""
    made = (datetime.now(UTC) - timedelta(seconds=90)).strftime("%Y-%m-%dT%H:%M:%SZ")
    leave(live, run.id, lease=False)
    realm_records.put(
        run.state,
        RealmRecord("blog-1a2b3c", run.id, "blog", "token of blog-1a2b3c", made),
    )
    leave(live, "000001")
    live.fake.realms_["blog-000001"]["enabled"] = False
    live.fake.realms_["mine"] = {"realm": "mine", "enabled": True}

    dead, alive = realms_of_runs(live)

    assert ("blog-000001", "000001", "blog", "disabled", "", "remove", "run 000001 died") == (
        dead.realm,
        dead.run,
        dead.recipe,
        dead.condition,
        dead.holder,
        dead.reap,
        dead.why,
    )
    assert ("blog-1a2b3c", "1a2b3c", "blog", "live", "keep", made) == (
        alive.realm,
        alive.run,
        alive.recipe,
        alive.condition,
        alive.reap,
        alive.made,
    )
    assert alive.holder.startswith("run 1a2b3c (quick, pid ")
    assert alive.age is not None
    assert 89 < alive.age < 200
    assert asdict(alive) == alive.to_json()


def test_a_realm_that_is_on_no_record_has_no_age(live: FakeLive) -> None:
    leave(live, record=False)

    (found,) = realms_of_runs(live)

    assert ("", "", None) == (found.recipe, found.made, found.age)


def test_a_time_that_is_none_has_no_age(live: FakeLive) -> None:
    leave(live)
    record = realm_records.of_all(live.service.state)[0]
    realm_records.put(
        live.service.state, RealmRecord(record.realm, record.run, "blog", record.token, "then")
    )

    (found,) = realms_of_runs(live)

    assert ("then", None) == (found.made, found.age)


def test_listing_changes_nothing(live: FakeLive) -> None:
    leave(live)
    before = fingerprint(live.service.state.root)

    realms_of_runs(live)

    assert before == fingerprint(live.service.state.root)
    assert {"realms", "find"} == {call.split()[0] for call in live.fake.calls}


def test_a_damaged_record_is_no_obstacle(live: FakeLive) -> None:
    name = leave(live)
    (live.service.state.run("dead00") / "realms" / f"{name}.json").write_text("{")

    (found,) = realms_of_runs(live)

    assert (name, "") == (found.realm, found.recipe)


def test_a_keycloak_that_does_not_answer_is_an_error(live: FakeLive) -> None:
    def fail(_name: str) -> None:
        raise KeycloakTrouble("does not answer")

    live.fake.trouble["realms"] = fail

    with pytest.raises(KeycloakTrouble):
        realms_of_runs(live)
