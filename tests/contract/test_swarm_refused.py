"""What a Swarm cannot do is one clear error, and nothing is left behind."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_warmci.engines.swarm.engine import SwarmEngine
from pytest_warmci.engines.swarm.options import SwarmOptions
from pytest_warmci.errors import EngineUnavailable, InputError, NotEvaluated, RecipeFailed
from pytest_warmci.model import Revision, Stack
from pytest_warmci.naming import stack_name
from pytest_warmci.recipes.compose import render
from pytest_warmci.runs.reap import reap
from pytest_warmci.store.state import open_state
from tests.contract.tiny import Spot
from tests.swarm import catalog, ground
from tests.swarm.engine import Swarm

COMPOSE = """\
version: "3.8"
services:
  app:
    image: "web:${WEB}"
    command: ["httpd", "-f", "-p", "8080"]
    stop_signal: SIGKILL
    configs: [{source: conf, target: /conf}]
    deploy: {endpoint_mode: dnsrr}
configs:
  conf: {name: "${STACK_NAME}_conf_v1", file: conf}
"""
NETWORK = "networks: {default: {external: true, name: not-there}}\n"
SECRET = 'secrets: {s: {external: true, name: "${STACK_NAME}_s_${SECRET_S_VERSION}"}}\n'
LIMIT = 60.0


class Shelf:
    """A recipe and one app of it on the Swarm."""

    def __init__(self, swarm: Swarm, folder: Path) -> None:
        self.swarm = swarm
        domain = f"refuse-{secrets.token_hex(3)}.warmci.localhost"
        self.spot = Spot(domain, folder / domain)
        self.name = stack_name(domain)
        self.engine = SwarmEngine("refused", SwarmOptions(), lambda _text: None)

    def stack(self, compose: str = COMPOSE, conf: str = "one", sample: str = "") -> Stack:
        files = {"compose.yml": compose, "conf": conf, ".env.sample": sample}
        self.spot.recipe.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (self.spot.recipe / name).write_text(text)
        return render(
            lambda path: files[path].encode() if path in files else None,
            recipe="refuse",
            domain=self.spot.domain,
            revision=Revision("a" * 40, "1.0.0+1", published=True),
            env={"STACK_NAME": self.name, "WEB": "1"},
        )

    def up(self, stack: Stack) -> None:
        self.engine.deploy(self.spot, stack)
        self.engine.wait_converged(self.spot, stack, LIMIT)

    def gone(self) -> None:
        self.engine.undeploy(self.spot)
        self.engine.settle(self.spot, LIMIT)
        self.engine.remove(self.spot)

    def there(self) -> list[str]:
        """Everything of that stack on the Swarm, whoever made it."""
        wanted = ("--filter", f"label=com.docker.stack.namespace={self.name}")
        found = []
        for kind in ("service", "network", "secret", "config", "volume"):
            names = self.swarm.docker(kind, "ls", *wanted, "--format", "{{.Name}}").text
            found += [f"{kind} {name}" for name in names.split()]
        return found


@pytest.fixture
def shelf(swarm: Swarm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    catalog.provide(swarm, "web:1")
    monkeypatch.setenv("DOCKER_HOST", swarm.docker_host)
    return Shelf(swarm, tmp_path)


def network_missing(shelf: Shelf) -> Stack:
    return shelf.stack(COMPOSE + NETWORK)


def secret_missing(shelf: Shelf) -> Stack:
    """One that nobody may make up."""
    compose = (COMPOSE + SECRET).replace("configs: [{", "secrets: [s]\n    configs: [{")
    return shelf.stack(compose, sample="SECRET_S_VERSION=v1 # generate=false\n")


@pytest.mark.core
@pytest.mark.cost(2)
@pytest.mark.parametrize(
    ("made", "kind", "what"),
    [
        (network_missing, EngineUnavailable, "the Swarm has no network 'not-there'"),
        (secret_missing, InputError, "is missing and marked generate=false"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_made(
    shelf: Shelf, made: Callable[[Shelf], Stack], kind: type[Exception], what: str
) -> None:
    """Docker itself would leave a network, and `docker stack ls` would not show it."""
    stack = made(shelf)

    with pytest.raises(kind, match=what):
        shelf.up(stack)

    assert [] == shelf.there()


@pytest.mark.core
@pytest.mark.cost(12)
def test_a_config_that_changed_and_kept_its_name_is_the_recipes_fault(shelf: Shelf) -> None:
    """Operators would see the same; the error says what to count up. All of it goes."""
    shelf.up(shelf.stack())
    try:
        with pytest.raises(RecipeFailed, match="a config was changed and kept its name") as caught:
            shelf.up(shelf.stack(conf="two"))
    finally:
        shelf.gone()

    assert "abra.sh" in caught.value.remedy
    assert [] == shelf.there()


@pytest.mark.core
@pytest.mark.cost(10)
def test_what_has_no_folder_any_more_is_reaped_by_label(shelf: Shelf, tmp_path: Path) -> None:
    """Also a network alone, as a deployment that Docker refuses leaves one. Others' things stay."""
    state = open_state(tmp_path / "state")
    others = SwarmEngine("others", SwarmOptions(), lambda _text: None)
    shelf.up(shelf.stack())
    shutil.rmtree(shelf.spot.folder)
    label = (
        "--label",
        "pytest-warmci.state=refused",
        "--label",
        "com.docker.stack.namespace=gone",
    )
    shelf.swarm.docker("network", "create", "--driver", "overlay", *label, "gone_net")

    assert [] == reap(state, others)
    assert shelf.there()
    reaped = reap(state, shelf.engine)

    assert {("gone", "removed"), (shelf.spot.domain, "removed")} == {
        (each.domain, each.outcome) for each in reaped
    }
    assert [] == shelf.there()
    assert set() == shelf.engine.domains()


