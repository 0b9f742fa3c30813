"""Artifacts that are a Python distribution with all that it needs, from a package index."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_warmci.clients import maven, pypi


@dataclass(frozen=True, slots=True)
class Wheels:
    """A distribution by its requirement (`radicale[bcrypt]==3.9.0`), and the `pins` of what it
    needs (name → version)."""

    what: str
    pins: Mapping[str, str]

    @property
    def name(self) -> str:
        """The name of what is fetched, as part of a path.

        Other pins are another artifact, and so are the files for another Python.
        """
        facts = [f"{name}=={version}" for name, version in sorted(self.pins.items())]
        shape = hashlib.sha256("\n".join([_python(), *facts]).encode()).hexdigest()[:8]
        return re.sub(r"[^\w.+-]+", "_", self.what) + f"-{shape}"

    @property
    def tree(self) -> str:
        """The name of what is unpacked."""
        return self.name

    def fetch(self, folder: Path, report: maven.Report) -> None:  # noqa: ARG002 - pip tells nobody
        """Fetch all wheels into `folder`, which is complete when it is there; see `pypi.fetch`."""
        pypi.fetch(self.what, self.pins, folder)

    def unpack(self, files: list[Path], folder: Path) -> None:
        """Install the wheels into `folder`, see `pypi.install`.

        Their bytecode too: no start has to compile, and none has to write into its install.
        """
        pypi.install(files, folder)


def _python() -> str:
    return sys.implementation.cache_tag or sys.implementation.name
