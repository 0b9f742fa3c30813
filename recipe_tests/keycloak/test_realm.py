"""A realm from its creation to its end, as an application that uses Keycloak meets it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keycloak import KeycloakAdmin

    from pytest_warmci.api import App, Http


def test_realm_lives_and_ends(app: App, http: Http, admin: KeycloakAdmin) -> None:
    """Create, discover, log in, read who that is, delete."""
    realm = f"test-{secrets.token_hex(3)}"
    password = secrets.token_hex(8)
    admin.create_realm(
        {
            "realm": realm,
            "enabled": True,
            "clients": [
                {"clientId": "app", "publicClient": True, "directAccessGrantsEnabled": True}
            ],
            "users": [
                {
                    "username": "ana",
                    "firstName": "Ana",
                    "lastName": "Tester",
                    "email": "ana@example.org",
                    "enabled": True,
                    "credentials": [{"type": "password", "value": password}],
                }
            ],
        }
    )
    try:
        found = http.get(f"/realms/{realm}/.well-known/openid-configuration").json()
        assert found["issuer"] == f"{app.url}/realms/{realm}"

        form = {
            "grant_type": "password",
            "client_id": "app",
            "scope": "openid",
            "username": "ana",
            "password": password,
        }
        granted = http.post(found["token_endpoint"], data=form)
        assert granted.status_code == 200, granted.text

        bearer = {"Authorization": f"Bearer {granted.json()['access_token']}"}
        who = http.get(found["userinfo_endpoint"], headers=bearer)
        assert who.json()["preferred_username"] == "ana"
    finally:
        admin.delete_realm(realm)
    assert http.get(f"/realms/{realm}").status_code == 404
