"""A stack that takes seconds: one shell that serves a page."""

from __future__ import annotations

import http.client

from pytest_warmci.clients.waiting import Look, WaitedTooLong, wait_until
from tests.swarm.engine import Swarm

PORT = 8080
UP_SECONDS = 30.0

# Published by the node itself, and names without a virtual address: those need IPVS, which not
# every kernel has.
COMPOSE = """\
version: "3.8"
services:
  app:
    image: {image}
    command: [sh, -c, "echo {page} > index.html; exec httpd -f -p 8080"]
    ports:
      - {{target: 8080, published: {port}, protocol: tcp, mode: host}}
    volumes:
      - "data:/data"
    stop_signal: SIGKILL
    deploy:
      endpoint_mode: dnsrr
volumes:
  data:
"""


def deploy(swarm: Swarm, name: str, *, image: str = "web:1", page: str = "up") -> None:
    """Deploy it and wait for its page at `PORT` of the node.

    Raises:
        CommandFailed: The engine refuses it.
        WaitedTooLong: It does not come up.
    """
    text = COMPOSE.format(image=image, page=page, port=PORT)
    words = ("stack", "deploy", "--resolve-image", "never", "--compose-file", "-", name)
    swarm.docker(*words, stdin=text.encode())

    def look() -> Look:
        seen = page_of(swarm)
        return Look(seen == page, f"the page is {seen!r}")

    try:
        wait_until(look, timeout=UP_SECONDS, every=0.05)
    except WaitedTooLong as late:
        tasks = swarm.docker("stack", "ps", "--no-trunc", name, check=False)
        raise WaitedTooLong(f"{late.state}\n{tasks.output}", late.seconds) from None


def page_of(swarm: Swarm) -> str:
    """Return the page that the machine gets from the node; empty when there is none."""
    connection = http.client.HTTPConnection(swarm.node_ip, PORT, timeout=5)
    try:
        connection.request("GET", "/index.html")
        return connection.getresponse().read().decode().strip()
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()
