"""The labels by which we know our own things on a Swarm again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NAMESPACE: Final = "com.docker.stack.namespace"
"""Docker's own: which stack something belongs to."""

STATE: Final = "pytest-warmci.state"
"""The uuid of the state directory whose app something is of."""

DEPLOY: Final = "pytest-warmci.deploy"
"""On a service: which deployment its spec is of. After Swarm rolled back, that of the old one."""

COMMIT: Final = "pytest-warmci.commit"
"""On a service: the recipe's commit that was deployed."""

HELPER: Final = "pytest-warmci.helper"
"""On a container that never runs, and shows us a volume, and on the image that such are of."""

MISTAKE: Final = "pytest-warmci.mistake"
"""On a volume that Docker made because a helper asked for one that had gone: the uuid of the state
directory. It is nobody's data."""


def of_mistake(stack: str, state: str) -> Mapping[str, str]:
    """Return the labels of a volume that came into being by mistake.

    Args:
        stack: The name of the app's stack.
        state: The uuid of its state directory.
    """
    return {**of_stack(stack), MISTAKE: state}


def of_stack(name: str) -> Mapping[str, str]:
    """Return the label of everything that belongs to a stack, ours or not."""
    return {NAMESPACE: name}


def of_state(state: str) -> Mapping[str, str]:
    """Return the label of everything that belongs to an app of a state directory.

    Args:
        state: The state directory's uuid.
    """
    return {STATE: state}


def of_app(name: str, state: str) -> Mapping[str, str]:
    """Return the labels of everything that belongs to our app.

    Args:
        name: The name of its stack.
        state: The uuid of its state directory.
    """
    return {NAMESPACE: name, **of_state(state)}
