"""`warmci shell`: a shell beside an app that a run has left running."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import click

from pytest_warmci.cli.completion import complete_kept
from pytest_warmci.cli.options import json_option, state_option, state_setting
from pytest_warmci.cli.output import emit, tell
from pytest_warmci.errors import UsageError
from pytest_warmci.model import FORMAT

if TYPE_CHECKING:
    from pytest_warmci.runs.shell import Kept

EPILOG: Final = """\
\b
Example:
  warmci shell keycloak -- sh -c 'curl "$WARMCI_APP_URL/realms/master"'
"""

_SHELL: Final = "/bin/sh"


@click.command("shell", epilog=EPILOG)
@click.argument("app", required=False, shell_complete=complete_kept)
@click.argument("argv", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
@click.option("--list", "as_list", is_flag=True, help="List the kept apps instead.")
@state_option
@json_option
@click.pass_context
def command(
    context: click.Context, app: str | None, *, argv: tuple[str, ...], as_list: bool, as_json: bool
) -> None:
    """Open a shell, or run COMMAND, beside the kept APP.

    APP is the recipe, the run or the domain of an app that a run has left running. The program is
    your $SHELL, or COMMAND; its environment has the app's .env, and WARMCI_APP_URL, _DOMAIN,
    _RECIPE, _VERSION and _FOLDER. Secrets are files in WARMCI_SECRETS_DIR. Ends with the program's
    own exit status.
    """
    from pytest_warmci.clients import command as programs
    from pytest_warmci.runs import shell
    from pytest_warmci.store.state import peek_state

    if as_list and (app or argv):
        raise UsageError("--list lists all kept apps", remedy="drop it, or the app's name")
    if not as_list and app is None:
        raise UsageError("which app?", remedy="warmci shell APP; warmci shell --list lists them")
    if as_json and not as_list:
        raise UsageError("--json is for --list", remedy="drop it: a shell's output is its own")
    state = peek_state(state_setting().value)
    kept, troubles = ([], []) if state is None else shell.all_kept(state)
    for trouble in troubles:
        tell(f"warning: {trouble}")
    if app is None:
        _list(kept, as_json=as_json)
        return
    chosen = shell.choose_app(kept, app)
    tell(_about(chosen))
    words = list(argv) or [os.environ.get("SHELL") or _SHELL]
    code = programs.stream(words, env=shell.surroundings(chosen, os.environ))
    context.exit(code if code >= 0 else 128 - code)


def _list(kept: list[Kept], *, as_json: bool) -> None:
    from pytest_warmci.runs.shell import describe

    if as_json:
        emit({"format": FORMAT, "kept": [each.to_json() for each in kept]})
        return
    for each in kept:
        why = f" ({each.app.why})" if each.app.why else ""
        click.echo(f"{describe(each)}{why}\n  {each.app.url}, {_left(each)}")
    if not kept:
        click.echo("no app is kept")


def _about(kept: Kept) -> str:
    version = kept.app.version or kept.app.commit[:8]
    return f"{kept.app.recipe} {version} at {kept.app.url} until {kept.app.until}, {_left(kept)}"


def _left(kept: Kept) -> str:
    from pytest_warmci.runs.past import duration

    seconds = kept.time_left()
    return (
        f"{duration(seconds)} from now" if seconds else "so its time is over: it may go any time"
    )
