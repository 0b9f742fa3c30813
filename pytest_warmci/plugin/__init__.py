"""The pytest floor: registers and forwards.

This module is loaded by every pytest that has the package installed, so it imports nothing but
pytest and the standard library, and does nothing unless the arguments touch a recipe.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_warmci.plugin import hookspecs, options
from pytest_warmci.plugin.folders import recipe_folder, touches_a_recipe

FLOOR = "warmci-floor"


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks that others may implement."""
    pluginmanager.add_hookspecs(hookspecs)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the command line options and ini keys."""
    options.add(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks, refuse contradictory flags, and lay the floor when it is needed."""
    for line in options.MARKS:
        config.addinivalue_line("markers", line)
    options.check(config)
    if touches_a_recipe(config):
        _lay(config)


@pytest.hookimpl(tryfirst=True)
def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a recipe.yml as the module of generic asserts."""
    if file_path.name != "recipe.yml" or recipe_folder(file_path) != file_path.parent:
        return None
    _lay(parent.config)
    from pytest_warmci.plugin.collect import RecipeFile, floor_of

    floor_of(parent.config).try_plan(file_path.parent)
    return RecipeFile.from_parent(parent, path=file_path)


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give every test of a recipe its stages."""
    folder = recipe_folder(metafunc.definition.path)
    if folder is not None:
        _lay(metafunc.config)
        from pytest_warmci.plugin.collect import generate

        generate(metafunc, folder)


def _lay(config: pytest.Config) -> None:
    """Register the floor, once."""
    if config.pluginmanager.has_plugin(FLOOR):
        return
    from pytest_warmci.plugin import fixtures
    from pytest_warmci.plugin.floor import Floor

    config.pluginmanager.register(fixtures, "warmci-fixtures")
    config.pluginmanager.register(Floor(config), FLOOR)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Forget what was looked up for this session."""
    recipe_folder.cache_clear()
