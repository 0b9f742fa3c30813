"""`warmci live`, `warmci realms`, and what `warmci reap` does about realms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pytest_warmci.cli import live as live_command, main
from pytest_warmci.errors import RecipeFailed
from pytest_warmci.protocols import AppPlace
from pytest_warmci.runs import live, reap_realms
from pytest_warmci.runs.engines import ENGINES
from pytest_warmci.runs.live_status import LiveStatus
from pytest_warmci.store import realm_records
from pytest_warmci.store.realm_records import RealmRecord
from tests.fake_keycloak import Trouble
from tests.fakes import FakeEngine
from tests.sso_ghost import K2
from tests.unit.haunts import SsoHaunt
from tests.unit.live_fakes import alive
from tests.unit.test_live_attached import USER
from tests.unit.warm_state import fingerprint, parsed


@pytest.fixture
def shop(sso: SsoHaunt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SsoHaunt:
    """A folder to type commands in, with the recipes beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WARMCI_STATE", str(sso.state))
    (tmp_path / "recipe_tests").symlink_to(sso.recipe.parent)
    monkeypatch.setitem(ENGINES, "process", lambda *_: sso.keycloak_engine())
    monkeypatch.setattr(live_command, "_LIMIT", 0.0)
    return sso


def warmci(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def add_realm(shop: SsoHaunt, name: str, run: str, **said: Any) -> None:
    """Let a run have a realm, on record."""
    token = f"token of {name}"
    attributes = {"token": token, "state": shop.opened.uuid, "run": run, **said}
    shop.keycloak.realms[name] = {
        "realm": name,
        "enabled": True,
        "attributes": {f"warmci.{key}": value for key, value in attributes.items()},
    }
    shop.keycloak.keep()
    realm_records.put(shop.opened, RealmRecord(name, run, "ghost", token, "2026-02-01T12:00:03Z"))


def leave_realm(shop: SsoHaunt, run: str = "dead00") -> str:
    """Let a dead run have left one."""
    name = f"ghost-{run}"
    add_realm(shop, name, run)
    with alive(shop.opened, run):
        pass
    return name


# -- live ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [("live", "status"), ("live", "start"), ("live", "stop"), ("realms",), ("reap",)]
)
def test_every_verb_has_json_state_and_help(words: tuple[str, ...]) -> None:
    done = warmci(*words, "--help")

    assert 0 == done.exit_code
    assert "--json" in done.stdout
    assert "--state" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("live", "status"), "keycloak: does not run; warmci live start starts it\n"),
        (("live", "stop"), "keycloak: nothing to do, it does not run\n"),
        (("realms",), "keycloak does not run, so there are no realms; see warmci live status\n"),
        (("reap",), "nothing to reap\n"),
    ],
)
@pytest.mark.parametrize("state", ["none", "some"])
def test_where_none_runs_it_is_said_and_nothing_is_made(
    shop: SsoHaunt, words: tuple[str, ...], said: str, state: str, tmp_path: Path
) -> None:
    arguments = ("--state", str(tmp_path / "none")) if state == "none" else ()

    done = warmci(*words, *arguments)

    assert (0, said, "") == (done.exit_code, done.stdout, done.stderr)
    assert not (tmp_path / "none").exists()
    assert [] == shop.calls()


@pytest.mark.parametrize("state", ["none", "some"])
def test_programs_read_the_same_wherever_none_runs(
    shop: SsoHaunt, state: str, tmp_path: Path
) -> None:
    arguments = ("--state", str(tmp_path / "none")) if state == "none" else ()

    status = parsed(warmci("live", "status", "--json", *arguments).stdout)

    assert {"format": 1, "keycloak": asdict(LiveStatus("stopped"))} == status
    assert {"format": 1, "runs": False, "realms": []} == parsed(
        warmci("realms", "--json", *arguments).stdout
    )
    assert {"format": 1, "stopped": False} == parsed(
        warmci("live", "stop", "--json", *arguments).stdout
    )


def test_it_is_started_once(shop: SsoHaunt) -> None:
    """And says what it is."""
    first, second = warmci("live", "start"), warmci("live", "start")

    assert (0, 0) == (first.exit_code, second.exit_code)
    record = shop.start_keycloak().record
    assert (
        (
            f"keycloak: works at {record.url}\n"
            f"  {K2} ({record.commit[:8]}), up since {record.started}\n"
            "  realms: 0, used by nobody\n"
        )
        == first.stdout
        == second.stdout
    )
    assert "warmci: starting the live-warm Keycloak (a minute; the first time more)\n" == (
        first.stderr
    )
    assert "" == second.stderr
    assert 1 == len(shop.calls("deploy"))


