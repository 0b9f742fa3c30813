"""Requests of our own: an answer for everything, no proxy, no redirect followed, no lost cookie."""

from __future__ import annotations

import pickle
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from pytest_warmci.clients import http
from tests.unit.scripted_server import Step, moved, scripted


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path in ("/endless", "/astray"):
            self.send_response(200 if self.path == "/endless" else 302)
            self.send_header("Location", "/")
            self.end_headers()
            with suppress(OSError):
                while True:
                    self.wfile.write(b"more " * 10_000)
            return
        if self.path == "/mute":
            with suppress(OSError):
                self.rfile.read(1)  # which comes when the other end hangs up
            return
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/")
        else:
            self.send_response(404 if self.path == "/missing" else 200)
        text = f"{self.path} {self.headers.get('X-Own', '-')}".encode()
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_any_status_is_an_answer(url: str) -> None:
    """Also one that says no, and a redirect is not followed."""
    assert http.Answer(200, "/a mine") == http.get(
        f"{url}/a", timeout=5, headers={"X-Own": "mine"}
    )
    assert 404 == http.get(f"{url}/missing", timeout=5).status
    assert 302 == http.get(f"{url}/moved", timeout=5).status


def test_a_page_that_never_ends_is_cut_off(url: str) -> None:
    """What has come of it counts; who asks goes on."""
    answer = http.get(f"{url}/endless", timeout=20)

    assert 200 == answer.status
    assert 4_000_000 < len(answer.text) < 5_000_000
    assert answer.text.startswith("more more")


def test_nobody_there_is_an_answer_too() -> None:
    """Status 0, with the reason in words."""
    found = http.get("http://127.0.0.1:1/", timeout=5)

    assert 0 == found.status
    assert str(found).startswith("no answer: ")


def test_proxies_of_the_environment_are_not_used(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app is on this machine."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")

    assert 200 == http.get(url, timeout=5).status
    with http.AppSession(url) as session:
        assert 200 == session.get("/").status_code


@pytest.mark.parametrize("base", ["", "/"])
@pytest.mark.parametrize("path", ["/rows", "rows"])
def test_a_session_is_bound_to_its_app(url: str, base: str, path: str) -> None:
    """A path is the app's, with or without slashes."""
    with http.AppSession(url + base) as session:
        assert "/rows -" == session.get(path).text


def test_a_session_still_takes_whole_urls(url: str) -> None:
    """A login may lead elsewhere."""
    with http.AppSession("http://127.0.0.1:1") as session:
        assert "/x -" == session.get(f"{url}/x").text


