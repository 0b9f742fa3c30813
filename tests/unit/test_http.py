"""Requests of our own: an answer for everything, no proxy, no redirect followed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from pytest_warmci.clients import http


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/endless":
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):
                while True:
                    self.wfile.write(b"more " * 10_000)
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