def test_starting_as_json(shop: SsoHaunt) -> None:
    done = warmci("live", "start", "--json")

    facts = parsed(done.stdout)["keycloak"]
    assert ("works", K2, 0) == (facts["condition"], facts["version"], facts["realms"])
    assert facts == parsed(warmci("live", "status", "--json").stdout)["keycloak"]


def test_one_that_does_not_start_is_an_error(shop: SsoHaunt) -> None:
    def fail(_engine: FakeEngine, _app: AppPlace) -> None:
        raise RecipeFailed("service 'app' ended with code 1")

    shop.keycloak_trouble["wait_converged"] = fail

    done = warmci("live", "start")

    assert (75, "") == (done.exit_code, done.stdout)
    assert "the live-warm Keycloak does not start\n" in done.stderr
    assert "service 'app' ended with code 1" in done.stderr


def test_starting_needs_a_recipe(shop: SsoHaunt, tmp_path: Path) -> None:
    (tmp_path / "recipe_tests").unlink()

    done = warmci("live", "start")

    assert (2, "") == (done.exit_code, done.stdout)
    assert "keycloak" in done.stderr


def test_one_that_runs_and_does_not_work_ends_with_75(shop: SsoHaunt) -> None:
    """With what is wrong."""
    shop.start_keycloak()
    shop.kill_keycloak()

    done, as_json = warmci("live", "status"), warmci("live", "status", "--json")

    assert (75, 75) == (done.exit_code, as_json.exit_code)
    assert "keycloak: does not work at http" in done.stdout
    assert "\n  its processes are gone: nobody stopped it\n" in done.stdout
    assert "broken" == parsed(as_json.stdout)["keycloak"]["condition"]


def test_who_uses_it_is_named_and_waited_for(shop: SsoHaunt) -> None:
    with ExitStack() as held:
        held.enter_context(live.attached(shop.service, who=USER, limit=0, progress=shop.say))

        status, stop = warmci("live", "status"), warmci("live", "stop")

    assert "used by run 1a2b3c (quick, pid " in status.stdout
    assert (75, "") == (stop.exit_code, stop.stdout)
    assert "held by run 1a2b3c (quick, pid " in stop.stderr


def test_it_is_stopped_once(shop: SsoHaunt) -> None:
    shop.start_keycloak()

    first, second = warmci("live", "stop"), warmci("live", "stop")

    assert (0, "keycloak: stopped\n") == (first.exit_code, first.stdout)
    assert (0, "keycloak: nothing to do, it does not run\n") == (second.exit_code, second.stdout)
    shop.start_keycloak()
    assert {"format": 1, "stopped": True} == parsed(warmci("live", "stop", "--json").stdout)


# -- realms ----------------------------------------------------------------------------------


def test_the_realms_of_runs_are_listed_with_what_reap_would_do(shop: SsoHaunt) -> None:
    """Those of others are not; nothing is changed."""
    shop.start_keycloak()
    shop.keycloak.realms["mine"] = {"realm": "mine", "enabled": True}
    dead = leave_realm(shop)
    with alive(shop.opened, "1a2b3c", "ghost"):
        add_realm(shop, "ghost-1a2b3c", "1a2b3c")
        before = fingerprint(shop.state)

        done, as_json = warmci("realms"), warmci("realms", "--json")

        assert before == fingerprint(shop.state)

    assert (0, "") == (done.exit_code, done.stderr)
    lines = [line.split() for line in done.stdout.splitlines() if line.strip().startswith("ghost")]
    assert ["ghost-1a2b3c", dead] == [line[0] for line in lines]
    assert "keep: in use by run 1a2b3c (quick, pid " in " ".join(lines[0])
    assert "remove: run dead00 died" in " ".join(lines[1])
    assert "mine" not in done.stdout
    facts = parsed(as_json.stdout)
    assert (True, ["keep", "remove"]) == (
        facts["runs"],
        [each["reap"] for each in facts["realms"]],
    )


def test_where_there_are_none_it_says_so(shop: SsoHaunt) -> None:
    shop.start_keycloak()

    assert "there are no realms of runs\n" == warmci("realms").stdout
    assert {"format": 1, "runs": True, "realms": []} == parsed(warmci("realms", "--json").stdout)


