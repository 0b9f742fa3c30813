"""A realm as tests and witnesses get it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from pytest_warmci.clients import oidc
from pytest_warmci.clients.realm_form import client_form, new_client, new_user, user_form
from pytest_warmci.model import RealmClient, RealmUser
from pytest_warmci.store.realm_records import RealmRecord

if TYPE_CHECKING:
    from pytest_warmci.clients.http import Response
    from pytest_warmci.clients.keycloak import KeycloakAdmin
    from pytest_warmci.runs.live_keycloak import LiveKeycloak

_SECONDS: Final = 30.0


class Realm:
    """One realm of a run (see `pytest_warmci.api.Realm`).

    Args:
        live: The Keycloak that it is on.
        record: Its record.
        control: A client of ours in it, for every flow.
        client: The client of an app, if it was made for one.
        users: The users that it was made with.
    """

    def __init__(
        self,
        live: LiveKeycloak,
        record: RealmRecord,
        control: RealmClient,
        client: RealmClient | None,
        users: Mapping[str, RealmUser],
    ) -> None:
        self.live = live
        self.record = record
        self.control = control
        self.app_client = client
        self.users = dict(users)
        self._made: list[str] = []

    def __repr__(self) -> str:
        return f"<realm {self.name}>"

    @property
    def name(self) -> str:
        """The realm's name."""
        return self.record.realm

    @property
    def issuer(self) -> str:
        """The issuer of its tokens: a URL, without a final slash."""
        return f"{self.live.url}/realms/{self.name}"

    @cached_property
    def discovery(self) -> Mapping[str, Any]:
        """Its OpenID configuration."""
        return oidc.discovery(self.issuer, timeout=_SECONDS)

    @property
    def jwks(self) -> Mapping[str, Any]:
        """The public keys that its tokens are signed with."""
        return oidc.jwks(str(self.discovery["jwks_uri"]), timeout=_SECONDS)

    @cached_property
    def admin(self) -> KeycloakAdmin:
        """python-keycloak's `KeycloakAdmin`, logged in as administrator and bound to this realm."""
        return self.live.administrator.bound(self.name)

    @property
    def secret_values(self) -> Collection[str]:
        """Every password and client secret that it was given here."""
        known = [self.control.secret, *(each.password for each in self.users.values())]
        if self.app_client is not None:
            known.append(self.app_client.secret)
        return {each for each in (*known, *self._made) if each}

    def client(self, client_id: str, **representation: Any) -> RealmClient:
        """Make a client: confidential, for every flow; more as in a ClientRepresentation."""
        drawn = new_client(client_id, public=bool(representation.get("publicClient")))
        form = client_form(drawn, more=representation)
        secret = "" if form["publicClient"] else str(form.get("secret") or "")
        self._made.append(secret)
        self.live.administrator.create_client(self.name, form)
        return RealmClient(str(form["clientId"]), secret)

    def user(self, username: str, **representation: Any) -> RealmUser:
        """Make a user who can log in at once; more as in a UserRepresentation."""
        form = user_form(new_user(username), representation)
        passwords = [
            str(each["value"]) for each in form["credentials"] if each.get("type") == "password"
        ]
        self._made += passwords
        user = RealmUser(
            username=str(form["username"]),
            password=passwords[0] if passwords else "",
            email=str(form["email"]),
            first_name=str(form["firstName"]),
            last_name=str(form["lastName"]),
        )
        self.live.administrator.create_user(self.name, form)
        self.users[user.username] = user
        return user

    def token(
        self, user: RealmUser, client: RealmClient | None = None, scope: str = "openid"
    ) -> Mapping[str, Any]:
        """Return what the token endpoint answers to a user's password."""
        asking = client or self.control
        return oidc.password_grant(
            self._token_endpoint,
            client_id=asking.id,
            client_secret=asking.secret,
            username=user.username,
            password=user.password,
            scope=scope,
            timeout=_SECONDS,
        )

    def client_credentials(self, client: RealmClient) -> Mapping[str, Any]:
        """Return what the token endpoint answers to a client's own secret."""
        return oidc.client_credentials(
            self._token_endpoint,
            client_id=client.id,
            client_secret=client.secret,
            timeout=_SECONDS,
        )

    def login(
        self,
        user: RealmUser,
        url: str,
        *,
        session: Any = None,
        until: str | None = None,
        answers: Mapping[str, str] | None = None,
    ) -> Response:
        """Open a page and log in through Keycloak's own form; see `pytest_warmci.api.Realm`."""
        from pytest_warmci.clients.login import login

        known = {
            "username": user.username,
            "password": user.password,
            "email": user.email,
            "firstName": user.first_name,
            "lastName": user.last_name,
        }
        return login(
            url, {**known, **(answers or {})}, session=session, until=until, timeout=_SECONDS
        )

    @property
    def _token_endpoint(self) -> str:
        return f"{self.issuer}/protocol/openid-connect/token"
