"""A running Keycloak as its administrator sees it (the only owner of `keycloak`).

No answer to a change is believed when it is an error: a request that timed out may still be at
work, and a refused one may have been its own second copy. What is there now decides.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote

from keycloak import KeycloakAdmin, KeycloakOpenID, KeycloakOpenIDConnection
from keycloak.exceptions import KeycloakError

from pytest_warmci.clients.http import authorities, repeat_gets
from pytest_warmci.clients.waiting import Look, WaitedTooLong, wait_until
from pytest_warmci.errors import KeycloakTrouble

if TYPE_CHECKING:
    from pytest_warmci.clients.http import Response

__all__ = ["Administrator", "BriefRealm", "KeycloakAdmin", "Refused", "token_of"]

T = TypeVar("T")

MASTER: Final = "master"
TOKEN_KEY: Final = "warmci.token"  # noqa: S105 - the attribute's name
"""The attribute of a realm that says whose it is; see `Administrator.create`."""

_TIMEOUT: Final = 20
"""Seconds for each request; a realm on a cold server takes 3 to 5."""

_TRIES: Final = 3
_STILL_AT_WORK: Final = 15.0
"""Seconds in which what a request without an answer was to make may yet appear."""

_NOTHING: Final = 0
_MISSING: Final = 404
_UNAUTHORISED: Final = 401

_PASSING: Final = frozenset({400, 409, 429, *range(500, 600)})
"""Answers after which trying again may help: a conflict, a deadlock, a busy server.

