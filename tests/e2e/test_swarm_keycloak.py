"""Keycloak and its PostgreSQL on a Swarm: whole runs of a recipe that migrates a real database."""

from __future__ import annotations

import pytest

from tests.e2e.swarm_workshop import SwarmWorkshop
from tests.e2e.workshop import KEYCLOAK, Outcome
from tests.swarm import catalog, keycloak as images
from tests.swarm.front import Front


@pytest.fixture(scope="module")
def seeded(
    proxied_swarm: Front, tmp_path_factory: pytest.TempPathFactory
) -> tuple[SwarmWorkshop, Outcome]:
    """Keycloak's canonical on the Swarm, and the cold run that made it."""
    catalog.provide(proxied_swarm.swarm, images.DATABASE, *images.SERVERS)
    state = tmp_path_factory.mktemp("swarm") / "state"
    workshop = SwarmWorkshop(proxied_swarm, state, KEYCLOAK, "app", "db")
    outcome = workshop.pytest("--warmci-head", "published")
    assert outcome.status == 0, outcome.text
    return workshop, outcome


def test_a_cold_run_seeds(seeded: tuple[SwarmWorkshop, Outcome]) -> None:
    """Both stages, complete and with authority; what stays is the database's volume alone."""
    workshop, outcome = seeded
    result = outcome.result

    assert ("swarm", True, True, True) == (
        result["engine"],
        result["complete"],
        result["authority"],
        result["promoted"],
    )
