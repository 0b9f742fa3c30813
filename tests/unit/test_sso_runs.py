"""Runs of a recipe with single sign-on: the realm is there before the one deploy, and gone after."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pytest_warmci.clients.locks import holder
from pytest_warmci.errors import (
    InputError,
    NotEvaluated,
    RecipeFailed,
    WarmciError,
)
from pytest_warmci.protocols import AppPlace
from pytest_warmci.runs.place import Place
from pytest_warmci.runs.recovering import recover_all
from pytest_warmci.runs.run import Run
from pytest_warmci.settings import Setting
from pytest_warmci.store import realm_records
from tests import ghost
from tests.fakes import FakeEngine
from tests.unit.haunts import Haunt, SsoHaunt, give_back
from tests.unit.test_promote import recovered


@dataclass(frozen=True)
class Seen:
    """What an app had when something was done to it."""

    app: str
    issuer: str
    secret: str
    realm: str
    enabled: bool


def watch(sso: SsoHaunt, *verbs: str) -> list[Seen]:
    """Note what each app has whenever one of the verbs is done to it."""
    seen: list[Seen] = []

    def look(_engine: FakeEngine, app: AppPlace) -> None:
        place = Place("ghost", app.domain, app.folder)
        issuer = place.env()["OIDC_ISSUER"]
        realm = issuer.rpartition("/")[2]
        secret = place.folder / "run.secrets" / "oidc_secret"
        assert place.env()["OIDC_BACK"] == f"{sso.engine().address(app)}/back"
        seen.append(
            Seen(
                app.domain.partition(".")[0],
                issuer,
                secret.read_text(),
                realm,
                bool(sso.keycloak.realms.get(realm, {}).get("enabled")),
            )
        )

    for verb in verbs:
        sso.trouble[verb] = look
    return seen


def clean(sso: SsoHaunt) -> None:
    """Nothing of any run is left, and nobody has Keycloak."""
    assert [] == sso.realms
    assert [] == realm_records.of_all(sso.opened)
    assert [] == list((sso.state / "apps").rglob("run.*s*"))
    assert [] == list((sso.state / "apps").rglob("run.env"))
    assert holder(sso.live_place.lock) is None


def ghost_deploys(sso: SsoHaunt) -> list[str]:
    return [call for call in sso.calls("deploy") if "keycloak" not in call]


# -- where the realm comes from and goes -----------------------------------------------------


def test_a_quick_run_has_one_realm_from_before_the_first_deploy_on(sso: SsoHaunt) -> None:
    """Until the app is undeployed; no deploy is there only to wire it."""
    seen = watch(sso, "deploy", "undeploy", "settle")

    lane = ghost.drive(sso.lane("quick"))

    realm = f"ghost-{lane.run.id}"
    assert {("warm-ghost", realm, True)} == {(each.app, each.realm, each.enabled) for each in seen}
    assert 4 == len(seen)
    assert ["deploy warm-ghost 1.1", "deploy warm-ghost 1.2"] == ghost_deploys(sso)
    assert lane.result is not None
    assert ("passed", (), ()) == (lane.result.verdict, lane.result.leftovers, lane.result.notes)
    assert ["POST /admin/realms", f"PUT /admin/realms/{realm}"] == [
        call
        for call in sso.keycloak.asked
        if call.startswith(("POST /admin", f"PUT /admin/realms/{realm}"))
    ][-2:]
    clean(sso)


def test_a_cold_run_has_a_realm_for_each_app(sso: SsoHaunt) -> None:
    seen = watch(sso, "deploy")

    lane = ghost.drive(sso.lane("cold"))

    run = lane.run.id
    assert [f"ghost-{run}", f"ghost-{run}-2", f"ghost-{run}-2"] == [each.realm for each in seen]
    assert all(each.enabled for each in seen)
    assert 2 == len({each.secret for each in seen})
    assert 3 == len(ghost_deploys(sso))
    clean(sso)


def test_what_an_app_has_for_one_run_is_in_no_snapshot(sso: SsoHaunt) -> None:
    """The canonical is deployed with a realm of its own, and nothing of it is kept."""
    seen = watch(sso, "deploy")

    lane = ghost.drive(sso.lane("cold", "published"))

    assert lane.result is not None
    assert lane.result.promoted
    own = seen[-1]
    assert ("warm-ghost", True) == (own.app, own.enabled)
    assert len({each.secret for each in seen}) == len({each.realm for each in seen})
    entry = sso.check_known_good()
    kept = [
        path
        for path in (sso.place.snapshots / entry.generation).rglob("*")
        if path.is_file()
        and (own.secret.encode() in path.read_bytes() or own.realm.encode() in path.read_bytes())
    ]
    assert [] == kept
    assert "https://sso.example.org" == sso.place.env()["OIDC_ISSUER"]
    clean(sso)


def test_nobody_waits_for_an_app_who_holds_keycloak(
    sso: SsoHaunt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The canonical's lock comes first, in a promotion too."""
    real = Run.hold
    found: list[tuple[str, bool]] = []

    @contextmanager
    def hold(run: Run, place: Place, why: str, *, limit: float) -> Iterator[None]:
        found.append((why, holder(sso.live_place.lock) is None))
        with real(run, place, why, limit=limit):
            yield

    monkeypatch.setattr(Run, "hold", hold)

    ghost.drive(sso.lane("cold", "published"))

    assert [("cold run", True), ("promotion", True)] == found


