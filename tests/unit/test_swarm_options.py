"""What a session is told about its Swarm: checked early, turned into URLs."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pytest_warmci.clients import names
from pytest_warmci.engines.swarm.options import SwarmOptions
from pytest_warmci.errors import InputError, UsageError
from pytest_warmci.naming import cold_domain, stack_name

DOMAIN = "warm-blog.example.test"


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", socket.getaddrinfo)
    monkeypatch.setattr(names, "_answers", {})


@pytest.mark.parametrize(
    "proxy",
    [
        "",
        "http://10.0.0.5:8080",
        "http://10.0.0.5",
        "https://10.0.0.5/",
        "http://proxy.example.test:8080",
        "http://localhost:1",
        "HTTP://10.0.0.5:65535",
    ],
)
def test_where_a_proxy_answers(proxy: str) -> None:
    SwarmOptions(proxy=proxy).check()


@pytest.mark.parametrize(
    "proxy",
    [
        "10.0.0.5:8080",
        "10.0.0.5",
        "tcp://10.0.0.5:2375",
        "http://",
        "http://:8080",
        "http://10.0.0.5/path",
        "http://10.0.0.5?a=b",
        "http://10.0.0.5#part",
        "http://user@10.0.0.5",
        "http://user:secret@10.0.0.5",
        "http://10.0.0.5:port",
        "http://10.0.0.5:65536",
        "http://10.0.0.5:0",
        "http://[::1",
        "http://[::1]:80",
        "http://a b",
    ],
)
def test_what_is_no_proxy(proxy: str) -> None:
    """Refused with the way to write it, before anything is deployed."""
    with pytest.raises(UsageError) as caught:
        SwarmOptions(proxy=proxy).check()

    assert f"'{proxy}' is not where a proxy answers" == caught.value.what
    assert "write it like http://10.0.0.5:8080" == caught.value.remedy


@pytest.mark.parametrize(
    "domain",
    ["ci.example.org", "localhost", "a.b", "x-1.9a.example", "a" * 47, "xn--bcher-kva.de"],
)
def test_what_a_base_domain_may_be(domain: str) -> None:
    SwarmOptions(domain=domain).check()


@pytest.mark.parametrize(
    "domain",
    [
        "CI.example.org",
        ".example.org",
        "example.org.",
        "a..b",
        "-a.org",
        "a-.org",
        "a_b.org",
        "*.example.org",
        "10.0.0.5",
        "https://ci.example.org",
        "ci.example.org:8080",
        "ci.example.org/",
        "bücher.de",
        "a b",
        "a.org\n",
    ],
)
def test_what_is_no_base_domain(domain: str) -> None:
    """Refused with the way to write it, before anything is deployed."""
    with pytest.raises(UsageError) as caught:
        SwarmOptions(domain=domain).check()

    assert f"'{domain}' is no base domain" == caught.value.what
    assert "write it like domain=ci.example.org" == caught.value.remedy


def test_a_base_domain_leaves_room_for_names() -> None:
    """With the longest one, a throw-away app may still have a service `app`."""
    longest = "a" * 47
    service = f"{stack_name(cold_domain('keycloak', '1a2b3c', longest))}_app"

    SwarmOptions(domain=longest).check()

    assert 63 == len(service)
    with pytest.raises(UsageError, match="has 48 characters") as caught:
        SwarmOptions(domain=f"{longest}a").check()
    assert "with more than 47 the names of services get too long for Docker" == caught.value.why


def test_ways_to_the_data_of_volumes() -> None:
    for way in ("", "mount", "engine"):
        SwarmOptions(volumes=way).check()

    with pytest.raises(UsageError) as caught:
        SwarmOptions(volumes="mounts").check()
    assert "correct the engine option 'volumes': mount or engine" == caught.value.remedy


def test_an_override_file_must_be_there(tmp_path: Path) -> None:
    there, missing = tmp_path / "a.yml", tmp_path / "b.yml"
    there.write_text("services: {}\n")
    SwarmOptions(overrides=(there,)).check()

    for each in (missing, tmp_path):
        with pytest.raises(UsageError, match="is not there") as caught:
            SwarmOptions(overrides=(there, each)).check()
        assert f"the override file {each} is not there" == caught.value.what


def test_an_override_file_is_read_before_anything_begins(tmp_path: Path) -> None:
    """What is wrong with it is said with its line."""
    bad = tmp_path / "a.yml"
    bad.write_text("services:\n  - [\n")

    with pytest.raises(InputError) as caught:
        SwarmOptions(overrides=(bad,)).check()

    assert caught.value.where.startswith(f"{bad}:")


def test_options_are_pairs(tmp_path: Path) -> None:
    """Overrides in their order; in results each has the digest of its content."""
    there = tmp_path / "a.yml"
    there.write_text("x")
    pairs = [("override", str(there)), ("proxy", "http://10.0.0.5"), ("override", "missing.yml")]
    pairs.append(("domain", "ci.example.org"))

    found = SwarmOptions.read(pairs)

    assert ("volumes=engine",) == SwarmOptions.read([("volumes", "engine")]).words()
    wanted = SwarmOptions((there, Path("missing.yml")), "http://10.0.0.5", domain="ci.example.org")
    assert wanted == found
    digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert (
        "domain=ci.example.org",
        "proxy=http://10.0.0.5",
        f"override={there} sha256:{digest}",
        "override=missing.yml cannot be read: No such file or directory",
    ) == found.words()
    assert SwarmOptions() == SwarmOptions.read([])
    assert () == SwarmOptions().words()


@pytest.mark.parametrize(
    ("pairs", "what"),
    [
        ([("proxies", "x")], "engine swarm has no option 'proxies'"),
        ([("", "x")], "engine swarm has no option ''"),
        ([("proxy", "a"), ("proxy", "b")], "engine swarm was given the option 'proxy' twice"),
        ([("domain", "a"), ("domain", "a")], "engine swarm was given the option 'domain' twice"),
        (
            [("volumes", "mount"), ("volumes", "mount")],
            "engine swarm was given the option 'volumes' twice",
        ),
    ],
)
def test_options_that_are_none(pairs: list[tuple[str, str]], what: str) -> None:
    with pytest.raises(UsageError) as caught:
        SwarmOptions.read(pairs)

    assert what == caught.value.what


@pytest.mark.parametrize(
    ("proxy", "url"),
    [
        ("", f"https://{DOMAIN}"),
        ("http://10.0.0.5:8080", f"http://{DOMAIN}:8080"),
        ("https://10.0.0.5", f"https://{DOMAIN}"),
        ("http://10.0.0.5/", f"http://{DOMAIN}"),
        ("http://proxy.example.test:8080", f"http://{DOMAIN}:8080"),
    ],
)
def test_the_url_of_an_app(proxy: str, url: str) -> None:
    assert url == SwarmOptions(proxy=proxy).url(DOMAIN)


def test_an_app_is_found_at_the_address_of_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until somebody asks for its URL it is nowhere."""
    asked: list[object] = []
    monkeypatch.setattr(names, "_ask", lambda host, *_args, **_more: asked.append(host))

    names._answering(DOMAIN, 80)
    SwarmOptions(proxy="http://10.0.0.5:8080").url(DOMAIN)
    names._answering(DOMAIN, 80)
    socket.getaddrinfo(DOMAIN, 80)

    assert [DOMAIN, "10.0.0.5", "10.0.0.5"] == asked


@pytest.mark.parametrize(
    ("proxy", "found"), [("", DOMAIN), ("http://proxy.example.test:8080", "proxy.example.test")]
)
def test_without_a_proxy_the_name_servers_must_know(
    proxy: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy may be given by a name: then they must know that one."""
    asked: list[object] = []
    monkeypatch.setattr(names, "_ask", lambda host, *_args, **_more: asked.append(host))

    SwarmOptions(proxy=proxy).url(DOMAIN)
    names._answering(DOMAIN, 80)

    assert [found] == asked
