"""A strict Keycloak without Keycloak: realms in memory, behind the requests that we send it.

Who asks for something else, without a token, or sends what no Keycloak takes, gets an error and
ends up in `wrong`. Trouble is planned for single requests, and all of it has to happen.
"""

from __future__ import annotations

import json
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

ADMIN: Final = "admin"
TOKEN: Final = "/protocol/openid-connect/token"
METADATA: Final = "/.well-known/openid-configuration"
SILENCE: Final = 0
"""As a status: the connection is closed, and nothing is answered."""


@dataclass(frozen=True)
class Trouble:
    """What happens to one request.

    Args:
        status: What is answered; SILENCE for nothing at all.
        done: Whether the request is carried out all the same.
        later: Seconds after which it is carried out, when that is not at once.
        hangs: Nothing is answered and the connection stays open, until the server is closed.
        body: What is answered.
    """

    status: int = 500
    done: bool = False
    later: float = 0.0
    hangs: bool = False
    body: str = '{"error": "unknown_error"}'


@dataclass(frozen=True)
class Reply:
    """An answer: a status, what becomes JSON (nothing for None), and where it is now."""

    status: int
    content: Any = None
    location: str = ""


@dataclass
class FakeKeycloak:
    """What a server holds, and what it was asked.

    Args:
        password: The administrator's.
        realms: By name, as they were sent; `master` is always there.
        keep: Called after each change.
    """

    password: str = "admin-password"
    realms: dict[str, dict[str, Any]] = field(default_factory=dict)
    keep: Callable[[], None] = lambda: None
    url: str = ""
    issuer: str = ""
    asked: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    lifetime: int = 60

    def __post_init__(self) -> None:
        self._troubles: dict[str, list[Trouble]] = {}
        self._tokens: set[str] = set()
        self._refresh: set[str] = set()
        self._lock = threading.RLock()
        self.realms.setdefault("master", {"realm": "master", "enabled": True})

    # -- what tests plan and look at ---------------------------------------------------------

    def plan(self, request: str, *troubles: Trouble) -> None:
        """Plan what happens to the next requests of a kind, e.g. `POST /admin/realms`."""
        self._troubles.setdefault(request, []).extend(troubles)

    def forget_logins(self, *, refresh: bool = True) -> None:
        """Take no token any more that was given so far; with `refresh`, no refresh token too."""
        with self._lock:
            self._tokens.clear()
            if refresh:
                self._refresh.clear()

    def count(self, request: str) -> int:
        """Tell how many requests of a kind came."""
        return self.asked.count(request)

    def unplayed(self) -> list[str]:
        """List the trouble that did not happen."""
        return [request for request, left in self._troubles.items() if left]

    # -- answering ---------------------------------------------------------------------------

    def answer(self, verb: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer one request; raises `Hush` for no answer."""
        parts = urlsplit(target)
        path, query = unquote(parts.path), dict(parse_qsl(parts.query))
        request = f"{verb} {path}"
        with self._lock:
            self.asked.append(request)
            planned = self._troubles.get(request)
            trouble = planned.pop(0) if planned else None

        def work() -> Reply:
            with self._lock:
                return self._work(verb, path, query, headers, body)

        if trouble is None:
            return work()
        if trouble.later:
            threading.Timer(trouble.later, work).start()
        elif trouble.done:
            work()
        if trouble.hangs:
            self.closing.wait(30)
            raise Hush
        if trouble.status == SILENCE:
            raise Hush
        return Reply(trouble.status, Raw(trouble.body))

    def _work(
        self,
        verb: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
    ) -> Reply:
        kind, _, rest = path.strip("/").partition("/")
        if kind == "realms":
            return self._public(verb, rest, body)
        if kind != "admin" or not rest.startswith("realms"):
            return self._refuse(f"{verb} {path} is asked by nobody", 404)
        if headers.get("Authorization", "").removeprefix("Bearer ") not in self._tokens:
            return Reply(401, {"error": "HTTP 401 Unauthorized"})
        name, _, below = rest.removeprefix("realms").strip("/").partition("/")
        if not name:
            return self._realms(verb, query, body)
        if name not in self.realms:
            return Reply(404, {"error": "Realm not found."})
        if below in ("clients", "users"):
            return self._inside(verb, name, below, query, body)
        return self._realm(verb, name, below, body)

    def _public(self, verb: str, rest: str, body: bytes) -> Reply:
        name, slash, below = rest.partition("/")
        if name not in self.realms:
            return Reply(404, {"error": "Realm does not exist"})
        if verb == "GET" and not below:
            return Reply(200, {"realm": name})
        if verb == "GET" and slash + below == METADATA:
            return Reply(200, {"issuer": f"{self.issuer or self.url}/realms/{name}"})
        if verb == "POST" and slash + below == TOKEN:
            fields = dict(parse_qsl(body.decode()))
            return self._login(fields) if name == "master" else self._user(name, fields)
        return self._refuse(f"{verb} /realms/{rest} is asked by nobody", 404)

    def _login(self, fields: Mapping[str, str]) -> Reply:
        if fields.get("client_id") != "admin-cli":
            return self._refuse(f"client {fields.get('client_id')} logs in", 400)
        if fields.get("grant_type") == "refresh_token":
            if fields.get("refresh_token") not in self._refresh:
                return Reply(
                    400,
                    {"error": "invalid_grant", "error_description": "Invalid refresh token"},
                )
        elif (fields.get("username"), fields.get("password")) != (ADMIN, self.password):
            return Reply(401, {"error": "invalid_grant", "error_description": "Invalid user"})
        access, refresh = secrets.token_hex(8), secrets.token_hex(8)
        self._tokens.add(access)
        self._refresh.add(refresh)
        return Reply(
            200,
            {"access_token": access, "refresh_token": refresh, "expires_in": self.lifetime},
        )

    def _user(self, name: str, fields: Mapping[str, str]) -> Reply:
        realm = self.realms[name]
        clients = {each["clientId"]: each for each in realm.get("clients", [])}
        client = clients.get(fields.get("client_id", ""), {})
        if client.get("secret", "") != fields.get("client_secret", ""):
            return Reply(401, {"error": "invalid_client"})
        users = {each["username"]: each for each in realm.get("users", [])}
        user = users.get(fields.get("username", ""))
        known = user is not None and fields.get("password") == user["credentials"][0]["value"]
        if not (known and realm["enabled"] and client.get("directAccessGrantsEnabled")):
            return Reply(401, {"error": "invalid_grant"})
        return Reply(200, {"access_token": f"of {fields['username']}"})

    def _realms(self, verb: str, query: Mapping[str, str], body: bytes) -> Reply:
        if verb == "GET":
            if query != {"briefRepresentation": "true"}:
                return self._refuse(f"the realms are listed with {query}, which is slow", 400)
            listed = [
                {"realm": name, "enabled": each["enabled"]} for name, each in self.realms.items()
            ]
            return Reply(200, listed)
        if verb != "POST":
            return self._refuse(f"{verb} of all realms", 405)
        form = json.loads(body)
        if form["realm"] in self.realms:
            return Reply(409, {"errorMessage": "Conflict detected. See logs for details"})
        self.realms[form["realm"]] = form
        self.keep()
        return Reply(201)

    def _realm(self, verb: str, name: str, below: str, body: bytes) -> Reply:
        realm = self.realms[name]
        if below:
            return self._refuse(f"{verb} {name}/{below} is asked by nobody", 404)
        if verb == "GET":
            # Not with clients and users, which Keycloak does not put in either.
            hidden = ("clients", "users", "components")
            return Reply(200, {key: each for key, each in realm.items() if key not in hidden})
        if verb == "PUT":
            realm.update(json.loads(body))
        elif verb == "DELETE" and name != "master":
            del self.realms[name]
        else:
            return self._refuse(f"{verb} of realm {name}", 405)
        self.keep()
        return Reply(204)

    def _inside(
        self, verb: str, name: str, kind: str, query: Mapping[str, str], body: bytes
    ) -> Reply:
        key = "clientId" if kind == "clients" else "username"
        there: list[dict[str, Any]] = self.realms[name].setdefault(kind, [])
        if verb == "GET":
            exact = {"exact": "true"} if kind == "users" else {}
            if query != {key: query.get(key, ""), **exact}:
                return self._refuse(f"{kind} are looked for with {query}", 400)
            return Reply(200, [each for each in there if each[key] == query[key]])
        if verb != "POST":
            return self._refuse(f"{verb} of {kind}", 405)
        form = json.loads(body)
        if form[key] in [each[key] for each in there]:
            return Reply(409, {"errorMessage": f"{form[key]} exists"})
        there.append(form)
        self.keep()
        return Reply(201, location=f"{self.url}/admin/realms/{name}/{kind}/{len(there)}")

    def _refuse(self, what: str, status: int) -> Reply:
        self.wrong.append(what)
        return Reply(status, {"error": what})


class Hush(Exception):
    """The connection is closed without an answer."""


class Raw(str):
    """A body that is answered as it is."""

    __slots__ = ()


class Server:
    """A `FakeKeycloak` that listens, until `stop`.

    Args:
        keycloak: What answers.
        port: Where, on 127.0.0.1; 0 for anywhere.
    """

    def __init__(self, keycloak: FakeKeycloak, port: int = 0) -> None:
        self.keycloak = keycloak

        class Handler(BaseHTTPRequestHandler):
            # Connections stay open as with the real one, so that a dropped one is met too.
            protocol_version = "HTTP/1.1"
            wbufsize = 8192  # an answer in two packets would wait for an acknowledgement

            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                try:
                    reply = keycloak.answer(self.command, self.path, dict(self.headers), body)
                except Hush:
                    self.close_connection = True
                    return
                content = reply.content
                raw = content if isinstance(content, Raw) else json.dumps(content)
                data = b"" if content is None else raw.encode()
                self.send_response(reply.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                if reply.location:
                    self.send_header("Location", reply.location)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = handle_one  # noqa: N815 - http.server's names

            def log_message(self, *_: object) -> None:
                pass

        connections: set[socket.socket] = set()

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def process_request(self, request: Any, client_address: Any) -> None:
                connections.add(request)
                super().process_request(request, client_address)

            def shutdown_request(self, request: Any) -> None:
                connections.discard(request)
                super().shutdown_request(request)

            def handle_error(self, *_: object) -> None:
                """Say nothing of clients that have given up."""

        self._connections = connections

        self._http = Quiet(("127.0.0.1", port), Handler)
        self.keycloak.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, and close every connection, as the end of a process does."""
        self.keycloak.closing.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        for each in list(self._connections):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextmanager
def serving(keycloak: FakeKeycloak) -> Iterator[FakeKeycloak]:
    """Let it listen for the block; nothing may have been wrong, and all trouble have happened."""
    server = Server(keycloak)
    try:
        yield keycloak
    finally:
        server.stop()
    assert [] == keycloak.wrong
    assert [] == keycloak.unplayed()
