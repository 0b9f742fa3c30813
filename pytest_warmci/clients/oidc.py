"""What programs ask Keycloak's realms for: metadata, keys, and tokens without a browser."""

from __future__ import annotations

import json
from typing import Any, Final

from pytest_warmci.clients.http import Answer, get, post_form
from pytest_warmci.errors import KeycloakTrouble, LoginStopped
from pytest_warmci.masking import blotted

_TIMEOUT: Final = 30.0

_REMEDIES: Final = {
    "invalid_client": "compare the client's id and secret with the realm's",
    "invalid_grant": "see that the user is enabled, has a whole profile and nothing left to do",
    "invalid_scope": "ask for scopes that the client has",
    # Newer versions say so of a wrong secret too.
    "unauthorized_client": "compare the client's secret, and allow it this kind of grant",
}


def discovery(issuer: str, timeout: float = _TIMEOUT) -> dict[str, Any]:
    """Return a realm's OpenID configuration.

    Args:
        issuer: The realm's issuer, a URL.
        timeout: Seconds for connecting and for each read.

    Raises:
        KeycloakTrouble: Nothing answers, there is no such realm, or the answer is something else.
    """
    url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    return _document(url, get(url, timeout=timeout), "issuer")


def jwks(jwks_uri: str, timeout: float = _TIMEOUT) -> dict[str, Any]:
    """Return the public keys that a realm signs its tokens with.

    Args:
        jwks_uri: Where they are: `jwks_uri` of its OpenID configuration.
        timeout: Seconds for connecting and for each read.

    Raises:
        KeycloakTrouble: Nothing answers, there is no such realm, or the answer is something else.
    """
    return _document(jwks_uri, get(jwks_uri, timeout=timeout), "keys")


def password_grant(
    token_endpoint: str,
    client_id: str,
    client_secret: str,
    username: str,
    password: str,
    scope: str = "openid",
    timeout: float = _TIMEOUT,
) -> dict[str, Any]:
    """Exchange a user's password for tokens; return what the token endpoint answers.

    Args:
        token_endpoint: Its URL.
        client_id: The client that asks; it must be allowed direct access grants.
        client_secret: Its secret; empty for a public client.
        username: Who logs in.
        password: The password.
        scope: The scopes, separated by blanks.
        timeout: Seconds for connecting and for each read.

    Raises:
        KeycloakTrouble: Nothing answers, there is no such realm, or the answer is something else.
        LoginStopped: Keycloak refused, and why it says it did.
    """
    fields = {
        "grant_type": "password",
        "client_id": client_id,
        "client_secret": client_secret,
        "username": username,
        "password": password,
        "scope": scope,
    }
    who = f"{username} at client {client_id}"
    return _tokens(token_endpoint, fields, who, {password, client_secret}, timeout)


def client_credentials(
    token_endpoint: str,
    client_id: str,
    client_secret: str,
    scope: str = "openid",
    timeout: float = _TIMEOUT,
) -> dict[str, Any]:
    """Exchange a client's own secret for a token; return what the token endpoint answers.

    Args:
        token_endpoint: Its URL.
        client_id: The client; it must have a service account.
        client_secret: Its secret.
        scope: The scopes, separated by blanks.
        timeout: Seconds for connecting and for each read.

    Raises:
        KeycloakTrouble: Nothing answers, there is no such realm, or the answer is something else.
        LoginStopped: Keycloak refused, and why it says it did.
    """
    fields = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": client_secret,
        "scope": scope,
    }
    return _tokens(token_endpoint, fields, f"client {client_id}", {client_secret}, timeout)


def _tokens(
    url: str, fields: dict[str, str], who: str, secrets: set[str], timeout: float
) -> dict[str, Any]:
    answer = post_form(url, {k: v for k, v in fields.items() if v}, timeout=timeout)
    told = _read(answer)
    error = told.get("error")
    # Which status goes with which error differs between Keycloak's versions.
    if answer.status in (400, 401) and isinstance(error, str):
        why = f"HTTP {answer.status}, {error}: {told.get('error_description') or 'no description'}"
        raise LoginStopped(
            f"Keycloak gives no token to {who}",
            where=url,
            why=blotted(why, secrets),
            remedy=_REMEDIES.get(error, "see the events of the realm"),
        )
    return _document(url, answer, "access_token", secrets)


def _document(
    url: str, answer: Answer, member: str, secrets: set[str] | frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Return the JSON object of an answer, which must be good and have `member`."""
    told = _read(answer)
    if answer.status == 200 and member in told:
        return told
    what = {
        0: "Keycloak does not answer",
        200: f"Keycloak's answer has no {member}",
        404: "Keycloak has no such realm",
    }.get(answer.status, "Keycloak does not answer as it should")
    why = blotted(_briefly(answer, told), secrets)
    raise KeycloakTrouble(what, where=url, why=why)


def _briefly(answer: Answer, told: dict[str, Any]) -> str:
    """Say what came; an answer that was not expected may hold what nobody should read."""
    if answer.status == 0:
        return str(answer)
    if "error" in told:
        return f"HTTP {answer.status}: {told['error']}"
    return f"HTTP {answer.status}, {len(answer.text)} characters"


def _read(answer: Answer) -> dict[str, Any]:
    try:
        told = json.loads(answer.text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
