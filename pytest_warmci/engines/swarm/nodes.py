"""Whether the nodes that an app is on were there all the time.

When an engine is killed, or starts anew, containers end, tasks are not started again as the recipe
has it, and nobody says why: a service that ends by itself and has `condition: on-failure` is dead
for ever. So before a failure is held against a recipe it is asked whether it could be that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_warmci.clients.docker import Docker, Facts
from pytest_warmci.engines.swarm.belongings import Belongings
from pytest_warmci.errors import EngineUnavailable


def versions(docker: Docker) -> dict[str, int]:
    """Return the version of what the Swarm knows of each node, by the node's id.

    It moves when a node goes and comes, when its engine starts (a manager's that of all nodes, when
    it leads), and when somebody changes the node; never by what is deployed.
    """
    return {str(node["ID"]): _version(node) for node in docker.nodes()}


def away(belongings: Belongings, noted: Mapping[str, Any], own: str) -> EngineUnavailable | None:
    """Return which node of an app was away since its versions were noted; None when none was.

    Args:
        belongings: The app's things.
        noted: What `versions` said before the app was deployed.
        own: The id of the node that the endpoint is.

    Raises:
        NotEvaluated: The engine does not answer, or is not ready yet.
    """
    docker = belongings.docker
    concerned = {own, *(str(task.get("NodeID") or own) for task in belongings.tasks())}
    now = {str(node["ID"]): node for node in docker.nodes()}
    for each in sorted(concerned & noted.keys()):
        node = now.get(each)
        if node is None or _version(node) != noted[each]:
            name = each if node is None else str(node["Description"]["Hostname"])
            return EngineUnavailable(
                f"the engine of node {name} was away or started anew while the app was deployed",
                where=docker.endpoint.url,
                why="the Swarm's record of that node has changed since then",
                remedy="see why in the engine's own log, and run again",
            )
    return None


def _version(node: Facts) -> int:
    return int(node["Version"]["Index"])
