"""The one compose file of our own: it only adds our labels to what the recipe's files make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_warmci.engines.swarm import labels
from pytest_warmci.model import Stack


def overriding(
    stack: Stack, *, state: str, token: str, before: Iterable[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Return the content of the compose file that is merged last.

    What changes from deployment to deployment is on the service only, where it restarts nothing:
    a task is made anew when its own spec changes. Whose it is never changes, so that is on the
    containers, too: they are there when their service is not.

    Docker merges services key by key, but of volumes, networks, secrets and configs an entry of a
    later file replaces the whole one. So those are repeated here as they are in the recipe, or in
    the last override file that has them.

    Args:
        stack: What is deployed.
        state: The uuid of the state directory.
        token: Names this deployment.
        before: The contents of the override files, in their order, not interpolated.
    """
    owned = {labels.STATE: state}
    marked = {**owned, labels.DEPLOY: token, labels.COMMIT: stack.revision.commit}
    made: dict[str, Any] = {}
    if stack.rendering.version:
        made["version"] = stack.rendering.version  # Docker wants the same one in all files
    made["services"] = {
        name: {"labels": owned, "deploy": {"labels": marked}} for name in stack.services
    }
    own = [name for name in stack.volumes if name not in stack.shared.volumes]
    secrets = [each.name for each in stack.secrets.values() if not each.server_name]
    for section, names in (
        ("volumes", own),
        ("networks", list(stack.networks)),
        ("configs", list(stack.configs)),
        ("secrets", secrets),
    ):
        recipes = stack.rendering.entries.get(section, {})
        said = {name: _literal(recipes.get(name) or {}) for name in names}
        for content in before:
            for name, entry in (content.get(section) or {}).items():
                said[name] = dict(entry or {})
        ours = {name: entry for name, entry in said.items() if not entry.get("external")}
        if ours:
            made[section] = {name: _labelled(entry, owned) for name, entry in ours.items()}
    return made


def _labelled(entry: Mapping[str, Any], owned: Mapping[str, str]) -> dict[str, Any]:
    """Return an entry with our labels beside its own."""
    given = entry.get("labels") or {}
    if isinstance(given, list):
        given = {name: text for name, _, text in (str(each).partition("=") for each in given)}
    return {**entry, "labels": {**given, **owned}}


def _literal(value: Any) -> Any:
    """Return a value that was interpolated so that Docker leaves it as it is."""
    if isinstance(value, Mapping):
        return {key: _literal(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_literal(each) for each in value]
    return value.replace("$", "$$") if isinstance(value, str) else value
