"""Logins through pages like Keycloak's, served from a script: one for each thing that may come."""

from __future__ import annotations

import pytest

from pytest_warmci.clients.login import login
from pytest_warmci.errors import LoginStopped
from tests.unit.keycloak_pages import (
    ACTION,
    ANA,
    ASKS_MORE,
    AUTH,
    BACK,
    CALLBACK,
    CONSENT,
    COOKIES,
    LOGGED_IN,
    OPENED,
    OURS,
    REALM,
    SENT,
    STEP,
    finished,
    form,
    grant,
    new_password,
    page,
    profile,
    sign_in,
    sorry,
    stopped,
)
from tests.unit.scripted_server import Step, moved, scripted


def test_a_login_ends_with_the_redirect_that_was_asked_for() -> None:
    """Its code is not used up: nobody has fetched it."""
    finished(OPENED, LOGGED_IN)


def test_a_login_without_end_ends_on_the_apps_own_page() -> None:
    """It begins there too, and the app's cookies come back to it."""
    app = {"Set-Cookie": ["app=1; Path=/; Secure"]}
    welcome = Step(CALLBACK, "<h1>Hello</h1>", cookies={"app": "1"})
    with scripted(
        moved("GET /sso", to=AUTH, headers=app), OPENED, moved(f"POST {STEP}", to=BACK), welcome
    ) as url:
        found = login(f"{url}/sso", ANA)

    assert (200, "<h1>Hello</h1>") == (found.status_code, found.text)


def test_a_wrong_password_stops_it() -> None:
    again = Step(f"POST {STEP}", sign_in("Invalid username or password."), sent=SENT)

    assert stopped(OPENED, again) == (
        f"{REALM}/login-actions/authenticate: Keycloak refused what kc-form-login was answered with\n"
        "  why: HTTP 200, page 'Sign in to your account': Invalid username or password."
        " (forms: kc-form-login)\n"
        "  do:  correct the answers, or the user"
    )


def test_a_disabled_account_stops_it() -> None:
    again = Step(f"POST {STEP}", sign_in("Account is disabled, contact your administrator."))

    assert "Account is disabled" in stopped(OPENED, again)


def test_a_profile_that_is_not_whole_is_completed() -> None:
    """VERIFY_PROFILE: what the answers have no word for stays as it is."""
    sent = {"email": "ana@example.org", "firstName": "Ana", "lastName": ""}
    finished(
        OPENED,
        ASKS_MORE,
        Step(f"GET {ACTION}", profile(email="ana@example.org"), cookies=OURS),
        moved(f"POST {ACTION}", to=BACK, sent=sent),
        firstName="Ana",
    )


def test_a_profile_without_any_answer_stops_it() -> None:
    text = stopped(OPENED, ASKS_MORE, Step(f"GET {ACTION}", profile()))

    assert "no answer to: email, firstName, lastName" in text
    assert "page 'Update Account Information' (forms: kc-update-profile-form)" in text
    assert "give the answers, or the user what is missing" in text


def test_a_profile_that_is_refused_stops_it() -> None:
    text = stopped(
        OPENED,
        ASKS_MORE,
        Step(f"GET {ACTION}", profile()),
        Step(f"POST {ACTION}", profile(email="x", message="Invalid email address.")),
        email="x",
    )

    assert "refused what kc-update-profile-form was answered with" in text
    assert "Invalid email address." in text


def test_a_password_that_must_change_is_changed() -> None:
    """UPDATE_PASSWORD: boxes that are ticked stay so."""
    sent = {"password-new": "b", "password-confirm": "b", "logout-sessions": "on"}
    finished(
        OPENED,
        ASKS_MORE,
        Step(f"GET {ACTION}", new_password()),
        moved(f"POST {ACTION}", to=BACK, sent=sent),
        password_new="b",
        password_confirm="b",
    )


def test_a_password_that_must_change_needs_both_answers() -> None:
    text = stopped(
        OPENED, ASKS_MORE, Step(f"GET {ACTION}", new_password()), password_new="new-secret"
    )

    assert "no answer to: password-confirm" in text


def test_a_new_password_that_is_refused_stops_it() -> None:
    again = Step(f"POST {ACTION}", new_password("Not new-secret again."))
    answers = {"password_new": "new-secret", "password_confirm": "new-secret"}

    text = stopped(OPENED, ASKS_MORE, Step(f"GET {ACTION}", new_password()), again, **answers)

    assert "page 'Update password': Not ******** again." in text


def test_consent_is_given() -> None:
    """Its form has no id, and an action without a host."""
    finished(
        OPENED,
        ASKS_MORE,
        Step(f"GET {ACTION}", grant()),
        moved(f"POST {CONSENT}", to=BACK, sent={"code": "of-this-page", "accept": ""}),
    )


DEVICE = f"{REALM}/device"


def let_in(status: str, heading: str, message: str) -> list[Step]:
    """From the form of a device's login to its end."""
    end = page(heading, f'<p class="instruction">{message}</p>')
    return [
        Step(f"GET {STEP}", sign_in(), headers=COOKIES),
        ASKS_MORE,
        Step(f"GET {ACTION}", grant()),
        moved(f"POST {CONSENT}", to=DEVICE + status),
        Step(f"GET {DEVICE}{status}", end),
    ]


