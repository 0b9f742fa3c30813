"""A private one-node Swarm for tests on a real Docker; it takes 1.5 s to start, and as long to stop.

Each worker has its own. See tests/swarm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.e2e.swarm_workshop import SwarmWorkshop
from tests.e2e.workshop import RADICALE, Outcome
from tests.swarm import catalog, front, ground, room
from tests.swarm.engine import Swarm
from tests.swarm.front import Front


@pytest.fixture(scope="session")
def swarm() -> Iterator[Swarm]:
    """The worker's own Swarm. Whoever leaves something there asks for `empty_swarm` instead."""
    reason = room.why_not()
    if reason:
        pytest.skip(reason)
    with ground.swarm() as found:
        yield found


@pytest.fixture
def empty_swarm(swarm: Swarm) -> Iterator[Swarm]:
    """The worker's own Swarm, with nothing on it but images, before the test and after it."""
    swarm.sweep()
    yield swarm
    swarm.sweep()


@pytest.fixture(scope="session")
def proxied_swarm() -> Iterator[Front]:
    """A Swarm of the worker's own with a proxy in front, beside that of `swarm`: nobody sweeps it.

    Whoever uses it needs `Front.environment`, and removes what they have deployed.
    """
    reason = room.why_not()
    if reason:
        pytest.skip(reason)
    with front.proxied() as found:
        yield found


@dataclass(frozen=True)
class Seeded:
    """A canonical on the Swarm, and what there was when the cold run that made it had ended.

    It is shared by all tests of the worker, which leave it well but not as it was: a quick run keeps
    its volumes, a cold one promotes again. It cannot be copied: data are the Swarm's.
    """

    workshop: SwarmWorkshop
    outcome: Outcome
    digest: str
    there: list[str]


@pytest.fixture(scope="session")
def radicale_on_swarm(proxied_swarm: Front, tmp_path_factory: pytest.TempPathFactory) -> Seeded:
    """Radicale's canonical on the Swarm, seeded as the recipe is written."""
    images = (f"ghcr.io/kozea/radicale:{version}" for version in catalog.RADICALES)
    catalog.provide(proxied_swarm.swarm, *images)
    state = tmp_path_factory.mktemp("swarm") / "state"
    workshop = SwarmWorkshop(proxied_swarm, state, RADICALE, "app")
    outcome = workshop.pytest("--warmci-head", "published")
    assert outcome.status == 0, outcome.text
    return Seeded(workshop, outcome, workshop.volumes_digest(), workshop.on_the_swarm())
