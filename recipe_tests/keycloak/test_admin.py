"""The administrator that the recipe's secrets make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from keycloak import KeycloakAdmin

    from pytest_warmci.api import App, Http

LOGIN = "/realms/master/protocol/openid-connect/token"


def login(http: Http, username: str, password: str) -> int:
    """Ask for a token as the admin console would; answer the HTTP status."""
    form = {
        "grant_type": "password",
        "client_id": "admin-cli",
        "username": username,
        "password": password,
    }
    status: int = http.post(LOGIN, data=form).status_code
    return status


@pytest.mark.before_upgrade
def test_the_data_to_upgrade_knows_its_administrator(app: App, http: Http) -> None:
    """A base that refuses its own secret would prove nothing about the head."""
    assert login(http, app.env["ADMIN_USERNAME"], app.secret("admin_password")) == 200


def test_administrator_logs_in(app: App, http: Http) -> None:
    """The secret in the app's store is the password that works."""
    assert login(http, app.env["ADMIN_USERNAME"], app.secret("admin_password")) == 200


def test_a_wrong_password_is_refused(app: App, http: Http) -> None:
    """Keycloak said 401 until 26.6 and says 400 since: either way it is no token."""
    assert login(http, app.env["ADMIN_USERNAME"], "not the password") in {400, 401}


def test_administrator_sees_the_master_realm(admin: KeycloakAdmin) -> None:
    """The admin API answers, which reads the database and not only the cache."""
    assert "master" in {realm["realm"] for realm in admin.get_realms()}
