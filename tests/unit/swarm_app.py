"""One app on a Docker engine in memory."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

import pytest

from pytest_warmci.engines.swarm import engine as engines
from pytest_warmci.engines.swarm.belongings import Belongings
from pytest_warmci.engines.swarm.engine import SwarmEngine
from pytest_warmci.engines.swarm.options import SwarmOptions
from pytest_warmci.model import Stack
from tests.fake_docker import NAMESPACE, FakeDocker
from tests.unit.compose_stack import DOMAIN, STACK, stack
from tests.unit.process_app import Spot

STATE: Final = "uuid-of-state"
OURS: Final = {NAMESPACE: STACK, "pytest-warmci.state": STATE}

COMPOSE: Final = """\
version: "3.8"
services:
  app:
    image: web:${WEB:-1}
    networks: [inner, proxy]
    secrets: [password]
    configs: [conf]
    volumes: ["files:/files"]
  db:
    image: db:1
    networks: [inner]
    secrets: [password]
    volumes: ["data:/data"]
networks: {inner: , proxy: {external: true}}
volumes: {files: , data: }
configs: {conf: {name: "${STACK_NAME}_conf_v1", file: conf.txt}}
secrets: {password: {external: true, name: "${STACK_NAME}_password_v1"}}
"""
PASSWORD: Final = f"{STACK}_password_v1"


class SwarmApp:
    """An engine, its app, and the Docker behind it."""

    def __init__(self, folder: Path) -> None:
        self.docker = FakeDocker(folder)
        self.docker.images = {f"web:{tag}": f"sha256:{tag}{'a' * 20}" for tag in (1, 2)}
        self.docker.images["db:1"] = "sha256:" + "d" * 20
        self.docker.add("network", "proxy", {})
        self.spot = Spot(DOMAIN, folder / "app")
        (self.spot.folder / "recipe").mkdir(parents=True)
        (self.spot.folder / "recipe" / "compose.yml").write_text("")
        self.said: list[str] = []
        self.engine = self.new_engine()

    def new_engine(self, state: str = STATE, **options: Any) -> SwarmEngine:
        return SwarmEngine(state, SwarmOptions(**options), self._say)

    def _say(self, text: str) -> None:
        self.said.append(text)

    def stack(self, compose: str = COMPOSE, **env: str) -> Stack:
        return stack(compose, env, {"conf.txt": "x", "words.txt": "words"})

    def up(self, wanted: Stack | None = None, timeout: float = 5) -> Stack:
        """Deploy and wait."""
        wanted = wanted or self.stack()
        self.engine.deploy(self.spot, wanted)
        self.engine.wait_converged(self.spot, wanted, timeout)
        return wanted

    def down(self) -> None:
        self.engine.undeploy(self.spot)
        self.engine.settle(self.spot, 5)

    def gone(self) -> None:
        """Undeploy, remove, and delete the folder as the run does."""
        self.down()
        self.engine.remove(self.spot)
        shutil.rmtree(self.spot.folder)

    @property
    def belongings(self) -> Belongings:
        return Belongings(self.docker, STACK, STATE)  # type: ignore[arg-type]  # has its methods


def swarm_app(folder: Path, patch: pytest.MonkeyPatch) -> SwarmApp:
    """Return an app whose engine talks to a fake, and does not wait long between two looks."""
    made = SwarmApp(folder)
    patch.setattr(engines, "find_endpoint", lambda: made.docker.endpoint)
    patch.setattr(engines, "Docker", lambda endpoint: made.docker)
    patch.setattr(engines, "stack_deploy", made.docker.stack_deploy)
    patch.setattr(engines, "_EVERY", 0.001)
    return made
