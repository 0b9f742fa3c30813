"""The proof that what was deployed is what runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pytest_warmci.clients.docker import Docker, Facts
from pytest_warmci.engines.swarm import labels
from pytest_warmci.engines.swarm.belongings import Belongings, labels_of
from pytest_warmci.engines.swarm.convergence import look_at
from pytest_warmci.errors import NotEvaluated
from pytest_warmci.model import Service, Stack

_DO: Final = "see who else deploys it or changes images there, and run again"


def proof_of(belongings: Belongings, stack: Stack, token: str, node: str) -> str:
    """Prove that exactly `stack` runs: its deployment, its commit, its images, where its data is.

    Args:
        belongings: The app's things.
        stack: What was deployed.
        token: The label of that deployment.
        node: The id of the node that the endpoint is.

    Returns:
        The proof in words.

    Raises:
        NotEvaluated: Something else runs, or on another node than the volumes.
    """
    wanted = {labels.COMMIT: stack.revision.commit, labels.DEPLOY: token}
    services, tasks = belongings.moment()
    by_name = {str(each["Spec"]["Name"]): each for each in services}
    words = []
    for name, service in stack.services.items():
        found = by_name.get(f"{stack.name}_{name}")
        what = f"service '{name}' does not run as {stack.revision} says"
        if found is None or not wanted.items() <= labels_of(found).items():
            raise NotEvaluated(what, why="its labels are not those of this deployment", remedy=_DO)
        seen = look_at(found, tasks, token, ())
        if not seen.good:
            raise NotEvaluated(what, why=str(seen), remedy=_DO)
        own = [
            task
            for task in tasks
            if task["ServiceID"] == found["ID"] and task["Status"]["State"] == "running"
        ]
        words.append(_prove_tasks(belongings.docker, service, own, node))
    # Swarm says nothing of updates where there was none since the service was made.
    updated = any(each.get("UpdateStatus") for each in by_name.values())
    how = "updated in place" if updated else "deployed once"
    return f"{', '.join(words)}; {how} as commit {stack.revision.commit[:8]} says"


def _other_image(service: Service, found: str) -> NotEvaluated:
    return NotEvaluated(
        f"service '{service.name}' does not run the image {service.image}",
        why=f"it runs {found}",
        remedy=_DO,
    )


def _prove_tasks(docker: Docker, service: Service, tasks: Sequence[Facts], node: str) -> str:
    name, image = service.name, service.image
    shown = ""
    for task in tasks:
        if task["Spec"]["ContainerSpec"]["Image"] != image:
            raise _other_image(service, str(task["Spec"]["ContainerSpec"]["Image"]))
        if str(task["NodeID"]) != node:
            if service.volumes:
                raise NotEvaluated(
                    f"service '{name}' runs on another node than {node}",
                    why="its volumes are there, where this engine cannot keep them",
                    remedy="pin it with a placement constraint in an override file",
                )
            continue
        container = docker.find_container(str(task["Status"]["ContainerStatus"]["ContainerID"]))
        wanted = docker.find_image(image)
        if container is None or wanted is None or container["Image"] != wanted["Id"]:
            raise _other_image(service, "another one of that name")
        shown = f" ({wanted['Id'].removeprefix('sha256:')[:12]})"
    return f"{name} runs {image}{shown}" if tasks else f"{name} is not to run"
