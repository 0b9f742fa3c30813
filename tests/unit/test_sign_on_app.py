"""An app that is wired to a realm, and who logs in to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from pytest_warmci.api import App
from pytest_warmci.errors import (
    InputError,
    KeycloakTrouble,
    LoginStopped,
    RecipeFailed,
    WarmciError,
)
from pytest_warmci.model import SsoSpec
from pytest_warmci.runs.login_module import LoginModule
from pytest_warmci.runs.place import Place
from pytest_warmci.runs.realm import Realm
from tests.unit.signing import SPEC, Signing, broken
from tests.unit.test_realms import names, records

# -- an app ----------------------------------------------------------------------------------


def test_an_app_is_wired_to_a_realm_of_its_own(signing: Signing) -> None:
    """A client that leads back to it, users, and what its .env and secrets say of them."""
    signing.wire()

    wired = signing.on.wired
    assert wired is not None
    sent = signing.live.fake.realms_["blog-1a2b3c"]
    _control, client = sent["clients"]
    assert ("blog", wired.client.secret, ["http://localhost:20001/back"]) == (
        client["clientId"],
        client["secret"],
        client["redirectUris"],
    )
    assert {"OIDC_ISSUER": wired.realm.issuer, "OIDC_CLIENT": "blog"} == signing.place.env()
    secret = signing.place.folder / "run.secrets" / "oidc_secret"
    assert wired.client.secret == secret.read_text()
    assert (["ana", "bea"], "ana") == (list(wired.users), wired.user.username)
    assert signing.place.domain == wired.realm.record.app


def test_a_realm_is_there_before_an_app_is_wired_to_it(signing: Signing) -> None:
    """One that cannot be made leaves the app as it was."""
    signing.live.fake.trouble["create"] = broken

    with pytest.raises(KeycloakTrouble):
        signing.wire()

    assert ("old", None) == (signing.place.env()["OIDC_ISSUER"], signing.on.wired)


def test_an_app_that_cannot_be_wired_leaves_no_realm(
    signing: Signing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full: it goes with the others."""

    def full(*_words: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Place, "wire", full)
        with pytest.raises(OSError, match="No space"):
            signing.wire()

    assert [] == signing.on.release()
    assert [] == names(signing.live)


def test_what_was_wired_is_taken_away_again(signing: Signing) -> None:
    signing.wire()

    signing.on.unwire(signing.place)

    assert ("old", None, []) == (
        signing.place.env()["OIDC_ISSUER"],
        signing.on.wired,
        signing.on.alive(),
    )
    assert not (signing.place.folder / "run.secrets").exists()


def test_what_was_not_wired_may_be_taken_away_too(signing: Signing) -> None:
    signing.on.unwire(signing.place)

    assert [] == signing.holds


def test_an_app_is_unwired_whatever_keycloak_does(signing: Signing) -> None:
    signing.wire()
    signing.live.fake.trouble["disable"] = broken

    with pytest.raises(KeycloakTrouble):
        signing.on.unwire(signing.place)

    assert ("old", None) == (signing.place.env()["OIDC_ISSUER"], signing.on.wired)
    assert [] == signing.on.release()
    assert [] == names(signing.live)


def test_each_app_of_a_run_gets_a_fresh_realm(signing: Signing) -> None:
    for _ in range(2):
        signing.wire()
        signing.on.unwire(signing.place)

    assert ["blog-1a2b3c", "blog-1a2b3c-2"] == names(signing.live)


def test_the_realm_of_a_kept_app_stays(signing: Signing) -> None:
    """With its wiring; it is on record for who reaps, and its secrets are still blotted out."""
    signing.wire()
    assert signing.on.wired is not None
    secret = signing.on.wired.client.secret
    other = signing.on.check_out()

    signing.on.keep()

    assert [] == signing.on.release()
    assert ["blog-1a2b3c"] == names(signing.live)
    assert {"blog-1a2b3c": "live"} == records(signing.live.service.state)
    assert secret in signing.on.secret_values
    assert other.control.secret in signing.on.secret_values
    assert "old" != signing.place.env()["OIDC_ISSUER"]


def test_every_secret_is_known_for_as_long_as_the_run(signing: Signing) -> None:
    """Logs are written after the realms are gone."""
    signing.wire()
    realm = signing.on.check_out()
    wired = signing.on.wired
    assert wired is not None
    known = {
        wired.client.secret,
        realm.control.secret,
        *(u.password for u in wired.users.values()),
    }
    assert known <= set(signing.on.secret_values)

    signing.on.unwire(signing.place)
    signing.on.release()

    assert known <= set(signing.on.secret_values)


