"""A strict Docker engine in memory: one node, a manager of its own Swarm.

It has exactly the methods of `clients.docker.Docker`, so a call that nobody thought of fails. What
is removed goes as it was seen: services at once, their tasks and containers some looks later, and
only then networks and volumes can be removed.
"""

from __future__ import annotations

import base64
import copy
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from pytest_warmci.clients.docker import Endpoint, Facts, Mount
from pytest_warmci.errors import CommandFailed, FetchFailed
from pytest_warmci.model import Stack
from tests.tar_folder import pack, pieces, unpack

NODE = "9j11tfj41478oip84ol6l0vx4"
NAMESPACE = "com.docker.stack.namespace"
LINGERING = 2
"""For how many looks at the containers what was removed is still there."""


class FakeDocker:
    """One engine.

    Args:
        folder: Where its data root is.

    Attributes:
        images: Ids of the images that are here, by their names.
        registry: Ids of those that can be pulled.
        id: Its own.
        state: What its node is in the Swarm.
        logs: What a service has written, or an error, by its name.
        others: Services whose tasks Swarm places on another node.
        crashing: Services whose updates are rolled back.
        held: Things that somebody else uses, by their names.
        helpers: Containers that never ran, by their ids.
        asked: What was done with them, a word and a volume each.
        bridge: The id of the network that it makes when it starts; empty for none.
        meanwhile: What happens each time right after the tasks were asked for.
    """

    def __init__(self, folder: Path) -> None:
        self.endpoint = Endpoint(
            "unix:///fake.sock", "DOCKER_HOST", ("--host", "unix:///fake.sock")
        )
        self.root = folder / "engine"
        self.images: dict[str, str] = {}
        self.registry: dict[str, str] = {}
        self.id = "FWQM:UDTJ"
        self.state: Facts = {
            "NodeID": NODE,
            "LocalNodeState": "active",
            "ControlAvailable": True,
            "Cluster": {"ID": "one-swarm"},
        }
        self.logs: dict[str, bytes | Exception] = {}
        self.others: set[str] = set()
        self.crashing: dict[str, str] = {}
        self.held: set[str] = set()
        self.helpers: dict[str, Mount] = {}
        self.asked: list[str] = []
        self.bridge = "b8e5f764"
        self.meanwhile: Callable[[], object] = lambda: None
        self.values: dict[str, bytes] = {}
        self.things: dict[str, list[Facts]] = {
            kind: [] for kind in ("service", "network", "secret", "config", "volume")
        }
        self.all_tasks: list[Facts] = []
        self.all_containers: list[Facts] = []
        self._labels: dict[str, Mapping[str, str]] = {}
        self._ids = count(1)
        self._left = 0
        certificate = self.root / "swarm" / "certificates" / "swarm-node.crt"
        certificate.parent.mkdir(parents=True)
        certificate.write_text(pem(NODE))

    # -- what Docker has ---------------------------------------------------------------------

    def info(self) -> Facts:
        return {"ID": self.id, "Swarm": dict(self.state), "DockerRootDir": str(self.root)}

    def services(self, labels: Mapping[str, str]) -> list[Facts]:
        return copy.deepcopy(self._list("service", labels))

    def tasks(self, labels: Mapping[str, str]) -> list[Facts]:
        ours = [each for each in self.all_tasks if _has(self._labels[each["ServiceID"]], labels)]
        found = copy.deepcopy(ours)
        self.meanwhile()
        return found

    def containers(self, labels: Mapping[str, str]) -> list[Facts]:
        self._left -= 1
        if self._left == 0:
            alive = {each["ID"] for each in self.things["service"]}
            self.all_tasks = [each for each in self.all_tasks if each["ServiceID"] in alive]
            self.all_containers = [
                each for each in self.all_containers if each["of"] in alive or each["of"] is None
            ]
        return [each for each in self.all_containers if _has(each["Labels"], labels)]

    def networks(self, labels: Mapping[str, str]) -> list[Facts]:
        return self._list("network", labels)

    def network_names(self) -> set[str]:
        return {str(each["Name"]) for each in self.things["network"]} | {"bridge", "host"}

    def secrets(self, labels: Mapping[str, str]) -> list[Facts]:
        return self._list("secret", labels)

    def configs(self, labels: Mapping[str, str]) -> list[Facts]:
        return self._list("config", labels)

    def volumes(self, labels: Mapping[str, str]) -> list[Facts]:
        return self._list("volume", labels)

    def find_network(self, name: str) -> Facts | None:
        assert name == "bridge"
        return {"Name": name, "Id": self.bridge} if self.bridge else None

    def find_secret(self, name: str) -> Facts | None:
        return self._find("secret", name)

    def find_volume(self, name: str) -> Facts | None:
        return self._find("volume", name)

    def find_container(self, container: str) -> Facts | None:
        return next((each for each in self.all_containers if each["Id"] == container), None)

    def find_image(self, name: str) -> Facts | None:
        return {"Id": self.images[name]} if name in self.images else None

    def pull(self, name: str) -> None:
        assert name not in self.images, "pulled again"
        if name not in self.registry:
            raise FetchFailed(f"the image {name} could not be pulled")
        self.images[name] = self.registry[name]

    def create_secret(self, name: str, value: bytes, labels: Mapping[str, str]) -> None:
        if self._find("secret", name) is not None:
            raise CommandFailed("Docker refused", why=f"secret {name} already exists")
        self.values[name] = value
        self.add("secret", name, labels)

    def create_volume(self, name: str, labels: Mapping[str, str]) -> Facts:
        return self._find("volume", name) or self.add("volume", name, labels)

    def create_image(self, name: str, labels: Mapping[str, str]) -> None:
        assert name not in self.images, "made again"
        assert labels
        self.images[name] = "sha256:" + "0" * 20

    def create_container(
        self, name: str, image: str, labels: Mapping[str, str], mount: Mount
    ) -> str:
        assert image in self.images, "Docker would refuse it"
        assert name not in {each.get("Name") for each in self.all_containers}, "that name is taken"
        if self._find("volume", mount.volume) is None:
            self.add("volume", mount.volume, mount.labels)  # without a word
        number = f"container-{next(self._ids):09}"
        self.all_containers.append(
            {"Id": number, "Name": name, "Labels": dict(labels), "of": None}
        )
        self.helpers[number] = mount
        return number

    def read_archive(self, container: str, path: str) -> Generator[bytes, None, None]:
        mount = self.helpers[container]
        assert path == mount.target
        self.asked.append(f"read {mount.volume}")
        yield from pieces(pack(self._mounted(mount), path.removeprefix("/")))

    def write_archive(self, container: str, path: str, content: Iterable[bytes]) -> None:
        mount = self.helpers[container]
        assert not mount.read_only, "Docker would refuse it"
        assert path == "/", "that loses the metadata of the volume's root"
        self.asked.append(f"write {mount.volume}")
        unpack(content, self._mounted(mount), mount.target.removeprefix("/"))

    def _mounted(self, mount: Mount) -> Path:
        found = self._find("volume", mount.volume)
        assert found is not None
        return Path(found["Mountpoint"])

    def remove(self, kind: str, name: str) -> bool:
        if kind == "container":
            self.helpers.pop(name, None)
            self.all_containers = [each for each in self.all_containers if each["Id"] != name]
            return True
        found = [each for each in self.things[kind] if name in (each.get("ID"), each.get("Id"))]
        if kind == "volume":
            found = [each for each in self.things[kind] if each["Name"] == name]
        for each in found:
            if name_of(each) in self.held or self._is_used(kind, each):
                return False
            self.things[kind].remove(each)
            if kind == "service":
                self._left = LINGERING
            if kind == "volume":
                shutil.rmtree(Path(each["Mountpoint"]).parent)
        return True

    def service_logs(self, service: str, lines: int) -> Iterator[bytes]:
        assert lines > 0
        [found] = [each for each in self.things["service"] if each["ID"] == service]
        said = self.logs.get(name_of(found), b"")
        if isinstance(said, Exception):
            raise said
        yield from (line + b"\n" for line in said.splitlines()[-lines:])

    # -- what tests do -----------------------------------------------------------------------

    def add(self, kind: str, name: str, labels: Mapping[str, str], **more: Any) -> Facts:
        """Let there be a thing that nobody of ours has made, or has."""
        number = f"{kind}-{next(self._ids)}"
        made: Facts
        if kind == "network":
            made = {"Id": number, "Name": name, "Labels": dict(labels), **more}
        elif kind == "volume":
            place = self.root / "volumes" / name / "_data"
            place.mkdir(parents=True)
            made = {"Name": name, "Labels": dict(labels), "Mountpoint": str(place)}
            made |= {"Driver": "local", "Options": None, **more}
        else:
            made = {"ID": number, "Spec": {"Name": name, "Labels": dict(labels)}, **more}
        self.things[kind].append(made)
        return made

    def stack_deploy(
        self, endpoint: Endpoint, stack: Stack, recipe: Path, overrides: Sequence[Path]
    ) -> None:
        """Deploy as Docker would; all that runs does so at once, and is healthy."""
        assert endpoint == self.endpoint
        assert (recipe / "compose.yml").is_file(), "the recipe's files are not there"
        for name in stack.shared.networks.values():
            assert name in self.network_names(), "should have been seen before"
        ours = yaml.safe_load(overrides[-1].read_text())
        named = {NAMESPACE: stack.name}
        for kind in ("network", "config"):
            for name, entry in (ours.get(f"{kind}s") or {}).items():
                full = str(entry.get("name") or f"{stack.name}_{name}")
                if self._find(kind, full) is None:
                    self.add(kind, full, {**named, **entry["labels"]})
        for secret in stack.secrets.values():
            if secret.server_name and self._find("secret", secret.server_name) is None:
                raise CommandFailed("docker stack deploy failed", why="secret not found")
        for name, service in stack.services.items():
            for mount in service.volumes:
                entry = ours["volumes"][mount.name]
                full = f"{stack.name}_{mount.name}"
                if self._find("volume", full) is None and name not in self.others:
                    self.add("volume", full, {**named, **entry["labels"]})
            said = ours["services"][name]
            labels = {**named, **said["deploy"]["labels"]}
            self._start(f"{stack.name}_{name}", service.image, labels)
            for each in self.all_containers:
                if each["of"] == self._find("service", f"{stack.name}_{name}")["ID"]:  # type: ignore[index]
                    each["Labels"] |= said["labels"]

    def _start(self, name: str, image: str, labels: Mapping[str, str]) -> None:
        wish = {"ContainerSpec": {"Image": image}}
        found = self._find("service", name)
        again = found is not None and found["Spec"]["TaskTemplate"] == wish
        service = found or self.add("service", name, {}, UpdateStatus=None)
        short = name.rpartition("_")[2]
        if short in self.crashing and found is not None:
            service["UpdateStatus"] = {"State": "rollback_completed", "Message": ""}
            failed = self._task(service, {"ContainerSpec": {"Image": image}}, "failed")
            failed["Status"]["Err"] = self.crashing[short]
            return
        service["Spec"] |= {
            "Labels": dict(labels),
            "TaskTemplate": wish,
            "Mode": {"Replicated": {"Replicas": 1}},
        }
        self._labels[service["ID"]] = labels
        service["UpdateStatus"] = None
        if again:
            return
        if found is not None:
            service["UpdateStatus"] = {"State": "completed", "Message": ""}
            for task in self.all_tasks:
                if task["ServiceID"] == service["ID"]:
                    task["Status"]["State"] = task["DesiredState"] = "shutdown"
        self._task(service, wish, "running", node="node-2" if short in self.others else NODE)

    def _task(self, service: Facts, spec: Facts, state: str, node: str = NODE) -> Facts:
        number = next(self._ids)
        image = spec["ContainerSpec"]["Image"]
        made: Facts = {
            "ID": f"task-{number:09}-and-more",
            "ServiceID": service["ID"],
            "NodeID": node,
            "CreatedAt": f"2026-11-23T10:00:00.{number:09}Z",
            "Spec": spec,
            "DesiredState": "running" if state == "running" else "shutdown",
            "Status": {
                "State": state,
                "Timestamp": "2026-11-23T10:00:00.500000001Z",
                "ContainerStatus": {"ContainerID": f"container-{number:09}", "ExitCode": 0},
            },
        }
        self.all_tasks.append(made)
        if node == NODE:
            self.all_containers.append(
                {
                    "Id": f"container-{number:09}",
                    "Image": self.images[image],
                    "Labels": {NAMESPACE: service["Spec"]["Labels"][NAMESPACE]},
                    "of": service["ID"],
                }
            )
        return made

    # -- inside ------------------------------------------------------------------------------

    def _list(self, kind: str, labels: Mapping[str, str]) -> list[Facts]:
        return [each for each in self.things[kind] if _has(labels_of(each), labels)]

    def _find(self, kind: str, name: str) -> Facts | None:
        return next((each for each in self.things[kind] if name_of(each) == name), None)

    def _is_used(self, kind: str, thing: Facts) -> bool:
        if kind in ("secret", "config"):
            return any(_of_one_stack(each, thing) for each in self.things["service"])
        if kind == "volume" and thing["Name"] in {each.volume for each in self.helpers.values()}:
            return True
        if kind in ("network", "volume"):
            stack = labels_of(thing).get(NAMESPACE)
            return any(each["Labels"].get(NAMESPACE) == stack for each in self.all_containers)
        return False


def pem(node: str) -> str:
    """Return what a node's certificate looks like from afar: its id is its subject."""
    words = base64.encodebytes(b"\x30\x82swarm-ca" + node.encode() + b"swarm-manager").decode()
    return f"-----BEGIN CERTIFICATE-----\n{words}-----END CERTIFICATE-----\n"


def name_of(thing: Facts) -> str:
    return str(thing.get("Spec", thing)["Name"])


def labels_of(thing: Facts) -> Mapping[str, str]:
    return dict(thing.get("Spec", thing)["Labels"])


def _has(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return wanted.items() <= labels.items()


def _of_one_stack(one: Facts, other: Facts) -> bool:
    return labels_of(one).get(NAMESPACE) == labels_of(other).get(NAMESPACE)