@pytest.mark.core
@pytest.mark.cost(15)
def test_a_stack_of_somebody_else_is_refused_by_name_and_never_touched(
    shelf: Shelf, tmp_path: Path
) -> None:
    """Neither deploying nor ending nor removing changes it."""
    file = tmp_path / "theirs.yml"
    file.write_text(COMPOSE.replace("${STACK_NAME}", shelf.name).replace("${WEB}", "1"))
    (tmp_path / "conf").write_text("theirs")
    words = ("--resolve-image", "never", "--compose-file", str(file))
    shelf.swarm.docker("stack", "deploy", *words, shelf.name)
    theirs = shelf.there()
    try:
        with pytest.raises(NotEvaluated, match=f"there is a stack '{shelf.name}'") as caught:
            shelf.up(shelf.stack())
        shelf.engine.undeploy(shelf.spot)
        shelf.engine.settle(shelf.spot, LIMIT)
        shelf.engine.remove(shelf.spot)

        assert [] == shelf.engine.leftovers(shelf.spot)
        assert f"service {shelf.name}_app" in caught.value.why
        assert theirs == shelf.there()
        assert theirs
    finally:
        shelf.swarm.docker("stack", "rm", shelf.name)


@pytest.mark.cost(25)
def test_an_app_of_another_swarm_is_not_taken_for_gone(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There nothing of it is found. At home it ends as ever, also when the Swarm was made anew."""
    shelf.up(shelf.stack())
    engine = shelf.engine
    with ground.swarm() as other:
        monkeypatch.setenv("DOCKER_HOST", other.docker_host)
        shelf.engine = SwarmEngine("refused", SwarmOptions(), lambda _text: None)
        for verb in (shelf.engine.leftovers, shelf.engine.undeploy, shelf.engine.remove):
            with pytest.raises(EngineUnavailable, match="the app is on another Swarm"):
                verb(shelf.spot)
    shelf.engine = engine

    assert f"service {shelf.name}_app" in shelf.there()
    shelf.gone()
    assert [] == shelf.there()


@pytest.mark.core
@pytest.mark.cost(1)
def test_where_nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One error, with the address that was tried."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")

    with pytest.raises(EngineUnavailable, match="no Docker engine answers") as caught:
        SwarmEngine("refused", SwarmOptions(), lambda _text: None).check()

    assert f"{tmp_path}/none.sock" in caught.value.where


@pytest.mark.cost(6)
def test_an_engine_that_is_in_no_swarm(swarm: Swarm, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how to make one of it."""
    with ground.swarm() as other:
        other.docker("swarm", "leave", "--force")
        monkeypatch.setenv("DOCKER_HOST", other.docker_host)

        with pytest.raises(EngineUnavailable, match="is in no Swarm") as caught:
            SwarmEngine("refused", SwarmOptions(), lambda _text: None).check()
        other.docker("swarm", "init", "--advertise-addr", other.node_ip)  # its end expects one

    assert "docker swarm init" in caught.value.remedy
