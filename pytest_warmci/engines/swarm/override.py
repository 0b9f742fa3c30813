"""The one compose file of our own: it only adds our labels to what the recipe's files make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_warmci.engines.swarm import labels
from pytest_warmci.model import Stack


def overriding(stack: Stack, *, state: str, token: str) -> dict[str, Any]:
    """Return the content of the compose file that is merged last.

    What changes from deployment to deployment is on the service only, where it restarts nothing:
    a task is made anew when its own spec changes.

    Docker merges services key by key, but of volumes, networks, secrets and configs an entry of a
    later file replaces the whole one. So those are repeated here as they are in the recipe.

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
            said = stack.rendering.entries.get(section, {})
            made[section] = {name: _labelled(said.get(name) or {}, owned) for name in names}
    return made


def _labelled(entry: Mapping[str, Any], owned: Mapping[str, str]) -> dict[str, Any]:
    """Return an entry with our labels beside its own."""
    given = entry.get("labels") or {}
    if isinstance(given, list):
        given = {name: text for name, _, text in (str(each).partition("=") for each in given)}
    return {**_literal(entry), "labels": {**_literal(given), **owned}}


def _literal(value: Any) -> Any:
    """Return a value that was interpolated so that Docker leaves it as it is."""
    if isinstance(value, Mapping):
        return {key: _literal(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_literal(each) for each in value]
    return value.replace("$", "$$") if isinstance(value, str) else value
