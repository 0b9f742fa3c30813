"""The page that people see."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_warmci.api import App, Http


def login_page(app: App, http: Http) -> str:
    """Walk up to the account console like a browser; answer the page that comes back."""
    page = http.get(
        "/realms/master/protocol/openid-connect/auth",
        params={
            "client_id": "account-console",
            "redirect_uri": f"{app.url}/realms/master/account/",
            "response_type": "code",
            "scope": "openid",
            # The console insists on PKCE; any challenge will do, as nobody redeems the code.
            "code_challenge": "0" * 43,
            "code_challenge_method": "S256",
        },
    )
    assert page.status_code == 200, page.text
    text: str = page.text
    return text


def test_login_page_asks_for_a_password(app: App, http: Http) -> None:
    """There is a form, and it has a field that hides what is typed."""
    page = login_page(app, http)
    assert "<form" in page
    assert re.search(r'<input[^>]*type="password"', page)


def test_login_page_finds_its_styles(app: App, http: Http) -> None:
    """The theme is unpacked at run time: a read-only or lost folder shows here first."""
    styles = re.findall(r'<link[^>]*href="([^"]+\.css)"', login_page(app, http))
    assert styles
    assert {http.get(style).status_code for style in styles} == {200}
