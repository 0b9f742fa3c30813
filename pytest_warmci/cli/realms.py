"""`warmci realms`: whose realms the live-warm Keycloak has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich import box
from rich.table import Table

from pytest_warmci.cli.options import (
    engine_option,
    engine_setting,
    json_option,
    state_option,
    state_setting,
)
from pytest_warmci.cli.output import console, emit, tell
from pytest_warmci.model import FORMAT

if TYPE_CHECKING:
    from pytest_warmci.runs.live_status import RealmStatus


@click.command("realms")
@engine_option
@state_option
@json_option
def command(*, as_json: bool) -> None:
    """List the realms of runs on the live-warm Keycloak: holder, age, and what reap would do.

    Starts nothing and changes nothing. Ends with 75 when Keycloak runs and does not answer.
    """
    from pytest_warmci.runs.choosing import live_keeper
    from pytest_warmci.runs.live import running
    from pytest_warmci.runs.live_keycloak import LivePlace
    from pytest_warmci.runs.live_status import realms_of_runs
    from pytest_warmci.store.state import peek_state

    state = peek_state(state_setting().value)
    engine = live_keeper(state, engine_setting().value, tell)
    live = None
    if state is not None and engine is not None:
        live = running(LivePlace(state, engine))
    found = realms_of_runs(live) if live is not None else []
    if as_json:
        listed = [each.to_json() for each in found]
        emit({"format": FORMAT, "runs": live is not None, "realms": listed})
    elif live is None:
        console().print("keycloak does not run, so there are no realms; see warmci live status")
    elif not found:
        console().print("there are no realms of runs")
    else:
        console().print(_table(found))


def _table(found: list[RealmStatus]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("realm", "condition", "age", "held by", "reap"):
        table.add_column(title, overflow="fold")
    for each in found:
        age = "" if each.age is None else f"{each.age:.0f} s"
        table.add_row(each.realm, each.condition, age, each.holder, f"{each.reap}: {each.why}")
    return table
