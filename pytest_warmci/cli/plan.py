"""`warmci plan`: what a run would do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

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
from pytest_warmci.cli.output import console, emit, tell
from pytest_warmci.errors import UsageError

if TYPE_CHECKING:
    from pytest_warmci.model import Mode
    from pytest_warmci.runs.preview import Preview

_SHOWN = 8


@click.command("plan")
@click.argument("recipe", shell_complete=complete_recipes)
@click.option("--quick", is_flag=True, help="Plan a quick run instead of a cold one.")
@click.option(
    "--head",
    metavar="REF",
    help="What would be tested: HEAD of the source (default), published, or a tag, branch or "
    "commit.",
)
@click.option(
    "--source",
    metavar="PATH|URL",
    help="Git repository to test instead of the one that recipe.yml names.",
)
@tests_option
@engine_option
@engine_options_option
@state_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    recipe: str,
    *,
    quick: bool,
    head: str | None,
    source: str | None,
    tests: str | None,
    as_json: bool,
) -> None:
    """Say what a run of RECIPE would do, without starting anything.

    RECIPE is a name (the folder recipe_tests/RECIPE) or the path of a recipe's folder. Ends as the
    run would, as far as that is known before it: with 5 when there is nothing to upgrade, with 75
    when it could not be evaluated, else with 0. Changes no app; a source that is a URL is fetched.
    """
    from pytest_warmci.runs import preview
    from pytest_warmci.runs.location import find_recipe

    if quick and head == "published":
        raise UsageError(
            "--quick and --head published contradict each other",
            why="a published version is tested cold, which is what can promote it",
            remedy="drop --quick, or name the tag to try it out",
        )
    state = state_setting()
    folder = find_recipe(recipe, Path.cwd(), tests)
    mode: Mode = "quick" if quick else "cold"
    told = preview.settings(state, engine_setting(), mode, head, source, engine_options())
    found = preview.look_ahead(told, folder, tell)
    if as_json:
        emit(found.to_json())
    else:
        out = console()
        for line in _lines(found):
            out.print(line)
    context.exit(found.exit_status)


def _lines(found: Preview) -> Iterator[str]:
    from pytest_warmci.runs.past import duration
    from pytest_warmci.runs.summary import age, describe_engine

    plan = found.plan
    asked = "" if plan.mode == plan.requested_mode else f" ({plan.requested_mode} asked)"
    why = f": {plan.fallback}" if plan.fallback else ""
    engine = describe_engine(found.engine, found.engine_reason)
    yield f"{plan.enrolment.recipe}: {plan.mode}{asked} on {engine}{why}"
    yield f"  source     {plan.source.location}"
    yield f"  head       {plan.head}, which is {plan.head_ref}"
    yield f"  base       {plan.base or 'none'}"
    yield f"  stages     {', '.join(plan.stages)}"
    if found.seen:
        yield f"  differs    {_some(found.seen)}"
    if found.unseen:
        yield f"  not seen   {_some(found.unseen)}"
    yield f"  witness    {'yes' if found.witnessed else 'none: data: not witnessed'}"
    yield f"  promotes   {f'no: {found.why_not}' if found.why_not else 'yes, if all of it is green'}"
    if found.last is None:
        yield f"  time       unknown: no {plan.mode} run has passed yet"
    else:
        when = f"run {found.last.run_id} took that, {age(found.last.started)} ago"
        yield f"  time       about {duration(found.last.seconds)}: {when}"
    if found.waits_for:
        yield f"  waits for  {found.waits_for}"
    for note in plan.notes:
        yield f"  note       {note}"
    if plan.skip:
        yield f"would be skipped: {plan.skip}"
    elif found.obstacle is not None:
        yield f"could not be evaluated: {found.obstacle}"
    else:
        yield "would run"


def _some(keys: tuple[str, ...]) -> str:
    more = len(keys) - _SHOWN
    return ", ".join(keys[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
