"""`warmci live`: the shared Keycloak that is kept running."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from rich.text import Text

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
from pytest_warmci.cli.output import EXIT_NOT_POSSIBLE, console, emit, tell
from pytest_warmci.model import FORMAT

if TYPE_CHECKING:
    from pytest_warmci.clients.locks import Holder
    from pytest_warmci.runs.live_status import LiveStatus

_LIMIT: Final = 600.0
"""Seconds to wait for those who use it."""


@click.group("live")
def command() -> None:
    """Look at the live-warm Keycloak, start it, stop it.

    Recipes that say `requires: [keycloak]` share it. It is started by the first run that needs it and
    stays up; its data stay when it is stopped. Each engine has its own.
    """


@command.command("status")
@engine_option
@state_option
@json_option
@click.pass_context
def status(context: click.Context, *, as_json: bool) -> None:
    """Say whether it runs and works, since when, and who uses it.

    Starts nothing. Ends with 75 when it does not work, though nobody has stopped it.
    """
    from pytest_warmci.runs.choosing import live_keeper
    from pytest_warmci.runs.live_status import LiveStatus, look
    from pytest_warmci.store.state import peek_state

    state = peek_state(state_setting().value)
    engine = live_keeper(state, engine_setting().value, tell)
    found = LiveStatus("stopped")
    if state is not None and engine is not None:
        found = look(state, engine)
    _show(found, as_json=as_json)
    context.exit(EXIT_NOT_POSSIBLE if found.condition == "broken" else 0)


@command.command("start")
@tests_option
@engine_option
@engine_options_option
@state_option
@json_option
def start(*, tests: str | None, as_json: bool) -> None:
    """Start it, and return when it works (a minute, the first time more).

    Nothing happens when the right one runs already; another one is started anew after those who
    use it have left.
    """
    from pytest_warmci.clients import interrupts
    from pytest_warmci.model import AUTO_ENGINE
    from pytest_warmci.runs import live, live_keycloak
    from pytest_warmci.runs.choosing import choose, live_home, own_options
    from pytest_warmci.runs.engines import open_engine
    from pytest_warmci.runs.live_status import look
    from pytest_warmci.runs.location import find_recipe
    from pytest_warmci.store.state import open_state

    told = engine_setting().value
    folder = find_recipe(live_keycloak.KEYCLOAK, Path.cwd(), tests)
    state = open_state(state_setting().value)
    name, options = live_home(state, told), engine_options()
    if name is None:
        engine = choose(folder, state, tell, options).engine
    else:
        options = own_options(name, options) if told == AUTO_ENGINE else options
        engine = open_engine(name, folder, state, tell, options)
    service = live_keycloak.open_service(folder, state, engine)
    with interrupts.listening(lambda: "still starting the live-warm Keycloak"):
        live.start(service, who=_who("start it"), limit=_LIMIT, progress=tell)
    _show(look(state, service.engine), as_json=as_json)


@command.command("stop")
@engine_option
@state_option
@json_option
def stop(*, as_json: bool) -> None:
    """Stop it, after those who use it have left. Its data stay."""
    from pytest_warmci.clients import interrupts
    from pytest_warmci.runs import live, live_keycloak
    from pytest_warmci.runs.choosing import live_keeper
    from pytest_warmci.store.state import peek_state

    state = peek_state(state_setting().value)
    engine = live_keeper(state, engine_setting().value, tell)
    stopped = False
    if state is not None and engine is not None:
        place = live_keycloak.LivePlace(state, engine)
        with interrupts.listening(lambda: "still stopping the live-warm Keycloak"):
            stopped = live.stop(place, who=_who("stop it"), limit=_LIMIT, progress=tell)
    if as_json:
        emit({"format": FORMAT, "stopped": stopped})
    else:
        click.echo("keycloak: stopped" if stopped else "keycloak: nothing to do, it does not run")


def _who(why: str) -> Holder:
    from pytest_warmci.clients.locks import Holder

    return Holder(run="", mode="live", why=why)


def _show(found: LiveStatus, *, as_json: bool) -> None:
    if as_json:
        emit({"format": FORMAT, "keycloak": found.to_json()})
        return
    out = console()
    if found.condition == "stopped":
        out.print("keycloak: does not run; warmci live start starts it")
        return
    colour = "green" if found.condition == "works" else "red"
    words = {"works": "works", "broken": "does not work"}[found.condition]
    out.print(Text("keycloak: ").append(words, style=colour).append(f" at {found.url}"))
    out.print(Text(f"  {found.version} ({found.commit[:8]}), up since {found.started}"))
    if found.why:
        out.print(Text(f"  {found.why}"))
    out.print(Text(f"  realms: {found.realms}, used by {found.used_by or 'nobody'}"))
