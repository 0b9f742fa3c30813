"""What a realm costs: checked out and in, against the request that makes one with no help of ours."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from pytest_warmci.clients.http import get
from pytest_warmci.clients.locks import Holder
from pytest_warmci.clients.realm_form import (
    client_form,
    new_client,
    new_user,
    realm_form,
    user_form,
)
from pytest_warmci.clients.rsa import KeyPair
from pytest_warmci.engines.process.engine import ProcessEngine
from pytest_warmci.runs.live import attached
from pytest_warmci.runs.live_keycloak import LiveKeycloak, open_service
from pytest_warmci.runs.realm_owner import owner
from pytest_warmci.runs.realms import Realms
from tests.benchmarks.figures import median, report
from tests.e2e.workshop import KEYCLOAK, Outcome, show
from tests.signed_on import SignedOn

ROUNDS = 25
CROWD = 49
ATTACHES = 9


class Meter:
    """Wall seconds of each round, and CPU seconds of the server in all of them."""

    def __init__(self, pid: int) -> None:
        self._server = psutil.Process(pid)
        self.walls: list[float] = []
        self.cpu = 0.0

    @contextmanager
    def measure(self) -> Iterator[None]:
        before, begun = self._seconds(), time.monotonic()
        yield
        self.walls.append(time.monotonic() - begun)
        self.cpu += self._seconds() - before

    def _seconds(self) -> float:
        times = self._server.cpu_times()
        return float(times.user + times.system)


def bare_form(number: int, keys: KeyPair | None = None) -> dict[str, object]:
    """What a check-out sends, but that the server makes the keys."""
    return realm_form(
        f"bare-{number:06d}",
        title="bare",
        attributes={"warmci.token": str(number)},
        keys=keys,
        clients=[client_form(new_client("warmci"))],
        users=[user_form(new_user("ana"))],
    )


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


@pytest.mark.nightly
@pytest.mark.cost(240)
def test_realms(signed_on: tuple[SignedOn, Outcome]) -> None:
    """A bare POST and a check-out in turns; then check-outs with few and with many realms alive."""
    workshop, _ = signed_on
    live = workshop.live
    live.keys.prepare(4)
    pid = workshop.pids()["app"]
    bare, ours, back = Meter(pid), Meter(pid), Meter(pid)
    few: list[float] = []
    many: list[float] = []
    with owner(workshop.state, "benchmark", "benchmarks") as run:
        realms = Realms(live, run, cap=10 * CROWD)
        for number in range(ROUNDS):
            form = bare_form(number)
            with bare.measure():
                live.administrator.create(form)
            live.administrator.delete(f"bare-{number:06d}")
            with ours.measure():
                realm = realms.check_out(f"r{number}", users=("ana",))
            with back.measure():
                realms.check_in(realm)
            assert realms.delete_due() == []
        few = check_outs(realms, "few")
        crowd = [realms.check_out(f"c{number}") for number in range(CROWD)]
        many = check_outs(realms, "many")
        for each in crowd:
            realms.check_in(each)
        assert realms.delete_due() == []
    report(
        "a realm (milliseconds)",
        {
            "bare POST, p50": 1000 * median(bare.walls),
            "bare POST, p99": 1000 * quantile(bare.walls, 0.99),
            "check-out, p50": 1000 * median(ours.walls),
            "check-out, p99": 1000 * quantile(ours.walls, 0.99),
            "check-in, p50": 1000 * median(back.walls),
            "wall, check-out / bare POST": median(ours.walls) / median(bare.walls),
            "server CPU, check-out / bare POST": ours.cpu / bare.cpu,
            "check-out with 1 realm, p50": 1000 * median(few),
            "check-out with 50 realms, p50": 1000 * median(many),
            "50 realms / 1 realm": median(many) / median(few),
        },
    )


def check_outs(realms: Realms, name: str) -> list[float]:
    """Check realms out and delete them again, one after the other; seconds of each check-out."""
    walls = []
    for number in range(ROUNDS):
        begun = time.monotonic()
        realm = realms.check_out(f"{name}{number}", users=("ana",))
        walls.append(time.monotonic() - begun)
        realms.check_in(realm)
        assert realms.delete_due() == []
    return walls


@pytest.mark.nightly
@pytest.mark.cost(60)
def test_attaching_and_signing_on(signed_on: tuple[SignedOn, Outcome]) -> None:
    """Attaching to a Keycloak that runs; and what a quick run of a dependent spends on all of it."""
    workshop, _ = signed_on
    engine = ProcessEngine(KEYCLOAK, workshop.state.cache, show)
    service = open_service(KEYCLOAK, workshop.state, engine)
    walls: list[float] = []
    for _ in range(ATTACHES):
        begun = time.monotonic()
        with attached(service, who=Holder("", "benchmark", ""), limit=10, progress=show) as live:
            walls.append(time.monotonic() - begun)
            check_answers(live)
    signing: list[float] = []
    for _ in range(5):
        outcome = workshop.pytest("--quick")
        assert outcome.status == 0, outcome.text
        phases = outcome.result["phases"]
        signing.append(sum(each["seconds"] for each in phases if each["name"] == "sso"))
    report(
        "single sign-on (seconds)",
        {
            "attach, p50": statistics.median(walls),
            "attach, most": max(walls),
            "sso of a quick run, p50": median(signing),
            "sso of a quick run, most": max(signing),
        },
    )


def check_answers(live: LiveKeycloak) -> None:
    """What was attached to is there."""
    assert get(f"{live.url}/realms/master", timeout=10).status == 200
