"""The user that the recipe's secret makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_warmci.api import App, Http


def home(app: App, http: Http) -> int:
    """Ask for the user's own collection; answer the HTTP status."""
    path = f"/{app.env['RADICALE_USER']}/"
    status: int = http.request("PROPFIND", path, headers={"Depth": "0"}).status_code
    return status


@pytest.mark.before_upgrade
def test_the_data_to_upgrade_knows_its_user(app: App, dav: Http) -> None:
    """A base that refuses its own secret would prove nothing about the head."""
    assert home(app, dav) == 207


def test_the_user_logs_in(app: App, dav: Http) -> None:
    """The secret in the app's store is the password that works."""
    assert home(app, dav) == 207


@pytest.mark.cold
def test_a_wrong_password_is_refused(app: App, dav: Http) -> None:
    """Cold only, as the next one: Radicale lets whoever is refused wait for a second."""
    dav.auth = (app.env["RADICALE_USER"], "not the password")
    assert home(app, dav) == 401


@pytest.mark.cold
def test_one_user_sees_nothing_of_another(dav: Http) -> None:
    """Whoever is logged in has a place of their own and no other."""
    assert dav.request("PROPFIND", "/somebody-else/", headers={"Depth": "0"}).status_code == 403
