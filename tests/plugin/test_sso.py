"""Sessions of a recipe with single sign-on: the generic login, the fixtures, and whose fault it is."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests import sso_ghost
from tests.fakes import FakeEngine, stop_all
from tests.plugin.conftest import Shop
from tests.plugin.test_items import COLD

CONFTEST = """\
from pathlib import Path
import pytest
from pytest_warmci.clients.rsa import KeyPair
from pytest_warmci.store import key_stock
from tests.fakes import FakeEngine, hurry
from tests.sso_ghost import KeycloakEngine

patch = pytest.MonkeyPatch()

def pytest_configure():
    hurry(patch)
    patch.setattr(key_stock, "new_key_pair", lambda: KeyPair("p", "c"))

def pytest_unconfigure():
    patch.undo()

def pytest_warmci_make_engine(recipe_folder):
    kind = KeycloakEngine if recipe_folder.name == "keycloak" else FakeEngine
    return kind(Path({calls!r}))
"""

OWN = """\
from tests.fakes import FakeEngine

made = []

def test_realm(realm, live_keycloak):
    made.append(realm.name)
    ana = realm.user("ana")
    assert realm.issuer.startswith(live_keycloak.url)
    assert realm.token(ana)["access_token"] == "of ana"

def test_another_realm(realm):
    assert realm.name not in made

def test_realms(realms):
    assert realms("one") is realms("one")
    assert realms("one").name != realms("two").name

def test_sso(app, sso):
    assert sso.user.username == "ana"
    assert app.env["OIDC_ISSUER"] == sso.realm.issuer
    assert app.secret("oidc_secret") == sso.client.secret
"""

KILLS = """\
from tests.fakes import FakeEngine

def test_fails():
    (folder,) = [each for each in FakeEngine.servers if each.name.startswith("live-")]
    FakeEngine.servers.pop(folder).stop()
    (folder / "running.json").unlink()
    raise AssertionError("the page says: cannot reach the issuer")
"""


@pytest.fixture
def desk(shop: Shop) -> Shop:
    """The shop with single sign-on."""
    shutil.rmtree(shop.recipe.parent)
    sso_ghost.write_recipes(shop.recipe.parent)
    text = CONFTEST.format(calls=str(shop.calls_file))
    shop.pytester.path.joinpath("conftest.py").write_text(text)
    return shop


def run(desk: Shop, *words: str) -> pytest.RunResult:
    """Run pytest in this process; nothing but Keycloak may run afterwards."""
    outcome = desk.pytester.runpytest_inprocess(*desk.arguments(*words), no_reraise_ctrlc=True)
    desk.outcome = outcome
    assert {"live-keycloak.warmci.localhost"} >= {path.name for path in FakeEngine.servers}
    return outcome


def realms(desk: Shop) -> list[str]:
    """Return the realms of runs that are on Keycloak, on record, or in an app's way."""
    apps: dict[Path, Any] = {
        path: server
        for path, server in FakeEngine.servers.items()
        if path.name.startswith("live-")
    }
    there = [name for app in apps.values() for name in app.fake.realms if name != "master"]
    there += [path.stem for path in (desk.state / "runs").glob("*/realms/*.json")]
    return there + [str(path) for path in (desk.state / "apps").rglob("run.env")]


def test_a_recipe_with_single_sign_on_is_logged_in_to(desk: Shop) -> None:
    """In every stage, with an assert of its own that others do not have."""
    done = run(desk, "-v")

    generic = [item for item in COLD if "recipe.yml" in item]
    logins = [f"ghost/recipe.yml::test_logs_in[{stage}]" for stage in ("install", "upgrade")]
    assert 0 == done.ret
    assert dict.fromkeys([*generic, *logins], "PASSED") == desk.outcomes()
    assert ([], []) == (desk.result()["leftovers"], realms(desk))


def test_tests_have_realms_and_what_the_app_was_given(desk: Shop) -> None:
    """Fresh ones, which are all gone in the end."""
    desk.tests(OWN)

    done = run(desk, "-v")

    assert 0 == done.ret, desk.text()
    assert ([], []) == (desk.result()["leftovers"], realms(desk))


def test_a_login_that_fails_fails_the_recipe(desk: Shop) -> None:
    (desk.recipe / "login.py").write_text("def log_in(app, user): raise KeyError('no cookie')\n")

    done = run(desk, "-v")

    assert (1, "failed") == (done.ret, desk.result()["verdict"])
    assert "FAILED" == desk.outcomes()["ghost/recipe.yml::test_logs_in[install]"]
    assert "KeyError: 'no cookie'" in desk.text()
    assert [] == realms(desk)


def test_a_test_that_fails_without_keycloak_is_not_evaluated(desk: Shop) -> None:
    """It says nothing about the recipe."""
    desk.tests(KILLS)

    done = run(desk, "-v", "-k", "install")

    assert (75, "not-evaluated") == (done.ret, desk.result()["verdict"])
    assert "the live-warm Keycloak has ended while it was used" in desk.text()


def test_what_is_required_must_be_there(desk: Shop) -> None:
    """One clear error, and nothing is started."""
    shutil.rmtree(desk.recipe.with_name("keycloak"))

    done = run(desk)

    assert 0 != done.ret
    assert "there is no Keycloak to require" in desk.text()
    assert "enrol one: warmci new keycloak --source URL" in desk.text()
    assert [] == desk.calls()


@pytest.fixture(autouse=True)
def _ended() -> Any:
    yield
    stop_all()
