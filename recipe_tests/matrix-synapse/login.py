"""A login as a Matrix client has it: through Keycloak's own form, and back with a token that works once."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

if TYPE_CHECKING:
    from pytest_warmci.api import App
    from pytest_warmci.model import RealmUser


def log_in(app: App, user: RealmUser) -> str:
    """Log in with single sign-on; return who Synapse says that is: `@ana:localhost`."""
    api = f"{app.url}/_matrix/client/v3"
    # The server's own page, which gets the token without a question in between; it is not fetched.
    page = f"{app.url}/_matrix/static/client/login"
    start = f"{api}/login/sso/redirect?{urlencode({'redirectUrl': page})}"
    back = app.sso.realm.login(user, start, until=page)
    [token] = parse_qs(urlsplit(back.headers["Location"]).query)["loginToken"]

    with requests.Session() as session:
        session.trust_env = False
        wanted = {"type": "m.login.token", "token": token}
        granted = session.post(f"{api}/login", json=wanted, timeout=30)
        granted.raise_for_status()
        session.headers["Authorization"] = f"Bearer {granted.json()['access_token']}"
        who = session.get(f"{api}/account/whoami", timeout=30)
        who.raise_for_status()
        session.post(f"{api}/logout", timeout=30).raise_for_status()
    return str(who.json()["user_id"])
