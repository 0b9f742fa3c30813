"""Images of Keycloak and its PostgreSQL, as the recipe's process.yml says what they are made of.

They do what the official ones do: Keycloak's own kc.sh is what starts, and it builds the server at
each start of a container whose options ask for that; PostgreSQL's entry prepares an empty volume and
goes on as another user than root.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from pytest_warmci.clients.java import java_runtime
from pytest_warmci.engines.process import artifacts
from pytest_warmci.engines.process.config import ServiceConfig, read_config
from tests.swarm.images import Image, Text, Tree
from tests.swarm.slots import HOME

RECIPE = Path(__file__).parents[2] / "recipe_tests" / "keycloak"
SERVERS = tuple(f"quay.io/keycloak/keycloak:{tag}" for tag in ("26.5.6", "26.6.4", "26.7.3"))
DATABASE = "postgres:16.4"

HURRIED = """\
version: "3.8"
services:
  app:
    environment:
      JAVA_OPTS_APPEND: -XX:-UseG1GC -XX:+UseSerialGC -XX:TieredStopAtLevel=1
      JAVA_OPTS_KC_HEAP: -Xms64m -Xmx512m
    healthcheck: {interval: 2s}
    deploy:
      update_config: {monitor: 1s}
  db:
    healthcheck: {interval: 2s}
    deploy:
      update_config: {monitor: 1s}
"""
"""An override file: the same servers, sooner. A Java that compiles less needs half the time until
Keycloak is up, and the next look at its health is not far. Without a limit of its heap each
Keycloak would take what it likes of the machine's memory: the recipe does not limit its container's.
"""

START_FIRST = """\
version: "3.8"
services:
  app:
    environment:
      KC_SHUTDOWN_DELAY: 5s
    deploy:
      update_config: {order: start-first}
"""
"""An override file: a new Keycloak beside the old one, which serves until the proxy has looked again."""

_JAVA = "/usr/lib/jvm/jre"
_SERVER = (1000, 0)

_PASSWD = "root:x:0:0::/root:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/bash\n"
_GROUP = "root:x:0:\npostgres:x:999:\n"

_REUSED = ("docker-entrypoint.sh", "pg_isready")

# The launchers of process.yml do what the image's programs do; what they ask for in their
# environment is the engine's there, and the container's here. Root only hands the volume over.
_ENTRY = """\
#!/bin/sh
set -eu
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA"
    chown -R postgres:postgres "$PGDATA"
    exec gosu postgres "$0" "$@"
fi
export WARMCI_INSTALL={install} WARMCI_SCRATCH=/tmp
exec /usr/local/lib/docker-entrypoint.sh "$@"
"""
_READY = """\
#!/bin/sh
WARMCI_ADDRESS=localhost exec /usr/local/lib/pg_isready "$@"
"""
_GOSU = """\
#!/bin/sh
set -eu
user=$1
shift
exec /usr/bin/setpriv --reuid "$user" --regid "$user" --init-groups -- "$@"
"""


def keycloak(name: str) -> Image:
    """Keycloak with its Java."""
    says = read_config(RECIPE).services["app"]
    bash = _program("bash")
    trees = (
        Tree(java_runtime().home, _JAVA),
        Tree(_artifact(says, name), says.install, _SERVER),
        Tree(bash, "/bin/bash"),
        Tree(bash, "/bin/sh"),  # the healthcheck opens /dev/tcp, which no other shell knows
    )
    lines = (
        f"ENV JAVA_HOME={_JAVA} KC_RUN_IN_CONTAINER=true LANG=C.UTF-8",
        f"ENTRYPOINT {json.dumps(says.entrypoint)}",
        f"USER {_SERVER[0]}",
    )
    return Image(name, trees, lines=lines)


def postgres(name: str) -> Image:
    """PostgreSQL, with the programs that its image brings and its artifact does not."""
    says = read_config(RECIPE).services["db"]
    installed = _artifact(says, name)
    data = says.environment["PGDATA"]
    sample = "share/postgresql/postgresql.conf.sample"
    config = (installed / sample).read_text("utf-8")
    local = "#listen_addresses = 'localhost'"
    assert local in config
    texts = (
        Text(_PASSWD, "/etc/passwd", 0o644),
        Text(_GROUP, "/etc/group", 0o644),
        Text(_ENTRY.format(install=says.install), "/usr/local/bin/docker-entrypoint.sh"),
        Text(_READY, "/usr/local/bin/pg_isready"),
        Text(_GOSU, "/usr/local/bin/gosu"),
        Text(config.replace(local, "listen_addresses = '*'"), f"{says.install}/{sample}", 0o644),
    )
    trees = (
        Tree(installed, says.install),
        *(Tree(RECIPE / "process" / each, f"/usr/local/lib/{each}") for each in _REUSED),
        Tree(_program("bash"), "/bin/bash"),
        Tree(_program("setpriv"), "/usr/bin/setpriv"),
    )
    lines = (
        f"ENV PATH=/usr/local/bin:/usr/bin:/bin:{says.install}/bin PGDATA={data}",
        f"ENTRYPOINT {json.dumps(says.entrypoint)}",
        f"CMD {json.dumps(says.command)}",
        f"STOPSIGNAL {says.stop_signal}",
        f"VOLUME {data}",
    )
    return Image(name, trees, texts, lines)


def database_program() -> Path:
    """The server in PostgreSQL's image, as a program of this machine."""
    return _artifact(read_config(RECIPE).services["db"], DATABASE) / "bin" / "postgres"


def _artifact(says: ServiceConfig, image: str) -> Path:
    """Fetch what an image is made of, once for all sessions; return its unpacked tree."""
    coordinate = artifacts.coordinate_for(says.artifact, says.image, image)
    shared = os.environ.get("WARMCI_TEST_CACHE")
    cache = (Path(shared) if shared else HOME / "downloads") / "process"
    return artifacts.provide(
        coordinate,
        member=says.member,
        strip=says.strip,
        cache=cache,
        progress=lambda _text: None,
    ).tree


def _program(name: str) -> Path:
    found = shutil.which(name)
    assert found is not None, "room.why_not asks for it, or every Debian has it"
    return Path(found).resolve()
