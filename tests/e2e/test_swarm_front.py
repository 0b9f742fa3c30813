"""Apps of a Swarm behind its proxy: reached by their domains, upgraded in place, never away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_warmci.clients import http
from pytest_warmci.clients.waiting import Look, wait_until
from pytest_warmci.engines.swarm.engine import SwarmEngine
from pytest_warmci.errors import RecipeFailed
from pytest_warmci.naming import stack_name
from pytest_warmci.recipes.enrolment import read_enrolment
from pytest_warmci.recipes.source import open_source
from pytest_warmci.runs import deploying
from pytest_warmci.runs.place import Place
from pytest_warmci.runs.witness import find_witness
from tests.contract import grounds, tiny
from tests.contract.tiny import Spot
from tests.e2e.in_front import LIMIT, Polling, cleared, domain_of, only
from tests.e2e.workshop import RADICALE
from tests.swarm import catalog
from tests.swarm.front import RECIPE as TRAEFIK, Front

# The tiny recipe has no way to the outside of its own. Its old server goes on until it is killed,
# which has to be later than the proxy looks again: a name is routed until then.
START_FIRST = """\
version: "3.8"
services:
  app:
    networks: [default, proxy]
    stop_grace_period: 8s
    deploy:
      endpoint_mode: dnsrr
      update_config: {{failure_action: rollback, order: start-first, monitor: 1s}}
      labels:
        - "traefik.enable=true"
        - "traefik.http.services.{name}.loadbalancer.server.port={port}"
        - "traefik.http.routers.{name}.rule=Host(`{domain}`)"
        - "traefik.http.routers.{name}.entrypoints=web-secure"
        - "traefik.http.routers.{name}.tls.certresolver="
  db:
    deploy: {{endpoint_mode: dnsrr}}
networks:
  proxy: {{external: true}}
"""


@pytest.fixture
def front(proxied_swarm: Front) -> Iterator[Front]:
    """The Swarm behind a proxy, in our environment."""
    with proxied_swarm.entered():
        yield proxied_swarm


@pytest.mark.cost(60)
def test_radicale_is_upgraded_in_place(front: Front, tmp_path: Path) -> None:
    """By its domain, with TLS, before and after; the same data is there. In the end the proxy
    knows it no more."""
    enrolment = replace(read_enrolment(RADICALE), deploy_timeout=LIMIT, stop_timeout=LIMIT)
    source = open_source(enrolment.source, tmp_path / "cache")
    base, head = source.resolve("1.1.0+3.8.3"), source.resolve("upgrade")
    domain = domain_of("radi")
    place = Place("radicale", domain, tmp_path / "apps" / domain)
    place.create(source, base)
    catalog.provide(front.swarm, "ghcr.io/kozea/radicale:3.8.3", "ghcr.io/kozea/radicale:3.9.0")
    witness = find_witness(RADICALE)
    assert witness is not None
    engine = front.engine(front.dnsrr("app"))
    url = engine.address(place)

    with cleared(engine, place):
        old = deploying.deploy(engine, place, enrolment, source, base)
        assert f"https://{domain}" == url
        assert "Radicale Web Interface" in http.get(f"{url}/.web/", timeout=5).text
        planted = witness.plant(old.app)
        [before] = engine.running(place)

        new = deploying.deploy(engine, place, enrolment, source, head)
        [after] = engine.running(place)
        found = witness.check(new.app, planted)

    assert "app runs ghcr.io/kozea/radicale:3.8.3 (" in old.proof
    assert "app runs ghcr.io/kozea/radicale:3.9.0 (" in new.proof
    assert f"; updated in place as commit {head.commit[:8]} says" in new.proof
    assert before.instance != after.instance
    assert 6 == found
    wait_until(lambda: _gone(url), timeout=LIMIT)


def _gone(url: str) -> Look:
    answer = http.get(f"{url}/.web/", timeout=5)
    return Look(answer == http.Answer(404, "404 page not found\n"), str(answer))


@pytest.mark.core
@pytest.mark.cost(5)
def test_the_proxy_itself_is_not_taken_for_an_app(front: Front) -> None:
    """It answers for a name that nobody has; that says nothing of an app but that it is away."""
    url = front.options().url(domain_of("nobody"))
    probe = read_enrolment(RADICALE).probe

    assert http.Answer(404, "404 page not found\n") == http.get(f"{url}/.web/", timeout=5)
    with pytest.raises(RecipeFailed, match=r"GET /\.web/: HTTP 404: 404 page not found"):
        deploying.wait_serving(url, probe, 1.0, "radicale")


@pytest.mark.cost(5)
def test_who_does_not_know_the_authority_trusts_nothing(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So what is green here was really checked."""
    url = front.options().url(front.place.domain)
    assert 200 == http.get(f"{url}/api/version", timeout=5).status

    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)

    assert "certificate verify failed" in http.get(f"{url}/api/version", timeout=5).text


