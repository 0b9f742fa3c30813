"""Apps behind a Swarm's proxy, without a run around them: a domain, a poll, and clearing away."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_warmci.clients import http
from pytest_warmci.clients.waiting import Look
from pytest_warmci.engines.swarm.engine import SwarmEngine
from pytest_warmci.naming import stack_name
from pytest_warmci.protocols import AppPlace
from tests.swarm.front import BASE, Front

LIMIT = 120.0


class Polling(threading.Thread):
    """Asks for a page again and again until it is told to stop."""

    def __init__(self, page: str) -> None:
        super().__init__(daemon=True)
        self.page = page
        self.answers: list[http.Answer] = []
        self._enough = threading.Event()

    def run(self) -> None:
        while not self._enough.wait(0.05):
            self.answers.append(http.get(self.page, timeout=5))

    def stop(self) -> list[http.Answer]:
        """Return all answers."""
        self._enough.set()
        self.join(LIMIT)
        return self.answers


@contextmanager
def cleared(engine: SwarmEngine, place: AppPlace) -> Iterator[None]:
    """Remove an app after the block, and see that nothing of it is left."""
    try:
        yield
    finally:
        engine.undeploy(place)
        engine.settle(place, LIMIT)
        engine.remove(place)
    assert [] == engine.leftovers(place)


def domain_of(name: str) -> str:
    """Make up a domain that the proxy's certificate is for."""
    return f"{name}-{secrets.token_hex(3)}.{BASE}"


def only(front: Front, domain: str, image: str) -> Look:
    """See which images the app's containers are of, those that are on their way out too."""
    words = ("ps", "--filter", f"name={stack_name(domain)}_app", "--format", "{{.Image}}")
    found = front.swarm.docker(*words).text.split()
    return Look([image] == found, f"there are {found}")
