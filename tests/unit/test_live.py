"""The live-warm Keycloak: attached to when it is the right one and works, else started."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from pytest_warmci.clients.locks import Holder
from pytest_warmci.errors import EngineUnavailable, KeycloakTrouble, RecipeFailed
from pytest_warmci.protocols import AppPlace
from pytest_warmci.runs import live
from pytest_warmci.runs.live_keycloak import LiveKeycloak
from pytest_warmci.runs.realms import CAP
from pytest_warmci.store.journal import Journal
from pytest_warmci.store.live_records import read_live, write_live
from tests.fake_keycloak import SILENCE, TOKEN, Trouble
from tests.fakes import FakeEngine
from tests.sso_ghost import K1, K2
from tests.unit.haunts import SsoHaunt

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


# -- starting --------------------------------------------------------------------------------


def test_the_first_start_deploys_the_newest_published_version(bare: SsoHaunt) -> None:
    """Warms it up, and leaves no trace of that."""
    found = bare.start_keycloak()

    place = bare.live_place.place
    assert (K2, ["26.1"]) == (found.version, deploys(bare))
    assert found.record == read_live(bare.live_place.folder)
    assert (found.url, found.record.commit) == (
        bare.keycloak.url,
        bare.service.source().resolve(K2).commit,
    )
    assert Journal(place.folder).read() is None
    assert [] == bare.realms
    assert 0 == len(
        [path for path in bare.opened.runs.iterdir() if not (path / "result.json").exists()]
    )
    assert ["starting the live-warm Keycloak (a minute; the first time more)"] == bare.said


def test_key_pairs_are_made_ahead(bare: SsoHaunt) -> None:
    """Those that are used come out of them."""
    bare.start_keycloak()

    stock = bare.live_place.folder / "keys"
    assert (4, 0) == (
        len(list((stock / "stock").iterdir())),
        len(list((stock / "used").iterdir())),
    )


def test_what_runs_already_is_not_started_again(sso: SsoHaunt) -> None:
    first = sso.start_keycloak()

    second = sso.start_keycloak()

    assert (first.record, 1) == (second.record, len(deploys(sso)))
    assert 1 == len(sso.said)


def test_what_was_stopped_starts_with_its_data(sso: SsoHaunt) -> None:
    """And the version that it had."""
    sso.start_keycloak()
    operator_realm(sso)

    assert sso.stop_keycloak()
    found = sso.start_keycloak()

    assert (["mine"], K2) == (sso.realms, found.version)


def test_an_older_version_is_not_moved_by_a_start(bare: SsoHaunt) -> None:
    """Only reconciling does that."""
    place, source = bare.live_place.place, bare.service.source()
    place.create(source, source.resolve(K1))
    place.record_deployed(source, source.resolve(K1))

    assert K1 == bare.start_keycloak().version


def test_realms_of_dead_runs_do_not_keep_it_from_starting(sso: SsoHaunt) -> None:
    """However many: only who is attached can remove them."""
    sso.start_keycloak()
    for number in range(CAP):
        sso.keycloak.realms[f"blog-{number:06x}"] = {"realm": "x", "enabled": True}
    sso.keycloak.keep()
    sso.stop_keycloak()

    sso.start_keycloak()

    assert CAP == len(sso.realms)


def fail(error: BaseException) -> Callable[[FakeEngine, AppPlace], None]:
    def trouble(_engine: FakeEngine, _app: AppPlace) -> None:
        raise error

    return trouble


@pytest.mark.parametrize("verb", ["prepare", "deploy", "wait_converged", "prove"])
def test_a_first_start_that_fails_begins_anew_the_next_time(bare: SsoHaunt, verb: str) -> None:
    """Nothing runs meanwhile, and nothing says that it does."""
    bare.keycloak_trouble[verb] = fail(RecipeFailed("no"))

    with pytest.raises(KeycloakTrouble, match="the live-warm Keycloak does not start") as caught:
        bare.start_keycloak()

    assert "pytest recipe_tests/keycloak says what is wrong with its recipe" == caught.value.remedy
    assert (None, {}) == (read_live(bare.live_place.folder), FakeEngine.servers)
    assert "live-first" == (Journal(bare.live_place.place.folder).read() or {}).get("op")
    bare.keycloak_trouble.clear()
    bare.start_keycloak()
    assert 1 == len(bare.calls("remove"))


def test_a_later_start_that_fails_keeps_the_data(sso: SsoHaunt) -> None:
    sso.start_keycloak()
    operator_realm(sso)
    sso.stop_keycloak()
    sso.keycloak_trouble["wait_converged"] = fail(RecipeFailed("no"))

    with pytest.raises(KeycloakTrouble):
        sso.start_keycloak()

    assert (None, {}) == (read_live(sso.live_place.folder), FakeEngine.servers)
    sso.keycloak_trouble.clear()
    sso.start_keycloak()
    assert (["mine"], []) == (sso.realms, sso.calls("remove"))


@pytest.mark.parametrize(
    "error", [EngineUnavailable("down"), KeyboardInterrupt(), OSError(5, "I/O")]
)
def test_a_start_that_breaks_off_leaves_nothing_running(
    sso: SsoHaunt, error: BaseException
) -> None:
    """Whatever it was; the error is its own."""
    sso.keycloak_trouble["wait_converged"] = fail(error)

    with pytest.raises(type(error)):
        sso.start_keycloak()

    assert (None, {}) == (read_live(sso.live_place.folder), FakeEngine.servers)


def test_a_keycloak_that_cannot_be_warmed_up_has_not_started(sso: SsoHaunt) -> None:
    """It answers its probe, and makes no realm."""
    sso.start_keycloak()
    sso.stop_keycloak()
    real = live._warm

    def warm(found: LiveKeycloak) -> None:
        sso.keycloak.plan("POST /admin/realms", Trouble(403))
        real(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live, "_warm", warm)
        with pytest.raises(KeycloakTrouble, match="HTTP 403"):
            sso.start_keycloak()

    assert (None, {}) == (read_live(sso.live_place.folder), FakeEngine.servers)
    assert "warm-up" in str(list(sso.opened.runs.glob("*/realms/*")))
    sso.start_keycloak()


def test_what_runs_and_is_on_no_record_is_ended_first(sso: SsoHaunt) -> None:
    """Nobody knows what it is."""
    sso.start_keycloak()
    (sso.live_place.folder / "running.json").unlink()

    sso.start_keycloak()

    assert ["deploy", "undeploy", "settle", "deploy"] == [
        call.split()[0] for call in sso.calls("deploy", "undeploy", "settle")
    ]


# -- looking ---------------------------------------------------------------------------------


def test_the_right_one_that_works_is_found(sso: SsoHaunt) -> None:
    started = sso.start_keycloak()

    found = live.look(sso.service)

    assert found is not None
    assert (started.record, None) == (found.record, found.trouble())


Spoil = Callable[[SsoHaunt], Any]


def change_record(sso: SsoHaunt, **changes: str) -> None:
    record = read_live(sso.live_place.folder)
    assert record is not None
    write_live(sso.live_place.folder, replace(record, **changes))


def change_env(sso: SsoHaunt) -> None:
    with (sso.live_place.place.folder / "env").open("a") as stream:
        stream.write("KC_LOG=debug\n")


def change_compose(sso: SsoHaunt) -> None:
    compose = sso.live_place.place.folder / "recipe" / "compose.yml"
    compose.write_text(compose.read_text().replace("BEHAVES", "BEHAVED"))


def change_deployed(sso: SsoHaunt) -> None:
    place = sso.live_place.place
    place.record_deployed(sso.service.source(), sso.service.source().resolve(K1))


SPOILT: dict[str, Spoil] = {
    "no record": lambda sso: (sso.live_place.folder / "running.json").unlink(),
    "gone": lambda sso: sso.kill_keycloak(),
    "no folder": lambda sso: sso.live_place.place.folder.rename(sso.state / "x"),
    "other fingerprint": lambda sso: change_record(sso, fingerprint="0" * 64),
    "other env": change_env,
    "other recipe files": change_compose,
    "other version": change_deployed,
    "nothing deployed": lambda sso: (sso.live_place.place.folder / "deployed.json").unlink(),
    "no administrator": lambda sso: (sso.live_place.place.folder / "env").write_text("A=1\n"),
    "no password": lambda sso: (
        sso.live_place.place.folder / "secrets/admin_password_v1"
    ).unlink(),
    "other password": lambda sso: setattr(sso.keycloak, "password", "other"),
    "other issuer": lambda sso: setattr(sso.keycloak, "issuer", "http://elsewhere"),
    "no master": lambda sso: sso.keycloak.plan("GET /admin/realms", Trouble(200, body="[]")),
    "silent": lambda sso: sso.keycloak.plan(LOGIN, Trouble(SILENCE)),
    "another program": lambda sso: sso.keycloak.plan(LOGIN, Trouble(200, body="<html>")),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_another_one_or_a_broken_one_is_not_attached_to(sso: SsoHaunt, spoil: Spoil) -> None:
    """An open port proves nothing."""
    sso.start_keycloak()
    spoil(sso)

    assert live.look(sso.service) is None


def test_one_that_another_version_of_ours_has_started_is_not_attached_to(
    sso: SsoHaunt, monkeypatch: pytest.MonkeyPatch
) -> None:
    sso.start_keycloak()
    monkeypatch.setattr(live, "__version__", "99")

    assert live.look(sso.service) is None


def test_the_fingerprint_is_of_everything_it_is_started_with(sso: SsoHaunt) -> None:
    """And of nothing else: it is the same each time."""
    sso.start_keycloak()
    stack = sso.live_place.place.deployed_stack()
    service = stack.services["app"]
    others = [
        replace(stack, revision=replace(stack.revision, version="9")),
        replace(stack, revision=replace(stack.revision, commit="9" * 40)),
        replace(stack, keys={**stack.keys, "volumes.x": ""}),
        replace(stack, services={"app": replace(service, keys={**service.keys, "image": "x"})}),
        replace(stack, services={**stack.services, "db": service}),
        replace(stack, env={**stack.env, "X": ""}),
        replace(stack, configs={"c": ("c_v1", b"1")}),
        replace(stack, configs={"c": ("c_v1", b"2")}),
        replace(stack, configs={"c": ("c_v2", b"1")}),
    ]

    prints = [live.fingerprint(sso.live_place, each) for each in (stack, *others)]

    assert len(prints) == len(set(prints))
    assert prints[0] == live.fingerprint(sso.service, sso.live_place.place.deployed_stack())
