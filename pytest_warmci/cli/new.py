"""`warmci new`: enrol a recipe."""

from __future__ import annotations

import os
from pathlib import Path

import click

from pytest_warmci.cli.options import json_option, state_option, state_setting, tests_option
from pytest_warmci.cli.output import emit, tell


@click.command("new")
@click.argument("recipe")
@click.option(
    "--source",
    metavar="PATH|URL",
    required=True,
    help="Git repository of the recipe: a clone, a folder with history.yml, or a URL.",
)
@click.option(
    "--probe",
    metavar="PATH",
    default="/",
    help="What the functional probe asks for. Default: /, which proves little.",
)
@tests_option
@state_option
@json_option
def command(recipe: str, *, source: str, probe: str, tests: str | None, as_json: bool) -> None:
    """Make the folder recipe_tests/RECIPE for a recipe that is to be tested.

    Makes recipe.yml, witness.py, a first test, and process.yml with the services of the newest
    published version. What cannot be known is left open: process.yml is refused and the witness
    fails until you have written them. All files are there at once, or none.
    """
    from pytest_warmci.runs.enrol import enrol
    from pytest_warmci.runs.location import TESTS
    from pytest_warmci.store.state import open_state

    base = Path.cwd()
    place = Path(os.path.abspath(base / Path(tests or TESTS).expanduser()))  # noqa: PTH100 - as written
    made = enrol(recipe, place, source, probe, lambda: open_state(state_setting().value).cache)
    for note in made.notes:
        tell(f"warning: {note}")
    if as_json:
        emit(made.to_json())
        return
    shown = os.path.relpath(made.folder, base)
    begun = f", begun from {made.revision}" if made.revision else ""
    click.echo(f"made {shown}: {', '.join(made.files)}{begun}\nnext:")
    for number, step in enumerate(made.steps(shown), 1):
        click.echo(f"  {number}. {step}")
