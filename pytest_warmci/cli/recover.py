"""`warmci recover`: finish what a dead run had begun."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click
from rich.text import Text

from pytest_warmci.cli.options import json_option, only_engine_option, state_option, state_setting
from pytest_warmci.cli.output import EXIT_NOT_POSSIBLE, app_name, console, emit, tell
from pytest_warmci.model import FORMAT

if TYPE_CHECKING:
    from pytest_warmci.runs.recovering import Recovered

_COLOURS: Final = {"nothing to do": "dim", "recovered": "green", "busy": "yellow", "failed": "red"}


@click.command("recover")
@click.argument("app", required=False)
@click.option(
    "--wait",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=0.0,
    help="How long to wait for an app that a run holds. Default: 0, it is left alone.",
)
@only_engine_option
@state_option
@json_option
@click.pass_context
def command(
    context: click.Context, app: str | None, *, wait: float, only: str | None, as_json: bool
) -> None:
    """Finish what a dead run had begun with APP, or with every app.

    APP is a recipe (its canonical) or a domain. Orphan processes are ended first; then a canonical
    is put back to its known-good and verified, and any other app is removed. What a live run holds
    is left alone. Every run does the same for itself; this is for doing it now. Can be killed and
    run again. Ends with 75 when something was busy or could not be recovered.
    """
    from pytest_warmci.clients import interrupts
    from pytest_warmci.runs.engines import keepers, strange_engines
    from pytest_warmci.runs.recovering import recover_all
    from pytest_warmci.store.state import peek_state

    state = peek_state(state_setting().value)
    found = []
    with interrupts.listening(lambda: "still recovering"):
        if state is not None:
            for name in strange_engines(state):
                tell(f"warning: apps of engine '{name}' are left alone: it is not known here")
            engines = keepers(state, tell, only)
            for each in recover_all(state, engines, app, limit=wait, on_wait=tell):
                found.append(each)
                if not as_json:
                    _show(each)
    if as_json:
        emit({"format": FORMAT, "apps": [each.to_json() for each in found]})
    elif not found:
        console().print("nothing to recover: there is no app")
    undone = any(each.outcome in ("busy", "failed") for each in found)
    context.exit(EXIT_NOT_POSSIBLE if undone else 0)


def _show(each: Recovered) -> None:
    line = Text(f"{app_name(each.domain, each.engine)}: ")
    console().print(line.append(each.outcome, style=_COLOURS[each.outcome]))
    for text in each.done:
        console().print(Text("  " + text.replace("\n", "\n  ")))
