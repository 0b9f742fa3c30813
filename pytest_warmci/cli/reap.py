"""`warmci reap`: remove what dead runs left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click
from rich.text import Text

from pytest_warmci.cli.options import json_option, only_engine_option, state_option, state_setting
from pytest_warmci.cli.output import EXIT_NOT_POSSIBLE, app_name, console, emit, tell
from pytest_warmci.errors import UsageError
from pytest_warmci.model import FORMAT

if TYPE_CHECKING:
    from pytest_warmci.runs.reap import Reaped
    from pytest_warmci.runs.reap_realms import ReapedRealm

_COLOURS: Final = {"removed": "green", "restored": "green", "kept": "cyan", "failed": "red"}


@click.command("reap")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option(
    "--self-test",
    is_flag=True,
    help="Plant a dead realm and a live one first, and see that exactly the dead one goes.",
)
@only_engine_option
@state_option
@json_option
@click.pass_context
def command(
    context: click.Context, *, dry_run: bool, self_test: bool, only: str | None, as_json: bool
) -> None:
    """Remove the apps and the realms of dead runs, and end apps that were kept for long enough.

    A run is dead when nobody holds its lock; age proves nothing. Says what stays, and why. Every
    run does the same on its engine when it begins (with realms, when it begins to use Keycloak).
    `warmci recover DOMAIN` ends a kept app before its time. Realms are looked for when the
    live-warm Keycloak runs, at most 25 are deleted at once. Ends with 75 when something could not
    be removed.
    """
    from pytest_warmci.clients import interrupts
    from pytest_warmci.runs.engines import keepers, strange_engines
    from pytest_warmci.runs.reap import reap
    from pytest_warmci.runs.reap_realms import reap_all_realms, untestable
    from pytest_warmci.store.state import peek_state

    if dry_run and self_test:
        raise UsageError(
            "--dry-run and --self-test contradict each other",
            remedy="the self-test plants realms and deletes one: drop one of them",
        )
    state = peek_state(state_setting().value)
    if state is None and self_test:
        raise untestable()
    apps: list[Reaped] = []
    realms: list[ReapedRealm] = []
    if state is not None:
        with interrupts.listening(lambda: "still reaping"):
            for name in strange_engines(state):
                tell(f"warning: apps of engine '{name}' are left alone: it is not known here")
            engines = keepers(state, tell, only)
            for engine in engines:
                apps += reap(state, engine, dry_run=dry_run)
            realms = reap_all_realms(state, engines, dry_run=dry_run, self_tested=self_test)
    if as_json:
        emit(
            {
                "format": FORMAT,
                "dry_run": dry_run,
                "apps": [each.to_json() for each in apps],
                "realms": [each.to_json() for each in realms],
            }
        )
    else:
        _show(apps, realms, dry_run=dry_run)
    outcomes = [each.outcome for each in apps] + [each.outcome for each in realms]
    failed = "failed" in outcomes
    context.exit(EXIT_NOT_POSSIBLE if failed else 0)


def _show(apps: list[Reaped], realms: list[ReapedRealm], *, dry_run: bool) -> None:
    out = console()
    named = [
        (
            app_name(each.domain, each.engine) if each.domain else each.name,
            each.outcome,
            each.why,
        )
        for each in apps
    ]
    named += [
        (f"realm {each.realm}" if each.realm else "realms", each.outcome, each.why)
        for each in realms
    ]
    for name, outcome, why in named:
        word = f"would be {outcome}" if dry_run and outcome != "kept" else outcome
        out.print(Text(f"{name}: ").append(word, style=_COLOURS[outcome]))
        out.print(Text(f"  {why}"))
    if not named:
        out.print("nothing to reap")
