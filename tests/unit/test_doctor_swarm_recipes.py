"""What a recipe uses on a Swarm and does not bring along."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_warmci.clients import docker
from pytest_warmci.clients.docker import Endpoint
from pytest_warmci.errors import EngineUnavailable
from pytest_warmci.runs.doctor import Check
from pytest_warmci.runs.doctor_recipes import check_recipe
from pytest_warmci.runs.doctor_swarm import check_stacks
from tests.fake_docker import FakeDocker
from tests.unit.compose_stack import SMALL, STACK, stack
from tests.unit.swarm_machine import Machine
from tests.unit.warm_state import write_recipe


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def of(folder: Path) -> dict[str, Check]:
    found = check_recipe(folder, "swarm")
    return {check.name.removeprefix("miniapp: "): check for check in found}


def change(folder: Path, text: str, sample: str = "") -> None:
    """Add to the compose file and to .env.sample of the newest version."""
    newest = max((folder / "source").glob("[0-9]*"))
    for name, more in (("compose.yml", text), (".env.sample", sample)):
        path = newest / name
        path.write_text(path.read_text() + more)


def test_a_healthy_recipe(machine: Machine, tmp_path: Path) -> None:
    """No process.yml is looked at; images that are not here would be pulled."""
    machine.docker.images["example/app:1.1"] = "sha256:1"

    found = of(write_recipe(tmp_path / "recipes"))

    assert "process.yml" not in found
    assert {"ok"} == {check.outcome for check in found.values()}, found
    assert "to be pulled: example/app:1.0" == found["HEAD images"].found
    assert "none" == found["HEAD secrets"].found
    assert "only its own" == found["HEAD networks"].found


def test_what_a_recipe_uses_of_others(machine: Machine, tmp_path: Path) -> None:
    """A network that is not there, and a secret that nobody may make up."""
    folder = write_recipe(tmp_path / "recipes")
    compose = (
        "networks: {default: {external: true, name: backend}}\n"
        'secrets: {tls: {external: true, name: "${STACK_NAME}_tls_${SECRET_TLS_VERSION}"}}\n'
    )
    change(folder, compose, "SECRET_TLS_VERSION=v1 # generate=false\n")

    found = of(folder)

    assert "missing" == found["HEAD networks"].outcome
    remedy = "docker network create --driver overlay --attachable backend"
    assert remedy == found["HEAD networks"].remedy
    assert "missing" == found["HEAD secrets"].outcome
    assert "no fresh app can have them: tls" in found["HEAD secrets"].found


def test_a_secret_that_every_run_gives_its_app_is_not_missed(machine: Machine) -> None:
    """As that of a single sign-on. One that is a file of the recipe is nobody's to give."""
    compose = (
        f"{SMALL}secrets:\n"
        '  sso: {external: true, name: "${STACK_NAME}_sso_${SECRET_SSO_VERSION}"}\n'
        '  db: {external: true, name: "${STACK_NAME}_db_v1"}\n'
        "  own: {file: own.txt}\n"
    )
    env = {"SECRET_SSO_VERSION": "v1"}
    files = {".env.sample": "SECRET_SSO_VERSION=v1 # generate=false\n", "own.txt": "x"}
    one = stack(compose, {**env, "STACK_NAME": STACK}, files)

    def secrets(*given: str) -> Check:
        return next(check_stacks("blog", [one], frozenset(given)))

    assert ("ok", "1 generated") == (secrets("sso").outcome, secrets("sso").found)
    assert "no fresh app can have them: sso" in secrets().found


def test_a_name_that_is_too_long_is_said_before_a_run(machine: Machine, tmp_path: Path) -> None:
    folder = write_recipe(tmp_path / "recipes")
    name = "c" * 40
    change(folder, f'configs: {{c: {{name: "${{STACK_NAME}}_{name}", file: compose.yml}}}}\n')

    found = of(folder)

    assert "missing" == found["HEAD"].outcome
    assert "characters, Docker takes 64" in found["HEAD"].found


def test_without_an_engine_a_recipe_is_looked_at_as_far_as_can_be(
    machine: Machine, tmp_path: Path
) -> None:
    def silent(_: Endpoint) -> FakeDocker:
        raise EngineUnavailable("no Docker engine answers", remedy="start it")

    machine.patch.setattr(docker, "Docker", silent)

    found = of(write_recipe(tmp_path / "recipes"))

    assert {"ok"} == {check.outcome for check in found.values()}, found
    assert {"HEAD", "HEAD secrets"} <= found.keys()
    assert "HEAD images" not in found
