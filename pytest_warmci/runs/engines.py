"""The engines that there are: how one is chosen, opened, and which ones have apps here.

An engine is imported when it is opened: its libraries are slow to import.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_warmci.clients.usage import entries
from pytest_warmci.errors import EngineUnavailable, UsageError
from pytest_warmci.model import AUTO_ENGINE, DEFAULT_ENGINE
from pytest_warmci.settings import EngineOptions, Setting

if TYPE_CHECKING:
    from pytest_warmci.protocols import Engine, Progress
    from pytest_warmci.store.state import StateDirectory

VARIABLE: Final = "WARMCI_ENGINE"

Opener = Callable[[Path, "StateDirectory", "Progress", EngineOptions], "Engine"]


def _process(
    recipe_folder: Path, state: StateDirectory, progress: Progress, options: EngineOptions
) -> Engine:
    from pytest_warmci.engines.process.engine import ProcessEngine

    if options:
        raise UsageError(
            f"engine process has no option '{options[0][0]}'",
            remedy="leave the option out, or name another engine",
        )
    return ProcessEngine(recipe_folder, state.cache, progress)


def _swarm(
    _recipe_folder: Path, state: StateDirectory, progress: Progress, options: EngineOptions
) -> Engine:
    try:
        from pytest_warmci.engines.swarm.engine import SwarmEngine
    except ModuleNotFoundError as error:
        if error.name != "docker":
            raise
        raise EngineUnavailable(
            "the client of Docker is not installed", remedy="pip install 'pytest-warmci[swarm]'"
        ) from None
    from pytest_warmci.engines.swarm.options import SwarmOptions

    return SwarmEngine(state.uuid, SwarmOptions.read(options), progress)


ENGINES: Final[dict[str, Opener]] = {DEFAULT_ENGINE: _process, "swarm": _swarm}
"""How each engine is opened, by its name. Opening one looks at nothing and starts nothing."""


def options_of(name: str) -> tuple[str, ...]:
    """Return the names of the options that an engine has."""
    if name != "swarm":
        return ()
    from pytest_warmci.engines.swarm.options import NAMES

    return NAMES


def known_engine(name: str, origin: str = "") -> str:
    """Return the name of an engine that there is.

    Raises:
        UsageError: There is none of that name; says `origin`, where the name came from.
    """
    if name in ENGINES:
        return name
    raise UsageError(
        f"there is no engine '{name}'",
        where=origin,
        why=f"there is: {', '.join(ENGINES)}",
        remedy="name an engine that there is, or none",
    )


def check_options(options: EngineOptions) -> None:
    """See that each option is one that some engine has, whichever will be chosen.

    Raises:
        UsageError: It is none's: nobody would notice that it did nothing.
    """
    known = sorted({name for engine in ENGINES for name in options_of(engine)})
    for name, _ in options:
        if name not in known:
            raise UsageError(
                f"no engine has an option '{name}'",
                remedy=f"there is: {', '.join(known)}",
            )


def choose_engine(given: str | None, option: str, ini: str = "") -> Setting[str]:
    """Return the engine to test on: the option's, else WARMCI_ENGINE, else ini, else `process`.

    It may be `auto`, which is no engine: see `choosing`.

    Args:
        given: The option's value; None when it was not given.
        option: How the option is called.
        ini: What the ini file says; empty for nothing.

    Raises:
        UsageError: There is no such engine.
    """
    found = Setting(DEFAULT_ENGINE, "default")
    if given is not None:
        found = Setting(given, option)
    elif os.environ.get(VARIABLE):
        found = Setting(os.environ[VARIABLE], VARIABLE)
    elif ini:
        found = Setting(ini, "ini warmci_engine")
    if found.value != AUTO_ENGINE:
        known_engine(found.value, found.origin)
    return found


def read_options(texts: Iterable[str], top: Path, origin: str) -> EngineOptions:
    """Return the engine's options that are written as NAME=VALUE.

    Args:
        texts: One option each.
        top: The folder that the path of an `override` is relative to.
        origin: Where they were given, for errors.

    Raises:
        UsageError: One has no name or no value.
    """
    pairs = []
    for text in texts:
        name, equals, value = text.strip().partition("=")
        if not (name and equals and value):
            raise UsageError(
                f"'{text}' is not NAME=VALUE", where=origin, remedy="like override=compose.ci.yml"
            )
        path = str((top / Path(value).expanduser()).resolve()) if name == "override" else value
        pairs.append((name, path))
    return tuple(pairs)


def open_engine(
    name: str,
    recipe_folder: Path,
    state: StateDirectory,
    progress: Progress,
    options: EngineOptions = (),
) -> Engine:
    """Return the engine of that name for a recipe's folder.

    Args:
        name: The engine.
        recipe_folder: The folder with the recipe's recipe.yml.
        state: Where its apps are, and whose they are.
        progress: Told about work that takes long.
        options: What it is told beside its name.

    Raises:
        UsageError: There is no such engine, or it has no such option.
        EngineUnavailable: What it needs is not installed.
        InputError: The recipe's files for it are not usable.
    """
    return ENGINES[known_engine(name)](recipe_folder, state, progress, options)


def keeper(name: str, state: StateDirectory, progress: Progress) -> Engine:
    """Return an engine for ending, removing and restoring apps, which needs nothing of a recipe.

    Raises:
        UsageError: There is no such engine.
    """
    return open_engine(name, state.root, state, progress)


def keepers(state: StateDirectory, progress: Progress, only: str | None = None) -> list[Engine]:
    """Return a keeper for each engine that may have apps here, in the order of `ENGINES`.

    The one that is taken where none is named is always among them. One whose libraries are not
    installed is told of and left out, unless it is named: the apps of the others can be kept.

    Args:
        state: The state directory.
        progress: Told about work that takes long.
        only: The one engine to look at.

    Raises:
        UsageError: There is no such engine.
        EngineUnavailable: What the named one needs is not installed.
    """
    if only is not None:
        return [keeper(only, state, progress)]
    used = {DEFAULT_ENGINE, *used_engines(state)}
    found = []
    for name in ENGINES:
        try:
            found += [keeper(name, state, progress)] if name in used else []
        except EngineUnavailable as error:
            progress(f"warning: apps of engine '{name}' are left alone: {error.summary}")
    return found


def strange_engines(state: StateDirectory) -> list[str]:
    """Name the engines that have apps here and that we do not know, as of a newer version."""
    return [
        name for name in used_engines(state) if name not in ENGINES and entries(state.apps(name))
    ]


def used_engines(state: StateDirectory) -> list[str]:
    """Name the engines that have a folder for apps or for known-goods here, sorted."""
    tops = (state.root / "apps", state.root / "canonicals")
    found = {entry.name for top in tops for entry in entries(top)}
    return sorted(name for name in found if not name.startswith("."))
