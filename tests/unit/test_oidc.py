"""What is asked of a realm without a browser: what comes back, and whose fault it is if not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_warmci.clients import oidc
from pytest_warmci.errors import KeycloakTrouble, LoginStopped
from tests.unit.scripted_server import JSON, Step, scripted

TOKEN = "/realms/r/protocol/openid-connect/token"
METADATA = "/realms/r/.well-known/openid-configuration"
NOWHERE = "http://127.0.0.1:1"


def told(request: str, answer: Any, status: int = 200, **more: Any) -> Step:
    return Step(request, json.dumps(answer), status=status, kind=JSON, **more)


def by_password(url: str) -> dict[str, Any]:
    return oidc.password_grant(url + TOKEN, "app", "client-secret", "ana", "ana-secret")


def by_secret(url: str) -> dict[str, Any]:
    return oidc.client_credentials(url + TOKEN, "app", "client-secret")


GRANTS = pytest.mark.parametrize("grant", [by_password, by_secret])
Grant = Callable[[str], dict[str, Any]]


@pytest.mark.parametrize("slash", ["", "/"])
def test_discovery_reads_the_metadata_of_an_issuer(slash: str) -> None:
    with scripted(told(f"GET {METADATA}", {"issuer": "here"})) as url:
        assert oidc.discovery(f"{url}/realms/r{slash}") == {"issuer": "here"}


def test_keys_are_read_where_the_metadata_says() -> None:
    with scripted(told("GET /keys", {"keys": [{"kid": "1"}]})) as url:
        assert oidc.jwks(f"{url}/keys") == {"keys": [{"kid": "1"}]}


def test_a_password_is_exchanged_for_tokens() -> None:
    fields = {
        "grant_type": "password",
        "client_id": "app",
        "client_secret": "client-secret",
        "username": "ana",
        "password": "ana-secret",
        "scope": "openid",
    }
    with scripted(told(f"POST {TOKEN}", {"access_token": "t"}, sent=fields)) as url:
        assert by_password(url) == {"access_token": "t"}


def test_a_public_client_has_no_secret_to_send() -> None:
    fields = {
        "grant_type": "password",
        "client_id": "app",
        "username": "ana",
        "password": "pw",
        "scope": "openid email",
    }
    with scripted(told(f"POST {TOKEN}", {"access_token": "t"}, sent=fields)) as url:
        oidc.password_grant(url + TOKEN, "app", "", "ana", "pw", "openid email")


def test_a_client_exchanges_its_secret_for_a_token() -> None:
    fields = {
        "grant_type": "client_credentials",
        "client_id": "app",
        "client_secret": "client-secret",
        "scope": "openid",
    }
    with scripted(told(f"POST {TOKEN}", {"access_token": "t"}, sent=fields)) as url:
        assert by_secret(url) == {"access_token": "t"}


@pytest.mark.parametrize("status", [400, 401])
def test_a_wrong_password_is_known_by_its_error_and_not_by_its_status(status: int) -> None:
    """Keycloak said 401 until 26.6 and says 400 since."""
    answer = {"error": "invalid_grant", "error_description": "Invalid user credentials"}
    with (
        scripted(told(f"POST {TOKEN}", answer, status)) as url,
        pytest.raises(LoginStopped) as caught,
    ):
        by_password(url)

    assert str(caught.value) == (
        f"{url}{TOKEN}: Keycloak gives no token to ana at client app\n"
        f"  why: HTTP {status}, invalid_grant: Invalid user credentials\n"
        "  do:  see that the user is enabled, has a whole profile and nothing left to do"
    )


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        ("invalid_client", "compare the client's id and secret"),
        ("invalid_scope", "ask for scopes that the client has"),
        ("unauthorized_client", "allow it this kind of grant"),
        ("something_new", "see the events of the realm"),
    ],
)
@GRANTS
def test_what_else_oauth_refuses_says_what_to_do(error: str, remedy: str, grant: Grant) -> None:
    with (
        scripted(told(f"POST {TOKEN}", {"error": error}, 400)) as url,
        pytest.raises(LoginStopped, match=f"HTTP 400, {error}: no description") as caught,
    ):
        grant(url)

    assert remedy in caught.value.remedy


@pytest.mark.parametrize("status", [400, 500])
def test_secrets_are_blotted_out_of_what_keycloak_says(status: int) -> None:
    said = "no ana-secret, no client-secret"
    with (
        scripted(told(f"POST {TOKEN}", {"error": said, "error_description": said}, status)) as url,
        pytest.raises((LoginStopped, KeycloakTrouble)) as caught,
    ):
        by_password(url)

    assert "-secret" not in str(caught.value)
    assert "no ********" in str(caught.value)


@pytest.mark.parametrize(
    ("step", "what", "why"),
    [
        (
            told("", {"error": "Realm does not exist"}, 404),
            "Keycloak has no such realm",
            "HTTP 404: Realm does not exist",
        ),
        (
            told("", {"error": "unknown_error"}, 500),
            "Keycloak does not answer as it should",
            "HTTP 500: unknown_error",
        ),
        (Step("", "<html>", status=503), "not answer as it should", "HTTP 503, 6 characters"),
        (Step("", "<html>", status=400), "not answer as it should", "HTTP 400, 6 characters"),
        (told("", {"error": "HTTPS required"}, 403), "not answer as it should", "HTTP 403"),
        (told("", [], 401), "not answer as it should", "HTTP 401, 2 characters"),
        (
            Step("", status=302, headers={"Location": ["/"]}),
            "not answer as it should",
            "HTTP 302, 0 characters",
        ),
        (Step("", "a page"), "answer has no ", "HTTP 200, 6 characters"),
        (told("", {"other": "thing"}), "answer has no ", "HTTP 200"),
    ],
)
@pytest.mark.parametrize("ask", [oidc.discovery, by_password, by_secret])
def test_an_answer_that_is_none_is_trouble_of_keycloak(
    ask: Grant, step: Step, what: str, why: str
) -> None:
    path = f"GET {METADATA}" if ask is oidc.discovery else f"POST {TOKEN}"
    suffix = "/realms/r" if ask is oidc.discovery else ""
    expected = Step(path, step.body, step.status, step.kind, step.headers)
    with scripted(expected) as url, pytest.raises(KeycloakTrouble) as caught:
        ask(url + suffix)

    assert what in caught.value.what
    assert why in caught.value.why
    assert caught.value.where.startswith(url)


@pytest.mark.parametrize("ask", [oidc.discovery, oidc.jwks, by_password, by_secret])
def test_nobody_there_is_trouble_of_keycloak(ask: Grant) -> None:
    with pytest.raises(KeycloakTrouble, match="Keycloak does not answer") as caught:
        ask(NOWHERE)

    assert caught.value.why.startswith("no answer: ")
    assert "secret" not in str(caught.value)
