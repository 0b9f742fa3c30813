"""The one compose file of our own: it only adds our labels to what the recipe's files make."""

from __future__ import annotations

from typing import Any

from pytest_warmci.engines.swarm import labels
from pytest_warmci.model import Stack


def overriding(stack: Stack, *, state: str, token: str) -> dict[str, Any]:
    """Return the content of the compose file that is merged last.

    What changes from deployment to deployment is on the service only, where it restarts nothing:
    a task is made anew when its own spec changes.

    Args:
        stack: What is deployed.
        state: The uuid of the state directory.
        token: Names this deployment.
    """
    owned = {labels.STATE: state}
    marked = {**owned, labels.DEPLOY: token, labels.COMMIT: stack.revision.commit}
    made: dict[str, Any] = {}
    if stack.rendering.version:
        made["version"] = stack.rendering.version  # Docker wants the same one in all files
    made["services"] = {name: {"deploy": {"labels": marked}} for name in stack.services}
    own = [name for name in stack.volumes if name not in stack.shared.volumes]
    secrets = [each.name for each in stack.secrets.values() if not each.server_name]
    for section, names in (
        ("volumes", own),
        ("networks", list(stack.networks)),
        ("configs", list(stack.configs)),
        ("secrets", secrets),
    ):
        if names:
            made[section] = {name: {"labels": owned} for name in names}
    return made