@pytest.mark.parametrize("head", ["fails-at-once", "engine-down"])
@pytest.mark.parametrize("mode", ["quick", "cold"])
def test_a_run_that_fails_leaves_nothing_either(sso: SsoHaunt, mode: Any, head: str) -> None:
    lane = sso.lane(mode, head)

    with pytest.raises(WarmciError):
        lane.goto("upgrade", "head")
    lane.close(narrowed=[], interrupted=False)

    sso.check_known_good()
    clean(sso)


def test_a_run_that_is_stopped_leaves_nothing_either(sso: SsoHaunt) -> None:
    lane = sso.lane("quick", "interrupts")

    with pytest.raises(KeyboardInterrupt):
        lane.goto("upgrade", "head")
    lane.close(narrowed=[], interrupted=True)

    sso.check_known_good()
    clean(sso)


def test_what_is_not_required_is_not_started(haunt: Haunt) -> None:
    """A recipe without single sign-on asks no Keycloak for anything."""
    lane = ghost.drive(haunt.lane("quick"))

    assert lane.result is not None
    assert [] == [call for call in haunt.calls() if "keycloak" in call]
    assert {"sso", "realms"}.isdisjoint(phase.name for phase in lane.result.phases)


def test_a_realm_that_a_test_did_not_give_back_is_a_leftover(sso: SsoHaunt) -> None:
    """It goes all the same."""
    lane = sso.lane("quick")
    lane.goto("upgrade", "head")
    assert lane.run.sign_on is not None
    name = lane.run.sign_on.check_out("own").name
    lane.outcomes.note("test", "passed")

    result = lane.close(narrowed=[], interrupted=False)

    assert (f"realm {name}",) == result.leftovers
    clean(sso)


def test_secrets_of_realms_are_blotted_out(sso: SsoHaunt) -> None:
    """Of what is said after they are gone, too."""
    seen = watch(sso, "deploy")
    lane = ghost.drive(sso.lane("quick"))

    secret = seen[0].secret
    assert len(secret) > 20
    assert secret not in lane.run.masked(f"it is {secret}")


def test_somebody_logs_in_to_what_was_upgraded(sso: SsoHaunt) -> None:
    """With the identity that recipe.yml promises."""
    lane = sso.lane("quick")
    lane.goto("upgrade", "head")
    spec = lane.run.plan.enrolment.sso
    assert lane.run.sign_on is not None
    assert lane.run.login is not None
    assert spec is not None

    lane.run.sign_on.prove_login(lane.run.login, lane.app, spec)
    with pytest.raises(RecipeFailed, match="ana logged in and is @ana, not ana"):
        lane.run.sign_on.prove_login(
            lane.run.login, lane.app, replace(spec, identity="{username}")
        )

    assert "bea" == lane.app.sso.users["bea"].username
    lane.close(narrowed=[], interrupted=True)


# -- dying and recovering --------------------------------------------------------------------


def test_a_dead_runs_wiring_goes_with_the_recovery(sso: SsoHaunt) -> None:
    """And its realm with the next run that needs Keycloak."""
    dead = sso.lane("quick")
    dead.goto("upgrade", "head")
    give_back(dead)
    assert (sso.place.folder / "run.env").exists()

    assert recovered(sso) is not None

    assert not (sso.place.folder / "run.env").exists()
    assert not (sso.place.folder / "run.secrets").exists()
    sso.check_known_good()
    lane = ghost.drive(sso.lane("quick"))
    assert lane.result is not None
    name = f"ghost-{dead.run.id}"
    assert (f"removed realm {name}: run {dead.run.id} died",) == lane.result.notes


def test_the_next_run_is_wired_anew(sso: SsoHaunt) -> None:
    """Whatever a dead one had left."""
    dead = sso.lane("quick")
    dead.goto("upgrade", "head")
    give_back(dead)
    seen = watch(sso, "deploy")

    lane = ghost.drive(sso.lane("quick"))

    assert {f"ghost-{lane.run.id}"} == {each.realm for each in seen}
    clean(sso)


