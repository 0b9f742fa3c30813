"""Which Docker engine is meant, and how it is connected to."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.context import ContextAPI
from docker.errors import DockerException
from docker.tls import TLSConfig
from requests.exceptions import ReadTimeout

from pytest_warmci.clients.docker import Docker, Endpoint, find_endpoint
from pytest_warmci.errors import EngineUnavailable
from tests.unit.docker_library import LOCAL, Api, library


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    return library(monkeypatch)


@pytest.fixture(autouse=True)
def nobody_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "CONTEXT", "TLS_VERIFY", "CERT_PATH", "CONFIG"):
        monkeypatch.delenv(f"DOCKER_{name}", raising=False)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("unix:///run/engine.sock", "unix:///run/engine.sock"),
        ("ssh://me@manager", "ssh://me@manager"),
        ("tcp://10.0.0.5:2375", "tcp://10.0.0.5:2375"),
    ],
)
def test_docker_host_comes_first(host: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any context, as for the command line; which is told the same."""
    monkeypatch.setenv("DOCKER_HOST", host)
    monkeypatch.setenv("DOCKER_CONTEXT", "other")

    assert Endpoint(url, "DOCKER_HOST", ("--host", host)) == find_endpoint()


def certificates(folder: Path) -> None:
    for name in ("ca", "cert", "key"):
        (folder / f"{name}.pem").write_text("")


def test_docker_host_with_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificates(tmp_path)
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.5:2376")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))

    found = find_endpoint()

    assert isinstance(found.tls, TLSConfig)
    assert str(tmp_path / "ca.pem") == found.tls.ca_cert
    assert ("tcp://10.0.0.5:2376", ("--host", "tcp://10.0.0.5:2376")) == (
        found.url,
        found.arguments,
    )


def test_certificates_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.5:2376")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))

    with pytest.raises(EngineUnavailable) as caught:
        find_endpoint()

    assert "tcp://10.0.0.5:2376" == caught.value.where


def context(name: str, url: str, tls: object = None) -> SimpleNamespace:
    return SimpleNamespace(Name=name, Host=url, TLSConfig=tls)


def test_a_context_that_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "far")
    tls = object()
    known = {"far": context("far", "tcp://far:2376", tls)}
    monkeypatch.setattr(ContextAPI, "get_context", lambda name: known[name])

    found = find_endpoint()

    assert Endpoint("tcp://far:2376", "context far", ("--context", "far"), tls) == found


def test_the_current_context(monkeypatch: pytest.MonkeyPatch) -> None:
    here = context("default", "unix:///var/run/docker.sock")
    monkeypatch.setattr(ContextAPI, "get_current_context", lambda: here)

    found = find_endpoint()

    assert "unix:///var/run/docker.sock" == found.url
    assert ("context default", ("--context", "default"), None) == (
        found.origin,
        found.arguments,
        found.tls,
    )


def test_without_any_configuration_it_is_the_socket_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the library itself."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))

    assert "unix:///var/run/docker.sock" == find_endpoint().url


@pytest.mark.parametrize(
    ("named", "what", "why"),
    [
        ("far", "there is no Docker context 'far'", "DOCKER_CONTEXT names it"),
        ("", "Docker's current context is not there", "its configuration names another one"),
    ],
)
def test_a_context_that_is_not_there(
    named: str, what: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", named)
    monkeypatch.setattr(ContextAPI, "get_context", lambda name: None)
    monkeypatch.setattr(ContextAPI, "get_current_context", lambda: None)

    with pytest.raises(EngineUnavailable) as caught:
        find_endpoint()

    assert (what, why, "docker context ls shows them all") == (
        caught.value.what,
        caught.value.why,
        caught.value.remedy,
    )


def test_a_context_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library has no class of errors for that."""
    monkeypatch.setenv("DOCKER_CONTEXT", "far")

    def broken(_name: str) -> None:
        raise Exception("Detected corrupted meta file for context far")  # noqa: TRY002 - as it does

    monkeypatch.setattr(ContextAPI, "get_context", broken)

    with pytest.raises(EngineUnavailable) as caught:
        find_endpoint()

    assert "Detected corrupted meta file for context far" == caught.value.why
    assert "far" == caught.value.where


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        (LOCAL, {"base_url": LOCAL.url, "tls": False, "use_ssh_client": False}),
        (
            Endpoint("ssh://me@far", "x", ()),
            {"base_url": "ssh://me@far", "tls": False, "use_ssh_client": True},
        ),
        (
            Endpoint("tcp://far:1", "x", (), "tls"),
            {"base_url": "tcp://far:1", "tls": "tls", "use_ssh_client": False},
        ),
    ],
)
def test_how_it_is_connected_to(endpoint: Endpoint, expected: dict[str, Any], api: Api) -> None:
    """An answer has a minute; the version of the API is the engine's."""
    Docker(endpoint)

    assert {**expected, "version": "auto", "timeout": 60} == api.made


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (
            DockerException("Error while fetching server API version:\nno such file"),
            "no such file",
        ),
        (PermissionError(13, "Permission denied"), "[Errno 13] Permission denied"),
        (ReadTimeout(), "ReadTimeout"),
    ],
)
def test_no_engine(error: Exception, why: str, api: Api) -> None:
    api.answers["APIClient"] = error

    with pytest.raises(EngineUnavailable) as caught:
        Docker(LOCAL)

    assert ("no Docker engine answers", LOCAL.url, why) == (
        caught.value.what,
        caught.value.where,
        caught.value.why,
    )
