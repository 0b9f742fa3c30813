"""Engine `auto`: which engine a recipe runs on when nobody names one.

A recipe with a canonical never leaves the canonical's engine, not even while that is down: its data
are there, and a green run elsewhere would have tested other data.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pytest_warmci.clients.usage import entries
from pytest_warmci.errors import EngineUnavailable, NotEvaluated, UsageError
from pytest_warmci.model import AUTO_ENGINE, DEFAULT_ENGINE
from pytest_warmci.naming import canonical_recipe, is_recipe_name
from pytest_warmci.protocols import Engine, Progress
from pytest_warmci.runs.engines import (
    ENGINES,
    check_options,
    keeper,
    open_engine,
    options_of,
    used_engines,
)
from pytest_warmci.runs.live_keycloak import KEYCLOAK
from pytest_warmci.settings import EngineOptions
from pytest_warmci.store.live_records import read_live
from pytest_warmci.store.registry import Registry
from pytest_warmci.store.state import StateDirectory

PREFERRED: Final = ("swarm", DEFAULT_ENGINE)
"""What a recipe without a canonical gets: the first that answers. Operators run a Swarm."""

_NEEDED: Final = {DEFAULT_ENGINE: "process.yml"}
"""File of a recipe without which an engine cannot run it."""


@dataclass(frozen=True, slots=True)
class Home:
    """The engine that a recipe's canonical is on, and why it is that one."""

    engine: str
    reason: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """The engine for a recipe, opened and checked, and why it is that one."""

    engine: Engine
    reason: str


def home_of(state: StateDirectory, recipe: str) -> Home | None:
    """Return the engine that a recipe's canonical is on, None when it has none.

    Known-goods on several engines: the one that was promoted last. Without any, an app of a
    canonical is enough, if it is the only one: something was begun there. Creates nothing.

    Raises:
        StateDamaged: An entry of the recipe cannot be read: that never means "none".
    """
    names = [name for name in used_engines(state) if is_recipe_name(name)]
    found = [entry for name in names if (entry := Registry(state).find(name, recipe))]
    if found:
        newest = max(found, key=lambda entry: entry.promoted_at)
        if len(found) == 1:
            return Home(newest.engine, "the canonical is there")
        engines = " and ".join(entry.engine for entry in found)
        return Home(newest.engine, f"there are canonicals on {engines}, this is the newest")
    begun = [name for name in names if _has_app(state, name, recipe)]
    return Home(begun[0], "an app of the canonical is there") if len(begun) == 1 else None


def choose(
    folder: Path, state: StateDirectory, progress: Progress, options: EngineOptions = ()
) -> Chosen:
    """Return the engine for a recipe: its canonical's, else the first of `PREFERRED` that answers.

    Options of another engine than the one that is chosen are left out, and the reason says so.

    Args:
        folder: The recipe's folder.
        state: The state directory.
        progress: Told about work that takes long.
        options: What the engine is told beside its name.

    Raises:
        EngineUnavailable: The canonical's engine does not answer; or there is no canonical, and no
            engine can run the recipe here.
        StateDamaged: A registry entry of the recipe cannot be read.
        UsageError: No engine has such an option.
        InputError: The recipe's files for the engine are not usable.
    """
    check_options(options)
    home = home_of(state, folder.name)
    if home is None:
        return _first(folder, state, progress, options)
    if home.engine not in ENGINES:
        raise EngineUnavailable(
            f"engine {home.engine} is not known here",
            where=folder.name,
            why=f"auto stays on it: {home.reason}",
            remedy="use the version of pytest-warmci that has it, or name an engine",
        )
    try:
        engine = _open(home.engine, folder, state, progress, options)
    except NotEvaluated as error:
        stays = f"auto stays on engine {home.engine}: {home.reason}"
        error.why = f"{error.why}\n{stays}" if error.why else stays
        raise
    return Chosen(engine, _reason(home.engine, home.reason, options))


def _first(
    folder: Path, state: StateDirectory, progress: Progress, options: EngineOptions
) -> Chosen:
    lacks: list[str] = []
    for name in (name for name in PREFERRED if name in ENGINES):
        needed = _NEEDED.get(name)
        if needed is not None and not (folder / needed).is_file():
            lacks.append(f"not on {name}: there is no {needed}")
            continue
        try:
            engine = _open(name, folder, state, progress, options)
        except NotEvaluated as error:
            lacks.append(f"not on {name}: {error.summary}")
            continue
        return Chosen(engine, _reason(name, "; ".join(lacks) or "it answers", options))
    raise EngineUnavailable(
        "no engine can run it here",
        where=folder.name,
        why="\n".join(lacks),
        remedy=f"warmci doctor --engine {AUTO_ENGINE} says what each of them lacks",
    )


def _open(
    name: str, folder: Path, state: StateDirectory, progress: Progress, options: EngineOptions
) -> Engine:
    engine = open_engine(name, folder, state, progress, own_options(name, options))
    engine.check()
    return engine


def own_options(name: str, options: EngineOptions) -> EngineOptions:
    """Return those of the options that an engine has."""
    return tuple(each for each in options if each[0] in options_of(name))


def _reason(name: str, why: str, options: EngineOptions) -> str:
    own = own_options(name, options)
    ignored = dict.fromkeys(each[0] for each in options if each not in own)
    more = f"; ignored: {', '.join(ignored)}" if ignored else ""
    return f"{AUTO_ENGINE}: {why}{more}"


def _has_app(state: StateDirectory, engine: str, recipe: str) -> bool:
    return any(canonical_recipe(each.name) == recipe for each in entries(state.apps(engine)))


def live_home(state: StateDirectory, told: str) -> str | None:
    """Return the engine whose live-warm Keycloak is meant: the one that is named.

    With `auto` it is the one whose Keycloak is up, as far as is known; None when none is.

    Raises:
        UsageError: There are several.
        StateDamaged: A record cannot be read.
    """
    if told != AUTO_ENGINE:
        return told
    up = [name for name in ENGINES if read_live(state.live(KEYCLOAK, name)) is not None]
    if len(up) > 1:
        raise UsageError(
            f"there is a live-warm Keycloak on {' and on '.join(up)}",
            why=f"engine {AUTO_ENGINE} cannot tell which one is meant",
            remedy=f"--engine {up[0]}",
        )
    return up[0] if up else None


def live_keeper(state: StateDirectory | None, told: str, progress: Progress) -> Engine | None:
    """Return a keeper for the engine of the live-warm Keycloak that is meant.

    Args:
        state: The state directory, None when there is none.
        told: The engine that is named, or `auto`.
        progress: Told about work that takes long.

    Returns:
        None when there is nothing to keep.

    Raises:
        UsageError: There are several, and none is named.
        StateDamaged: A record cannot be read.
        EngineUnavailable: What the engine needs is not installed.
    """
    name = None if state is None else live_home(state, told)
    return None if state is None or name is None else keeper(name, state, progress)
