"""What the tests of this recipe share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
import requests

if TYPE_CHECKING:
    from pytest_warmci.api import App, Sso
    from pytest_warmci.model import RealmUser


class Person:
    """Somebody who is logged in to the app under test."""

    def __init__(self, url: str, user_id: str, session: requests.Session) -> None:
        self.id = user_id
        self._url = url
        self._session = session

    def ask(self, verb: str, path: str, **more: Any) -> requests.Response:
        """Send a request; `path` begins below `/_matrix/`."""
        return self._session.request(verb, f"{self._url}/_matrix/{path}", timeout=30, **more)

    def get(self, path: str) -> Any:
        """Return what a GET answers."""
        return _json(self.ask("GET", path))

    def post(self, path: str, body: Any) -> Any:
        """Return what a POST answers."""
        return _json(self.ask("POST", path, json=body))

    def put(self, path: str, body: Any) -> Any:
        """Return what a PUT answers."""
        return _json(self.ask("PUT", path, json=body))


def _json(answer: requests.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(scope="session")
def login_token(app: App, sso: Sso) -> Callable[[RealmUser], str]:
    """Take a user through Keycloak's form; what comes back is good for one login."""

    def walk(user: RealmUser) -> str:
        page = f"{app.url}/_matrix/static/client/login"
        wanted = urlencode({"redirectUrl": page})
        start = f"{app.url}/_matrix/client/v3/login/sso/redirect?{wanted}"
        back = sso.realm.login(user, start, until=page)
        [token] = parse_qs(urlsplit(str(back.headers["Location"])).query)["loginToken"]
        return token

    return walk


@contextmanager
def logged_in(app: App, token: str) -> Iterator[Person]:
    """Somebody with a token from Keycloak, until they log out."""
    with requests.Session() as session:
        session.trust_env = False
        nobody = Person(app.url, "", session)
        granted = nobody.post("client/v3/login", {"type": "m.login.token", "token": token})
        session.headers["Authorization"] = f"Bearer {granted['access_token']}"
        person = Person(app.url, granted["user_id"], session)
        yield person
        person.post("client/v3/logout", {})


@pytest.fixture(scope="session")
def ana(app: App, sso: Sso, login_token: Callable[[RealmUser], str]) -> Iterator[Person]:
    """The first of the two who can log in."""
    with logged_in(app, login_token(sso.users["ana"])) as person:
        yield person


@pytest.fixture(scope="session")
def ben(app: App, sso: Sso, login_token: Callable[[RealmUser], str]) -> Iterator[Person]:
    """The second."""
    with logged_in(app, login_token(sso.users["ben"])) as person:
        yield person


@pytest.fixture
def room(ana: Person) -> Iterator[str]:
    """A new room of Ana's, as part of a path; she leaves it in the end."""
    made = ana.post("client/v3/createRoom", {"preset": "private_chat"})
    path = f"client/v3/rooms/{quote(made['room_id'])}"
    yield path
    ana.post(f"{path}/leave", {})
