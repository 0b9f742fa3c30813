"""What a Swarm has of apps whose folder is gone: found by label, and removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.engines.swarm.belongings import name_of
from pytest_warmci.errors import EngineUnavailable
from pytest_warmci.naming import stack_domain, stack_name
from pytest_warmci.runs.reap import Reaped, reap, reap_apps
from pytest_warmci.store.state import StateDirectory, open_state
from tests.fake_docker import NAMESPACE
from tests.unit.compose_stack import DOMAIN, STACK
from tests.unit.swarm_app import STATE, SwarmApp, swarm_app

COLD = "blog-1a2b3c.warmci.localhost"
KINDS = ("service", "network", "secret", "config", "volume")
LABEL = "pytest-warmci.state"
GONE = "its folder is gone"


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SwarmApp:
    return swarm_app(tmp_path, monkeypatch)


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return open_state(tmp_path / "state")


def left(app: SwarmApp) -> list[str]:
    """Lay something of every kind of a throw-away app on the Swarm; return all of that by name."""
    labels = {NAMESPACE: stack_name(COLD), LABEL: STATE}
    return [
        str(name_of(app.docker.add(kind, f"{stack_name(COLD)}_{kind}", labels))) for kind in KINDS
    ]


def there(app: SwarmApp) -> list[str]:
    """What Docker has of it."""
    found = [name_of(each) for things in app.docker.things.values() for each in things]
    return [name for name in found if name.startswith(stack_name(COLD))]


def test_a_domain_comes_back_from_the_name_of_its_stack() -> None:
    assert DOMAIN == stack_domain(stack_name(DOMAIN))


def test_an_app_without_a_folder_is_removed(app: SwarmApp, state: StateDirectory) -> None:
    """All of it, and afterwards there is nothing to do."""
    names = left(app)

    assert [Reaped(COLD, "swarm", "removed", GONE)] == reap(state, app.engine, dry_run=True)
    assert names == there(app)
    assert [f"removed {COLD}: {GONE}"] == reap_apps(state, app.engine)

    assert [] == there(app)
    assert [] == reap(state, app.engine)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_thing_tells_of_its_app(app: SwarmApp, kind: str) -> None:
    """A network alone is what a deployment that Docker refused has left."""
    app.docker.add(kind, f"{STACK}_x", {NAMESPACE: STACK, LABEL: STATE})

    assert {DOMAIN} == app.engine.domains()


def test_what_is_not_ours_is_no_app_of_ours(app: SwarmApp) -> None:
    for number, labels in enumerate(({NAMESPACE: STACK}, {LABEL: STATE}, {LABEL: "another"}, {})):
        app.docker.add("volume", f"{STACK}_{number}", labels)

    assert set() == app.engine.domains()


def test_an_app_with_a_folder_is_judged_by_that(app: SwarmApp, state: StateDirectory) -> None:
    """It is there while a live run has it, and is told of once."""
    names = left(app)
    state.app("swarm", COLD).mkdir(parents=True)

    with hold(state.lock(COLD), who=Holder("live00", "cold", "test"), limit=0):
        [kept] = reap(state, app.engine)

    assert ("kept", COLD) == (kept.outcome, kept.domain)
    assert names == there(app)


def test_an_app_that_somebody_holds_is_left_alone(app: SwarmApp, state: StateDirectory) -> None:
    """A run makes the folder before it deploys; it may be at that."""
    names = left(app)

    with hold(state.lock(COLD), who=Holder("live00", "cold", "test"), limit=0):
        [kept] = reap(state, app.engine)

    assert ("kept", COLD) == (kept.outcome, kept.domain)
    assert names == there(app)


@pytest.mark.parametrize("domain", ["warm-wiki.warmci.localhost", "live-keycloak.ci.example.org"])
def test_what_is_warm_is_for_a_person_to_remove(
    app: SwarmApp, state: StateDirectory, domain: str
) -> None:
    """Its data may be all that there is."""
    labels = {NAMESPACE: stack_name(domain), LABEL: STATE}
    volume = app.docker.add("volume", f"{stack_name(domain)}_data", labels)

    [kept] = reap(state, app.engine)

    assert (domain, "kept") == (kept.domain, kept.outcome)
    assert "for a person to remove" in kept.why
    assert [] == reap_apps(state, app.engine)
    assert volume in app.docker.things["volume"]


@pytest.mark.parametrize("stack", ["../../etc", ".", "a/b"])
def test_the_name_of_a_stack_is_no_path(app: SwarmApp, state: StateDirectory, stack: str) -> None:
    """A label may say anything: it is told, and nothing outside of the folder of apps is touched."""
    app.docker.add("volume", "odd", {NAMESPACE: stack, LABEL: STATE})

    [failed] = reap(state, app.engine)

    assert "failed" == failed.outcome
    assert ["odd"] == [each["Name"] for each in app.docker.things["volume"]]


def test_an_engine_that_does_not_answer_is_told(
    app: SwarmApp, state: StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can say what it has."""

    def silent(*_: object) -> list[object]:
        raise EngineUnavailable("no Docker engine answers")

    monkeypatch.setattr(app.docker, "services", silent)

    [failed] = reap(state, app.engine)

    assert ("", "failed") == (failed.domain, failed.outcome)
    assert "it cannot be asked: no Docker engine answers" == failed.why
