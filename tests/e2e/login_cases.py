"""Logins through a real Keycloak's own pages. test_login.py puts this file into a recipe's folder.

There it is a recipe's test file like others: on the base if it is marked so, else on the head.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from keycloak import KeycloakAdmin

from pytest_warmci.api import App, Http
from pytest_warmci.clients import oidc
from pytest_warmci.clients.http import LoopbackSession, post_form
from pytest_warmci.clients.login import login
from pytest_warmci.errors import KeycloakTrouble, LoginStopped

REALM = "logins"
CALLBACK = "http://localhost:1/callback"
PASSWORD = "pass wörd & more"
CHALLENGE = {"code_challenge": "0" * 43, "code_challenge_method": "S256"}


def user(name: str, **more: Any) -> dict[str, Any]:
    return {
        "username": name,
        "enabled": True,
        "email": f"{name}@example.org",
        "firstName": name.title(),
        "lastName": "Tester",
        "credentials": [{"type": "password", "value": PASSWORD}],
        **more,
    }


DESCRIPTION: dict[str, Any] = {
    "realm": REALM,
    "enabled": True,
    "clients": [
        {
            "clientId": "app",
            "secret": "secret-of-app",
            "redirectUris": [CALLBACK],
            "directAccessGrantsEnabled": True,
            "serviceAccountsEnabled": True,
            "attributes": {"oauth2.device.authorization.grant.enabled": "true"},
        },
        {
            "clientId": "asks",
            "publicClient": True,
            "consentRequired": True,
            "redirectUris": [CALLBACK],
        },
    ],
    "users": [
        user("ana"),
        user("disabled", enabled=False),
        user("nameless", email="", firstName="", lastName=""),
        user("new", email="", firstName="", lastName=""),
        user("stale", requiredActions=["UPDATE_PASSWORD"]),
        user("older", requiredActions=["UPDATE_PASSWORD"]),
    ],
}


def administrator(app: App) -> KeycloakAdmin:
    return KeycloakAdmin(
        server_url=app.url,
        username=app.env["ADMIN_USERNAME"],
        password=app.secret("admin_password"),
        realm_name="master",
        user_realm_name="master",
        max_retries=0,
    )


@pytest.fixture(scope="session")
def issuer(app: App) -> Iterator[str]:
    """The issuer of a realm with clients and users of all kinds."""
    admin = administrator(app)
    admin.create_realm(DESCRIPTION)
    yield f"{app.url}/realms/{REALM}"
    admin.delete_realm(REALM)


def authorization(issuer: str, client: str = "app", **more: str) -> str:
    """The URL by which an app sends somebody to log in."""
    asked = {
        "client_id": client,
        "response_type": "code",
        "scope": "openid",
        "redirect_uri": CALLBACK,
        "state": "state-of-app",
        **more,
    }
    return f"{issuer}/protocol/openid-connect/auth?{urlencode(asked)}"


def answers(name: str, **more: str) -> dict[str, str]:
    return {"username": name, "password": PASSWORD, **more}


def brought_back(response: requests.Response) -> dict[str, str]:
    """What Keycloak's redirect to the app carries."""
    location = response.headers["Location"]
    assert location.startswith(CALLBACK)
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def log_in(issuer: str, name: str, client: str = "app", **more: str) -> dict[str, str]:
    return brought_back(
        login(authorization(issuer, client), answers(name, **more), until=CALLBACK)
    )


def stopped(issuer: str, given: dict[str, str], **asked: str) -> str:
    """Log in, which must fail; return why."""
    with pytest.raises(LoginStopped) as caught:
        login(authorization(issuer, **asked), given, until=CALLBACK)
    text = str(caught.value)
    assert PASSWORD not in text
    assert "?" not in caught.value.where
    return text


