"""Which servers are trusted: those whose authority the environment names, and no others."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from pytest_warmci.clients import http, names
from pytest_warmci.clients.keycloak import Administrator
from pytest_warmci.errors import KeycloakTrouble
from tests.authority import Authority

DOMAIN = "trusted.example.test"
BUNDLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"up")

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Whoever does not trust us hangs up."""


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def url(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server answers by https, with a certificate of the authority."""
    pair = tmp_path_factory.mktemp("server") / "pair.pem"
    pair.write_bytes(b"".join(authority.issue("*.example.test")))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    with pytest.MonkeyPatch.context() as patch, serving(context) as port:
        patch.setattr(names, "_answers", {})
        patch.setattr(socket, "getaddrinfo", socket.getaddrinfo)
        names.answer_for(DOMAIN, "127.0.0.1")
        yield f"https://{DOMAIN}:{port}"


@contextmanager
def serving(context: ssl.SSLContext) -> Iterator[int]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def bundle(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with the authority's certificate; nothing names it yet."""
    for name in BUNDLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")  # taken by nobody
    path = tmp_path / "authority.pem"
    path.write_bytes(authority.pem)
    return path


@pytest.mark.parametrize("variable", BUNDLES)
def test_the_authority_that_the_environment_names_is_trusted(
    url: str, bundle: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """By every kind of request of ours, and still without a proxy."""
    monkeypatch.setenv(variable, str(bundle))

    assert http.Answer(200, "up") == http.get(f"{url}/", timeout=5)
    with http.AppSession(url) as session:
        assert "up" == session.get("/").text
        assert "up" == http.exchange(session, "GET", "/", timeout=5).text


def test_nobody_else_is(url: str, bundle: Path) -> None:
    """An answer that says so, or the error that requests has for it."""
    answer = http.get(f"{url}/", timeout=5)

    assert (0, True) == (answer.status, "certificate verify failed" in answer.text)
    with http.AppSession(url) as session, pytest.raises(requests.exceptions.SSLError):
        session.get("/")


def test_a_name_that_the_certificate_is_not_for_is_not_trusted(
    url: str, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BUNDLES[0], str(bundle))

    answer = http.get(url.replace(DOMAIN, "localhost"), timeout=5)

    assert (0, True) == (answer.status, "certificate is not valid for 'localhost'" in answer.text)


def test_the_variable_of_requests_counts_first(
    url: str, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BUNDLES[0], str(bundle))
    monkeypatch.setenv(BUNDLES[1], str(bundle.with_name("none.pem")))

    assert 200 == http.get(f"{url}/", timeout=5).status


def test_a_bundle_that_is_not_there_is_an_answer_too(
    url: str, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the file: requests raises an error of another kind for it."""
    missing = str(bundle.with_name("none.pem"))
    monkeypatch.setenv(BUNDLES[0], missing)

    answer = http.get(f"{url}/", timeout=5)

    assert (0, True) == (answer.status, missing in answer.text)
    with http.AppSession(url) as session, pytest.raises(http.NoAnswer, match=r"none\.pem"):
        http.exchange(session, "GET", "/", timeout=5)


def test_a_keycloak_behind_a_proxy_is_trusted_alike(
    url: str, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The administrator comes as far as a login, which this server does not know."""
    with pytest.raises(KeycloakTrouble, match="certificate verify failed"):
        Administrator(url, "admin", "secret").realms()

    monkeypatch.setenv(BUNDLES[0], str(bundle))
    with pytest.raises(KeycloakTrouble, match="501"):
        Administrator(url, "admin", "secret").realms()
