"""The volumes of an app: where their data lie, and making and removing them.

They are read and written where Docker keeps them, or through the engine where that cannot be. Only
volumes of the node that the endpoint is are touched. Docker makes an empty volume, without a word,
on whatever node is asked for one of that name, so nothing here asks before it has looked.
"""

from __future__ import annotations

import binascii
import os
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

from pytest_warmci.clients.docker import Facts
from pytest_warmci.engines.swarm import labels
from pytest_warmci.engines.swarm.belongings import Belongings, name_of
from pytest_warmci.engines.swarm.far import FarVolume
from pytest_warmci.errors import EngineUnavailable, NotEvaluated
from pytest_warmci.protocols import Root

_ROOT: Final = "volume:"
"""What the name of a volume's root in a snapshot begins with."""

_THROUGH: Final = "without the engine option volumes=mount they are reached through the engine"

_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


class Volumes:
    """The volumes of one app on this node.

    Args:
        belongings: The app's things.
        info: What the engine says of itself.
        way: How their data are reached: `mount`, where Docker keeps them; `engine`, through it;
            empty, the first one where it is possible.
    """

    def __init__(self, belongings: Belongings, info: Facts, way: str = "") -> None:
        self._belongings = belongings
        self._info = info
        self._way = way

    def places(self) -> Mapping[str, Root]:
        """Map the root of each volume to where its data are reached.

        Raises:
            EngineUnavailable: They cannot be, or are not there while nothing runs.
        """
        volumes = self._by_root()
        for each in volumes.values():
            self._check_kept(each)
        found = {root: Path(str(each["Mountpoint"])) for root, each in volumes.items()}
        hidden = None
        if found and self._way != "engine":
            url = self._belongings.docker.endpoint.url
            hidden = why_hidden(self._info, url, [path.parent for path in found.values()])
        if hidden is not None and self._way == "mount":
            raise hidden
        if hidden is not None or self._way == "engine":
            return {r: FarVolume(self._belongings, name_of(each)) for r, each in volumes.items()}
        return found

    def make(self, roots: Collection[str]) -> Mapping[str, Root]:
        """Create the volumes of these roots that are not there; return the places of all.

        Raises:
            NotEvaluated: A volume of that name belongs to somebody else.
        """
        stack, state = self._belongings.stack, self._belongings.state
        docker = self._belongings.docker
        for root in sorted(set(roots) - self._by_root().keys()):
            name = f"{stack}_{root.removeprefix(_ROOT)}"
            if docker.find_volume(name) is not None:
                raise NotEvaluated(
                    f"the volume {name} is not ours",
                    where=docker.endpoint.url,
                    why=f"it has not the labels {labels.NAMESPACE} and {labels.STATE} of this app",
                    remedy=f"look at what it holds; docker volume rm {name} makes room",
                )
            docker.create_volume(name, labels.of_app(stack, state))
        return self.places()

    def drop(self, keep: Collection[str]) -> None:
        """Remove every volume but those of the roots to keep."""
        for root, each in self._by_root().items():
            if root not in keep:
                self._belongings.remove_volume(name_of(each))

    def _by_root(self) -> dict[str, Facts]:
        prefix = f"{self._belongings.stack}_"
        return {
            _ROOT + name_of(each).removeprefix(prefix): each for each in self._belongings.volumes()
        }

    def _check_kept(self, volume: Facts) -> None:
        """See that the data are in the volume's folder also while no container uses it."""
        options = volume.get("Options") or {}
        if volume["Driver"] != "local" or "type" in options or "device" in options:
            raise EngineUnavailable(
                f"the volume {name_of(volume)} cannot be kept",
                where=self._belongings.docker.endpoint.url,
                why=f"driver {volume['Driver']}, options {options or 'none'}: "
                "its data are not in a folder of the engine",
                remedy="give it the driver 'local' without type and device, in an override file",
            )


def why_hidden(info: Facts, url: str, folders: Iterable[Path]) -> EngineUnavailable | None:
    """Say why volumes are not on this machine, or not for us; None when they can be reached.

    Args:
        info: What the engine says of itself.
        url: Where it answers, for people.
        folders: The folders that one has to go into, and change things in.
    """
    top = Path(str(info["DockerRootDir"]))
    node = str(info["Swarm"]["NodeID"])
    if not _is_here(top, node):
        return EngineUnavailable(
            "the volumes cannot be read from here",
            where=url,
            why=f"{top} of node {node} is not on this machine, or not for user {os.geteuid()}",
            remedy=f"run on the machine of that engine, as root; {_THROUGH}",
        )
    shut = [path for path in folders if not os.access(path, os.W_OK | os.X_OK)]
    if shut:
        return EngineUnavailable(
            "the volumes cannot be written from here",
            where=url,
            why=f"user {os.geteuid()} cannot go into {shut[0]}, or not change it",
            remedy=f"run as root; {_THROUGH}",
        )
    return None


def _is_here(top: Path, node: str) -> bool:
    """Tell whether the data root of an engine is on this machine.

    Another node of the Swarm has the same folders, and a list of the managers. But whose they are
    is in the node's certificate: its subject is the node's id.
    """
    try:
        text = (top / "swarm" / "certificates" / "swarm-node.crt").read_bytes()
        return any(node.encode() in binascii.a2b_base64(each) for each in _PEM.findall(text))
    except (OSError, binascii.Error):
        return False