def test_a_keycloak_that_does_not_answer_ends_with_75(shop: SsoHaunt) -> None:
    shop.start_keycloak()
    shop.keycloak.plan("GET /admin/realms", *(Trouble(503),) * 3)

    done = warmci("realms")

    assert (75, "") == (done.exit_code, done.stdout)
    assert "Keycloak answered HTTP 503" in done.stderr


# -- reap ------------------------------------------------------------------------------------


def test_realms_of_dead_runs_go(shop: SsoHaunt) -> None:
    """What stays is said with its reason."""
    shop.start_keycloak()
    shop.keycloak.realms["mine"] = {"realm": "mine", "enabled": True}
    name = leave_realm(shop)

    done = warmci("reap")

    assert 0 == done.exit_code
    assert f"realm {name}: removed\n  run dead00 died\n" in done.stdout
    assert "realm mine: kept\n  its name is not one of a run's realm\n" in done.stdout
    assert ["mine"] == shop.realms


def test_a_dry_run_only_says_so(shop: SsoHaunt) -> None:
    shop.start_keycloak()
    name = leave_realm(shop)
    before = fingerprint(shop.state)

    done = warmci("reap", "--dry-run")

    assert f"realm {name}: would be removed\n" in done.stdout
    assert (before, [name]) == (fingerprint(shop.state), shop.realms)
    facts = parsed(warmci("reap", "--dry-run", "--json").stdout)
    assert (True, [], [name]) == (
        facts["dry_run"],
        facts["apps"],
        [each["realm"] for each in facts["realms"]],
    )


def test_one_that_cannot_be_removed_ends_with_75(shop: SsoHaunt) -> None:
    """The others are removed."""
    shop.start_keycloak()
    first, second = leave_realm(shop, "000001"), leave_realm(shop, "000002")
    shop.keycloak.plan(f"DELETE /admin/realms/{first}", Trouble(403))

    done = warmci("reap")

    assert 75 == done.exit_code
    assert f"realm {first}: failed\n" in done.stdout
    assert f"realm {second}: removed\n" in done.stdout


def test_a_keycloak_that_does_not_work_is_told(shop: SsoHaunt) -> None:
    """Apps are reaped all the same."""
    shop.start_keycloak()
    shop.keycloak.plan("GET /admin/realms", *(Trouble(503),) * 3)

    done = warmci("reap")

    assert 75 == done.exit_code
    assert "realms: failed\n" in done.stdout
    assert "Keycloak answered HTTP 503" in done.stdout


def test_the_reaper_can_test_itself(shop: SsoHaunt) -> None:
    shop.start_keycloak()

    done = warmci("reap", "--self-test")

    assert (0, []) == (done.exit_code, shop.realms)
    assert "-dead: removed\n" in done.stdout
    assert "-live: kept\n" in done.stdout


def test_a_reaper_that_fails_its_test_ends_with_75(
    shop: SsoHaunt, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.start_keycloak()
    monkeypatch.setattr(reap_realms, "holder", lambda _lease: None)

    done = warmci("reap", "--self-test")

    assert (75, []) == (done.exit_code, shop.realms)
    assert "the reaper does not do what it has to" in done.stderr


def test_there_must_be_a_keycloak_to_test_on(shop: SsoHaunt) -> None:
    done = warmci("reap", "--self-test")

    assert 75 == done.exit_code
    assert "cannot test itself: the live-warm Keycloak does not run" in done.stderr


def test_a_test_without_a_state_directory_is_no_success(shop: SsoHaunt, tmp_path: Path) -> None:
    """There is no Keycloak there either."""
    done = warmci("reap", "--self-test", "--state", str(tmp_path / "none"))

    assert 75 == done.exit_code
    assert "cannot test itself" in done.stderr


def test_a_dry_test_is_a_contradiction(shop: SsoHaunt) -> None:
    done = warmci("reap", "--self-test", "--dry-run")

    assert (2, "") == (done.exit_code, done.stdout)
    assert "--dry-run and --self-test contradict each other" in done.stderr


@pytest.fixture(autouse=True)
def _no_trouble_is_left(sso: SsoHaunt) -> Iterator[None]:
    """All trouble that was planned has happened."""
    yield
    if sso.live_place.place.folder in FakeEngine.servers:
        assert [] == sso.keycloak.unplayed()
