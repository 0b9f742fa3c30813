"""Services and tasks as Docker's API describes them, small."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TOKEN = "this-deployment"
STACK = "shop_example"

REPLICATED: Mapping[str, Any] = {"Replicated": {"Replicas": 1}}
GLOBAL: Mapping[str, Any] = {"Global": {}}


def container(image: str) -> dict[str, Any]:
    return {"Image": image, "Labels": {"com.docker.stack.namespace": STACK}}


def service(
    name: str = "app",
    update: str = "",
    *,
    image: str = "web:2",
    mode: Mapping[str, Any] = REPLICATED,
    message: str = "",
    token: str = TOKEN,
    iteration: int | None = None,
    **template: Any,
) -> dict[str, Any]:
    """Return a service whose wish is `image`; `template` is more of what its tasks are made of."""
    made: dict[str, Any] = {
        "ID": f"id-of-{name}",
        "Spec": {
            "Name": f"{STACK}_{name}",
            "Labels": {"com.docker.stack.namespace": STACK, "pytest-warmci.deploy": token},
            "TaskTemplate": {
                "ContainerSpec": container(image),
                "Placement": {"Constraints": []},
                "Runtime": "container",
                **template,
            },
            "Mode": mode,
        },
    }
    if update:
        made["UpdateStatus"] = {"State": update, "Message": message}
    if iteration is not None:
        made["JobStatus"] = {"JobIteration": {"Index": iteration}}
    return made


def task(
    number: int,
    state: str,
    error: str = "",
    *,
    of: str = "app",
    image: str = "web:2",
    desired: str = "",
    code: int = 0,
    iteration: int | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """Return a task; later ones have higher numbers. What has ended was to end unless said."""
    ended = state in ("complete", "failed", "shutdown", "rejected", "orphaned", "remove")
    made: dict[str, Any] = {
        "ID": f"task-{number}",
        "ServiceID": f"id-of-{of}",
        "CreatedAt": f"2026-11-23T10:00:{number:02}.5Z",
        "Spec": {"ContainerSpec": container(image), "Placement": {}, **spec},
        "Status": {"State": state, "ContainerStatus": {"ExitCode": code}},
        "DesiredState": desired or ("shutdown" if ended else "running"),
    }
    if error:
        made["Status"]["Err"] = error
    if iteration is not None:
        made["JobIteration"] = {"Index": iteration}
    return made


def old(number: int, state: str, error: str = "", **more: Any) -> dict[str, Any]:
    """Return a task of the version before."""
    return task(number, state, error, image="web:1", **more)
