"""Whether the engine is the one that an app was deployed with, or has started anew since.

An engine that starts ends all containers, those that run on from before it was killed, too. Tasks
have failed then, or ended well and are never started again, and nobody says why.
"""

from __future__ import annotations

from pytest_warmci.clients.docker import Docker
from pytest_warmci.errors import EngineUnavailable

_BRIDGE = "bridge"
"""A network that an engine makes anew, with another id, whenever it starts (seen on Docker 20.10).
It cannot be removed. The record of a node in the Swarm would not do: it also changes when a network
comes to the node."""


def start_of(docker: Docker) -> str:
    """Return what tells one start of an engine from all others; empty where nothing does.

    Raises:
        NotEvaluated: The engine does not answer, or is not ready.
    """
    bridge = docker.find_network(_BRIDGE)
    return "" if bridge is None else str(bridge["Id"])


def started_anew(docker: Docker) -> EngineUnavailable:
    """Return the error that says so."""
    return EngineUnavailable(
        "the Docker engine was away or started anew while the app was deployed",
        where=docker.endpoint.url,
        why="it has ended the app's containers when it started",
        remedy="see why in the engine's own log, and run again",
    )
