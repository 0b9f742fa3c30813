"""What has to hold before anything is deployed to a Swarm."""

from __future__ import annotations

import shutil
from typing import Final

from pytest_warmci.clients.docker import Docker, Facts
from pytest_warmci.errors import EngineUnavailable, InputError
from pytest_warmci.model import Stack
from pytest_warmci.protocols import Progress

_LONGEST: Final = 64
"""Characters that the name of a secret or config may have. Source: Docker's own error."""

_LONGEST_SERVICE: Final = 63
"""The same of a service: it is a label in DNS."""


def check_swarm(docker: Docker, info: Facts) -> None:
    """See that an engine is a manager of a Swarm, and that its command line is here.

    Raises:
        EngineUnavailable: It is not.
    """
    check_manager(docker, info)
    if shutil.which("docker") is None:
        raise EngineUnavailable(
            "there is no program `docker`",
            why="stacks are deployed with it",
            remedy="install Docker's command line",
        )


def check_manager(docker: Docker, info: Facts) -> None:
    """See that an engine is a manager of a Swarm.

    Raises:
        EngineUnavailable: It is not.
    """
    where = f"{docker.endpoint.url} ({docker.endpoint.origin})"
    swarm = info["Swarm"]
    if swarm.get("LocalNodeState") != "active":
        raise EngineUnavailable(
            "the Docker engine is in no Swarm",
            where=where,
            why=f"its node is {swarm.get('LocalNodeState') or 'not there'}",
            remedy="docker swarm init makes one of it",
        )
    if not swarm.get("ControlAvailable"):
        raise EngineUnavailable(
            "the Docker engine is a worker of its Swarm, not a manager",
            where=where,
            remedy="name a manager in DOCKER_HOST, or promote this node: docker node promote",
        )


def check_names(stack: Stack) -> None:
    """See that Docker takes the names, and that no data lies outside of the app's own volumes.

    Raises:
        InputError: A name is too long.
        EngineUnavailable: A volume belongs to somebody else, or would be used by every app.
    """
    where = f"{stack.recipe} {stack.revision}"
    small = [(f"secret {each.name}", each.server_name) for each in stack.secrets.values()]
    small += [(f"config {name}", full) for name, (full, _) in stack.configs.items()]
    names = [(what, full, _LONGEST) for what, full in small]
    names += [
        (f"service {name}", f"{stack.name}_{name}", _LONGEST_SERVICE) for name in stack.services
    ]
    for what, full, longest in names:
        if len(full) > longest:
            raise InputError(
                f"the {what} is called {full}: {len(full)} characters, Docker takes {longest}",
                where=where,
                remedy="give it a shorter name, or choose a shorter base domain",
            )
    for name, full in stack.shared.volumes.items():
        raise EngineUnavailable(
            f"the volume {name} is external ({full})",
            where=where,
            why="what is in it can neither be kept with the app nor put back",
            remedy="give the app a volume of its own in an override file",
        )
    for name in stack.volumes:
        full = stack.keys.get(f"volumes.{name}.name", "")
        if full and not full.startswith(f"{stack.name}_"):
            raise EngineUnavailable(
                f"the volume {name} has a name of its own ({full})",
                where=where,
                why="every app of the recipe would use that one volume",
                remedy="leave the name to Docker, or let it begin with ${STACK_NAME}_",
            )


def provide_images(docker: Docker, stack: Stack, progress: Progress) -> None:
    """Pull the images that are not there, and see that the networks of others are.

    Raises:
        FetchFailed: An image cannot be had.
        EngineUnavailable: A network is missing.
    """
    for image in missing_images(docker, stack):
        progress(f"pulling {image}")
        docker.pull(image)
    check_networks(docker, stack)


def missing_images(docker: Docker, stack: Stack) -> list[str]:
    """Return the images of a stack that this node has not."""
    images = dict.fromkeys(service.image for service in stack.services.values())
    return [image for image in images if docker.find_image(image) is None]


def check_networks(docker: Docker, stack: Stack) -> None:
    """See that the networks that a stack uses of others are there.

    Raises:
        EngineUnavailable: One is missing.
    """
    there = docker.network_names()
    for full in stack.shared.networks.values():
        if full not in there:
            raise EngineUnavailable(
                f"the Swarm has no network '{full}'",
                where=f"{stack.recipe} {stack.revision}",
                why="the compose file uses it as external",
                remedy=f"docker network create --driver overlay --attachable {full}",
            )


def granted_seconds(stack: Stack) -> float:
    """Return how long a recipe asks operators to wait for it: its label `timeout`, else 0."""
    labels = f"deploy.labels.coop-cloud.{stack.name}.timeout"
    said = [service.keys.get(labels, "") for service in stack.services.values()]
    return max((float(text) for text in said if text.isdigit()), default=0.0)
