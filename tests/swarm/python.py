"""A Python for images: the interpreter that runs the tests, with a part of its own library.

Installed packages are not in it, and neither is what no server needs.
"""

from __future__ import annotations

import shutil
import sys
import sysconfig
from functools import cache
from pathlib import Path

from pytest_warmci.clients import locks
from tests.swarm.images import Tree
from tests.swarm.slots import HOME

_HOME = "/opt/python"
_NAME = f"python{sys.version_info.major}.{sys.version_info.minor}"
PROGRAM = f"{_HOME}/bin/{_NAME}"
LINES = (f"ENV PYTHONHOME={_HOME} LD_LIBRARY_PATH={_HOME}/lib",)

_LEFT_OUT = ("__pycache__", "config-*", "ensurepip", "idlelib", "lib2to3", "test", "tkinter")
_LIMIT = 120.0


@cache
def trees() -> tuple[Tree, ...]:
    """Return what an image needs to run `PROGRAM`, with `LINES` in its environment."""
    folder = HOME / "downloads" / f"python-{sys.version.split()[0]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    who = locks.Holder(run="", mode="fetch", why=folder.name)
    with locks.hold(folder.with_suffix(".lock"), who=who, limit=_LIMIT):
        if not folder.exists():
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            _copy(part)
            part.rename(folder)
    return (Tree(folder, _HOME),)


def _copy(target: Path) -> None:
    """Copy the interpreter, its library, and the shared library that it may be in."""
    base = Path(sys.base_prefix)
    (target / "bin").mkdir(parents=True)
    shutil.copy2(Path(sys.executable).resolve(), target / "bin" / _NAME)
    library = Path(sysconfig.get_path("stdlib"))
    ignored = shutil.ignore_patterns("site-packages", "dist-packages", *_LEFT_OUT)
    shutil.copytree(library, target / "lib" / _NAME, ignore=ignored)
    for shared in (base / "lib").glob(f"lib{_NAME}*.so*"):
        shutil.copy2(shared, target / "lib" / shared.name)
