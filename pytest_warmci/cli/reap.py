"""`warmci reap`: remove what dead runs left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click
from rich.text import Text

from pytest_warmci.cli.options import json_option, state_option, state_setting
from pytest_warmci.cli.output import EXIT_NOT_POSSIBLE, console, emit, tell
from pytest_warmci.model import FORMAT

if TYPE_CHECKING:
    from pytest_warmci.runs.reap import Reaped

_COLOURS: Final = {"removed": "green", "restored": "green", "kept": "cyan", "failed": "red"}


@click.command("reap")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@state_option
@json_option
@click.pass_context
def command(context: click.Context, *, dry_run: bool, as_json: bool) -> None:
    """Remove the apps of dead runs, and end those that were kept and whose time is over.

    A run is dead when nobody holds its lock; age proves nothing. Says what stays, and why. Every
    run does the same when it begins. `warmci recover DOMAIN` ends a kept app before its time. Ends
    with 75 when something could not be removed.
    """
    from pytest_warmci.clients import interrupts
    from pytest_warmci.runs.reap import reap
    from pytest_warmci.runs.recovering import keeper
    from pytest_warmci.store.state import peek_state

    state = peek_state(state_setting().value)
    found: list[Reaped] = []
    if state is not None:
        with interrupts.listening(lambda: "still reaping"):
            found = reap(state, keeper(state, tell), dry_run=dry_run)
    if as_json:
        emit({"format": FORMAT, "dry_run": dry_run, "apps": [each.to_json() for each in found]})
    else:
        _show(found, dry_run=dry_run)
    failed = any(each.outcome == "failed" for each in found)
    context.exit(EXIT_NOT_POSSIBLE if failed else 0)


def _show(found: list[Reaped], *, dry_run: bool) -> None:
    out = console()
    for each in found:
        word = f"would be {each.outcome}" if dry_run and each.outcome != "kept" else each.outcome
        out.print(Text(f"{each.domain}: ").append(word, style=_COLOURS[each.outcome]))
        out.print(Text(f"  {each.why}"))
    if not found:
        out.print("nothing to reap")
