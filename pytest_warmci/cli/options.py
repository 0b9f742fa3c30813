"""Options that commands share, and what they are given to work with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from pytest_warmci.settings import EngineOptions, Setting

F = TypeVar("F", bound=Callable[..., Any])

STATE_HELP: Final = "State directory. Also WARMCI_STATE. Default: the user's own."
_ENGINE: Final = "warmci.engine"
_ENGINE_OPTIONS: Final = "warmci.engine_options"
_JSON: Final = "warmci.json"
_STATE: Final = "warmci.state"


def wants_json(context: click.Context) -> bool:
    """Tell whether the command was asked for JSON (also before it began)."""
    return bool(context.meta.get(_JSON))


def state_setting() -> Setting[Path]:
    """Return the state directory of the running command.

    Raises:
        UsageError: The option is empty.
    """
    return state_of(click.get_current_context())


def state_of(context: click.Context) -> Setting[Path]:
    """Return the state directory of a command, which may still be incomplete.

    Raises:
        UsageError: The option is empty.
    """
    from pytest_warmci.runs.location import choose_state

    return choose_state(context.meta.get(_STATE), "--state", Path.cwd())


def keep_state(context: click.Context, _: click.Parameter, value: str | None) -> None:
    """Remember the state directory; said with the command, it wins over said before it."""
    if value is not None:
        context.meta[_STATE] = value


def _keep_json(context: click.Context, _: click.Parameter, value: bool) -> bool:  # noqa: FBT001
    context.meta[_JSON] = value
    return value


def state_option(function: F) -> F:
    """Add `--state`; messages of the layers below call it as the plugin does."""
    return click.option(
        "--state",
        "--warmci-state",
        metavar="DIR",
        help=STATE_HELP,
        callback=keep_state,
        expose_value=False,
    )(function)


def engine_setting() -> Setting[str]:
    """Return the engine of the running command, which has `engine_option`; it may be `auto`.

    Raises:
        UsageError: There is no such engine.
    """
    from pytest_warmci.runs.engines import choose_engine

    return choose_engine(click.get_current_context().meta.get(_ENGINE), "--engine")


def _keep_engine(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.meta[_ENGINE] = value


def _known(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    from pytest_warmci.runs.engines import known_engine

    return None if value is None else known_engine(value, "--engine")


def _engines(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    from pytest_warmci.runs.engines import ENGINES

    return [name for name in ENGINES if name.startswith(incomplete)]


def _engines_and_auto(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    from pytest_warmci.model import AUTO_ENGINE

    auto = [AUTO_ENGINE] if AUTO_ENGINE.startswith(incomplete) else []
    return [*_engines(context, parameter, incomplete), *auto]


def engine_option(function: F) -> F:
    """Add `--engine`, the engine to work with: `engine_setting` returns it."""
    return click.option(
        "--engine",
        metavar="NAME",
        callback=_keep_engine,
        expose_value=False,
        shell_complete=_engines_and_auto,
        help="What deploys: process (default), swarm, or auto to have it chosen. Also"
        " WARMCI_ENGINE.",
    )(function)


def engine_options() -> EngineOptions:
    """Return what the running command, which has `engine_options_option`, tells the engine."""
    found: EngineOptions = click.get_current_context().meta.get(_ENGINE_OPTIONS, ())
    return found


def _keep_engine_options(
    context: click.Context, _: click.Parameter, value: tuple[str, ...]
) -> None:
    from pytest_warmci.runs.engines import read_options

    context.meta[_ENGINE_OPTIONS] = read_options(value, Path.cwd(), "--engine-option")


def engine_options_option(function: F) -> F:
    """Add `--engine-option`, what the engine is told: `engine_options` returns it."""
    return click.option(
        "--engine-option",
        metavar="NAME=VALUE",
        multiple=True,
        callback=_keep_engine_options,
        expose_value=False,
        help="Something that the engine is told, as often as needed. Engine swarm: domain=BASE,"
        " override=FILE, proxy=URL, volumes=WAY.",
    )(function)


def only_engine_option(function: F) -> F:
    """Add `--engine`, which the command gets as the name of the only engine to look at, or None."""
    return click.option(
        "--engine",
        "only",
        metavar="NAME",
        callback=_known,
        shell_complete=_engines,
        help="Only what is on this engine. Default: every engine.",
    )(function)


def json_option(function: F) -> F:
    """Add `--json`, which the command gets as `as_json`."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        is_eager=True,
        callback=_keep_json,
        help="Write JSON to standard output, and nothing else there.",
    )(function)


def tests_option(function: F) -> F:
    """Add `--tests`."""
    return click.option(
        "--tests",
        metavar="DIR",
        help="Where the folders of recipes are. Default: recipe_tests in this folder.",
    )(function)
