"""The engine for Swarms against a Docker in memory: up, proven, changed in place, down, gone."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_warmci.clients.docker import Docker
from pytest_warmci.clients.machine import process_start
from pytest_warmci.engines.swarm import engine as engines, labels
from pytest_warmci.engines.swarm.checks import granted_seconds
from pytest_warmci.engines.swarm.engine import SwarmEngine
from pytest_warmci.errors import (
    CommandFailed,
    EngineUnavailable,
    NotEvaluated,
    StateDamaged,
)
from tests.fake_docker import LINGERING, NAMESPACE, FakeDocker
from tests.unit.compose_stack import DOMAIN, STACK
from tests.unit.swarm_app import COMPOSE, OURS, PASSWORD, STATE, SwarmApp, swarm_app


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SwarmApp:
    return swarm_app(tmp_path, monkeypatch)


def test_the_fake_is_what_it_stands_for() -> None:
    """Every method of the real client, with the same signature."""
    real = {name: each for name, each in vars(Docker).items() if not name.startswith("_")}
    for name, each in real.items():
        found = getattr(FakeDocker, name)
        assert inspect.signature(each) == inspect.signature(found), name


def test_from_nothing_to_nothing(app: SwarmApp) -> None:
    """Deploy, converge, prove, undeploy, settle, remove: nothing is left."""
    stack = app.up()

    assert [] == [each for each in app.engine.running(app.spot) if each.since != 1795428000.5]
    assert [("app", "web:1"), ("db", "db:1")] == [
        (each.name, each.version) for each in app.engine.running(app.spot)
    ]
    assert (
        "app runs web:1 (1aaaaaaaaaaa), db runs db:1 (dddddddddddd); "
        "deployed once as commit 1a2b3c4d says" == app.engine.prove(app.spot, stack)
    )
    assert {"volume:files", "volume:data"} == app.engine.data(app.spot).keys()

    app.down()

    assert [] == list(app.engine.running(app.spot))
    assert [] == app.engine.leftovers(app.spot)
    assert {"volume:files", "volume:data"} == app.engine.data(app.spot).keys()
    assert ["proxy"] == [each["Name"] for each in app.docker.things["network"]]
    assert [] == app.docker.things["secret"] + app.docker.things["config"]
    app.engine.remove(app.spot)
    assert {"recipe"} == {path.name for path in app.spot.folder.iterdir()}
    assert [] == app.docker.things["volume"]


def test_all_that_is_made_is_ours_by_label(app: SwarmApp) -> None:
    app.up()

    for kind in ("network", "secret", "config", "volume"):
        made = [each for each in app.docker.things[kind] if each.get("Name") != "proxy"]
        assert made
        for each in made:
            assert OURS.items() <= each.get("Spec", each)["Labels"].items()


def test_a_change_in_place(app: SwarmApp) -> None:
    """Only what it concerns is started anew; the proof says how it came to be."""
    app.up()
    before = {each.name: each.instance for each in app.engine.running(app.spot)}

    stack = app.up(app.stack(WEB="2"))

    after = {each.name: each.instance for each in app.engine.running(app.spot)}
    assert (True, False) == (before["db"] == after["db"], before["app"] == after["app"])
    assert app.engine.prove(app.spot, stack).startswith("app runs web:2 (2aaaaaaaaaaa), ")
    assert "; updated in place as commit" in app.engine.prove(app.spot, stack)


def test_a_new_engine_takes_over(app: SwarmApp) -> None:
    """Nothing that counts is in memory; the same again restarts nothing."""
    stack = app.up()
    before = [each.instance for each in app.engine.running(app.spot)]
    app.engine = app.new_engine()

    assert app.engine.prove(app.spot, stack)
    app.up(stack)

    assert before == [each.instance for each in app.engine.running(app.spot)]


def test_what_is_deployed_is_written_down_before(
    app: SwarmApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that another session can wait, and what died earlier is known."""
    seen: list[dict[str, Any]] = []

    def deploy(*_args: object) -> None:
        folder = app.spot.folder / "stack"
        seen.append(yaml.safe_load((folder / "deploy.json").read_text()))
        seen.append(yaml.safe_load((folder / "override.yml").read_text()))
        raise CommandFailed("docker stack deploy failed")

    app.up()
    tasks = [each["ID"] for each in app.docker.all_tasks]
    monkeypatch.setattr(engines, "stack_deploy", deploy)
    with pytest.raises(CommandFailed):
        app.engine.deploy(app.spot, app.stack())

    [record, override] = seen
    assert tasks == record["earlier"]
    labels = override["services"]["app"]["deploy"]["labels"]
    assert (record["deploy"], STATE) == (
        labels["pytest-warmci.deploy"],
        labels["pytest-warmci.state"],
    )


