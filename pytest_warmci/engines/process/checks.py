"""Can this machine run the process engine?"""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import Final

from pytest_warmci.clients import command
from pytest_warmci.engines.process.plan import UNPRIVILEGED
from pytest_warmci.errors import CommandFailed, EngineUnavailable

_PLAIN: Final = re.compile(r"[\w./+-]+", re.ASCII)


def check_machine() -> None:
    """Raise `EngineUnavailable` unless this is Linux on x86_64."""
    system, machine = platform.system(), platform.machine()
    if (system, machine) != ("Linux", "x86_64"):
        raise EngineUnavailable(
            f"the engine process runs on Linux x86_64, this is {system} {machine}",
            why="its servers are native programs of that platform",
            remedy="run in a Linux x86_64 machine or container",
        )


def check_paths(recipe_folder: Path, cache: Path) -> None:
    """Raise `EngineUnavailable` when a path could not stand in a shell script as it is.

    Container paths are replaced in scripts of the recipe, where nobody quotes them.
    """
    for what, path, remedy in (
        ("state directory", cache, "choose {} with --warmci-state"),
        ("recipe folder", recipe_folder.resolve(), "move the checkout to {}"),
    ):
        if not _PLAIN.fullmatch(str(path)):
            raise EngineUnavailable(
                f"the {what}'s path has characters that a shell script would have to quote",
                where=str(path),
                remedy=remedy.format("a path of letters, digits and ._-+"),
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
