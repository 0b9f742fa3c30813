"""Logins that go wrong elsewhere, sessions of others, and pages that are not like the rest."""

from __future__ import annotations

import socket

import pytest
import requests

from pytest_warmci.clients.http import AppSession, LoopbackJar
from pytest_warmci.clients.login import login
from pytest_warmci.errors import KeycloakTrouble, LoginStopped
from tests.unit.keycloak_pages import (
    ANA,
    AUTH,
    BACK,
    CALLBACK,
    COOKIES,
    LOGGED_IN,
    OPENED,
    OURS,
    PASSWORD,
    REALM,
    STEP,
    USERNAME,
    finished,
    form,
    page,
    sign_in,
    sorry,
    stopped,
)
from tests.unit.scripted_server import JSON, Step, moved, scripted

# -- whose fault ----------------------------------------------------------------------------


def test_a_keycloak_that_is_not_there_is_trouble() -> None:
    with pytest.raises(KeycloakTrouble) as caught:
        login(f"http://127.0.0.1:1{AUTH}", ANA)

    assert caught.value.where == f"http://127.0.0.1:1{REALM}/protocol/openid-connect/auth"
    assert "Connection refused" in caught.value.why


def test_a_keycloak_that_says_nothing_is_trouble() -> None:
    """The limit of a request is the caller's."""
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(KeycloakTrouble) as caught:
        login(f"http://127.0.0.1:{mute.getsockname()[1]}{AUTH}", ANA, timeout=0.1)

    assert caught.value.why == "no answer within 0.1 s"


def test_a_keycloak_that_fails_is_trouble() -> None:
    with (
        scripted(OPENED, Step(f"POST {STEP}", sorry("Internal Server Error"), status=500)) as url,
        pytest.raises(KeycloakTrouble, match=r"HTTP 500, page 'We are sorry\.\.\.': Internal"),
    ):
        login(url + AUTH, ANA)


def test_a_keycloak_behind_a_proxy_that_does_not_reach_it_is_trouble() -> None:
    with (
        scripted(Step(f"GET {AUTH}", "<title>Bad Gateway</title>", status=502)) as url,
        pytest.raises(KeycloakTrouble, match="HTTP 502, page 'Bad Gateway'"),
    ):
        login(url + AUTH, ANA)


def test_an_app_that_is_not_there_is_the_recipes_fault() -> None:
    text = stopped(
        OPENED, moved(f"POST {STEP}", to="http://127.0.0.1:1/callback?code=code-of-keycloak")
    )

    assert text.startswith("http://127.0.0.1:1/callback: the login led to where nobody answers\n")
    assert "Connection refused" in text


def test_an_app_that_fails_is_the_recipes_fault() -> None:
    """What it says of the code is blotted out."""
    said = '{"error": "bad code", "error_description": "code-of-keycloak"}'
    text = stopped(OPENED, LOGGED_IN, Step(CALLBACK, said, status=500, kind=JSON), until=None)

    assert "HTTP 500: bad code: ********" in text


def test_an_app_that_redirects_to_nothing_is_the_recipes_fault() -> None:
    text = stopped(
        moved(f"GET {AUTH}", to="/callback?code=1"),
        moved("GET /callback?code=1", to="http://[bad/"),
        until=None,
    )

    assert text.startswith("/callback: the login led to where nobody answers\n")
    assert "Invalid IPv6 URL" in text


def test_a_realm_that_is_not_there_stops_it() -> None:
    text = stopped(Step(f"GET {AUTH}", '{"error":"Realm does not exist"}', status=404, kind=JSON))

    assert "HTTP 404: Realm does not exist" in text


def test_an_end_before_the_one_that_was_asked_for_stops_it() -> None:
    text = stopped(OPENED, LOGGED_IN, Step(CALLBACK, "in"), until="{url}/other?x=1")

    assert "/callback: the login ended before it came to /other\n" in text


def test_a_circle_of_redirects_stops_it() -> None:
    circle = [moved(f"GET {AUTH}", to=AUTH)] * 30

    assert "the login has not come to an end after 30 requests" in stopped(*circle)


