"""Where a command finds things: the state directory, and the folder of a recipe."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from pytest_warmci.errors import InputError, UsageError
from pytest_warmci.naming import is_recipe_name
from pytest_warmci.settings import Setting
from pytest_warmci.store.state import default_root

VARIABLE: Final = "WARMCI_STATE"
TESTS: Final = "recipe_tests"
_RECIPE_FILE: Final = (
    "recipe.yml"  # as in recipes.enrolment, whose import costs a tenth of a second
)


def choose_state(
    given: str | None, option: str, base: Path, ini: Path | None = None
) -> Setting[Path]:
    """Return the state directory: the option's, else WARMCI_STATE, else ini, else the user's own.

    Args:
        given: The option's value; None when it was not given.
        option: How the option is called.
        base: The folder from which a relative path of the option is seen.
        ini: What the ini file says, already absolute.

    Raises:
        UsageError: The option's value is empty.
    """
    if given is not None:
        if not given.strip():
            raise UsageError(f"{option} is empty", remedy=f"{option} DIR, or leave it out")
        return Setting((base / Path(given).expanduser()).absolute(), option)
    if os.environ.get(VARIABLE):
        return Setting(Path(os.environ[VARIABLE]).expanduser().absolute(), VARIABLE)
    if ini is not None:
        return Setting(ini, "ini warmci_state")
    return Setting(default_root(), "default")


def find_recipe(text: str, base: Path, tests: str | None = None) -> Path:
    """Return the folder of a recipe that is given by its name or by a path.

    Args:
        text: A name (its folder is looked for in `tests`) or the path of a recipe's folder.
        base: The folder from which paths are seen.
        tests: Where the folders of recipes are; None means `recipe_tests` below `base`.

    Raises:
        InputError: There is no such folder, or nothing there is a recipe.
    """
    folder = _absolute(base, tests or TESTS)
    places = [_absolute(base, text)]
    if is_recipe_name(text):
        places.insert(0, folder / text)
    for place in places:
        if (place / _RECIPE_FILE).is_file():
            return place
    names = enrolled_names(folder)
    raise InputError(
        f"there is no recipe '{text}'",
        where=str(places[0]),
        why=f"it has no {_RECIPE_FILE}" if places[0].is_dir() else "there is no such folder",
        remedy=f"name one of {', '.join(names)}, or the path of a recipe's folder"
        if names
        else "give the path of a recipe's folder, or --tests DIR, or go to where recipe_tests is",
    )


def enrolled_names(tests: Path) -> list[str]:
    """Return the names of the folders right below `tests` that have a recipe.yml, sorted."""
    return sorted(path.parent.name for path in tests.glob(f"*/{_RECIPE_FILE}"))


def _absolute(base: Path, text: str) -> Path:
    # not resolve(): messages should name the path as it was written, symlinks and all
    return Path(os.path.abspath(base / Path(text).expanduser()))  # noqa: PTH100
