"""What a Swarm has of one app: found by label, removed by label, foreign things refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pytest_warmci.clients.docker import Docker, Facts
from pytest_warmci.engines.swarm import labels
from pytest_warmci.errors import NotEvaluated

# Both of what a stack is made of and in the order in which it can be removed.
_SMALL: Final = ("network", "secret", "config")

_KINDS: Final = ("service", *_SMALL, "volume")

_READS: Final = 20
"""How often both are read anew when services changed between two answers of Docker's. A
deployment changes a service a few times, in seconds; a read takes some milliseconds."""


class Belongings:
    """The things of one stack.

    Args:
        docker: The engine, a manager of the Swarm.
        stack: The stack's name.
        state: The uuid of the state directory whose app it is.
    """

    def __init__(self, docker: Docker, stack: str, state: str) -> None:
        self.docker = docker
        self.stack = stack
        self.state = state
        self._owned: Final = labels.of_app(stack, state)

    def services(self) -> list[Facts]:
        """Return the app's services."""
        return self.docker.services(self._owned)

    def tasks(self) -> list[Facts]:
        """Return the app's tasks, also of services that are gone."""
        return self.docker.tasks(self._owned)

    def moment(self) -> tuple[list[Facts], list[Facts]]:
        """Return the app's services, and its tasks, as they were in one and the same moment.

        Docker answers for one kind at a time. Tasks from before an update failed, beside services
        from after it, would be a failure without a reason.

        Raises:
            NotEvaluated: The services never hold still.
        """
        services = self.services()
        for _ in range(_READS):
            tasks = self.tasks()
            before, services = services, self.services()
            if before == services:
                return services, tasks
        raise NotEvaluated(
            f"the services of the stack '{self.stack}' change without a pause",
            where=self.docker.endpoint.url,
            why=f"they had changed each of the {_READS} times that they were read again",
            remedy="see who else deploys it, and run again",
        )

    def volumes(self) -> list[Facts]:
        """Return the app's volumes on this node."""
        return self.docker.volumes(self._owned)

    def check_ours(self) -> None:
        """See that nothing of this stack belongs to somebody else.

        Raises:
            NotEvaluated: Something does; it is named.
        """
        foreign = list(self._foreign())
        if foreign:
            raise NotEvaluated(
                f"there is a stack '{self.stack}' that is not ours",
                where=self.docker.endpoint.url,
                why=f"without our label: {', '.join(foreign[:5])}",
                remedy="remove it, or choose another base domain",
            )

    def remove_services(self) -> None:
        """Begin to stop the app."""
        for service in self.services():
            self.docker.remove("service", str(service["ID"]))

    def remove_helpers(self) -> None:
        """Remove the containers that showed us volumes, also those of a run that was killed, and
        the volumes that Docker made for one by mistake."""
        for each in self.docker.containers(self._owned):
            if labels.HELPER in (each["Labels"] or {}):
                self.docker.remove("container", str(each["Id"]))
        for each in self.docker.volumes(labels.of_mistake(self.stack, self.state)):
            self.docker.remove("volume", name_of(each))

    def remove_small(self) -> list[str]:
        """Remove networks, secrets and configs; return what is still in use."""
        return [
            f"{kind} {name_of(each)}"
            for kind in _SMALL
            for each in self._ours(kind)
            if not self.docker.remove(kind, str(each.get("ID") or each["Id"]))
        ]

    def remove_volume(self, name: str) -> None:
        """Remove a volume of the app.

        Raises:
            NotEvaluated: Something uses it.
        """
        if not self.docker.remove("volume", name):
            raise NotEvaluated(
                f"the volume {name} is in use",
                where=self.docker.endpoint.url,
                remedy=f"docker ps --all --filter volume={name} shows by what",
            )

    def left(self, *, volumes: bool) -> list[str]:
        """List what there is of the app, by kind and name; of its volumes only if asked."""
        found = [f"service {name_of(each)}" for each in self.services()]
        found += [f"task {task['ID'][:12]}" for task in self.tasks()]
        found += [f"container {each['Id'][:12]}" for each in self.docker.containers(self._owned)]
        for kind in _SMALL:
            found += [f"{kind} {name_of(each)}" for each in self._ours(kind)]
        if volumes:
            found += [f"volume {name_of(each)}" for each in self.volumes()]
        return found

    def _ours(self, kind: str) -> list[Facts]:
        found: list[Facts] = getattr(self.docker, f"{kind}s")(self._owned)
        return found

    def _foreign(self) -> Iterator[str]:
        for kind in _KINDS:
            for each in getattr(self.docker, f"{kind}s")(labels.of_stack(self.stack)):
                if labels_of(each).get(labels.STATE) != self.state:
                    yield f"{kind} {name_of(each)}"


def stacks_of(docker: Docker, state: str) -> set[str]:
    """Return the names of all stacks of which there is anything of a state directory's apps.

    Never by Docker's own list of stacks, which has only those with services.

    Args:
        docker: The engine, a manager of the Swarm.
        state: The state directory's uuid.
    """
    owned = labels.of_state(state)
    found = [each for kind in _KINDS for each in getattr(docker, f"{kind}s")(owned)]
    found += docker.containers(owned)  # their labels are where those of volumes are
    return {str(text) for each in found if (text := labels_of(each).get(labels.NAMESPACE))}


def name_of(thing: Facts) -> str:
    """Return the name of a service, network, secret, config or volume."""
    return str(thing.get("Spec", thing)["Name"])


def labels_of(thing: Facts) -> dict[str, Any]:
    """Return the labels of a service, network, secret, config or volume."""
    return dict(thing.get("Spec", thing).get("Labels") or {})
