"""A realm that must outlive every upgrade, with a client and a person who can still log in."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, TypeVar

from keycloak import KeycloakAdmin, KeycloakOpenID
from keycloak.exceptions import KeycloakError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_warmci.api import App

REALM = "witness"
CLIENT = "witness-app"
USER = "ana"
ATTRIBUTE, VALUE = "favourite_bird", "wren"

T = TypeVar("T")


def plant(app: App) -> dict[str, Any]:
    """Plant the realm unless it is there already, and say what `check` has to find."""
    admin = administrator(app)
    if found(lambda: admin.get_realm(REALM)) is None:
        admin.create_realm(realm(password(app)))
    admin.change_current_realm(REALM)
    return {
        "realm": REALM,
        "client": admin.get_client_id(CLIENT),
        "user": admin.get_user_id(USER),
        "attribute": VALUE,
    }


def check(app: App, planted: dict[str, Any]) -> int:
    """Count what is left: the realm, its client, the user's attribute, the user's login."""
    admin = administrator(app)
    if found(lambda: admin.get_realm(planted["realm"])) is None:
        return 0
    admin.change_current_realm(planted["realm"])
    client = found(lambda: admin.get_client(planted["client"]))
    user = found(lambda: admin.get_user(planted["user"])) or {}
    attributes = user.get("attributes", {})
    return sum(
        [
            True,
            client is not None and client["clientId"] == CLIENT,
            attributes.get(ATTRIBUTE) == [planted["attribute"]],
            found(lambda: who_logs_in(app)) == planted["user"],
        ]
    )


def administrator(app: App) -> KeycloakAdmin:
    """Log in as the administrator that the recipe's secrets made."""
    return KeycloakAdmin(
        server_url=app.url,
        username=app.env["ADMIN_USERNAME"],
        password=app.secret("admin_password"),
        realm_name="master",
        user_realm_name="master",
        max_retries=0,
    )


def who_logs_in(app: App) -> str:
    """Log in with the planted password; answer the id of the user whom Keycloak sees."""
    openid = KeycloakOpenID(server_url=app.url, realm_name=REALM, client_id=CLIENT, max_retries=0)
    granted = openid.token(USER, password(app))
    claims = openid.userinfo(granted["access_token"])
    assert isinstance(claims, dict)
    return str(claims["sub"])


def found(ask: Callable[[], T]) -> T | None:
    """Turn "there is no such thing" and "not with this password" into None."""
    try:
        return ask()
    except KeycloakError as error:
        if error.response_code not in {400, 401, 404}:
            raise
        return None


def password(app: App) -> str:
    """Derive the password from the app's own secret, which lives and dies with the data."""
    return hashlib.sha256(f"witness {app.secret('admin_password')}".encode()).hexdigest()


def realm(user_password: str) -> dict[str, Any]:
    """Describe the realm, for one request that makes all of it or nothing."""
    # Only fields of the user profile are stored, so the attribute is made one.
    names = ["username", "email", "firstName", "lastName", ATTRIBUTE]
    profile = {
        "attributes": [
            {"name": name, "permissions": {"view": ["admin"], "edit": ["admin"]}} for name in names
        ]
    }
    return {
        "realm": REALM,
        "enabled": True,
        "components": {
            "org.keycloak.userprofile.UserProfileProvider": [
                {
                    "providerId": "declarative-user-profile",
                    "config": {"kc.user.profile.config": [json.dumps(profile)]},
                }
            ]
        },
        "clients": [{"clientId": CLIENT, "publicClient": True, "directAccessGrantsEnabled": True}],
        "users": [
            {
                "username": USER,
                "firstName": "Ana",
                "lastName": "Witness",
                "email": "ana@example.org",
                "enabled": True,
                "attributes": {ATTRIBUTE: [VALUE]},
                "credentials": [{"type": "password", "value": user_password}],
            }
        ],
    }
