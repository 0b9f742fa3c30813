"""Which differences between two compose files mean something to a Swarm."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from pytest_warmci.engines.differences import KeyDifferences

IGNORED: Final = (
    "build",
    "cgroup_parent",
    "cgroupns_mode",
    "container_name",
    "depends_on",
    "devices",
    "domainname",
    "expose",
    "external_links",
    "ipc",
    "links",
    "mac_address",
    "network_mode",
    "pid",
    "privileged",
    "restart",
    "security_opt",
    "shm_size",
    "userns_mode",
)
"""Keys of a service that `docker stack deploy` itself takes no notice of, so that a difference in
one of them is none on any Swarm. Source: what `docker stack deploy` says that it ignores (28.2),
and `depends_on`."""

_ignored = re.compile(rf"version|services\.[^.]+\.(?:{'|'.join(IGNORED)})(?:\..*)?")


def classify(keys: Sequence[str]) -> KeyDifferences:
    """Leave out what changes nothing on a Swarm; it honours all the rest, so none is unseen."""
    return KeyDifferences(tuple(key for key in keys if not _ignored.fullmatch(key)), ())
