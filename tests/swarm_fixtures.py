"""A private one-node Swarm for tests on a real Docker; it takes 1.5 s to start, and as long to stop.

Each worker has its own. See tests/swarm.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.swarm import front, ground, room
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