def test_ours_is_merged_last(app: SwarmApp, monkeypatch: pytest.MonkeyPatch) -> None:
    more = app.spot.folder / "more.yml"
    more.write_text("networks: {back: {driver_opts: {a: $B}}, proxy: {external: true}}\n")
    seen: list[object] = []
    monkeypatch.setattr(engines, "stack_deploy", lambda *args: seen.extend(args))
    app.engine = app.new_engine(overrides=(more,))

    app.engine.deploy(app.spot, app.stack())

    assert [more, app.spot.folder / "stack" / "override.yml"] == seen[-1]
    assert app.spot.folder / "recipe" == seen[-2]
    networks = yaml.safe_load((app.spot.folder / "stack" / "override.yml").read_text())["networks"]
    assert {"a": "$B"} == networks["back"]["driver_opts"]
    assert labels.STATE in networks["back"]["labels"]
    assert "proxy" not in networks


# -- down ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("label", "seconds"), [("60", 60.0), ("soon", 0.0), (None, 0.0)])
def test_a_recipe_grants_operators_time(app: SwarmApp, label: str | None, seconds: float) -> None:
    """The label that operators' own tool waits by."""
    said = f'\n    deploy: {{labels: ["coop-cloud.${{STACK_NAME}}.timeout={label}"]}}'
    compose = COMPOSE.replace("image: web:${WEB:-1}", "image: web:1" + (said if label else ""))

    assert seconds == granted_seconds(app.stack(compose))


def hasten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Grant an app no more time to go than the caller does."""
    monkeypatch.setattr(engines, "_SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(SwarmEngine, "_grace", lambda *_: 0.0)


@pytest.mark.parametrize(("grace", "seconds"), [("20s", 50.0), ("1m30s", 120.0)])
def test_services_have_the_time_that_they_ask_for(
    app: SwarmApp, monkeypatch: pytest.MonkeyPatch, grace: str, seconds: float
) -> None:
    """Beside what a Swarm takes for itself; without a record, Docker's own."""
    given: list[float] = []

    def wait(look: object, *, timeout: float, every: float) -> None:
        given.append(timeout)

    compose = COMPOSE.replace("image: db:1", f"image: db:1\n    stop_grace_period: {grace}")
    app.up(app.stack(compose))
    app.engine.undeploy(app.spot)
    monkeypatch.setattr(engines, "wait_until", wait)

    app.engine.settle(app.spot, 1)
    (app.spot.folder / "stack" / "deploy.json").unlink()
    app.engine.settle(app.spot, 1)
    app.engine.settle(app.spot, 500)

    assert [seconds, 40.0, 500.0] == given


def test_settling_waits_for_containers_and_then_takes_the_rest(app: SwarmApp) -> None:
    """Services go at once; networks, secrets and configs can only then be removed."""
    app.up()
    app.engine.undeploy(app.spot)
    assert [] == app.docker.things["service"]
    left = app.engine.leftovers(app.spot)
    kinds = {each.partition(" ")[0] for each in left}
    assert {"task", "container", "network", "secret", "config"} == kinds
    assert LINGERING > 1

    app.engine.settle(app.spot, 5)

    assert [] == app.engine.leftovers(app.spot)
    assert {"volume:files", "volume:data"} == app.engine.data(app.spot).keys()


