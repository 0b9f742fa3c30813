"""What the tests of this recipe share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from keycloak import KeycloakAdmin

if TYPE_CHECKING:
    from pytest_warmci.api import App


@pytest.fixture
def admin(app: App) -> KeycloakAdmin:
    """Keycloak's administrator, logged in to the app under test."""
    return KeycloakAdmin(
        server_url=app.url,
        username=app.env["ADMIN_USERNAME"],
        password=app.secret("admin_password"),
        realm_name="master",
        user_realm_name="master",
        max_retries=0,
    )
