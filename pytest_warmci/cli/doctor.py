"""`warmci doctor`: what is missing here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from rich.text import Text

from pytest_warmci.cli.completion import complete_recipes
from pytest_warmci.cli.options import (
    engine_option,
    engine_options,
    engine_options_option,
    engine_setting,
    json_option,
    state_option,
    state_setting,
    tests_option,
)
from pytest_warmci.cli.output import EXIT_NOT_POSSIBLE, console, emit
from pytest_warmci.errors import WarmciError
from pytest_warmci.model import FORMAT

if TYPE_CHECKING:
    from pytest_warmci.runs.doctor import Check
    from pytest_warmci.settings import EngineOptions, Setting

_COLOURS: Final = {"ok": "green", "warn": "yellow", "missing": "bold red"}
_WIDTH: Final = 26


@click.command("doctor")
@click.argument("recipe", required=False, shell_complete=complete_recipes)
@tests_option
@engine_option
@engine_options_option
@state_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    recipe: str | None,
    *,
    tests: str | None,
    as_json: bool,
) -> None:
    """Say what is missing here, and the command that mends it.

    Looks at this machine, at the state directory, and at RECIPE (a name or a folder) or all
    recipes in recipe_tests. Ends with 75 when something is missing. Fetches nothing.
    """
    out = console()
    found = []
    engine = engine_setting().value
    for check in _checks(state_setting(), engine, engine_options(), recipe, tests):
        found.append(check)
        if as_json:
            continue
        line = Text(f"{check.outcome:8}", style=_COLOURS[check.outcome])
        out.print(line.append(f"{check.name:{_WIDTH}} {check.found}", style="not bold default"))
        if check.remedy:
            out.print(f"{'':8}do: {check.remedy}")
    missing = [check.name for check in found if check.outcome == "missing"]
    if as_json:
        checks = [check.to_json() for check in found]
        emit({"format": FORMAT, "missing": missing, "checks": checks})
    else:
        out.print(f"missing: {', '.join(missing)}" if missing else "nothing is missing")
    context.exit(EXIT_NOT_POSSIBLE if missing else 0)


def _checks(
    state: Setting[Path],
    engine: str,
    options: EngineOptions,
    recipe: str | None,
    tests: str | None,
) -> Iterator[Check]:
    from pytest_warmci.runs.doctor import Check, check_place
    from pytest_warmci.runs.doctor_recipes import check_chosen
    from pytest_warmci.runs.location import TESTS, enrolled_names, find_recipe
    from pytest_warmci.store.state import StateDirectory

    yield from check_place(state, engine, options)
    base = Path.cwd()
    names = [recipe] if recipe is not None else enrolled_names(base / (tests or TESTS))
    for name in names:
        try:
            folder = find_recipe(name, base, tests)
        except WarmciError as error:
            yield Check(f"{name}: folder", "missing", error.summary, error.remedy)
        else:
            there = StateDirectory(state.value.resolve(), uuid="")  # it need not be there
            yield from check_chosen(folder, there, engine, options)