def test_nothing_is_taken_from_what_still_runs(
    app: SwarmApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container that will not end is waited for and named; its secrets are still there."""
    hasten(monkeypatch)
    app.up()
    app.engine.undeploy(app.spot)
    app.docker._left = 1_000_000

    with pytest.raises(NotEvaluated) as caught:
        app.engine.settle(app.spot, 0.05)

    assert "container container-00" in caught.value.why
    assert [PASSWORD] == [each["Spec"]["Name"] for each in app.docker.things["secret"]]


def test_settling_has_a_limit_and_says_who_is_left(
    app: SwarmApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(monkeypatch)
    app.up()
    app.docker.held.add(f"{STACK}_inner")
    app.engine.undeploy(app.spot)

    with pytest.raises(NotEvaluated) as caught:
        app.engine.settle(app.spot, 0.05)

    assert ("the app does not go", DOMAIN) == (caught.value.what, caught.value.where)
    assert f"still there: network {STACK}_inner" == caught.value.why
    assert "its services were removed" == caught.value.changed


def test_undeploying_what_never_was(app: SwarmApp) -> None:
    """Recovery does: nothing happens."""
    app.down()
    app.engine.remove(app.spot)

    assert [] == app.engine.leftovers(app.spot)


def test_what_killed_writes_have_left_goes_when_it_is_stopped(app: SwarmApp) -> None:
    """A writer that is alive keeps its own."""
    app.up()
    app.engine.logs(app.spot)
    left = [app.spot.folder / name / ".tmp-1-1-abc" for name in ("stack", "logs")]
    alive = left[0].with_name(f".tmp-1-{process_start(1)}-abc")
    for path in (*left, alive):
        path.touch()

    app.down()

    assert [alive] == [path for path in (*left, alive) if path.exists()]


def test_things_of_other_apps_stay(app: SwarmApp) -> None:
    """Of other state directories, too."""
    app.up()
    others = [
        app.docker.add(kind, f"other_{number}", labels)
        for kind in ("service", "network", "secret", "config", "volume")
        for number, labels in enumerate(
            [{**OURS, NAMESPACE: "other"}, {"pytest-warmci.state": STATE}, {}, {NAMESPACE: STACK}]
        )
        if kind != "service" or NAMESPACE not in labels or labels[NAMESPACE] != STACK
    ]

    app.gone()

    assert others == [
        each
        for things in app.docker.things.values()
        for each in things
        if each.get("Name") != "proxy"
    ]


def test_volumes_are_left_over_only_of_a_removed_app(app: SwarmApp) -> None:
    app.up()
    app.down()
    assert [] == app.engine.leftovers(app.spot)
    volume = next(each for each in app.docker.things["volume"])

    app.engine.remove(app.spot)
    app.docker.things["volume"].append(volume)
    for path in sorted(app.spot.folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    app.spot.folder.rmdir()

    assert [f"volume {STACK}_files"] == app.engine.leftovers(app.spot)


def test_volumes_through_the_engine(app: SwarmApp) -> None:
    """What snapshots ask for."""
    made = app.engine.make_data(app.spot, {"volume:data", "volume:files"})
    assert {"volume:data", "volume:files"} == made.keys()
    assert made == app.engine.data(app.spot)

    app.engine.drop_data(app.spot, {"volume:data"})

    assert {"volume:data"} == app.engine.data(app.spot).keys()


# -- looking -------------------------------------------------------------------------------------


def test_logs_are_written_with_secrets_blotted_out(app: SwarmApp) -> None:
    """Those of an undeployed app are what was last asked for."""
    app.up()
    app.docker.logs[f"{STACK}_app"] = b"password " + app.docker.values[PASSWORD]

    found = app.engine.logs(app.spot)

    assert ["app", "db"] == list(found)
    assert "password ********\n" == found["app"].read_text()
    assert 0o600 == found["app"].stat().st_mode & 0o777
    app.down()
    assert ["app", "db"] == list(app.engine.logs(app.spot))


def test_a_log_that_docker_will_not_read_does_not_lose_the_others(app: SwarmApp) -> None:
    """Not every logging driver can; that is what its file says then."""
    app.up()
    refusal = CommandFailed("Docker refused", why="the driver does not support reading")
    app.docker.logs = {f"{STACK}_app": refusal, f"{STACK}_db": b"ready"}

    found = app.engine.logs(app.spot)

    assert (
        "no log: Docker refused: the driver does not support reading\n" == found["app"].read_text()
    )
    assert "ready\n" == found["db"].read_text()


def test_an_engine_that_is_gone_has_no_logs(app: SwarmApp) -> None:
    app.up()
    app.docker.logs[f"{STACK}_app"] = EngineUnavailable("no Docker engine answers")

    with pytest.raises(EngineUnavailable):
        app.engine.logs(app.spot)


def test_secrets(app: SwarmApp) -> None:
    stack = app.up()
    password = app.docker.values[PASSWORD].decode()

    assert password == app.engine.secret(app.spot, stack, "password")
    assert {password} == set(app.engine.secret_values(app.spot))
    app.gone()
    assert set() == set(app.engine.secret_values(app.spot))


def test_the_address_is_the_domain_at_the_proxy(app: SwarmApp) -> None:
    assert f"https://{DOMAIN}" == app.engine.address(app.spot)
    assert f"http://{DOMAIN}:81" == app.new_engine(proxy="http://proxy.test:81").address(app.spot)


def test_nothing_is_trained(app: SwarmApp) -> None:
    assert not app.engine.needs_training(app.stack())
    with pytest.raises(StateDamaged):
        app.engine.train(app.spot, app.stack(), 1)


def test_differences(app: SwarmApp) -> None:
    found = app.engine.classify(["services.app.image", "services.app.restart"])

    assert (("services.app.image",), ()) == (found.seen, found.unseen)