def test_an_app_that_does_not_stop_keeps_its_wiring_until_it_does(sso: SsoHaunt) -> None:
    """Its realm goes with the run."""

    def never(_engine: FakeEngine, _app: AppPlace) -> None:
        raise NotEvaluated("does not stop")

    lane = sso.lane("quick")
    lane.goto("upgrade", "head")
    sso.trouble["settle"] = never

    with pytest.raises(NotEvaluated, match="does not stop"):
        lane.leave()
    lane.close(narrowed=[], interrupted=False)

    assert ([], True) == (sso.realms, (sso.place.folder / "run.env").exists())
    assert recovered(sso) is not None
    sso.check_known_good()
    assert not (sso.place.folder / "run.env").exists()


def test_a_kept_app_keeps_its_realm_until_it_is_ended(sso: SsoHaunt) -> None:
    """By its name, or by its time; then the next reaping takes the realm."""
    lane = sso.lane("quick", "loses-data")
    lane.run.settings = replace(lane.run.settings, keep=Setting(60.0, "--warmci-keep"))
    lane.goto("upgrade", "head")
    lane.outcomes.note("test", "failed")

    result = lane.close(narrowed=[], interrupted=False)

    name = f"ghost-{lane.run.id}"
    assert (None is not result.kept, [name], ()) == (True, sso.realms, result.leftovers)
    assert (sso.place.folder / "run.env").exists()
    lane = ghost.drive(sso.lane("cold"))
    assert [name] == sso.realms

    assert ["recovered"] == [
        each.outcome for each in recover_all(sso.opened, [sso.engine()], "ghost", limit=0)
    ]
    assert not (sso.place.folder / "run.env").exists()
    ghost.drive(sso.lane("quick"))
    clean(sso)


# -- what must be there ----------------------------------------------------------------------


@pytest.fixture
def copied(sso: SsoHaunt, tmp_path: Path) -> SsoHaunt:
    """The same with recipes that may be changed."""
    shutil.copytree(sso.recipe.parent, tmp_path / "recipe_tests", symlinks=True)
    sso.recipe = tmp_path / "recipe_tests" / "ghost"
    return sso


@pytest.mark.parametrize("sso_too", [True, False])
def test_what_is_required_must_be_beside_it(copied: SsoHaunt, sso_too: bool) -> None:
    """Before anything is started, with the way out."""
    shutil.rmtree(copied.recipe.with_name("keycloak"))
    if not sso_too:
        text = (copied.recipe / "recipe.yml").read_text()
        (copied.recipe / "recipe.yml").write_text(text[: text.index("sso:")])

    with pytest.raises(InputError, match="there is no Keycloak to require") as caught:
        copied.session("quick").plan(copied.recipe)

    assert "enrol one: warmci new keycloak --source URL" == caught.value.remedy
    assert [] == copied.calls()


def test_single_sign_on_needs_a_real_login(copied: SsoHaunt) -> None:
    (copied.recipe / "login.py").unlink()

    with pytest.raises(InputError, match=r"there is no login\.py"):
        copied.session("quick").plan(copied.recipe)


def test_what_is_only_required_is_attached_to_when_it_is_used(copied: SsoHaunt) -> None:
    """The app gets nothing; tests may have realms."""
    text = (copied.recipe / "recipe.yml").read_text()
    (copied.recipe / "recipe.yml").write_text(text[: text.index("sso:")])
    lane = copied.lane("quick")
    lane.goto("upgrade", "head")
    assert [] == [call for call in copied.calls() if "keycloak" in call]
    assert lane.run.sign_on is not None

    realm = lane.run.sign_on.check_out("own")

    assert [realm.name] == copied.realms
    with pytest.raises(InputError, match="was given no single sign-on"):
        _ = lane.app.sso
    lane.run.sign_on.check_in(realm)
    lane.close(narrowed=[], interrupted=True)
    clean(copied)


def test_a_secret_that_the_recipe_does_not_have_is_named(copied: SsoHaunt) -> None:
    """Else the app would have another one, and nobody would know why they cannot log in."""
    path = copied.recipe / "recipe.yml"
    path.write_text(path.read_text().replace("oidc_secret:", "oidc_sekret:"))
    lane = copied.lane("quick")

    with pytest.raises(InputError, match="there is no secret 'oidc_sekret'") as caught:
        lane.goto("upgrade", "base")

    assert str(path) in caught.value.where
    assert "name one of: admin_password, oidc_secret" == caught.value.remedy
    lane.close(narrowed=[], interrupted=False)
    copied.check_known_good()
