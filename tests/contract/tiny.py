"""A recipe that every engine can run: a server and a database of a few lines, with data of both.

The compose file is one for all engines. What an engine needs beside it (process.yml, images) is
made by its ground: see `grounds.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_warmci.clients import http
from pytest_warmci.model import Revision, Stack
from pytest_warmci.naming import stack_name
from pytest_warmci.protocols import Root
from pytest_warmci.recipes.compose import render
from pytest_warmci.store.streams import apart, read_trees
from tests.unit import process_app

WEB_IMAGE, DB_IMAGE = "example.org/tiny-web", "example.org/tiny-db"
PORT = 8080
RECIPE = "tiny"

# The same programs for all engines. `MODE` chooses what goes wrong.
WEB = """\
import os, signal, socket, sys
mode = os.environ.get("MODE", "")
print("web starts with", open(os.environ["PASSWORD_FILE"]).read(), flush=True)
if mode == "exits":
    sys.exit(3)
if mode == "mute":
    signal.pause()
with open(os.path.join(os.environ["DATA"], "starts"), "a") as file:
    file.write("x")
where = os.environ.get("WARMCI_ADDRESS", "0.0.0.0"), int(os.environ.get("PORT", "8080"))
server = socket.create_server(where)
while True:
    connection, _ = server.accept()
    connection.recv(4096)
    body = ("tiny " + open(os.environ["SETTINGS"]).read().strip()).encode()
    head = b"HTTP/1.0 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body)
    connection.sendall(head + body)
    connection.close()
"""

DB = """\
import os, signal
open(os.path.join(os.environ["DATA"], "ready"), "w").close()
signal.pause()
"""

READY = '#!/bin/sh\ntest -f "$DATA/ready"\n'

COMPOSE = """\
version: "3.8"
services:
  app:
    image: example.org/tiny-web:${WEB:-1.0}
    environment:
      MODE: "${MODE:-}"
      DATA: /data
      SETTINGS: /etc/tiny.conf
      PASSWORD_FILE: /run/secrets/password
    secrets: [password]
    configs:
      - {source: settings, target: /etc/tiny.conf, mode: 0444}
    volumes: ["web:/data"]
    depends_on: [db]
    stop_grace_period: 1s
    healthcheck:
      test: wget -q -O /dev/null http://127.0.0.1:8080/
      interval: 1s
      timeout: 2s
      retries: 2
      start_period: 2s
    deploy:
      restart_policy: {condition: any, delay: 0s}
      update_config: {failure_action: rollback, order: stop-first, monitor: 1s}
  db:
    image: example.org/tiny-db:2.0
    environment: {DATA: /var/db}
    volumes: ["db:/var/db"]
    stop_grace_period: 1s
    healthcheck:
      test: [CMD, ready]
      interval: 1s
      timeout: 2s
      retries: 1
      start_period: 20s
    deploy:
      update_config: {failure_action: rollback, order: stop-first, monitor: 1s}
volumes: {web: , db: }
configs:
  settings: {name: "${STACK_NAME}_settings_${SETTINGS_VERSION}", file: settings}
secrets:
  password: {external: true, name: "${STACK_NAME}_password_v1"}
"""

SETTINGS = "of one"


@dataclass(frozen=True)
class Spot(process_app.Spot):
    """One app's place."""

    @property
    def recipe(self) -> Path:
        """The app's own copy of the recipe's files, as runs keep it."""
        return self.folder / "recipe"


def stack(spot: Spot, commit: str = "a", **env: str) -> Stack:
    """Render the recipe for an app, and put its files where a run keeps them.

    Args:
        spot: The app.
        commit: One hex digit, the whole commit is made of it.
        env: The app's environment: WEB is the version of the server, MODE what goes wrong.
    """
    files = {"compose.yml": COMPOSE, "settings": f"{SETTINGS}\n"}
    spot.recipe.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (spot.recipe / name).write_text(text)

    def read(path: str) -> bytes | None:
        return files[path].encode() if path in files else None

    version = env.get("WEB", "1.0")
    return render(
        read,
        recipe=RECIPE,
        domain=spot.domain,
        revision=Revision(commit * 40, f"1.0.0+{version}", published=True),
        env={
            "DOMAIN": spot.domain,
            "STACK_NAME": stack_name(spot.domain),
            "SETTINGS_VERSION": "v1",
        }
        | env,
    )


def page(url: str) -> str:
    """Return what the app says at its address; empty when nobody answers."""
    answer = http.get(f"{url}/", timeout=5)
    return answer.text if answer.status == 200 else ""


def starts(data: Mapping[str, Root]) -> int:
    """Count how often the server has started on this data."""
    near, far = apart(data)
    found = [path.stat().st_size for root in near.values() for path in root.rglob("starts")]
    found += [entry.size for entry in read_trees(far) if entry.path == "starts"]
    return found[0] if found else 0
