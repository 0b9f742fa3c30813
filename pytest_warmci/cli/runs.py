"""`warmci runs`: what has run here."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

import click
from rich import box
from rich.table import Table
from rich.text import Text

from pytest_warmci.cli.completion import complete_recipes
from pytest_warmci.cli.options import json_option, state_option, state_setting
from pytest_warmci.cli.output import console, emit
from pytest_warmci.model import DEFAULT_ENGINE, FORMAT

if TYPE_CHECKING:
    from pytest_warmci.runs.past import PastRun, Times
    from pytest_warmci.store.results import Result, TestedVersion

_COLOURS: Final = {
    "passed": "green",
    "failed": "red",
    "skipped": "yellow",
    "not-evaluated": "yellow",
    "running": "cyan",
    "died": "red",
    "unreadable": "red",
}
_LIMIT: Final = 20


@click.command("runs")
@click.argument("recipe", required=False, shell_complete=complete_recipes)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    default=_LIMIT,
    help=f"How many to show at most. Default: {_LIMIT}.",
)
@click.option("--failed", is_flag=True, help="Only those that did not pass.")
@state_option
@json_option
def command(recipe: str | None, *, limit: int, failed: bool, as_json: bool) -> None:
    """List what ran, the newest first, of RECIPE or of all recipes.

    Shows run id, verdict, mode, versions, when and how long; why a run did not pass, and why a
    cold one did not become known-good. A run that was killed has died: it was not evaluated.
    "warmci logs RUN" prints what a run's services said. Starts nothing and writes nothing.
    """
    from pytest_warmci.runs import past
    from pytest_warmci.store.state import peek_state

    setting = state_setting()
    state = peek_state(setting.value)
    found: list[PastRun] = []
    more = False
    times: list[Times] = []
    if state is not None:
        listed = list(islice(past.past_runs(state, recipe, failed=failed), limit + 1))
        found, more = listed[:limit], len(listed) > limit
        times = past.compare(state, dict.fromkeys(run.recipe for run in found if run.recipe))
    if as_json:
        emit(
            {
                "format": FORMAT,
                "state": str(setting.value),
                "runs": [run.to_json() for run in found],
                "more": more,
                "times": [each.to_json() for each in times],
            }
        )
        return
    out = console()
    if state is None:
        out.print(f"nothing has run: there is no state directory at {setting}")
        return
    if not found:
        kind = " that did not pass" if failed else ""
        out.print(f"no run{f' of {recipe}' if recipe else ''}{kind} in {setting}")
        return
    out.print(_table(found))
    for each in times:
        line = _comparison(each)
        if line:
            out.print(line)
    if more:
        out.print(f"there are more: --limit {2 * limit}", style="dim")


def _table(found: list[PastRun]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("run", "recipe", "verdict", "mode", "versions", "when", "time", "outcome"):
        table.add_column(
            name,
            overflow="fold",
            justify="right" if name == "time" else "left",
            no_wrap=name in ("run", "when"),
        )
    for run in found:
        table.add_row(*_row(run))
    return table


def _row(run: PastRun) -> tuple[Text | str, ...]:
    from pytest_warmci.runs.past import duration

    result = run.result
    word = run.state if result is None else result.verdict
    verdict = Text(word, style=_COLOURS.get(word, ""))
    if result is None:
        mode = str(run.lease.get("mode", "-"))
        return (run.id, run.recipe or "?", verdict, mode, "-", _ago(run.began), "-", run.why)
    asked = "" if result.mode == result.requested_mode else f" ({result.requested_mode} asked)"
    where = "" if result.engine == DEFAULT_ENGINE else f" on {result.engine}"
    return (
        run.id,
        result.recipe,
        verdict,
        result.mode + asked + where,
        _versions(result),
        _ago(run.began),
        duration(result.seconds),
        _outcome(result),
    )


def _outcome(result: Result) -> str:
    if result.verdict != "passed":
        return result.reason
    if result.promoted:
        return "promoted"
    if result.mode == "quick":
        return ""
    why = "; ".join(filter(None, (result.promotion_reason, *result.incomplete_because)))
    return f"not promoted: {why}" if why else "not promoted"


def _versions(result: Result) -> str:
    head = _version(result.head)
    return head if result.base is None else f"{result.base.version or '?'} -> {head}"


def _version(version: TestedVersion | None) -> str:
    return "-" if version is None else f"{version.version or '?'} {version.commit[:8]}"


def _comparison(times: Times) -> str:
    from pytest_warmci.runs.past import duration

    if times.quick is None or times.cold is None:
        return ""
    quick, cold = times.quick.seconds, times.cold.seconds
    ratio = f" ({quick / cold:.2f} x)" if cold else ""
    return f"{times.recipe}: quick {duration(quick)}, last cold {duration(cold)}{ratio}"


def _ago(since: str) -> str:
    from pytest_warmci.runs.summary import age

    try:
        return f"{age(since)} ago"
    except (TypeError, ValueError):
        return "?"