def test_a_device_is_let_in() -> None:
    """The browser's end of it is a page that says so."""
    steps = let_in("/status", "Device Login Successful", "You may close this browser window.")
    with scripted(moved(f"GET {DEVICE}?user_code=AB", to=STEP), *steps) as url:
        found = login(f"{url}{DEVICE}?user_code=AB", ANA)

    assert "Device Login Successful" in found.text


def test_the_code_of_a_device_is_typed() -> None:
    typed = form("kc-user-verify-device-user-code-form", DEVICE, '<input name="device_user_code">')
    sent = {"device_user_code": "AB"}
    steps = let_in("/status", "Device Login Successful", "You may close this browser window.")
    first = [
        Step(f"GET {DEVICE}", page("Device Login", typed)),
        moved(f"POST {DEVICE}", to=STEP, sent=sent),
    ]
    with scripted(*first, *steps) as url:
        assert 200 == login(f"{url}{DEVICE}", ANA | sent).status_code


def test_a_device_that_is_not_let_in_stops_it() -> None:
    steps = let_in("/status?error=expired_token", "Device Login Failed", "The code has expired.")
    with (
        scripted(moved(f"GET {DEVICE}?user_code=AB", to=STEP), *steps) as url,
        pytest.raises(LoginStopped, match=r"page 'Device Login Failed': The code has expired\."),
    ):
        login(f"{url}{DEVICE}?user_code=AB", ANA)


LOGIN_REQUIRED = "{url}/callback?error=login_required&error_description=no+session"


def test_no_prompt_and_no_session_leads_back_with_an_error() -> None:
    """prompt=none: who asked for the redirect reads what it says."""
    with scripted(moved(f"GET {AUTH}&prompt=none", to=LOGIN_REQUIRED)) as url:
        found = login(f"{url}{AUTH}&prompt=none", ANA, until=f"{url}/callback")

    assert found.headers["Location"] == LOGIN_REQUIRED.replace("{url}", url)


def test_an_app_that_refuses_what_keycloak_told_it_is_named_with_that() -> None:
    refused = "GET /callback?error=login_required&error_description=no+session"
    text = stopped(
        moved(f"GET {AUTH}", to=LOGIN_REQUIRED),
        Step(refused, "<title>Oh no</title>", status=400),
        until=None,
    )

    assert text == (
        "/callback: the app refused the login\n"
        "  why: HTTP 400, page 'Oh no' (forms: none)\n"
        "       /callback was told the error login_required: no session\n"
        "  do:  see the app's log"
    )


def test_a_redirect_uri_that_is_not_the_clients_stops_it() -> None:
    text = stopped(Step(f"GET {AUTH}", sorry("Invalid parameter: redirect_uri"), status=400))

    assert text.startswith(
        f"{REALM}/protocol/openid-connect/auth: Keycloak showed a page with nothing to answer\n"
        "  why: HTTP 400, page 'We are sorry...': Invalid parameter: redirect_uri (forms: none)"
    )


TIMED_OUT = "Your login attempt timed out. Login will start from the beginning."
LOST = [
    moved(f"POST {STEP}", to=STEP, sent=SENT),
    Step(f"GET {STEP}", sign_in(TIMED_OUT), headers=COOKIES),
]


def test_a_login_that_keycloak_has_lost_is_begun_once_more() -> None:
    """AUTH_SESSION_ID is gone: Keycloak was restarted."""
    finished(OPENED, *LOST, LOGGED_IN)


def test_a_login_that_is_begun_again_goes_through_all_its_forms_again() -> None:
    """It was lost at the second one."""
    asked = Step(f"GET {ACTION}", profile())
    finished(
        OPENED,
        ASKS_MORE,
        asked,
        moved(f"POST {ACTION}", to=STEP),
        LOST[1],
        ASKS_MORE,
        asked,
        moved(f"POST {ACTION}", to=BACK),
        email="ana@example.org",
    )


def test_a_login_that_keycloak_loses_twice_stops() -> None:
    text = stopped(OPENED, *LOST, *LOST)

    assert "Keycloak began the login again and again" in text
    assert TIMED_OUT in text


def test_a_wrong_password_is_still_wrong_after_another_beginning() -> None:
    again = Step(f"POST {STEP}", sign_in("Invalid username or password."))

    assert "Invalid username or password." in stopped(OPENED, *LOST, again)


def test_the_form_of_an_older_tab_still_logs_in() -> None:
    """KC_RESTART is gone, and nobody needs it."""
    forgotten = {"Set-Cookie": [f"AUTH_SESSION_ID=a; Path={REALM}/; Secure"]}
    finished(
        Step(f"GET {AUTH}", sign_in(), headers=forgotten),
        moved(f"POST {STEP}", to=BACK, sent=SENT, cookies={"AUTH_SESSION_ID": "a"}),
    )


def test_a_login_without_any_cookie_left_stops() -> None:
    text = stopped(
        OPENED, Step(f"POST {STEP}", sorry("Restart login cookie not found."), status=400)
    )

    assert "HTTP 400, page 'We are sorry...': Restart login cookie not found." in text
