"""`warmci status`: what is warm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pytest_warmci.cli.completion import complete_recipes
from pytest_warmci.cli.options import json_option, only_engine_option, state_option, state_setting
from pytest_warmci.cli.output import console, emit, human_size

if TYPE_CHECKING:
    from pytest_warmci.runs.status import Status, WarmThing
    from pytest_warmci.store.results import Result

_COLOURS: Final = {
    "known-good": "green",
    "none": "dim",
    "in-use": "cyan",
    "kept": "cyan",
    "interrupted": "yellow",
    "quarantined": "red",
    "damaged": "red",
    "unreadable": "red",
    "passed": "green",
    "failed": "red",
    "not-evaluated": "yellow",
    "skipped": "yellow",
}

_WORDS: Final = {"none": "no known-good", "in-use": "in use by"}


@click.command("status")
@click.argument("recipe", required=False, shell_complete=complete_recipes)
@only_engine_option
@state_option
@json_option
def command(recipe: str | None, *, only: str | None, as_json: bool) -> None:
    """Show what is warm: version, age, size, who uses it, last results, open alerts.

    Starts nothing and writes nothing.
    """
    from pytest_warmci.runs.status import look

    found = look(state_setting(), recipe, only)
    if as_json:
        emit(found.to_json())
        return
    out = console()
    for warning in found.warnings:
        out.print(f"warning: {warning}", style="yellow")
    if not found.exists:
        out.print(f"nothing is warm: there is no state directory at {found.state}")
    elif not found.things:
        name = f"of {recipe} " if recipe else ""
        out.print(f"nothing {name}is warm in {found.state}; warmci seed RECIPE makes a known-good")
    else:
        out.print(f"state {found.state}", style="dim")
        out.print(_table(found))
    _print_alerts(out, found)


def _table(found: Status) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("recipe", "known-good", "age", "size", "state", "last results"):
        table.add_column(name, overflow="fold", justify="right" if name == "size" else "left")
    for thing in found.things:
        table.add_row(*_row(thing))
    return table


def _row(thing: WarmThing) -> tuple[Text | str, ...]:
    recipe = f"{thing.recipe}\n{thing.engine}"
    states = Text("\n").join(
        Text(_phrase(name, why), style=_COLOURS[name]) for name, why in thing.states.items()
    )
    last = Text("\n").join(_last(mode, thing.last) for mode in ("cold", "quick"))
    if thing.entry is None:
        return recipe, "-", "-", human_size(thing.size_bytes), states, last
    entry = thing.entry
    return (
        recipe,
        f"{entry.version} {entry.commit[:8]}\n{entry.url}",
        _age(entry.promoted_at),
        _size(thing),
        states,
        last,
    )


def _size(thing: WarmThing) -> str:
    known = human_size(thing.size_bytes)
    return known if thing.volumes_bytes is not None else f"{known} + ?"


def _phrase(name: str, why: str) -> str:
    if not why:
        return _WORDS.get(name, name)
    return f"{_WORDS[name]} {why}" if name in _WORDS else f"{name}: {why}"


def _last(mode: str, runs: Mapping[Any, Result]) -> Text:
    result = runs.get(mode)
    if result is None:
        return Text(f"{mode}: never", style="dim")
    asked = "" if result.mode == result.requested_mode else f" ({result.requested_mode} asked)"
    return Text.assemble(
        f"{mode}{asked}: ",
        (result.verdict, _COLOURS.get(result.verdict, "")),
        f" in {result.seconds:.0f} s, {_age(result.started)} ago",
    )


def _print_alerts(out: Console, found: Status) -> None:
    for alert in found.alerts:
        data = alert.get("data")
        facts: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
        kind = str(alert.get("type", "")).removeprefix("warmci.")
        times = f", {facts['count']} times" if facts.get("count", 1) != 1 else ""
        since = f" ({_age(str(alert['time']))} ago{times})" if alert.get("time") else ""
        out.print(f"ALERT {kind}: {alert.get('subject', '')}{since}", style="bold red")
        for name, value in facts.items():
            if name not in ("do", "count", "since", "last_seen"):
                out.print(f"  {name}: {value}")
        if facts.get("do"):
            out.print(f"  do: {facts['do']}")


def _age(since: str) -> str:
    from pytest_warmci.runs.summary import age

    try:
        return age(since)
    except (TypeError, ValueError):
        return "?"
