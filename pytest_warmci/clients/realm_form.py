"""What Keycloak is sent to make a realm, a client or a user: plain data, no traffic.

Field names are those of Keycloak's admin REST API (RealmRepresentation and so on).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pytest_warmci.clients.rsa import KeyPair
from pytest_warmci.model import RealmClient, RealmUser

FLOWS: Final = ("code", "password", "service")

_CHEAP_PASSWORDS: Final = "hashAlgorithm(pbkdf2-sha256) and hashIterations(1)"
"""These passwords are random and live for minutes: a slow hash would only cost (44 ms a login
against 16 ms, measured on 26.7.3)."""

_STABLE_SUB: Final[Mapping[str, Any]] = {
    # Every run has a fresh realm, where the same person has another id; kept data knows people by
    # `sub`, so it is the user's name instead.
    "name": "stable-sub",
    "protocol": "openid-connect",
    "protocolMapper": "oidc-usermodel-attribute-mapper",
    "config": {
        "user.attribute": "username",
        "claim.name": "sub",
        "jsonType.label": "String",
        "id.token.claim": "true",
        "userinfo.token.claim": "true",
        "access.token.claim": "true",
        "introspection.token.claim": "true",
    },
}


def realm_form(
    name: str,
    *,
    title: str,
    attributes: Mapping[str, str],
    keys: KeyPair | None,
    clients: Sequence[Mapping[str, Any]],
    users: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return a whole realm, which one request makes with all that is in it, or not at all.

    Args:
        name: The realm's name.
        title: What people read.
        attributes: Whose it is.
        keys: The pair that it signs with; None lets Keycloak make two, which costs three quarters
            of a realm.
        clients: From `client_form`.
        users: From `user_form`.
    """
    realm: dict[str, Any] = {
        "realm": name,
        "displayName": title,
        "enabled": True,
        "sslRequired": "none",
        "attributes": dict(attributes),
        "passwordPolicy": _CHEAP_PASSWORDS,
        "clients": list(clients),
        "users": list(users),
    }
    if keys is not None:
        realm["components"] = {
            "org.keycloak.keys.KeyProvider": [
                _provider("rsa", privateKey=keys.private, certificate=keys.certificate),
                _provider("hmac-generated", algorithm="HS512"),
                _provider("aes-generated"),
            ]
        }
    return realm


def client_form(
    client: RealmClient,
    *,
    flows: Iterable[str] = FLOWS,
    redirects: Sequence[str] = (),
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a client.

    Args:
        client: Its id and secret; one without a secret is public.
        flows: What it may do: `code`, `password`, `service` (its own credentials).
        redirects: URLs that Keycloak may lead back to.
        more: Further fields, which win.
    """
    allowed = set(flows)
    form: dict[str, Any] = {
        "clientId": client.id,
        "enabled": True,
        "protocol": "openid-connect",
        "publicClient": not client.secret,
        "standardFlowEnabled": "code" in allowed,
        "directAccessGrantsEnabled": "password" in allowed,
        "serviceAccountsEnabled": "service" in allowed and bool(client.secret),
        "redirectUris": list(redirects),
        "webOrigins": ["+"],
        "protocolMappers": [dict(_STABLE_SUB)],
    }
    if client.secret:
        form["secret"] = client.secret
    return {**form, **(more or {})}


def user_form(user: RealmUser, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a user who can log in at once: a realm asks for mail and names since Keycloak 24."""
    form = {
        "username": user.username,
        "email": user.email,
        "emailVerified": True,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "enabled": True,
        "requiredActions": [],
        "credentials": [{"type": "password", "value": user.password, "temporary": False}],
    }
    return {**form, **(more or {})}


def new_user(username: str) -> RealmUser:
    """Return a user with a fresh password."""
    return RealmUser(
        username=username,
        password=secrets.token_urlsafe(16),
        email=f"{username}@example.org",
        first_name=username.capitalize(),
        last_name="Tester",
    )


def new_client(client_id: str, *, public: bool = False) -> RealmClient:
    """Return a client with a fresh secret."""
    return RealmClient(client_id, "" if public else secrets.token_urlsafe(24))


def _provider(kind: str, **config: str) -> dict[str, Any]:
    return {
        "name": kind,
        "providerId": kind,
        "config": {"priority": ["100"], **{name: [value] for name, value in config.items()}},
    }
