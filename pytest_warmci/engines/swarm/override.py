"""The one compose file of our own: it only adds our labels to what the recipe's files make."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_warmci.engines.swarm import labels
from pytest_warmci.model import Stack


def overriding(
    stack: Stack, *, state: str, token: str, configs: Mapping[str, Path]
) -> dict[str, Any]:
    """Return the content of the compose file that is merged last.

    What changes from deployment to deployment is on the service only, where it restarts nothing:
    a task is made anew when its own spec changes.

    Args:
        stack: What is deployed.
        state: The uuid of the state directory.
        token: Names this deployment.
        configs: For each config a file with its content: an entry that names none is taken to
            name the folder.
    """
    owned = {labels.STATE: state}
    marked = {**owned, labels.DEPLOY: token, labels.COMMIT: stack.revision.commit}
    made: dict[str, Any] = {}
    if stack.rendering.version:
        made["version"] = stack.rendering.version  # Docker wants the same one in all files
    made["services"] = {name: {"deploy": {"labels": marked}} for name in stack.services}
    own = [name for name in stack.volumes if name not in stack.shared.volumes]
    files = {
        each.name: stack.keys.get(f"secrets.{each.name}.file", "")
        for each in stack.secrets.values()
        if not each.server_name
    }
    sections: dict[str, dict[str, dict[str, Any]]] = {
        "volumes": {name: {} for name in own},
        "networks": {name: {} for name in stack.networks},
        "configs": {name: {"file": str(path)} for name, path in configs.items()},
        "secrets": {name: {"file": path} for name, path in files.items()},
    }
    for section, entries in sections.items():
        if entries:
            made[section] = {name: {**each, "labels": owned} for name, each in entries.items()}
    return made
