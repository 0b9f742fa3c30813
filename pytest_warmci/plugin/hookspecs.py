"""Hooks that other plugins and conftest files may implement."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_warmci.protocols import Engine, Progress


@pytest.hookspec(firstresult=True)
def pytest_warmci_make_engine(
    config: pytest.Config, recipe_folder: Path, cache: Path, progress: Progress
) -> Engine | None:
    """Return the engine for a recipe, or None to leave it to the next implementation.

    When every implementation returns None, it is the engine of `--warmci-engine`.

    Called once a recipe in each process, before anything of it is planned.

    Args:
        config: The session's configuration.
        recipe_folder: The folder with the recipe's recipe.yml; the state directory where apps of
            dead runs are to be ended and put back, which needs nothing of a recipe.
        cache: Folder for what can be made again.
        progress: Call it with a line of text about work that takes long.
    """
