"""A Swarm: a quick run against the same steps by hand and against a cold run, side by side, and
how long after the fact it is seen that an app has converged, and that it is gone."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pytest_warmci.naming import stack_name
from pytest_warmci.recipes.enrolment import read_enrolment
from pytest_warmci.recipes.source import open_source
from tests.benchmarks.figures import median, report
from tests.benchmarks.swarm_by_hand import known
from tests.contract import tiny
from tests.contract.grounds import SwarmGround
from tests.contract.tiny import Spot
from tests.e2e.swarm_workshop import SwarmWorkshop
from tests.e2e.workshop import RADICALE
from tests.swarm import catalog
from tests.swarm.engine import Swarm
from tests.swarm.front import BASE, Front

ROUNDS = 3
MANY = 5
LIMIT = 60.0
EVERY = 0.005
WORK = ("recover", "prepare", "restore", "deploy", "upgrade", "stop")
"""The phases of a quick run that the steps by hand have too."""


@pytest.mark.nightly
@pytest.mark.cost(420)
def test_quick_against_by_hand_against_cold(proxied_swarm: Front, tmp_path: Path) -> None:
    """Rounds of by hand and quick in turns, then a cold run of the same head."""
    images = (f"ghcr.io/kozea/radicale:{version}" for version in catalog.RADICALES)
    catalog.provide(proxied_swarm.swarm, *images)
    workshop = SwarmWorkshop(proxied_swarm, tmp_path / "state", RADICALE, "app")
    assert workshop.pytest("--warmci-head", "published").status == 0
    enrolment = read_enrolment(RADICALE)
    source = open_source(enrolment.source, tmp_path / "cache")
    domain = f"hand-{secrets.token_hex(3)}.{BASE}"
    hands, quicks, works = [], [], []
    with proxied_swarm.entered():
        by_hand = known(proxied_swarm, workshop.place, enrolment, source, domain, tmp_path)
        data = {
            name.removeprefix("volume:"): path
            for name, path in proxied_swarm.engine().data(workshop.place).items()
            if isinstance(path, Path)
        }
        for _ in range(ROUNDS):
            outcome = workshop.pytest("--quick", "--warmci-head=damaged-data")
            assert outcome.status == 1  # restores, so that both begin with known-good volumes
            hands.append(by_hand.run(data))
            outcome = workshop.pytest("--quick")
            assert outcome.status == 0, outcome.text
            quicks.append(outcome.result["seconds"])
            phases = outcome.result["phases"]
            works.append(sum(each["seconds"] for each in phases if each["name"] in WORK))
    cold = workshop.pytest()
    assert cold.status == 0, cold.text
    cold_seconds = cold.result["seconds"]
    report(
        "radicale on a Swarm (seconds, medians)",
        {
            "by hand": median(hands),
            "quick, the same steps": median(works),
            "quick, run": median(quicks),
            "cold, run": cold_seconds,
            "quick / cold": median(quicks) / cold_seconds,
            "quick, the same steps / by hand": median(works) / median(hands),
            "quick / by hand": median(quicks) / median(hands),
        },
    )


class Watch:
    """Looks at one stack all the time, beside the engine and by rules of its own.

    Attributes:
        good: When it came to be as it should, and has stayed so since; 0 while it is not.
        ran: When a container of it was last seen to run.
        there: When a container or a network of it was last seen.
    """

    def __init__(self, swarm: Swarm, stack: str) -> None:
        self._swarm = swarm
        self._query = json.dumps({"label": [f"com.docker.stack.namespace={stack}"]})
        self.good = self.ran = self.there = 0.0

    def look(self) -> None:
        """Look once."""
        services, tasks = self._asked("services"), self._asked("tasks")
        running = {
            task["ServiceID"]: task["Spec"]["ContainerSpec"]
            for task in tasks
            if task["Status"]["State"] == "running"
        }
        wishes = {each["ID"]: each["Spec"]["TaskTemplate"]["ContainerSpec"] for each in services}
        updates = {(each.get("UpdateStatus") or {}).get("State") for each in services}
        held = bool(wishes) and wishes == running and updates <= {None, "completed"}
        self.good = (self.good or time.monotonic()) if held else 0.0
        containers = self._asked("containers/json", all="1")
        if any(each["State"] == "running" for each in containers):
            self.ran = time.monotonic()
        if containers or self._asked("networks"):
            self.there = time.monotonic()

    def _asked(self, what: str, **query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._swarm.api.call(
            "GET", f"/{what}", filters=self._query, **query
        )
        return found


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """Have it look for the block."""
    over = threading.Event()

    def looking() -> None:
        while not over.wait(EVERY):
            watch.look()

    thread = threading.Thread(target=looking)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.nightly
@pytest.mark.cost(180)
def test_what_has_happened_is_seen(
    swarm: Swarm, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """A first deployment, an upgrade in place, and the end: how much later the engine knows."""
    ground = SwarmGround(request, tmp_path)
    late: dict[str, list[float]] = {name: [] for name in ("deploy", "upgrade", "exit", "gone")}
    for _ in range(MANY):
        domain = f"seen-{secrets.token_hex(3)}.{BASE}"
        spot = Spot(domain, tmp_path / domain)
        engine = ground.engine()
        watch = Watch(swarm, stack_name(domain))
        with watched(watch):
            for name, version in (("deploy", "1.0"), ("upgrade", "1.1")):
                stack = tiny.stack(spot, WEB=version)
                engine.deploy(spot, stack)
                engine.wait_converged(spot, stack, LIMIT)
                known_at = time.monotonic()
                assert watch.good  # it was not seen before it was there
                late[name].append(known_at - watch.good)
            engine.undeploy(spot)
            engine.settle(spot, LIMIT)
            known_at = time.monotonic()
            late["exit"].append(known_at - watch.ran)
            late["gone"].append(known_at - watch.there)
        engine.remove(spot)
    report(
        "what has happened on a Swarm is seen (seconds later)",
        {
            **{f"{name}, median": median(each) for name, each in late.items()},
            **{f"{name}, worst": max(each) for name, each in late.items()},
        },
    )
