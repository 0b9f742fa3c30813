"""`warmci schema`: what an editor wants to know of the files that people write."""

from __future__ import annotations

from typing import Final

import click

from pytest_warmci.cli.output import emit

EPILOG: Final = """\
\b
Example:
  warmci schema recipe > recipe_tests/recipe.schema.json
  # yaml-language-server: $schema=../recipe.schema.json
"""


@click.command("schema", epilog=EPILOG)
@click.argument("file", type=click.Choice(["recipe", "process", "history"]))
def command(file: str) -> None:
    """Print the JSON schema of recipe.yml, process.yml or history.yml.

    With it, an editor completes keys and marks what is wrong while you write. Keep it beside your
    recipes, and name it in a comment of each file.
    """
    from pytest_warmci.runs.schemas import SCHEMAS

    emit(SCHEMAS[file]())
