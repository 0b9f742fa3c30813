"""Pages like Keycloak's, and a login through a script of them."""

from __future__ import annotations

import pytest

from pytest_warmci.clients.login import login
from pytest_warmci.errors import LoginStopped
from tests.unit.scripted_server import Step, moved, scripted

REALM = "/realms/r"
AUTH = f"{REALM}/protocol/openid-connect/auth?client_id=app"
STEP = f"{REALM}/login-actions/authenticate?session_code=one&tab_id=t"
ACTION = f"{REALM}/login-actions/required-action?session_code=two&tab_id=t"
CONSENT = f"{REALM}/login-actions/consent?client_id=app&tab_id=t"
BACK = "{url}/callback?state=of-the-app&code=code-of-keycloak"
CALLBACK = "GET /callback?state=of-the-app&code=code-of-keycloak"

ANA = {"username": "ana", "password": "ana-secret"}
SENT = {**ANA, "credentialId": ""}
COOKIES = {
    "Set-Cookie": [
        f"AUTH_SESSION_ID=a; Path={REALM}/; Secure; HttpOnly; SameSite=None",
        f"KC_RESTART=b; Path={REALM}/; Secure; HttpOnly; SameSite=None",
    ]
}
OURS = {"AUTH_SESSION_ID": "a", "KC_RESTART": "b"}

USERNAME = '<input name="username" value="" type="text" autofocus>'
PASSWORD = '<input name="password" type="password"><button type="button">Show</button>'


def page(title: str, *content: str, message: str = "") -> str:
    """A page in Keycloak's frame."""
    told = f'<span class="alert kc-feedback-text">{message}</span>' if message else ""
    return (
        f"<html><head><title>Sign in to r</title></head><body><svg><title>eye</title></svg>"
        f'<h1 id="kc-page-title"> {title}\n</h1>{told}{"".join(content)}</body></html>'
    )


def form(name: str, action: str, *fields: str) -> str:
    escaped = action.replace("&", "&amp;")
    return f'<form id="{name}" action="{escaped}" method="post">{"".join(fields)}</form>'


def sign_in(message: str = "", fields: str = USERNAME + PASSWORD) -> str:
    hidden = '<input type="hidden" name="credentialId"/>'
    shown = form(
        "kc-form-login", "{url}" + STEP, fields, hidden, '<button name="login">Go</button>'
    )
    return page("Sign in to your account", shown, message=message)


def profile(*, email: str = "", message: str = "") -> str:
    lines = (
        f'<input name="email" value="{email}">'
        '<input name="firstName" value=""><input name="lastName" value="">'
        '<input type="submit" value="Submit">'
    )
    shown = form("kc-update-profile-form", "{url}" + ACTION, lines)
    return page("Update Account Information", shown, message=message)


def new_password(message: str = "") -> str:
    lines = (
        '<input type="password" name="password-new"><input type="password" name="password-confirm">'
        '<input type="checkbox" name="logout-sessions" value="on" checked>'
        '<input type="checkbox" name="other" value="on">'
    )
    shown = form("kc-passwd-update-form", "{url}" + ACTION, lines)
    return page("Update password", shown, message=message)


def grant() -> str:
    lines = (
        '<input type="hidden" name="code" value="of-this-page">'
        '<button name="accept" type="submit">Yes</button><button name="cancel">No</button>'
    )
    return page("<p>Grant Access to app</p>", form("", CONSENT, lines))


def sorry(message: str) -> str:
    return page("We are sorry...", f'<p class="instruction">{message}</p>')


OPENED = Step(f"GET {AUTH}", sign_in(), headers=COOKIES)
LOGGED_IN = moved(f"POST {STEP}", to=BACK, sent=SENT, cookies=OURS)
ASKS_MORE = moved(f"POST {STEP}", to=ACTION, sent=SENT, cookies=OURS)


def with_dashes(answers: dict[str, str]) -> dict[str, str]:
    """Ana's answers and others, whose names have dashes for underscores."""
    return ANA | {name.replace("_", "-"): value for name, value in answers.items()}


def stopped(*steps: Step, until: str | None = "{url}/callback", **answers: str) -> str:
    """Log in as Ana, which must fail; return the error, with the server's URL left out."""
    with scripted(*steps) as url, pytest.raises(LoginStopped) as caught:
        login(url + AUTH, with_dashes(answers), until=until and until.replace("{url}", url))
    text = str(caught.value)
    assert "secret" not in text
    assert "code-of-keycloak" not in text
    return text.replace(url, "")


def finished(*steps: Step, **answers: str) -> None:
    """Log in as Ana, which must lead back to the app."""
    with scripted(*steps) as url:
        found = login(url + AUTH, with_dashes(answers), until=f"{url}/callback?")

        assert found.headers["Location"] == BACK.replace("{url}", url)
