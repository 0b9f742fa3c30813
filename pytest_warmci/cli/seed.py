"""`warmci seed`: make a recipe's known-good."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from pytest_warmci.cli.output import Steps, emit, human_size, stdout_on_stderr, tell

if TYPE_CHECKING:
    from pytest_warmci.model import KnownGood
    from pytest_warmci.runs.seed import Seeded, Seeding


@click.command("seed")
@click.argument("recipe", shell_complete=complete_recipes)
@click.option(
    "--version",
    metavar="V",
    help="The published version to seed, also one older than the known-good. Default: the newest.",
)
@click.option("--if-missing", is_flag=True, help="Do nothing when there is a valid known-good.")
@click.option("--no-train", is_flag=True, help="Do not prepare the canonical to boot faster.")
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
    version: str | None,
    if_missing: bool,
    no_train: bool,
    tests: str | None,
    as_json: bool,
) -> None:
    """Make RECIPE's known-good by a green cold run (minutes).

    RECIPE is a name (the folder recipe_tests/RECIPE) or the path of a recipe's folder. The known-good
    that there is stays in its place until the new one is green.
    """
    from pytest_warmci.runs import seed
    from pytest_warmci.runs.location import find_recipe
    from pytest_warmci.runs.summary import describe_engine

    state, engine = state_setting(), engine_setting()
    folder = find_recipe(recipe, Path.cwd(), tests)
    there = seed.existing(state, engine, folder.name) if if_missing else None
    if there is not None:
        _report_existing(there, version, as_json=as_json)
        return
    seeding = seed.prepare(state, engine, folder, version, tell, engine_options())
    on = describe_engine(seeding.engine.value, seeding.engine.origin)
    tell(f"seed {seeding.recipe} {seeding.revision} on {on}: a cold run, which takes minutes")
    with stdout_on_stderr() if as_json else nullcontext():
        seeded = seed.run(seeding)
    if not as_json or seeded.reason:
        (tell if seeded.reason else click.echo)(_outcome(seeded))
    training = {"done": "", "warning": ""}
    if not seeded.reason and not no_train:
        training = _train(seeding, as_json=as_json)
    if as_json:
        emit({**seeded.to_json(), "already": False, "training": training})
    context.exit(seeded.exit_status)


def _report_existing(there: Seeded, version: str | None, *, as_json: bool) -> None:
    if as_json:
        training = {"done": "", "warning": ""}
        emit({**there.to_json(), "already": True, "training": training})
        return
    hint = ""
    if version is not None and there.entry is not None and there.entry.version != version:
        hint = f"; to make it {version}, leave out --if-missing"
    click.echo(f"{there.recipe}: nothing to do, known-good is {_facts(there)}{hint}")


def _train(seeding: Seeding, *, as_json: bool) -> dict[str, str]:
    from pytest_warmci.clients import interrupts
    from pytest_warmci.runs import seed

    title = f"{seeding.recipe}: learning to boot faster (--no-train skips this)"
    with interrupts.listening(lambda: "still removing a throw-away app"), Steps(title) as steps:
        done, warning = seed.train(seeding, steps)
    if warning:
        tell(f"warning: boots stay slow, the known-good is fine: {warning}")
    elif done:
        (tell if as_json else click.echo)(done)
    return {"done": done, "warning": warning}


def _outcome(seeded: Seeded) -> str:
    if not seeded.reason:
        return f"{seeded.recipe}: known-good is now {_facts(seeded)}"
    now = "there is none" if seeded.entry is None else f"it is {_facts(seeded)}"
    return f"{seeded.recipe}: no new known-good: {seeded.reason}\n  now: {now}"


def _facts(seeded: Seeded) -> str:
    from pytest_warmci.runs.summary import age

    entry: KnownGood | None = seeded.entry
    if entry is None:
        return "none"
    facts: list[Any] = [
        f"{entry.version} ({entry.commit[:8]})",
        entry.digest[: len("sha256:") + 12],
        human_size(seeded.size_bytes),
        f"{age(entry.promoted_at)} old",
    ]
    return ", ".join(facts)