@contextmanager
def tiny_app(front: Front, folder: Path) -> Iterator[tuple[SwarmEngine, Spot, str]]:
    """Have an app of the tiny recipe behind the proxy, version 1.0: its engine, place and URL."""
    domain = domain_of("tiny")
    spot = Spot(domain, folder / domain)
    override = folder / "start-first.yml"
    text = START_FIRST.format(name=stack_name(domain), domain=domain, port=tiny.PORT)
    override.write_text(text)
    grounds.provide_images(front.swarm)
    engine = front.engine(override)
    url = engine.address(spot)
    with cleared(engine, spot):
        stack = tiny.stack(spot)
        engine.deploy(spot, stack)
        engine.wait_converged(spot, stack, LIMIT)
        wait_until(lambda: _page(url), timeout=LIMIT, times=3)
        yield engine, spot, url


def _page(url: str) -> Look:
    found = http.get(f"{url}/", timeout=5)
    return Look(found == http.Answer(200, "tiny of one"), str(found))


@pytest.mark.core
@pytest.mark.cost(40)
def test_an_update_that_starts_the_new_one_first_is_never_away(
    front: Front, tmp_path: Path
) -> None:
    """Not one request fails while the proxy leads from the old task to the new one."""
    with tiny_app(front, tmp_path) as (engine, spot, url):
        polling = Polling(f"{url}/")
        polling.start()
        try:
            head = tiny.stack(spot, "b", WEB="1.1")
            engine.deploy(spot, head)
            engine.wait_converged(spot, head, LIMIT)
            proof = engine.prove(spot, head)
            wait_until(lambda: only(front, spot.domain, f"{tiny.WEB_IMAGE}:1.1"), timeout=LIMIT)
        finally:
            answers = polling.stop()

    assert f"app runs {tiny.WEB_IMAGE}:1.1 (" in proof
    assert {http.Answer(200, "tiny of one")} == {*answers}
    assert len(answers) > 20


@pytest.mark.cost(70)
def test_the_proxy_is_changed_under_its_apps(front: Front, tmp_path: Path) -> None:
    """Another version of it serves them as before; one that has lost them all is as healthy as
    ever, and its own probe is answered."""
    enrolment = replace(read_enrolment(TRAEFIK), deploy_timeout=LIMIT)
    source = open_source(enrolment.source, tmp_path / "cache")
    catalog.provide(front.swarm, "traefik:v3.7.13", "traefik:v3.7.15")
    engine = front.engine(front.dnsrr("app"))

    def change(ref: str) -> str:
        revision = source.resolve(ref)
        return deploying.deploy(engine, front.place, enrolment, source, revision).proof

    with tiny_app(front, tmp_path) as (_, _, url):
        try:
            proof = change("1.0.0+v3.7.13")
            wait_until(lambda: _page(url), timeout=LIMIT, times=3)

            change("lost-apps")
            lost = http.get(f"{url}/", timeout=5)
        finally:
            change("published")
        wait_until(lambda: _page(url), timeout=LIMIT, times=3)

    assert "app runs traefik:v3.7.13 (" in proof
    assert http.Answer(404, "404 page not found\n") == lost