def test_a_code_is_brought_back_and_is_worth_a_token(issuer: str) -> None:
    got = log_in(issuer, "ana")
    endpoint = oidc.discovery(issuer)["token_endpoint"]
    redeemed = post_form(
        endpoint,
        {
            "grant_type": "authorization_code",
            "client_id": "app",
            "client_secret": "secret-of-app",
            "code": got["code"],
            "redirect_uri": CALLBACK,
        },
        timeout=30,
    )

    assert got["state"] == "state-of-app"
    assert redeemed.status == 200
    bearer = {"Authorization": f"Bearer {json.loads(redeemed.text)['access_token']}"}
    who = requests.get(f"{issuer}/protocol/openid-connect/userinfo", headers=bearer, timeout=30)
    assert who.json()["preferred_username"] == "ana"


def test_a_second_login_of_a_session_shows_no_form(issuer: str, http: Http) -> None:
    """Of the app's session, whose jar sends back what Keycloak marks Secure."""
    session: Any = http
    login(authorization(issuer), answers("ana"), session=session, until=CALLBACK)

    assert "code" in brought_back(
        login(authorization(issuer), {}, session=session, until=CALLBACK)
    )


def test_a_login_without_end_ends_on_an_apps_page(issuer: str) -> None:
    """Keycloak's account console is such an app."""
    url = authorization(issuer, "account-console", redirect_uri=f"{issuer}/account/", **CHALLENGE)
    found = login(url, answers("ana"))

    assert found.status_code == 200
    assert found.url.startswith(f"{issuer}/account/")


def test_an_app_that_is_not_there_is_named(issuer: str) -> None:
    with pytest.raises(LoginStopped, match="Connection refused") as caught:
        login(authorization(issuer), answers("ana"))

    assert caught.value.where == CALLBACK


@pytest.mark.parametrize("name", ["ana", "nobody"])
def test_a_wrong_password_stops_it(issuer: str, name: str) -> None:
    text = stopped(issuer, {"username": name, "password": "not the password"})

    assert "Keycloak refused what kc-form-login was answered with" in text
    assert "Invalid username or password." in text
    assert "not the password" not in text


def test_a_disabled_account_stops_it(issuer: str) -> None:
    assert "Account is disabled" in stopped(issuer, answers("disabled"))


def test_a_profile_without_answers_stops_it(issuer: str) -> None:
    text = stopped(issuer, answers("nameless"))

    assert "asks for what there is no answer to: email, firstName, lastName" in text
    assert "Update Account Information" in text


def test_a_profile_that_is_refused_stops_it(issuer: str) -> None:
    text = stopped(issuer, answers("nameless", email="no address"))

    assert "refused what kc-update-profile-form was answered with" in text
    assert "Invalid email address." in text


def test_a_profile_is_completed(issuer: str) -> None:
    assert "code" in log_in(issuer, "new", email="n@example.org", firstName="N", lastName="New")


def test_a_new_password_without_answer_stops_it(issuer: str) -> None:
    text = stopped(issuer, answers("stale"))

    assert "no answer to: password-new, password-confirm" in text


def test_new_passwords_that_differ_stop_it(issuer: str) -> None:
    new = {"password-new": "new word", "password-confirm": "other word"}
    text = stopped(issuer, answers("stale") | new)

    assert "Passwords don't match." in text
    assert "word" not in text.replace("password", "").replace("Password", "")


def test_a_new_password_is_set_and_works(issuer: str) -> None:
    new = {"password-new": "a new word", "password-confirm": "a new word"}
    login(authorization(issuer), answers("older") | new, until=CALLBACK)

    assert "code" in log_in(issuer, "older", password="a new word")


def test_consent_is_given(issuer: str) -> None:
    assert "code" in log_in(issuer, "ana", "asks")


def test_a_device_is_let_in(issuer: str) -> None:
    metadata = oidc.discovery(issuer)
    client = {"client_id": "app", "client_secret": "secret-of-app"}
    asked = post_form(metadata["device_authorization_endpoint"], client, timeout=30)
    device = json.loads(asked.text)
    login(device["verification_uri_complete"], answers("ana"))
    grant = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": device["device_code"],
    }

    assert "access_token" in json.loads(
        post_form(metadata["token_endpoint"], client | grant, timeout=30).text
    )