def test_a_session_never_waits_for_ever(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the caller says how long."""
    seen = []

    def request(self: object, method: str, address: str, **kwargs: float) -> None:
        seen.append(kwargs["timeout"])

    monkeypatch.setattr(requests.Session, "request", request)
    session = http.AppSession(url)

    session.get("/")
    session.get("/", timeout=3)

    assert [30, 3] == seen


def test_answers_are_short_in_messages() -> None:
    """One line of a page is enough."""
    assert "HTTP 500: a b" == str(http.Answer(500, "a\n  b\n"))
    assert len(str(http.Answer(500, "x" * 5000))) < 250


def test_a_form_is_sent_and_its_answer_told() -> None:
    """Whatever its status is."""
    step = Step("POST /a", "no", status=401, sent={"x": "1 & 2", "y": ""})
    with scripted(step) as url:
        assert http.Answer(401, "no") == http.post_form(
            f"{url}/a", {"x": "1 & 2", "y": ""}, timeout=5
        )


def test_a_get_that_is_repeated_waits_as_long_as_we_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not as long as the server says; and the last answer is one."""
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    busy = Step("GET /a", "busy", status=503, headers={"Retry-After": ["600"]})
    with scripted(busy, busy, busy) as url, http.LoopbackSession() as session:
        http.repeat_gets(session, {503}, tries=3)

        answer = session.get(f"{url}/a", timeout=5)

    assert (503, "busy", [0.4]) == (answer.status_code, answer.text, pauses)


# -- one request of a session ---------------------------------------------------------------


def test_an_exchange_does_not_follow_a_redirect(url: str) -> None:
    """Its caller looks at where it leads first."""
    with http.LoopbackSession() as session:
        found = http.exchange(session, "GET", f"{url}/moved", timeout=5)

    assert (302, "/") == (found.status_code, found.headers["Location"])


def test_the_body_of_an_exchange_can_be_read_after_it(url: str) -> None:
    """As often as one likes, also when the session is closed."""
    with http.LoopbackSession() as session:
        found = http.exchange(session, "GET", f"{url}/a", timeout=5)

    assert ("/a -", b"/a -") == (found.text, found.content)


@pytest.mark.parametrize("path", ["/endless", "/astray"])
def test_an_exchange_cuts_off_a_page_that_never_ends(url: str, path: str) -> None:
    """Also one that redirects, of which requests itself would read all."""
    with http.LoopbackSession() as session:
        found = http.exchange(session, "GET", url + path, timeout=20)

    assert 4_000_000 < len(found.text) < 5_000_000


def test_an_exchange_says_how_long_it_has_waited(url: str) -> None:
    with http.LoopbackSession() as session, pytest.raises(http.NoAnswer) as caught:
        http.exchange(session, "GET", f"{url}/mute", timeout=0.1)

    assert "no answer within 0.1 s" == str(caught.value)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://127.0.0.1:1/x?code=abc", "Connection refused"),
        ("gopher://127.0.0.1/x?code=abc#code=abc", "No connection adapters were found"),
        ("http://?code=abc", "Invalid URL"),
    ],
)
def test_an_exchange_says_why_there_is_no_answer_without_quoting_the_query(
    address: str, reason: str
) -> None:
    with http.LoopbackSession() as session, pytest.raises(http.NoAnswer) as caught:
        http.exchange(session, "GET", address, timeout=5)

    assert reason in str(caught.value)
    assert "abc" not in str(caught.value)
    assert caught.value.__suppress_context__


# -- cookies --------------------------------------------------------------------------------

SET = {"Set-Cookie": ["safe=1; Path=/; Secure; SameSite=None; HttpOnly", "plain=2; Path=/"]}
BOTH, PLAIN = {"safe": "1", "plain": "2"}, {"plain": "2"}


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every host is this machine."""
    real = socket.getaddrinfo

    def find(_: object, port: int, *rest: object, **more: object) -> object:
        return real("127.0.0.1", port, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", find)


def at(host: str, url: str) -> str:
    """Call the server of a URL by another name."""
    return f"http://{host}:{url.rpartition(':')[2]}"


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "app.localhost",
        "a.b.localhost",
        "127.0.0.1",
        "127.9.8.7",
        "[::1]",
    ],
)
def test_secure_cookies_of_this_machine_come_back_over_plain_http(host: str) -> None:
    """As browsers do it."""
    with (
        scripted(Step("GET /set", headers=SET), Step("GET /look", cookies=BOTH)) as url,
        http.AppSession(at(host, url)) as session,
    ):
        session.get("/set")
        session.get("/look")


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize(
    "host",
    [
        "app.example.test",
        "localhost.example.test",
        "localhost.local",
        "notlocalhost",
        "128.0.0.1",
        "127.0.0.1.example.test",
        "[::2]",
    ],
)
def test_secure_cookies_of_other_machines_do_not(host: str) -> None:
    """Also of those whose name begins like ours."""
    left = {} if host == "localhost.local" else PLAIN  # the price of keeping ours from it
    with (
        scripted(Step("GET /set", headers=SET), Step("GET /look", cookies=left)) as url,
        http.AppSession(at(host, url)) as session,
    ):
        session.get("/set")
        session.get("/look")


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize(
    ("owner", "other"),
    [
        ("localhost", "app.example.test"),
        ("localhost", "example.localhost"),
        ("localhost", "127.0.0.1"),
        ("localhost", "localhost.local"),
        ("localhost", "app.localhost.local"),
        ("a.localhost", "b.localhost"),
        ("127.0.0.1", "127.0.0.2"),
        ("127.0.0.1", "[::1]"),
    ],
)
def test_a_cookie_of_this_machine_goes_to_no_other_host(owner: str, other: str) -> None:
    """A redirect to it does not help."""
    with (
        scripted(
            Step("GET /set", headers=SET),
            moved("GET /go", to=f"http://{other}:{{port}}/look"),
            Step("GET /look", cookies={}),
            Step("GET /look", cookies={}),
            Step("GET /look", cookies=BOTH),
        ) as url,
        http.AppSession(at(owner, url)) as session,
    ):
        session.get("/set")
        session.get("/go")
        session.get(at(other, url) + "/look")
        session.get("/look")


@pytest.mark.usefixtures("everywhere")
def test_a_cookie_for_all_neighbours_stays_secure() -> None:
    """`Domain=.local` is every machine of this network, by Python's rules."""
    wide = {"Set-Cookie": ["safe=1; Path=/; Domain=.local; Secure"]}
    with (
        scripted(Step("GET /set", headers=wide), Step("GET /look", cookies={})) as url,
        http.AppSession(at("localhost", url)) as session,
    ):
        session.get("/set")
        session.get(at("printer", url) + "/look")


