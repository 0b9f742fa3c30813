"""A base domain of the operator's own, and an engine that nobody has named."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from pytest_warmci.clients import command
from pytest_warmci.store.journal import Journal
from tests.e2e.swarm_workshop import SwarmWorkshop
from tests.e2e.workshop import LIMIT, RADICALE, clean_environment
from tests.swarm import catalog
from tests.swarm.front import BASE, OWN_BASE, Front

DOMAIN = f"warm-radicale.{OWN_BASE}"


def warmci(workshop: SwarmWorkshop, *words: str, status: int = 0) -> str:
    """Run a command there, which is told of no base domain but in these words."""
    code = "from pytest_warmci.cli import main; main()"
    done = command.run(
        [sys.executable, "-c", code, *words, f"--state={workshop.root}"],
        timeout=LIMIT,
        env={**clean_environment(), **workshop.front.environment},
        check=False,
    )
    assert status == done.code, done.stderr.decode()
    return done.text


@pytest.mark.core
@pytest.mark.cost(8)
def test_the_doctor_finds_nothing_missing(proxied_swarm: Front, tmp_path: Path) -> None:
    """Of the Swarm that its recipes run on, but that the proxy's own needs its certificate."""
    workshop = SwarmWorkshop(proxied_swarm, tmp_path / "state", RADICALE, "app", base=OWN_BASE)
    told = [word.replace("--warmci-", "--") for word in workshop.words()]

    found = json.loads(warmci(workshop, "doctor", str(RADICALE), *told, "--json"))
    recipe = str(RADICALE.with_name("traefik"))
    other = json.loads(warmci(workshop, "doctor", recipe, *told, "--json", status=75))

    assert [] == found["missing"]
    checks = {each["name"]: each for each in found["checks"]}
    assert "(DOCKER_HOST)" in checks["docker endpoint"]["found"]
    assert f"warmci-doctor.{OWN_BASE}/: HTTP 404" in checks["proxy"]["found"]
    assert {"docker engine", "swarm", "volumes", "network proxy"} < checks.keys()
    assert ["traefik: published secrets", "traefik: HEAD secrets"] == other["missing"]


@pytest.mark.cost(90)
def test_apps_at_a_base_domain_of_ones_own(proxied_swarm: Front, tmp_path: Path) -> None:
    """Seeded and upgraded there, through TLS. A session of another base leaves it alone, and who
    is told of none recovers it."""
    versions = (f"ghcr.io/kozea/radicale:{version}" for version in catalog.RADICALES)
    catalog.provide(proxied_swarm.swarm, *versions)
    state = tmp_path / "state"
    workshop = SwarmWorkshop(
        proxied_swarm, state, RADICALE, "app", engine="auto", base=OWN_BASE, hurried=True
    )

    told = (word.replace("--warmci-", "--") for word in workshop.words())
    seeded = json.loads(warmci(workshop, "seed", str(RADICALE), *told, "--json"))["result"]
    entry = workshop.entry_bytes()
    quick = workshop.pytest("--quick")
    workshop.base = BASE
    other = workshop.pytest("--quick")
    workshop.base = OWN_BASE
    Journal(workshop.place.folder).begin("quick", run="dead00", session="s")
    said = warmci(workshop, "recover")

    assert seeded["promoted"]
    assert ("swarm", "auto: it answers") == (seeded["engine"], seeded["engine_reason"])
    assert f"domain={OWN_BASE}" in seeded["engine_options"]
    assert (DOMAIN, f"https://{DOMAIN}") == (workshop.known_good.domain, workshop.known_good.url)
    assert all(each["domain"].endswith(f".{OWN_BASE}") for each in seeded["held"])

    assert (0, "quick") == (quick.status, quick.result["mode"])
    assert "auto: the canonical is there" == quick.result["engine_reason"]
    assert {"before": 6, "after": 6} == quick.result["witness"]

    assert 75 == other.status
    assert f"the canonical is at {DOMAIN}" in other.text
    assert f"give the engine option domain={OWN_BASE}" in other.text

    assert f"{DOMAIN} on swarm: recovered" in said
    assert workshop.volumes_digest() == workshop.known_good.digest
    assert entry == workshop.entry_bytes()
    assert [f"volume {workshop.stack}_data"] == workshop.on_the_swarm()