# -- logging in ------------------------------------------------------------------------------


class Login:
    """A recipe's login.py: what it says or raises."""

    def __init__(self, who: str | Exception) -> None:
        self.who = who

    def log_in(self, app: object, user: object) -> str:
        if isinstance(self.who, Exception):
            raise self.who
        return self.who


def prove(signing: Signing, who: str | Exception, spec: SsoSpec = SPEC) -> None:
    signing.on.prove_login(cast("LoginModule", Login(who)), cast("App", object()), spec)


@pytest.fixture
def tokens(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whom the realm itself let in."""
    found: list[str] = []

    def token(realm: Realm, user: Any, *_words: object) -> dict[str, str]:
        found.append(f"{user.username} of {realm.name}")
        return {}

    monkeypatch.setattr(Realm, "token", token)
    return found


def test_a_login_must_be_of_who_logged_in(signing: Signing, tokens: list[str]) -> None:
    """Then nobody asks the realm."""
    signing.wire()

    prove(signing, "@ana")
    prove(signing, "ana@example.org", replace(SPEC, identity="{username}@example.org"))

    assert [] == tokens


def test_somebody_else_is_the_recipes_failure(signing: Signing, tokens: list[str]) -> None:
    """When the realm itself is right."""
    signing.wire()

    with pytest.raises(RecipeFailed, match="ana logged in and is @ana1, not @ana") as caught:
        prove(signing, "@ana1")

    assert "the claim sub" in caught.value.why
    assert ["ana of blog-1a2b3c"] == tokens


@pytest.mark.parametrize("error", [RecipeFailed("no"), LoginStopped("refused")])
def test_a_login_that_fails_is_the_recipes_failure(
    signing: Signing, tokens: list[str], error: RecipeFailed
) -> None:
    """The realm lets the same person in."""
    signing.wire()

    with pytest.raises(RecipeFailed) as caught:
        prove(signing, error)

    assert error is caught.value
    assert ["ana of blog-1a2b3c"] == tokens


def test_a_realm_that_lets_nobody_in_is_not_the_recipes_failure(
    signing: Signing, monkeypatch: pytest.MonkeyPatch
) -> None:
    signing.wire()

    def refuse(*_words: object) -> None:
        raise LoginStopped("no token for ana")

    monkeypatch.setattr(Realm, "token", refuse)

    with pytest.raises(KeycloakTrouble, match="the realm lets nobody log in") as caught:
        prove(signing, RecipeFailed("no"))

    assert ("blog-1a2b3c", "no token for ana") == (caught.value.where, caught.value.why)


def test_a_keycloak_that_is_gone_is_not_the_recipes_failure(
    signing: Signing, tokens: list[str]
) -> None:
    signing.wire()
    signing.live.dead = KeycloakTrouble("has ended")

    with pytest.raises(KeycloakTrouble, match="has ended"):
        prove(signing, RecipeFailed("no"))

    assert [] == tokens


@pytest.mark.parametrize("error", [KeycloakTrouble("down"), InputError("returned 7")])
def test_what_is_no_failure_of_the_recipe_is_let_through(
    signing: Signing, tokens: list[str], error: WarmciError
) -> None:
    signing.wire()

    with pytest.raises(type(error)) as caught:
        prove(signing, error)

    assert (error, []) == (caught.value, tokens)


def test_an_app_without_single_sign_on_proves_nothing(signing: Signing) -> None:
    with pytest.raises(InputError, match="was given no single sign-on"):
        prove(signing, "@ana")


def test_a_realm_is_looked_at_without_the_app(signing: Signing, tokens: list[str]) -> None:
    """Who asks wants to know whose fault it is."""
    signing.wire()

    signing.on.control()

    assert (["ana of blog-1a2b3c"], None) == (tokens, signing.on.trouble())


def test_its_files_are_only_ours_to_read(signing: Signing) -> None:
    """While the app runs."""
    signing.wire()

    files: list[Path] = [
        signing.place.folder / "run.env",
        *(signing.place.folder / "run.secrets").iterdir(),
    ]
    assert [0o600, 0o600] == [path.stat().st_mode & 0o777 for path in files]