# -- sessions and pages ---------------------------------------------------------------------


def test_an_apps_session_logs_in_by_a_path_and_stays_logged_in() -> None:
    """The next login has no form to fill in, and needs no answers."""
    known = {"Set-Cookie": [f"KEYCLOAK_IDENTITY=i; Path={REALM}/; Secure"]}
    with (
        scripted(
            moved("GET /sso", to=AUTH),
            OPENED,
            moved(f"POST {STEP}", to=BACK, headers=known),
            moved(f"GET {AUTH}", to=BACK, cookies={**OURS, "KEYCLOAK_IDENTITY": "i"}),
        ) as url,
        AppSession(url) as session,
    ):
        login("/sso", ANA, session=session, until=f"{url}/callback")
        login(AUTH, {}, session=session, until=f"{url}/callback")


def test_a_path_of_an_app_that_is_not_there_is_named() -> None:
    with AppSession("http://127.0.0.1:1") as session, pytest.raises(LoginStopped) as caught:
        login("/sso?x=1", ANA, session=session)

    assert caught.value.where == "/sso"


def test_any_session_is_given_the_jar() -> None:
    with scripted(OPENED, LOGGED_IN) as url, requests.Session() as session:
        session.trust_env = False
        login(url + AUTH, ANA, session=session, until=f"{url}/callback")

        assert isinstance(session.cookies, LoopbackJar)


def test_the_name_may_be_asked_for_before_the_password() -> None:
    """Two forms of the same id are two forms."""
    finished(
        Step(f"GET {AUTH}", sign_in(fields=USERNAME)),
        Step(
            f"POST {STEP}", sign_in(fields=PASSWORD), sent={"username": "ana", "credentialId": ""}
        ),
        moved(f"POST {STEP}", to=BACK, sent={"password": "ana-secret", "credentialId": ""}),
    )


def test_other_forms_of_the_page_are_left_alone() -> None:
    """Another way to log in, a search of the app, a form that only looks."""
    other = "".join(
        (
            form(
                "kc-select-try-another-way-form",
                STEP,
                '<input type="hidden" name="tryAnotherWay">',
            ),
            form("search", "/search", '<input name="q">'),
            form("broken", "http://[bad", '<input name="q">'),
            f'<form action="{STEP}"><input name="q"></form>',
        )
    )
    finished(Step(f"GET {AUTH}", other + sign_in(), headers=COOKIES), LOGGED_IN)


def test_all_kinds_of_fields_are_sent_as_a_browser_does() -> None:
    lines = (
        '<input name="username" value="preset"><input name="gone" value="x" disabled>'
        '<select name="locale"><option value="en"><option value="de" selected></select>'
        '<select name="first"><option value="1"><option value="2"></select>'
        '<textarea name="about">a &amp; b</textarea>'
        '<input type="radio" name="way" value="post"><input type="radio" name="way" value="mail" checked>'
        '<input type="checkbox" name="rememberMe">'
    )
    sent = {
        "username": "ana",
        "locale": "de",
        "first": "1",
        "about": "a & b",
        "way": "mail",
        "rememberMe": "on",
    }
    finished(
        Step(f"GET {AUTH}", page("Sign in", form("f", STEP, lines))),
        moved(f"POST {STEP}", to=BACK, sent=sent),
        rememberMe="on",
    )


def test_markup_that_nobody_understands_is_no_obstacle() -> None:
    with scripted(OPENED, LOGGED_IN, Step(CALLBACK, "<p>in</p><![oops[ ]]>")) as url:
        assert login(url + AUTH, ANA).text.startswith("<p>in</p>")


def test_a_letter_that_is_a_state_is_not_blotted_out() -> None:
    text = stopped(
        moved(f"GET {AUTH}", to="/callback?state=e"),
        Step("GET /callback?state=e", "<title>the end</title>", status=404),
        until=None,
    )

    assert "page 'the end'" in text