Also to a look: while a realm is deleted, Keycloak now and then answers HTTP 500 to a look at that
one, and HTTP 400 with "Cannot parse the JSON" to a list of all. (26.6.4, while four writers made
and deleted 65 realms: 9 looks in 90 s; 3 of 13,615 lists.)
"""


@dataclass(frozen=True, slots=True)
class BriefRealm:
    """What the list of realms says of each one."""

    name: str
    enabled: bool


class Refused(KeycloakTrouble):
    """Keycloak answered a request with an error; `status` is its HTTP status.

    0: there was no answer. 401: it did not let us in, whatever it answered to our login.
    """

    def __init__(self, what: str, *, where: str, why: str, status: int) -> None:
        super().__init__(what, where=where, why=why)
        self.status = status


class Administrator:
    """The administrator of one server. Not for several threads at once.

    Args:
        url: Base URL of the server, without a final slash.
        username: Of the administrator, in realm `master`.
        password: Theirs.
        timeout: Seconds for each request.
    """

    def __init__(self, url: str, username: str, password: str, timeout: int = _TIMEOUT) -> None:
        self.url = url
        self._username = username
        self._password = password
        self._timeout = timeout
        self._known: KeycloakOpenIDConnection | None = None

    def realms(self) -> list[BriefRealm]:
        """List all realms, briefly: the full list costs many times as much.

        Raises:
            KeycloakTrouble: Keycloak does not answer, or refuses.
        """
        # python-keycloak's get_realms() cannot ask for it.
        return self._get("admin/realms", _brief_realms, briefRepresentation="true")

    def find(self, name: str) -> dict[str, Any] | None:
        """Return a realm, None when there is none of that name."""
        try:
            return self._get(_realm(name), _mapping)
        except Refused as refused:
            if refused.status == _MISSING:
                return None
            raise

    def create(self, form: Mapping[str, Any]) -> None:
        """Make a realm with all that is in it.

        Args:
            form: From `realm_form`; its attribute TOKEN_KEY tells it from another one of that
                name.

        Raises:
            KeycloakTrouble: It is not there; or one of that name is, and somebody else's.
        """
        name, token = str(form["realm"]), form["attributes"][TOKEN_KEY]

        def is_there() -> bool:
            found = self.find(name)
            if found is None:
                return False
            if token_of(found) != token:
                raise KeycloakTrouble(
                    f"there is a realm {name} already, and it is not ours",
                    where=self.url,
                    remedy="warmci realms shows whose it is",
                )
            return True

        self._change(lambda: self._send("post", "admin/realms", form), is_there)

    def disable(self, name: str) -> None:
        """Let nobody log in to a realm any more; one that is gone is fine."""
        self._change(
            lambda: self._send("put", _realm(name), {"enabled": False}),
            lambda: not (self.find(name) or {}).get("enabled", False),
        )

    def delete(self, name: str) -> None:
        """Delete a realm; one that is gone is fine.

        Raises:
            KeycloakTrouble: It is still there.
        """
        if name == MASTER:
            raise KeycloakTrouble("realm master is never deleted", where=self.url)
        self._change(lambda: self._send("delete", _realm(name)), lambda: self.find(name) is None)

    def create_client(self, realm: str, form: Mapping[str, Any]) -> None:
        """Make a client in a realm."""
        self._create_in(realm, "clients", "clientId", form)

    def create_user(self, realm: str, form: Mapping[str, Any]) -> None:
        """Make a user in a realm."""
        self._create_in(realm, "users", "username", form)

    def bound(self, realm: str) -> KeycloakAdmin:
        """Return python-keycloak's own object for one realm, for authors' tests."""
        return KeycloakAdmin(connection=self._connect(realm))

    def _create_in(self, realm: str, kind: str, key: str, form: Mapping[str, Any]) -> None:
        def is_there() -> bool:
            exact = {"exact": "true"} if kind == "users" else {}
            query = {key: str(form[key]), **exact}
            return bool(self._get(f"{_realm(realm)}/{kind}", _sequence, **query))

        def send() -> Response:
            return self._send("post", f"{_realm(realm)}/{kind}", form)

        # Whose it is cannot be told here, so it may only be ours when an answer never came.
        self._change(send, is_there, only_unanswered=True)

    def _change(
        self,
        send: Callable[[], Response],
        is_done: Callable[[], bool],
        *,
        only_unanswered: bool = False,
    ) -> None:
        """Send a change; after an error look whether it is done, and try again when it is not.

        With `only_unanswered`, only after a request that got no answer, and those that follow it.
        """
        unanswered = False
        for last in (False,) * (_TRIES - 1) + (True,):
            try:
                send()
            except Refused as refused:
                unanswered = unanswered or refused.status == _NOTHING
                if only_unanswered and not unanswered:
                    raise
                patience = (
                    _STILL_AT_WORK if refused.status == _NOTHING else random.uniform(0.1, 0.5)
                )
                if _came_true(is_done, patience):
                    return
                if last or not _may_pass(refused.status):
                    raise
            else:
                return

    def _get(self, path: str, read: Callable[[Any], T], **query: str) -> T:
        """Return what is there, made of its JSON by `read`."""
        response = self._send("get", path, None, **query)
        try:
            return read(response.json())
        except (KeyError, TypeError, ValueError):
            raise Refused(
                "Keycloak's answer cannot be read",
                where=self.url,
                why=f"GET {path}: {_briefly(response.text)}",
                status=response.status_code,
            ) from None

    def _send(
        self, verb: str, path: str, body: Mapping[str, Any] | None = None, **query: str
    ) -> Response:
        text = None if body is None else json.dumps(body)
        renews = self._known is not None
        response = self._ask(verb, path, text, query, renews=renews)
        if response is None or response.status_code == _UNAUTHORISED:
            # The server was started anew, or put back: nothing was done, and a fresh login does
            # what renewing the old one cannot.
            self._known = None
            response = self._ask(verb, path, text, query, renews=False)
        assert response is not None  # noqa: S101 - only renewing gives nothing back
        if response.ok:
            return response
        raise Refused(
            f"Keycloak answered HTTP {response.status_code}",
            where=self.url,
            why=f"{verb.upper()} {path}: {_briefly(response.text)}",
            status=response.status_code,
        )

    def _ask(
        self, verb: str, path: str, body: str | None, query: Mapping[str, str], *, renews: bool
    ) -> Response | None:
        """Send one request; return None when an old login (`renews`) could not be renewed."""
        if self._known is None:
            self._known = self._connect(MASTER)
            repeat_gets(self._known._s, _PASSING, tries=_TRIES)  # noqa: SLF001
        send = getattr(self._known, f"raw_{verb}")
        try:
            answer: Response = (
                send(path, **query) if body is None else send(path, data=body, **query)
            )
        except KeycloakError as error:
            # One with a status is an answer to our login; the request itself was not carried out.
            self._known = None
            status = error.response_code or _NOTHING
            if renews and status != _NOTHING:
                return None
            raise Refused(
                f"Keycloak {'does not answer' if status == _NOTHING else 'refuses us'}",
                where=self.url,
                why=f"{verb.upper()} {path}: {_said(error)}",
                status=status if status == _NOTHING or status >= 500 else _UNAUTHORISED,
            ) from None
        except (KeyError, TypeError):
            self._known = None
            raise Refused(
                "Keycloak refuses us",
                where=self.url,
                why=f"{verb.upper()} {path}: the answer to our login holds no token",
                status=_UNAUTHORISED,
            ) from None
        return answer

    def _connect(self, realm: str) -> KeycloakOpenIDConnection:
        """Return a connection that asks about a realm; it logs in when it is used.

        Nothing is sent twice, as python-keycloak would with every verb, and no proxy is used: the
        server is on this machine.
        """
        made = KeycloakOpenIDConnection(
            server_url=self.url,
            username=self._username,
            password=self._password,
            realm_name=realm,
            # Without it the administrator is looked for in that realm.
            user_realm_name=MASTER,
            timeout=self._timeout,
            max_retries=0,
        )
        # What logs in has a connection of its own, and lets nobody choose how that one is.
        login = KeycloakOpenID(
            server_url=self.url,
            realm_name=MASTER,
            client_id=made.client_id or "",
            timeout=self._timeout,
            max_retries=0,
        )
        made._keycloak_openid = login  # noqa: SLF001
        for each in (made, login.connection):
            each._s.trust_env = False  # noqa: SLF001
            each.verify = authorities()  # httpx, which it brings and we never use, warns of a file
        return made


def token_of(realm: Mapping[str, Any]) -> str:
    """Return the token that a realm carries; empty when it has none."""
    return str((realm.get("attributes") or {}).get(TOKEN_KEY, ""))


def _realm(name: str) -> str:
    return f"admin/realms/{quote(name, safe='')}"


def _said(error: KeycloakError) -> str:
    cause = error.__cause__ or error.__context__
    said = error.error_message
    return _briefly(
        str(cause or (said.decode("utf-8", "replace") if isinstance(said, bytes) else said))
    )


def _briefly(text: str) -> str:
    return " ".join(text[:300].split())


def _brief_realms(found: Any) -> list[BriefRealm]:
    return [BriefRealm(str(each["realm"]), bool(each.get("enabled"))) for each in _sequence(found)]


def _sequence(found: Any) -> list[Any]:
    if not isinstance(found, list):
        raise TypeError("no list")
    return found


def _mapping(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise TypeError("no object")
    return found


def _may_pass(status: int) -> bool:
    """Tell whether trying again may help, as it also may when there was no answer."""
    return status == _NOTHING or status in _PASSING


def _came_true(is_done: Callable[[], bool], patience: float) -> bool:
    def look() -> Look:
        try:
            done = is_done()
        except Refused as refused:
            if refused.status == _NOTHING or not _may_pass(refused.status):
                raise
            return Look(False, refused.summary)
        return Look(done, "done" if done else "not done")

    try:
        wait_until(look, timeout=patience, every=0.2)
    except WaitedTooLong:
        return False
    return True
