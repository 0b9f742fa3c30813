"""Who gets in, and to what."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_warmci.api import Http, Sso


def home(http: Http, name: str) -> int:
    """Ask for somebody's own collection; answer the HTTP status."""
    status: int = http.request("PROPFIND", f"/{name}/", headers={"Depth": "0"}).status_code
    return status


@pytest.mark.before_upgrade
def test_the_data_to_upgrade_knows_its_person(sso: Sso, dav: Http) -> None:
    """A base that lets nobody in would prove nothing about the head."""
    assert home(dav, sso.user.username) == 207


def test_nobody_gets_in_without_a_password(sso: Sso, http: Http) -> None:
    """Not even to see whether there is such a person."""
    assert home(http, sso.user.username) == 401


def test_one_person_sees_nothing_of_another(sso: Sso, dav: Http) -> None:
    """Whoever is logged in has a place of their own and no other."""
    assert home(dav, "ben") == 403
    dav.auth = ("ben", sso.users["ben"].password)
    assert home(dav, "ben") == 207


@pytest.mark.cold
def test_a_wrong_password_is_refused(sso: Sso, http: Http) -> None:
    """Cold only: Radicale lets whoever is refused wait for a second."""
    http.auth = (sso.user.username, secrets.token_hex(8))
    assert home(http, sso.user.username) == 401


@pytest.mark.cold
def test_who_is_new_in_the_realm_gets_in_at_once(sso: Sso, http: Http) -> None:
    """And who is disabled is out at once: nothing is remembered."""
    carol = sso.realm.user("carol")
    http.auth = (carol.username, carol.password)
    assert home(http, "carol") == 207
    admin = sso.realm.admin
    admin.update_user(admin.get_user_id("carol"), {"enabled": False})
    assert home(http, "carol") == 401
