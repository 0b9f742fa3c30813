"""Where each engine runs in the contract tests: what it needs beside the recipe's compose file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from pytest_warmci.engines.process.engine import ProcessEngine
from pytest_warmci.engines.swarm.engine import SwarmEngine
from pytest_warmci.engines.swarm.options import SwarmOptions
from pytest_warmci.protocols import Engine
from tests.contract import tiny
from tests.swarm import images, python
from tests.swarm.engine import Swarm
from tests.swarm.images import Image, Text
from tests.unit.process_app import put_artifact

PROCESS_YML = f"""\
format: 1
served: {{service: app, port: {tiny.PORT}}}
services:
  app:
    image: {tiny.WEB_IMAGE}
    artifact: "maven:org.example:web:{{tag}}:tar.gz"
    install: /opt/web
    entrypoint: [/opt/web/bin/web]
    stand_ins:
      environment:
        PORT: {{text: null, value: "{{port}}"}}
      healthcheck:
        text: wget -q -O /dev/null http://127.0.0.1:8080/
        http: {{port: {tiny.PORT}, path: /, status: 200}}
  db:
    image: {tiny.DB_IMAGE}
    artifact: "maven:org.example:db:{{tag}}:tar.gz"
    install: /opt/db
    entrypoint: [/opt/db/bin/db]
    programs:
      ready: process/ready
"""

# Names without a virtual address and a port of the node itself: not every kernel has IPVS, which
# both of the others need.
OVERRIDE = f"""\
version: "3.8"
services:
  app:
    deploy: {{endpoint_mode: dnsrr}}
    ports:
      - {{target: {tiny.PORT}, published: PUBLISHED, protocol: tcp, mode: host}}
  db:
    deploy: {{endpoint_mode: dnsrr}}
"""


class Ground(Protocol):
    """One engine's ground."""

    def engine(self) -> Engine:
        """Return an engine that remembers nothing, as another session has."""
        ...


class ProcessGround:
    """Programs of this machine's Python, their artifacts already in the cache."""

    def __init__(self, _request: pytest.FixtureRequest, folder: Path) -> None:
        self._recipe = folder / tiny.RECIPE
        (self._recipe / "process").mkdir(parents=True)
        (self._recipe / "process.yml").write_text(PROCESS_YML)
        ready = self._recipe / "process" / "ready"
        ready.write_text(tiny.READY)
        ready.chmod(0o755)
        self._cache = folder / "cache"
        python_line = f"#!{sys.executable} -SE\n"
        for name, program, text in (
            ("web:1.0", "bin/web", tiny.WEB),
            ("web:1.1", "bin/web", f"{tiny.WEB}# newer\n"),
            ("db:2.0", "bin/db", tiny.DB),
        ):
            put_artifact(self._cache, name, {program: python_line + text})

    def engine(self) -> Engine:
        """Return a fresh engine."""
        return ProcessEngine(self._recipe, self._cache, lambda _text: None)


def provide_images(swarm: Swarm) -> None:
    """Make the recipe's images on a Swarm: a Python and one program each."""
    for name, program, more in (
        (f"{tiny.WEB_IMAGE}:1.0", tiny.WEB, ()),
        (f"{tiny.WEB_IMAGE}:1.1", f"{tiny.WEB}# newer\n", ()),
        (f"{tiny.DB_IMAGE}:2.0", tiny.DB, (Text(tiny.READY, "/usr/local/bin/ready"),)),
    ):
        texts = (Text(program, "/opt/program.py"), *more)
        entry = f'ENTRYPOINT ["{python.PROGRAM}", "-SE", "/opt/program.py"]'
        images.provide(swarm, Image(name, python.trees(), texts, (*python.LINES, entry)))


class SwarmGround:
    """A private Swarm."""

    def __init__(self, request: pytest.FixtureRequest, folder: Path, volumes: str = "") -> None:
        self._volumes = volumes
        self._swarm: Swarm = request.getfixturevalue("swarm")
        self._folder = folder
        self._apps = 0
        patch = pytest.MonkeyPatch()
        request.addfinalizer(patch.undo)
        patch.setenv("DOCKER_HOST", self._swarm.docker_host)
        provide_images(self._swarm)

    def engine(self) -> Engine:
        """Return a fresh engine. Each has a port of its own, until there is a proxy in front."""
        self._apps += 1
        published = 18_000 + self._apps
        override = self._folder / f"override-{self._apps}.yml"
        override.write_text(OVERRIDE.replace("PUBLISHED", str(published)))
        proxy = f"http://{self._swarm.node_ip}:{published}"
        options = SwarmOptions((override,), proxy, volumes=self._volumes)
        return SwarmEngine("contract", options, lambda _text: None)


GROUNDS: dict[str, Callable[[pytest.FixtureRequest, Path], Ground]] = {
    "process": ProcessGround,
    "swarm": SwarmGround,
}
