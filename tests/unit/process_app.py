"""A recipe of two tiny services for the process engine, its artifacts already in the cache."""

from __future__ import annotations

import io
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from pytest_warmci.engines.process.engine import ProcessEngine
from pytest_warmci.model import Revision, Stack
from pytest_warmci.naming import stack_name
from pytest_warmci.recipes.compose import render

WEB = f"""#!{sys.executable} -SE
import os, signal, socket, sys, time
mode = os.environ.get("MODE", "")
password = open(os.environ["PASSWORD_FILE"]).read()
print("web starts with", password, flush=True)
if "exits" in mode:
    sys.exit(3)
if "deaf" in mode:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "child" in mode and os.fork() == 0:
    time.sleep(60)
if "mute" in mode:
    time.sleep(60)
with open(os.path.join(os.environ["DATA"], "starts"), "a") as file:
    file.write("x")
server = socket.create_server((os.environ["WARMCI_ADDRESS"], int(os.environ["PORT"])))
while True:
    connection, _ = server.accept()
    connection.recv(4096)
    connection.sendall(b"HTTP/1.0 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nup")
    connection.close()
"""

DB = f"""#!{sys.executable} -SE
import os, time
time.sleep(0.05)
open(os.path.join(os.environ["DATA"], "ready"), "w").close()
time.sleep(60)
"""

READY = '#!/bin/sh\ntest -f "$DATA/ready"\n'

PROCESS_YML = """\
format: 1
served: {service: app, port: 8080}
services:
  app:
    image: example.org/web
    artifact: "maven:org.example:web:{tag}:tar.gz"
    install: /opt/web
    entrypoint: [/opt/web/bin/web]
    environment: {FROM_IMAGE: "1"}
    stand_ins:
      environment:
        PORT: {text: null, value: "{port}"}
      healthcheck:
        text: curl localhost
        http: {port: 8080, path: /health, status: 200}
  db:
    image: db
    artifact: "maven:org.example:db:{tag}:tar.gz"
    install: /opt/db
    entrypoint: [/opt/db/bin/db]
    programs:
      ready: process/ready
"""

COMPOSE = """\
version: "3.8"
services:
  app:
    image: example.org/web:1.0
    environment:
      MODE: "${MODE:-}"
      DATA: /data
      PASSWORD_FILE: /run/secrets/password
    secrets: [password]
    configs:
      - {source: settings, target: /etc/web.conf, mode: 0444}
    volumes: ["web:/data"]
    depends_on: [db]
    stop_grace_period: 300ms
    healthcheck:
      test: curl localhost
      interval: 1s
      timeout: 2s
      retries: 1
      start_period: ${START:-20s}
  db:
    image: db:2.0
    environment: {DATA: /var/db, NOTE: "${NOTE:-}"}
    volumes: ["db:/var/db"]
    stop_grace_period: 5s
    healthcheck:
      test: [CMD, ready]
      interval: 1s
      timeout: 2s
      retries: 1
      start_period: 20s
volumes: {web: , db: }
configs:
  settings: {name: "${STACK_NAME}_settings_v1", file: settings}
secrets:
  password: {external: true, name: "${STACK_NAME}_password_v1"}
"""


@dataclass(frozen=True)
class Spot:
    """One app's place."""

    domain: str
    folder: Path


class TinyApp:
    """The recipe's folder, the engine, and one app. `files` are the recipe's."""

    def __init__(self, folder: Path) -> None:
        self.recipe = folder / "tiny"
        (self.recipe / "process").mkdir(parents=True)
        (self.recipe / "process.yml").write_text(PROCESS_YML)
        ready = self.recipe / "process" / "ready"
        ready.write_text(READY)
        ready.chmod(0o755)
        self.cache = folder / "cache"
        put_artifact(self.cache, "web:1.0", {"bin/web": WEB, "lib/data": "1"})
        put_artifact(self.cache, "web:1.1", {"bin/web": WEB + "# newer\n"})
        put_artifact(self.cache, "db:2.0", {"bin/db": DB})
        self.said: list[str] = []
        self.engine = self.new_engine()
        self.spot = Spot("tiny.warmci.localhost", folder / "apps" / "tiny.warmci.localhost")
        self.files = {"compose.yml": COMPOSE, "settings": "data=/data\n"}

    def new_engine(self) -> ProcessEngine:
        """Return an engine that remembers nothing, as in another session."""

        def progress(text: str) -> None:
            self.said.append(text)

        return ProcessEngine(self.recipe, self.cache, progress)

    def stack(self, commit: str = "a", **env: str) -> Stack:
        """Render the recipe for the app; `env` goes into the compose file."""
        domain = self.spot.domain
        return render(
            lambda path: self.files[path].encode() if path in self.files else None,
            recipe="tiny",
            domain=domain,
            revision=Revision(commit * 40, "1.0.0+1.0", published=True),
            env={"DOMAIN": domain, "STACK_NAME": stack_name(domain), **env},
        )

    def up(self, stack: Stack | None = None, timeout: float = 10) -> Stack:
        """Deploy and wait."""
        wanted = stack or self.stack()
        self.engine.deploy(self.spot, wanted)
        self.engine.wait_converged(self.spot, wanted, timeout)
        return wanted

    def down(self, timeout: float = 10) -> None:
        """Undeploy and wait."""
        self.engine.undeploy(self.spot)
        self.engine.settle(self.spot, timeout)

    def log(self, service: str = "app") -> str:
        return self.engine.logs(self.spot)[service].read_text()


def put_artifact(cache: Path, name: str, files: dict[str, str]) -> Path:
    """Put a tar.gz into the cache as if it had been fetched; return the file."""
    artifact, _, version = name.partition(":")
    folder = cache / "process" / "artifacts" / f"org.example_{artifact}_{version}_tar.gz"
    folder.mkdir(parents=True)
    path = folder / f"{artifact}-{version}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for member, text in files.items():
            info = tarfile.TarInfo(member)
            info.size = len(text.encode())
            info.mode = 0o755 if member.startswith("bin/") else 0o644
            archive.addfile(info, io.BytesIO(text.encode()))
    return path
