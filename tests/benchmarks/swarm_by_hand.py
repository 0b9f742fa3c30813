"""The same steps as a quick run on a Swarm, by hand: `docker` commands, one after the other.

It knows beforehand what there is and when to go on, checks nothing and keeps nothing: the floor
that a quick run is measured against.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_warmci.clients import command
from pytest_warmci.clients.waiting import Look, wait_until
from pytest_warmci.engines.secrets import secret_path
from pytest_warmci.engines.swarm.labels import of_stack
from pytest_warmci.model import Enrolment, Revision, Stack
from pytest_warmci.recipes.source import Source
from pytest_warmci.runs.deploying import probe_once
from pytest_warmci.runs.place import Place
from tests.swarm.front import Front

LIMIT = 300.0
EVERY = 0.01
OVER = frozenset({"complete", "failed", "shutdown"})


@dataclass(frozen=True)
class Version:
    """One version of the app: rendered, and the folder with its files."""

    stack: Stack
    files: Path


@dataclass(frozen=True)
class ByHand:
    """All that has to be known of one app.

    Attributes:
        front: The Swarm, and what is in front of it.
        enrolment: The recipe's, for what the app answers.
        url: Where it answers.
        base: The known-good.
        head: The version under test.
        secrets: The value of each secret, by its full name.
    """

    front: Front
    enrolment: Enrolment
    url: str
    base: Version
    head: Version
    secrets: Mapping[str, bytes]

    def run(self, data: Mapping[str, Path]) -> float:
        """Do the steps on copies of a canonical's volumes; return the seconds that they took."""
        docker, name = self.front.swarm.docker, self.base.stack.name
        begun = time.monotonic()
        for volume, kept in data.items():
            docker("volume", "create", f"{name}_{volume}")
            where = docker("volume", "inspect", "-f", "{{.Mountpoint}}", f"{name}_{volume}")
            command.run(["cp", "-a", f"{kept}/.", where.text.strip()], timeout=LIMIT)
        for secret, value in self.secrets.items():
            docker("secret", "create", secret, "-", stdin=value)
        for version in (self.base, self.head):
            self._deploy(version)
            wait_until(self._settled, timeout=LIMIT, every=EVERY)
            wait_until(self._serves, timeout=LIMIT, every=EVERY)
        docker("stack", "rm", name)
        wait_until(self._gone, timeout=LIMIT, every=EVERY)
        for secret in self.secrets:
            docker("secret", "rm", secret)
        seconds = time.monotonic() - begun
        for volume in data:
            docker("volume", "rm", f"{name}_{volume}")
        return seconds

    def _deploy(self, version: Version) -> None:
        override = self.front.dnsrr(*version.stack.services)
        files = [*(version.files / name for name in version.stack.rendering.files), override]
        words = [word for path in files for word in ("--compose-file", path)]
        self.front.swarm.docker(
            *("stack", "deploy", "--resolve-image", "never", "--detach=true"),
            *words,
            version.stack.name,
            env=dict(version.stack.rendering.variables),
        )

    def _settled(self) -> Look:
        """See whether each service has one task, which runs what it should."""
        wishes = {}
        for service in self._asked("services"):
            if (service.get("UpdateStatus") or {}).get("State") not in (None, "completed"):
                return Look(False, "an update is under way")
            wishes[service["ID"]] = service["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
        alive = [task for task in self._asked("tasks") if task["Status"]["State"] not in OVER]
        running = {
            task["ServiceID"]: task["Spec"]["ContainerSpec"]["Image"]
            for task in alive
            if task["Status"]["State"] == "running"
        }
        return Look(running == wishes and len(alive) == len(wishes), f"{running} of {wishes}")

    def _serves(self) -> Look:
        return probe_once(self.url, self.enrolment.probe)

    def _gone(self) -> Look:
        left = [*self._asked("containers/json", all="1"), *self._asked("networks")]
        return Look(not left, f"{len(left)} left")

    def _asked(self, what: str, **query: str) -> list[dict[str, Any]]:
        labels = [f"{name}={value}" for name, value in of_stack(self.base.stack.name).items()]
        found: list[dict[str, Any]] = self.front.swarm.api.call(
            "GET", f"/{what}", filters=json.dumps({"label": labels}), **query
        )
        return found


def known(
    front: Front, canonical: Place, enrolment: Enrolment, source: Source, domain: str, top: Path
) -> ByHand:
    """Find out all that has to be known, for an app of its own.

    Args:
        front: The Swarm, and what is in front of it.
        canonical: The canonical whose version and secrets the app has.
        enrolment: Its recipe's.
        source: Where its versions are.
        domain: The new app's.
        top: A folder for its files.
    """
    deployed = canonical.deployed()
    assert deployed is not None
    place = Place(canonical.recipe, domain, top / domain)
    place.create(source, deployed)

    def version(revision: Revision) -> Version:
        files = top / revision.commit
        source.export(revision.commit, files)
        return Version(place.stack(source, revision), files)

    base = version(deployed)
    return ByHand(
        front=front,
        enrolment=enrolment,
        url=front.engine().address(place),
        base=base,
        head=version(source.resolve("HEAD")),
        secrets={
            secret.server_name: secret_path(canonical.folder, secret).read_bytes().strip()
            for secret in base.stack.secrets.values()
        },
    )
