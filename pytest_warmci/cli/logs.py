"""`warmci logs`: what the services of a run said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pytest_warmci.cli.completion import complete_recipes, complete_runs
from pytest_warmci.cli.options import json_option, state_option, state_setting
from pytest_warmci.cli.output import emit, human_size, tell
from pytest_warmci.errors import InputError, UsageError
from pytest_warmci.model import FORMAT

if TYPE_CHECKING:
    from pytest_warmci.runs.kept_logs import Log
    from pytest_warmci.runs.past import PastRun


@click.command("logs")
@click.argument("run", required=False, shell_complete=complete_runs)
@click.option(
    "--recipe",
    metavar="R",
    shell_complete=complete_recipes,
    help="Instead of RUN: the newest run of this recipe.",
)
@click.option("--service", metavar="S", help="Only the logs of this service.")
@click.option("--list", "as_list", is_flag=True, help="List the files it has kept, with sizes.")
@click.option("--path", "as_path", is_flag=True, help="Print the folder it has kept them in.")
@state_option
@json_option
def command(
    run: str | None,
    *,
    recipe: str | None,
    service: str | None,
    as_list: bool,
    as_path: bool,
    as_json: bool,
) -> None:
    """Print what the services of RUN said, from the logs that it kept.

    RUN is a run's id, as "warmci runs" lists them; without it, the newest run that has ended. Each
    file has a heading with its name. Secrets were blotted out when the logs were kept.
    """
    from pytest_warmci.runs import kept_logs
    from pytest_warmci.store.state import peek_state

    if run is not None and recipe is not None:
        raise UsageError("RUN and --recipe contradict each other", remedy="drop one of them")
    if as_list and as_path:
        raise UsageError("--list and --path contradict each other", remedy="drop one of them")
    if service is not None and (as_list or as_path):
        raise UsageError("--service is about logs", remedy="drop it, or --list or --path")
    setting = state_setting()
    state = peek_state(setting.value)
    if state is None:
        raise InputError(
            "there is no state directory, so nothing has run",
            where=str(setting),
            remedy="run a recipe, or name the state directory: --state DIR",
        )
    found = kept_logs.choose_run(state, run, recipe)
    if run is None and not as_path:
        tell(_about(found))
    facts: dict[str, Any] = {"format": FORMAT, "run": found.id, "folder": str(found.folder)}
    if as_path:
        _print([str(found.folder)], facts, as_json=as_json)
    elif as_list:
        files = kept_logs.evidence(found)
        lines = [f"{human_size(each.size):>10}  {each.name}" for each in files]
        _print(lines, {**facts, "files": [each.to_json() for each in files]}, as_json=as_json)
    else:
        logs = kept_logs.logs(found, service)
        if as_json:
            emit({**facts, "logs": [log.to_json() for log in logs]})
        else:
            _print_logs(logs)


def _print(lines: list[str], facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit(facts)
        return
    for line in lines:
        click.echo(line)


def _print_logs(logs: list[Log]) -> None:
    for number, log in enumerate(logs):
        heading = f"==> {log.file.name} ({human_size(log.file.size)}) <=="
        click.echo(("\n" if number else "") + click.style(heading, bold=True))
        text = log.text()
        click.echo(text, nl=bool(text) and not text.endswith("\n"))


def _about(run: PastRun) -> str:
    recipe = f" of {run.recipe}" if run.recipe else ""
    return f"the newest run that has ended: {run.id}{recipe}, {run.verdict}"
