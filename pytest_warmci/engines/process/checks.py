"""Can this machine run the process engine?"""

from __future__ import annotations

import platform

from pytest_warmci.clients import command
from pytest_warmci.engines.process.plan import UNPRIVILEGED
from pytest_warmci.errors import CommandFailed, EngineUnavailable


def check_machine() -> None:
    """Raise `EngineUnavailable` unless this is Linux on x86_64."""
    system, machine = platform.system(), platform.machine()
    if (system, machine) != ("Linux", "x86_64"):
        raise EngineUnavailable(
            f"the engine process runs on Linux x86_64, this is {system} {machine}",
            why="its servers are native programs of that platform",
            remedy="run in a Linux x86_64 machine or container",
        )


def check_user_namespaces() -> None:
    """Raise `EngineUnavailable` when we are root and may not make a user namespace."""
    try:
        command.run([*UNPRIVILEGED, "true"], timeout=20)
    except CommandFailed as error:
        raise EngineUnavailable(
            "this machine refuses user namespaces, and PostgreSQL refuses to run as root",
            why=error.why or error.what,
            remedy="run as a normal user; or allow them: sysctl kernel.unprivileged_userns_clone=1,"
            " in a container --security-opt seccomp=unconfined",
        ) from None
