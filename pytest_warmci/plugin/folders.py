"""Which folder is a recipe's? Cheap, cached, and free of imports that cost."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import pytest

_FILE = "recipe.yml"
_MOST = 2_000
"""Folders that are looked into; a tree of more is no folder of recipes."""


@lru_cache(maxsize=4096)
def recipe_folder(path: Path) -> Path | None:
    """Return the recipe's folder that a path is in, None when it is in none.

    A recipe's own `source` folder holds recipes under test, not tests.
    """
    if path.name and (path / _FILE).is_file():
        return path
    if path.parent == path:
        return None
    return recipe_folder(path.parent)


def touches_a_recipe(config: pytest.Config) -> bool:
    """Tell whether the session's arguments name a recipe, something in one, or a folder above."""
    for argument in config.args:
        path = _argument(config, argument)
        if recipe_folder(path) is not None or _has_recipe_below(path):
            return True
    return False


def _argument(config: pytest.Config, argument: str) -> Path:
    return Path(os.path.normpath(config.invocation_params.dir / argument.partition("::")[0]))


def _has_recipe_below(path: Path) -> bool:
    for seen, (_, folders, files) in enumerate(os.walk(path)):
        if _FILE in files:
            return True
        if seen == _MOST:
            break
        folders[:] = [name for name in folders if not name.startswith((".", "__", "node_modules"))]
    return False


def is_whole(config: pytest.Config, folder: Path) -> bool:
    """Tell whether an argument is the recipe's folder or one above, so that nothing is missing."""
    for argument in config.args:
        path = _argument(config, argument)
        if "::" not in argument and path.is_dir() and folder.is_relative_to(path):
            return True
    return False
