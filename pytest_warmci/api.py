"""What a recipe's tests, its `witness.py` and its `login.py` may rely on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pytest_warmci.model import RealmClient, RealmUser


class App(Protocol):
    """The app under test, as fixtures and `witness.py` get it."""

    @property
    def url(self) -> str:
        """Base URL, without a final slash."""
        ...

    @property
    def domain(self) -> str:
        """The app's domain (on the process engine a name only)."""
        ...

    @property
    def version(self) -> str:
        """The version that runs now: a tag, or the version label of an unpublished commit."""
        ...

    @property
    def env(self) -> Mapping[str, str]:
        """The app's `.env`."""
        ...

    def secret(self, name: str) -> str:
        """Return the value of a secret, by its name in the compose file."""
        ...

    def logs(self, service: str) -> str:
        """Return a service's output so far, secrets blotted out."""
        ...

    @property
    def sso(self) -> Sso:
        """What the app was given to log people in with.

        Raises:
            InputError: Its recipe.yml has no `sso`.
        """
        ...


class Keycloak(Protocol):
    """The live-warm Keycloak, which outlives the run and is shared with others."""

    @property
    def url(self) -> str:
        """Base URL, without a final slash."""
        ...

    @property
    def version(self) -> str:
        """The version of its recipe that runs."""
        ...


class Realm(Protocol):
    """A fresh realm of the live-warm Keycloak, made for this run and deleted after it."""

    @property
    def name(self) -> str:
        """The realm's name."""
        ...

    @property
    def issuer(self) -> str:
        """The issuer of its tokens: a URL, without a final slash."""
        ...

    @property
    def discovery(self) -> Mapping[str, Any]:
        """Its OpenID configuration."""
        ...

    @property
    def jwks(self) -> Mapping[str, Any]:
        """The public keys that its tokens are signed with."""
        ...

    @property
    def admin(self) -> Any:
        """python-keycloak's `KeycloakAdmin`, logged in as administrator and bound to this realm."""
        ...

    def client(self, client_id: str, **representation: Any) -> RealmClient:
        """Make a client: confidential, for every flow; more as in a ClientRepresentation."""
        ...

    def user(self, username: str, **representation: Any) -> RealmUser:
        """Make a user who can log in at once; more as in a UserRepresentation."""
        ...

    def token(
        self, user: RealmUser, client: RealmClient | None = None, scope: str = "openid"
    ) -> Mapping[str, Any]:
        """Return what the token endpoint answers to a user's password."""
        ...

    def client_credentials(self, client: RealmClient) -> Mapping[str, Any]:
        """Return what the token endpoint answers to a client's own secret."""
        ...

    def login(
        self,
        user: RealmUser,
        url: str,
        *,
        session: Any = None,
        until: str | None = None,
        answers: Mapping[str, str] | None = None,
    ) -> Any:
        """Open a page and log in through Keycloak's own form, like a browser.

        Args:
            user: Who logs in.
            url: Where to begin: a page of an app, which leads to Keycloak, or Keycloak's own.
            session: A `requests.Session` to use and to keep logged in; None for a fresh one.
            until: The beginning of a URL; the redirect that leads there is returned unfetched.
            answers: More form fields to fill (`email`, `password-new` ...), by name.

        Returns:
            The last response (`requests.Response`).

        Raises:
            LoginStopped: Keycloak refused, or showed a page that cannot be answered.
        """
        ...


class Sso(Protocol):
    """What an app was given before it was deployed: a realm, a client, and users."""

    @property
    def realm(self) -> Realm:
        """The realm."""
        ...

    @property
    def client(self) -> RealmClient:
        """The app's own client."""
        ...

    @property
    def users(self) -> Mapping[str, RealmUser]:
        """The users of recipe.yml, by name."""
        ...

    @property
    def user(self) -> RealmUser:
        """The first of them."""
        ...


class Http(Protocol):
    """A `requests.Session` bound to the app: a URL that is only a path is the app's."""

    auth: Any
    """Who asks: a pair of user name and password, or what else `requests` takes."""

    def request(self, method: str, url: str, **kwargs: Any) -> Any:
        """Send a request of any kind."""
        ...

    def get(self, url: str, **kwargs: Any) -> Any:
        """Send a GET."""
        ...

    def post(self, url: str, data: Any = None, json: Any = None, **kwargs: Any) -> Any:
        """Send a POST."""
        ...

    def put(self, url: str, data: Any = None, **kwargs: Any) -> Any:
        """Send a PUT."""
        ...

    def delete(self, url: str, **kwargs: Any) -> Any:
        """Send a DELETE."""
        ...


class Witness(Protocol):
    """What a recipe's `witness.py` offers."""

    def plant(self, app: App) -> dict[str, Any]:
        """Plant data (repeatable); the answer, JSON, is kept with the data."""
        ...

    def check(self, app: App, planted: dict[str, Any]) -> int:
        """Return how much of the planted data is there, found by the same identity."""
        ...


class Login(Protocol):
    """What a recipe's `login.py` offers."""

    def log_in(self, app: App, user: RealmUser) -> str:
        """Log a user in for real; return who the app says that is (see `sso.identity`)."""
        ...


class Canonical(Protocol):
    """The canonical as fixtures see it: facts only, nothing that could change it."""

    @property
    def version(self) -> str:
        """The known-good's version."""
        ...

    @property
    def commit(self) -> str:
        """The known-good's commit."""
        ...

    @property
    def digest(self) -> str:
        """The known-good's digest."""
        ...
