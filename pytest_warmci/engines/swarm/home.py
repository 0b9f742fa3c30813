"""Which Swarm an app is on: asked at another one, nothing of it would seem to be left."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pytest_warmci.clients.files import make_folder, read_record, write_json
from pytest_warmci.errors import EngineUnavailable
from pytest_warmci.model import FORMAT

_FILE: Final = "home.json"


def settle_in(folder: Path, info: Mapping[str, Any], url: str) -> None:
    """Write down that the app is on this Swarm, before anything of it is made there.

    Args:
        folder: The app's folder of this engine.
        info: What the engine says of itself.
        url: Where it answers, for people.
    """
    make_folder(folder)
    write_json(
        folder / _FILE,
        {"format": FORMAT, **_ids(info), "node": str(info["Swarm"]["NodeID"]), "url": url},
    )


def check_home(folder: Path, info: Mapping[str, Any], url: str) -> None:
    """See that an app that was deployed is on this Swarm; fine when it never was.

    A Swarm that was left and made anew on the same engine has another id, and kept its volumes: so
    one of the two has to be the same.

    Raises:
        EngineUnavailable: It is on another one.
        StateDamaged: The record cannot be read.
    """
    home, ids = _read(folder), _ids(info)
    if home is None or any(ids[name] and ids[name] == home.get(name) for name in ids):
        return
    path = folder / _FILE
    raise EngineUnavailable(
        "the app is on another Swarm",
        where=str(path),
        why=f"it was deployed at {home.get('url')}; the one at {url} is not that",
        remedy=f"name that one in DOCKER_HOST; if it is gone for good, remove {path}",
    )


def check_holder(folder: Path, info: Mapping[str, Any], url: str) -> None:
    """See that this engine is the one with the app's volumes; fine when there never was one.

    Another manager of the Swarm has the services, but other volumes, or none: what is not there
    would be made anew.

    Raises:
        EngineUnavailable: It is another one.
        StateDamaged: The record cannot be read.
    """
    home = _read(folder)
    if home is None or home.get("engine") == _ids(info)["engine"]:
        return
    node = str(info["Swarm"]["NodeID"])
    if home.get("node") == node:
        return
    raise EngineUnavailable(
        "the app's volumes are on another node",
        where=str(folder / _FILE),
        why=f"it was deployed at {home.get('url')}, node {home.get('node') or 'unknown'}; "
        f"the one at {url} is {node}",
        remedy=f"name that one in DOCKER_HOST; if it is gone for good, remove {folder / _FILE}",
    )


def _read(folder: Path) -> dict[str, Any] | None:
    try:
        return read_record(
            folder / _FILE, "record of an app's Swarm", remedy="name its Swarm in DOCKER_HOST"
        )
    except FileNotFoundError:
        return None


def _ids(info: Mapping[str, Any]) -> dict[str, str]:
    cluster = info["Swarm"].get("Cluster") or {}
    # All engines of a machine share the id, which is in a file of /etc, but not their data.
    engine = f"{info.get('ID') or ''} {info['DockerRootDir']}"
    return {"swarm": str(cluster.get("ID") or ""), "engine": engine}
