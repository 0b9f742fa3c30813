"""A base domain of the operator's own, and an engine that nobody has named."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_warmci.clients import command
from pytest_warmci.store.journal import Journal
from tests.e2e.swarm_workshop import SwarmWorkshop
from tests.e2e.workshop import RADICALE, clean_environment
from tests.swarm import catalog
from tests.swarm.front import BASE, OWN_BASE, Front

DOMAIN = f"warm-radicale.{OWN_BASE}"


def recover(workshop: SwarmWorkshop) -> str:
    """Recover everything as a timer does, who is told of no base domain."""
    code = "from pytest_warmci.cli import main; main()"
    done = command.run(
        [sys.executable, "-c", code, "recover", f"--state={workshop.root}"],
        timeout=120,
        env={**clean_environment(), **workshop.front.environment},
    )
    return done.text


@pytest.mark.cost(180)
def test_apps_at_a_base_domain_of_ones_own(proxied_swarm: Front, tmp_path: Path) -> None:
    """Seeded and upgraded there, through TLS. A session of another base leaves it alone, and who
    is told of none recovers it."""
    versions = (f"ghcr.io/kozea/radicale:{version}" for version in catalog.RADICALES)
    catalog.provide(proxied_swarm.swarm, *versions)
    state = tmp_path / "state"
    workshop = SwarmWorkshop(proxied_swarm, state, RADICALE, "app", engine="auto", base=OWN_BASE)

    seeded = workshop.pytest("--warmci-head", "published")
    entry = workshop.entry_bytes()
    quick = workshop.pytest("--quick")
    workshop.base = BASE
    other = workshop.pytest("--quick")
    workshop.base = OWN_BASE
    Journal(workshop.place.folder).begin("quick", run="dead00", session="s")
    said = recover(workshop)

    assert (0, True) == (seeded.status, seeded.result["promoted"])
    assert ("swarm", "auto: it answers") == (
        seeded.result["engine"],
        seeded.result["engine_reason"],
    )
    assert f"domain={OWN_BASE}" in seeded.result["engine_options"]
    assert (DOMAIN, f"https://{DOMAIN}") == (workshop.known_good.domain, workshop.known_good.url)
    assert all(each["domain"].endswith(f".{OWN_BASE}") for each in seeded.result["held"])

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
