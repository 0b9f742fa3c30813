"""Bringing one app to one revision, and seeing for ourselves that it is there."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pytest_warmci.clients import http
from pytest_warmci.clients.waiting import Look, WaitedTooLong, wait_until
from pytest_warmci.errors import RecipeFailed
from pytest_warmci.model import Enrolment, ProbeSpec, Revision, Stack
from pytest_warmci.protocols import Engine
from pytest_warmci.recipes.source import Source
from pytest_warmci.runs.handle import AppHandle, without_secrets
from pytest_warmci.runs.place import Place
from pytest_warmci.runs.wiring import Wiring

_PROBE_SECONDS = 10.0
_IN_A_ROW = 2


@dataclass(frozen=True, slots=True)
class Deployed:
    """An app that runs: its handle, what was deployed, and the proof that this is what runs."""

    app: AppHandle
    stack: Stack
    proof: str


def deploy(
    engine: Engine,
    place: Place,
    enrolment: Enrolment,
    source: Source,
    revision: Revision,
    sso: Wiring | None = None,
) -> Deployed:
    """Deploy a revision (in place when something runs), and wait until it is proven to serve.

    `sso` is what the app was given to log people in with, for who uses it.

    Raises:
        RecipeFailed: It does not come up, or does not serve.
        NotEvaluated: Something around it failed.
    """
    stack = place.stack(source, revision)
    engine.prepare(stack)
    place.record_deployed(source, revision)
    return bring_up(engine, place, enrolment, stack, sso)


def bring_up(
    engine: Engine, place: Place, enrolment: Enrolment, stack: Stack, sso: Wiring | None = None
) -> Deployed:
    """Deploy a rendered stack and wait until it is proven to serve; see `deploy`."""
    begun = time.monotonic()
    app = AppHandle(engine, place, stack, sso)
    what = f"{stack.recipe} {stack.revision}"
    with without_secrets(app):
        engine.deploy(place, stack)
        engine.wait_converged(place, stack, enrolment.deploy_timeout)
        left = max(enrolment.deploy_timeout - (time.monotonic() - begun), _PROBE_SECONDS)
        wait_serving(engine.address(place), enrolment.probe, left, what)
        proof = engine.prove(place, stack)
    return Deployed(app, stack, proof)


def take_down(engine: Engine, place: Place, enrolment: Enrolment) -> None:
    """Undeploy and wait until nothing of the app runs."""
    engine.undeploy(place)
    engine.settle(place, enrolment.stop_timeout)


def wait_serving(url: str, probe: ProbeSpec, timeout: float, what: str) -> None:
    """Wait until the functional probe held twice in a row.

    Raises:
        RecipeFailed: It did not in time; carries the last answer.
    """
    try:
        wait_until(lambda: probe_once(url, probe), timeout=timeout, times=_IN_A_ROW)
    except WaitedTooLong as late:
        raise RecipeFailed(
            f"does not serve after {late.seconds:.0f} s",
            where=what,
            why=f"GET {probe.path}: {late.state}",
            remedy="look at the app's log; the probe is in recipe.yml",
        ) from None


def probe_once(url: str, probe: ProbeSpec) -> Look:
    """Send one functional probe."""
    answer = http.get(url + probe.path, timeout=_PROBE_SECONDS)
    served = answer.status in probe.status and probe.contains in answer.text
    return Look(served, str(answer))