def test_no_prompt_and_no_session_brings_back_an_error(issuer: str) -> None:
    found = login(authorization(issuer, prompt="none"), answers("ana"), until=CALLBACK)

    assert brought_back(found)["error"] == "login_required"


def test_a_redirect_uri_that_is_not_the_clients_stops_it(issuer: str) -> None:
    text = stopped(issuer, answers("ana"), redirect_uri="http://localhost:2/")

    assert "HTTP 400" in text
    assert "Invalid parameter: redirect_uri" in text


class Forgetful(LoopbackSession):
    """Loses cookies before it sends its first form."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.names = set(names)

    def request(self, method: str | bytes, *args: Any, **kwargs: Any) -> Any:
        for cookie in [*self.cookies] if method == "POST" else []:
            if cookie.name in self.names:
                self.cookies.clear(cookie.domain, cookie.path, cookie.name)
                self.names.remove(cookie.name)
        return super().request(method, *args, **kwargs)


@pytest.mark.parametrize("lost", ["AUTH_SESSION_ID", "KC_RESTART"])
def test_one_lost_cookie_is_survived(issuer: str, lost: str) -> None:
    with Forgetful(lost) as session:
        found = login(authorization(issuer), answers("ana"), session=session, until=CALLBACK)

        assert session.names == set()
    assert "code" in brought_back(found)


def test_both_lost_cookies_are_not(issuer: str) -> None:
    with (
        Forgetful("AUTH_SESSION_ID", "KC_RESTART") as session,
        pytest.raises(LoginStopped, match="Restart login cookie not found"),
    ):
        login(authorization(issuer), answers("ana"), session=session, until=CALLBACK)


def test_a_session_without_our_jar_loses_them_all(issuer: str) -> None:
    """Why there is a jar of our own: if this fails, it is no longer needed."""
    with requests.Session() as session:
        session.trust_env = False
        session.get(authorization(issuer), timeout=30)
        sent = session.prepare_request(requests.Request("GET", issuer)).headers

    assert {cookie.secure for cookie in session.cookies} == {True}
    assert "Cookie" not in sent


def test_programs_get_metadata_keys_and_tokens(issuer: str) -> None:
    metadata = oidc.discovery(issuer)
    token = metadata["token_endpoint"]

    assert metadata["issuer"] == issuer
    assert oidc.jwks(metadata["jwks_uri"])["keys"]
    assert "id_token" in oidc.password_grant(token, "app", "secret-of-app", "ana", PASSWORD)
    assert "access_token" in oidc.client_credentials(token, "app", "secret-of-app")


@pytest.mark.parametrize(
    ("client", "secret", "name", "password", "why"),
    [
        ("app", "secret-of-app", "ana", "not it", "invalid_grant: Invalid user credentials"),
        ("app", "secret-of-app", "disabled", PASSWORD, "invalid_grant: Account disabled"),
        ("app", "secret-of-app", "nameless", PASSWORD, "Account is not fully set up"),
        ("app", "not its secret", "ana", PASSWORD, "Invalid client or Invalid client credentials"),
        ("asks", "", "ana", PASSWORD, "unauthorized_client"),
    ],
    ids=["password", "disabled", "profile", "secret", "grant"],
)
def test_a_token_is_refused_for_a_reason(
    issuer: str, client: str, secret: str, name: str, password: str, why: str
) -> None:
    endpoint = oidc.discovery(issuer)["token_endpoint"]
    with pytest.raises(LoginStopped) as caught:
        oidc.password_grant(endpoint, client, secret, name, password)

    assert why in caught.value.why
    assert password not in str(caught.value)


def test_a_realm_that_is_not_there_is_trouble(issuer: str) -> None:
    with pytest.raises(KeycloakTrouble, match="Keycloak has no such realm"):
        oidc.discovery(issuer + "-not")