@pytest.mark.usefixtures("everywhere")
def test_a_cookie_for_the_names_below_one_of_ours_comes_back_there() -> None:
    """`Domain=` names no other machine here."""
    wide = {"Set-Cookie": ["safe=1; Path=/; Domain=app.localhost; Secure"]}
    with (
        scripted(Step("GET /set", headers=wide), Step("GET /look", cookies={"safe": "1"})) as url,
        http.AppSession(at("app.localhost", url)) as session,
    ):
        session.get("/set")
        session.get(at("api.app.localhost", url) + "/look")


def test_a_cookie_is_of_the_host_that_the_request_names() -> None:
    """Whoever sets the Host header talks to that host, wherever it is."""
    own = {"Host": "app.example.test"}
    with (
        scripted(Step("GET /set", headers=SET), Step("GET /look", cookies=PLAIN)) as url,
        http.AppSession(url) as session,
    ):
        session.get("/set", headers=own)
        session.get("/look", headers=own)


def test_secure_cookies_come_back_on_the_way_of_a_redirect() -> None:
    """Each hop sees what the one before has set, and what it has taken back."""
    gone = {"Set-Cookie": ["plain=; Path=/; Max-Age=0", "late=3; Path=/; Secure"]}
    with (
        scripted(
            moved("GET /set", to="/next", headers=SET),
            moved("GET /next", to="/end", headers=gone, cookies=BOTH),
            Step("GET /end", cookies={"safe": "1", "late": "3"}),
        ) as url,
        http.AppSession(url) as session,
    ):
        session.get("/set")

        assert {"safe": "1", "late": "3"} == session.cookies.get_dict()


def test_a_plain_session_can_be_given_the_jar_and_keeps_its_cookies() -> None:
    """Once: a jar that it has stays."""
    with (
        scripted(
            Step("GET /set", headers=SET), Step("GET /look", cookies={"own": "0"} | BOTH)
        ) as url,
        requests.Session() as session,
    ):
        session.trust_env = False
        session.cookies.set("own", "0")
        http.use_loopback_jar(session)
        jar = session.cookies
        http.use_loopback_jar(session)
        session.get(f"{url}/set")
        session.get(f"{url}/look")

        assert session.cookies is jar


def test_the_jar_can_be_copied_and_pickled() -> None:
    """As the one of requests can be, and it stays what it is."""
    jar = http.LoopbackJar()
    jar.set("a", "1")

    for copied in (jar.copy(), pickle.loads(pickle.dumps(jar))):  # noqa: S301 - it is ours
        assert (http.LoopbackJar, {"a": "1"}) == (type(copied), copied.get_dict())
