"""Copies of Radicale's recipe that misbehave."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.e2e.workshop import RADICALE
from tests.faults.crowd import copy_recipe

LAUNCHER = """\
#!/bin/sh
set -eu
export PYTHONPATH="$WARMCI_INSTALL"
exec "$WARMCI_PYTHON" -s -S -B "${{0%/*}}/app.py" {mode} {pids} "$@"
"""


def hostile_recipe(recipe_tests: Path, mode: str, pids: Path, *, grace: str = "10s") -> Path:
    """Copy the recipe, with a launcher that does `mode`; return its folder.

    Args:
        recipe_tests: Where the copy goes.
        mode: A name of `app.MODES`.
        pids: What the mode is given: where it writes what it left.
        grace: The stop grace of the service, in every version.
    """
    folder = copy_recipe(RADICALE, recipe_tests)
    shutil.copy(Path(__file__).with_name("app.py"), folder / "process")
    (folder / "process" / "python").write_text(LAUNCHER.format(mode=mode, pids=pids))
    for file in folder.glob("source/*/compose.yml"):
        text = file.read_text()
        file.write_text(text.replace("stop_grace_period: 10s", f"stop_grace_period: {grace}"))
    return folder


def one_test(folder: Path) -> str:
    """Name a test of the install stage: one deploy, one stop."""
    return f"{folder}/recipe.yml::test_serves[install]"
