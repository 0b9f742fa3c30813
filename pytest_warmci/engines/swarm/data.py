"""The volumes of an app: where their data lies, and making and removing them.

Only volumes of the node that the endpoint is are touched. Docker makes an empty volume, without a
word, on whatever node is asked for one of that name, so nothing here asks before it has looked.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from pytest_warmci.clients.docker import Facts
from pytest_warmci.engines.swarm import labels
from pytest_warmci.engines.swarm.belongings import Belongings, name_of
from pytest_warmci.errors import EngineUnavailable, NotEvaluated

_ROOT: Final = "volume:"
"""What the name of a volume's root in a snapshot begins with."""


class Volumes:
    """The volumes of one app on this node.

    Args:
        belongings: The app's things.
        info: What the engine says of itself.
    """

    def __init__(self, belongings: Belongings, info: Facts) -> None:
        self._belongings = belongings
        self._info = info

    def places(self) -> dict[str, Path]:
        """Map the root of each volume to the folder that holds its data.

        Raises:
            EngineUnavailable: That folder cannot be reached from here.
        """
        prefix = f"{self._belongings.stack}_"
        found = {
            _ROOT + name_of(each).removeprefix(prefix): Path(str(each["Mountpoint"]))
            for each in self._belongings.volumes()
        }
        if found:
            self._check_reachable(found)
        return found

    def make(self, roots: Collection[str]) -> Mapping[str, Path]:
        """Create the volumes of these roots that are not there; return the places of all.

        Raises:
            NotEvaluated: A volume of that name belongs to somebody else.
        """
        stack, state = self._belongings.stack, self._belongings.state
        docker = self._belongings.docker
        for root in sorted(set(roots) - self.places().keys()):
            name = f"{stack}_{root.removeprefix(_ROOT)}"
            if docker.find_volume(name) is not None:
                raise NotEvaluated(f"the volume {name} is not ours", where=docker.endpoint.url)
            docker.create_volume(name, labels.of_app(stack, state))
        return self.places()

    def drop(self, keep: Collection[str]) -> None:
        """Remove every volume but those of the roots to keep."""
        for root in self.places():
            if root not in keep:
                name = f"{self._belongings.stack}_{root.removeprefix(_ROOT)}"
                self._belongings.remove_volume(name)

    def _check_reachable(self, places: Mapping[str, Path]) -> None:
        """See that the engine's folders are on this machine, and that we may go into them."""
        top = Path(str(self._info["DockerRootDir"]))
        node = str(self._info["Swarm"]["NodeID"])
        if not _is_here(top, node):
            raise EngineUnavailable(
                "the volumes cannot be read from here",
                where=self._belongings.docker.endpoint.url,
                why=f"{top} of node {node} is not on this machine, or not for user {os.geteuid()}",
                remedy="run on the machine of that engine, as root",
            )
        shut = [path for path in places.values() if not os.access(path.parent, os.W_OK | os.X_OK)]
        if shut:
            raise EngineUnavailable(
                "the volumes cannot be written from here",
                where=str(shut[0]),
                why=f"this runs as user {os.geteuid()}",
                remedy="run as root",
            )


def _is_here(top: Path, node: str) -> bool:
    """Tell whether an engine's data root is on this machine: its Swarm's own record says so."""
    try:
        record = json.loads((top / "swarm" / "state.json").read_text("utf-8"))
        return any(each.get("node_id") == node for each in record)
    except (OSError, ValueError, AttributeError, TypeError):
        return False
