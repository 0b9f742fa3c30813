"""Logging in through Keycloak, which is the only way in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from pytest_warmci.errors import LoginStopped

if TYPE_CHECKING:
    from conftest import Person

    from pytest_warmci.api import Http, Sso
    from pytest_warmci.model import RealmUser

KEPT: list[dict[str, str]] = []
"""Headers of whoever logged in before the upgrade. No fixture: they all end with the base."""


@pytest.mark.before_upgrade
def test_the_data_to_upgrade_knows_its_user(ana: Person) -> None:
    """A base that calls Ana something else (@ana1) would prove nothing about the head."""
    assert ana.get("client/v3/account/whoami")["user_id"] == "@ana:localhost"


@pytest.mark.before_upgrade
def test_somebody_logs_in_and_stays(
    sso: Sso, http: Http, login_token: Callable[[RealmUser], str]
) -> None:
    """One of the last things that the base writes, which the next test looks for."""
    wanted = {"type": "m.login.token", "token": login_token(sso.users["ben"])}
    granted = http.post("/_matrix/client/v3/login", json=wanted)
    assert granted.status_code == 200, granted.text
    KEPT.append({"Authorization": f"Bearer {granted.json()['access_token']}"})


def test_whoever_was_logged_in_stays_so(http: Http) -> None:
    """Nobody was, in a fresh install."""
    path = "/_matrix/client/v3/account/whoami"
    found = [http.get(path, headers=each).status_code for each in KEPT]
    assert found == [200 for _ in KEPT]


def test_each_user_gets_their_own_name(ana: Person, ben: Person) -> None:
    """The name is made from the one in Keycloak."""
    names = [each.get("client/v3/account/whoami")["user_id"] for each in (ana, ben)]
    assert names == ["@ana:localhost", "@ben:localhost"]


def test_a_wrong_password_is_refused(sso: Sso, login_token: Callable[[RealmUser], str]) -> None:
    """Keycloak shows its form again, and nothing leads back to Synapse."""
    user = dataclasses.replace(sso.users["ana"], password="not the password")  # noqa: S106
    with pytest.raises(LoginStopped, match="refused"):
        login_token(user)


def test_a_login_token_works_once(
    sso: Sso, http: Http, login_token: Callable[[RealmUser], str]
) -> None:
    """Whoever finds it in a browser's history has nothing."""
    wanted = {"type": "m.login.token", "token": login_token(sso.users["ana"])}
    answers = [http.post("/_matrix/client/v3/login", json=wanted) for _ in range(2)]
    assert [each.status_code for each in answers] == [200, 403]


def test_there_is_no_other_way_in(sso: Sso, http: Http) -> None:
    """Neither a password of Synapse's own nor an account that nobody gave."""
    offered = http.get("/_matrix/client/v3/login").json()["flows"]
    flows = {each["type"] for each in offered}
    assert "m.login.sso" in flows
    assert "m.login.password" not in flows

    wanted = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": "ana"},
        "password": sso.users["ana"].password,
    }
    answer = http.post("/_matrix/client/v3/login", json=wanted)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"] == "Password login has been disabled."

    registered = http.post("/_matrix/client/v3/register", json={"username": "eve"})
    assert registered.status_code == 403


def test_whoever_logs_out_is_out(
    sso: Sso, http: Http, login_token: Callable[[RealmUser], str]
) -> None:
    """The session ends here, whatever Keycloak remembers."""
    wanted = {"type": "m.login.token", "token": login_token(sso.users["ben"])}
    granted = http.post("/_matrix/client/v3/login", json=wanted).json()
    bearer = {"Authorization": f"Bearer {granted['access_token']}"}
    assert http.post("/_matrix/client/v3/logout", headers=bearer).status_code == 200

    late = http.get("/_matrix/client/v3/account/whoami", headers=bearer)
    assert late.status_code == 401
    assert late.json()["errcode"] == "M_UNKNOWN_TOKEN"
