"""The generic asserts: what every recipe is tested for without writing a test."""

from __future__ import annotations

from typing import Final

import pytest

from pytest_warmci.plugin.rules import Rule
from pytest_warmci.runs.deploying import probe_once
from pytest_warmci.runs.lane import Lane

pytestmark = pytest.mark.generic


RULES: Final = {
    "test_base": Rule(stages=("upgrade",), phase="base", order=0, step=True),
    "test_deploys": Rule(stages=("install",), order=0, step=True),
    "test_upgrades": Rule(stages=("upgrade",), order=0, step=True),
    "test_serves": Rule(),
    "test_runs_head": Rule(),
    "test_witness_survives": Rule(stages=("upgrade",), witness=True),
    "test_logs_in": Rule(sso=True),
    "test_stays_up": Rule(order=2),
    "test_survives_restart": Rule(modes=("cold",), order=3, last_stage_only=True),
    "test_leaves_nothing": Rule(phase="gone"),
}


def test_base(_lane: Lane) -> None:
    """The base deploys, serves, and holds the witness."""
    assert _lane.run.deployed is not None


def test_deploys(_lane: Lane) -> None:
    """Head deploys fresh."""
    assert _lane.run.deployed is not None


def test_upgrades(_lane: Lane) -> None:
    """The app upgrades to head in place."""
    assert _lane.run.deployed is not None


def test_serves(_lane: Lane) -> None:
    """The functional probe of recipe.yml holds."""
    look = probe_once(_lane.app.url, _lane.run.plan.enrolment.probe)

    assert look.ok, look.state


def test_runs_head(_lane: Lane) -> None:
    """Head, and nothing else, is what runs and answers."""
    run = _lane.run
    assert run.deployed is not None
    assert run.place is not None

    assert run.engine.prove(run.place, run.deployed.stack)
    assert run.plan.head == run.deployed.stack.revision


def test_witness_survives(_lane: Lane) -> None:
    """What was planted before the upgrade is all there after it."""
    _lane.run.check_witness()


def test_logs_in(_lane: Lane) -> None:
    """A real user logs in through the live-warm Keycloak, and is who they are."""
    run = _lane.run
    spec = run.plan.enrolment.sso
    assert spec is not None
    assert run.login is not None
    assert run.sign_on is not None

    run.sign_on.prove_login(run.login, _lane.app, spec)


def test_stays_up(_lane: Lane) -> None:
    """Nothing restarted while the tests ran."""
    run = _lane.run
    assert run.place is not None

    assert run.instances == tuple(each.instance for each in run.engine.running(run.place))


def test_survives_restart(_lane: Lane) -> None:
    """The app comes back with its data after a stop and a start."""
    _lane.restart()


def test_leaves_nothing(_lane: Lane) -> None:
    """Nothing of the app is left behind."""
    assert _lane.run.leftovers == []
