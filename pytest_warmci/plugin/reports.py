"""What an item's report means for its recipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import pytest
from _pytest._code.code import TerminalRepr

from pytest_warmci.errors import (
    BaselineRotten,
    DiskReadOnly,
    DiskTooSmall,
    NotEvaluated,
    WarmciError,
)
from pytest_warmci.plugin.collect import Key
from pytest_warmci.runs.lane import Blocked, Lane

NOT_EVALUATED: Final = "not-evaluated"
_LABELS: Final = "warmci"
_EXCUSE: Final = pytest.StashKey[NotEvaluated | None]()


def label(report: pytest.TestReport | pytest.CollectReport, **labels: str) -> None:
    """Put labels on a report; they reach the controller of a distributed session too."""
    known: dict[str, str] = getattr(report, _LABELS, {})
    setattr(report, _LABELS, {**known, **labels})


def labels(report: pytest.TestReport | pytest.CollectReport) -> dict[str, str]:
    """Return the labels of a report: verdict, mode, recipe, as far as there are any."""
    found: dict[str, str] = getattr(report, _LABELS, {})
    return found


def cause_of(errors: Sequence[BaseException]) -> str:
    """Return the label of a cause that many errors may have in common; empty for any other one."""
    disk = any(isinstance(each, DiskReadOnly | DiskTooSmall) for each in errors)
    return "disk" if disk else ""


def note(
    lane: Lane, key: Key, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport
) -> None:
    """Note what became of an item, and label its report."""
    label(report, mode=lane.run.plan.mode, recipe=lane.run.recipe)
    error = call.excinfo.value if call.excinfo is not None else None
    if report.failed:
        _note_failure(lane, key, item, report, error)
    elif report.skipped:
        _note_skip(lane, key, item, report, error)
    elif report.when == "call":
        lane.outcomes.note(item.nodeid, "passed")
    _mask(report, lane.run.masked)


def note_teardown(lane: Lane, item: pytest.Item) -> None:
    """Note that the end of an item's fixtures failed, before its stage is left.

    Whether that can be excused is asked while the app is there, and held for the report.
    """
    excuse = lane.excuse()
    item.stash[_EXCUSE] = excuse
    if excuse is None:
        lane.outcomes.note(item.nodeid, "failed", f"{item.nodeid}: teardown failed")
    else:
        lane.outcomes.note(item.nodeid, NOT_EVALUATED, lane.run.masked(excuse.summary))


def _mask(report: pytest.TestReport, masked: Callable[[str], str]) -> None:
    """Blot secrets out of what a report shows: a test's values, what it printed, its reason."""
    report.sections = [(name, masked(text)) for name, text in report.sections]
    report.longrepr = _masked_inside(report.longrepr, masked)


def _masked_inside(shown: Any, masked: Callable[[str], str]) -> Any:
    """Return what pytest shows of an exception, with every text in it masked.

    It is text, a tuple, or objects of pytest's that are made of these, which are changed.
    """
    if isinstance(shown, str):
        return masked(shown)
    if isinstance(shown, list | tuple):
        return type(shown)(_masked_inside(each, masked) for each in shown)
    if isinstance(shown, TerminalRepr):
        for name, value in vars(shown).items():
            setattr(shown, name, _masked_inside(value, masked))
    return shown


def _note_failure(
    lane: Lane,
    key: Key,
    item: pytest.Item,
    report: pytest.TestReport,
    error: BaseException | None,
) -> None:
    ours = _ours(error)
    if ours:
        report.longrepr = "\n".join(map(str, ours))
    excused = _says_nothing(error)
    excuse = None if excused else item.stash.get(_EXCUSE, None) or lane.excuse()
    if excuse is not None:
        report.longrepr = f"{excuse}\n\n{report.longrepr}"
        error, excused = excuse, True
        ours = [excuse]
    label(report, cause=cause_of(ours))
    if not excused and key.phase == "base":
        lane.block(
            key.stage,
            BaselineRotten(
                f"{item.name} failed on the base, before head was tried", where=lane.run.recipe
            ),
        )
        label(report, verdict=NOT_EVALUATED)
        lane.outcomes.note(item.nodeid, "not-evaluated", f"{item.name} failed on the base")
    elif excused:
        label(report, verdict=NOT_EVALUATED)
        reason = lane.run.masked(_reason(item, error))
        lane.outcomes.note(item.nodeid, "not-evaluated", reason)
    else:
        lane.outcomes.note(item.nodeid, "failed", lane.run.masked(_reason(item, error)))


def _ours(error: BaseException | None) -> list[WarmciError]:
    """Return an error, or all of a group, when there is nothing but ours: their text says all."""
    errors = error.exceptions if isinstance(error, ExceptionGroup) else (error,)
    found = [each for each in errors if isinstance(each, WarmciError)]
    return found if len(found) == len(errors) else []


def _says_nothing(error: BaseException | None) -> bool:
    """Tell whether an error is no fault of the recipe."""
    if isinstance(error, ExceptionGroup):
        return all(_says_nothing(each) for each in error.exceptions)
    return isinstance(error, WarmciError) and error.verdict == NOT_EVALUATED


def _note_skip(
    lane: Lane,
    key: Key,
    item: pytest.Item,
    report: pytest.TestReport,
    error: BaseException | None,
) -> None:
    always = any(
        mark.name == "skip"
        or (mark.name == "xfail" and not mark.args and "condition" not in mark.kwargs)
        for mark in item.iter_markers()
    )
    lane.outcomes.note(item.nodeid, "skipped-always" if always else "skipped")
    if error is not None and isinstance(error.__context__, Blocked):
        # One line a recipe in `-rs`, at the place that a reader knows.
        reason = str(error.__context__)
        report.longrepr = (str(key.folder / "recipe.yml"), 1, f"Skipped: {reason}")


def _reason(item: pytest.Item, error: BaseException | None) -> str:
    if isinstance(error, WarmciError):
        return error.summary
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"{item.name}: {first}"
