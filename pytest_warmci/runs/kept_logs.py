"""What a run has kept for a person: the logs of its services, and all other evidence.

Only reads. Which run is meant comes from a person, so no path is ever made of it (see `past`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pytest_warmci.errors import InputError, NotEvaluated
from pytest_warmci.runs.past import PastRun, find_run, past_runs
from pytest_warmci.store.state import StateDirectory

_LOGS: Final = "logs"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One file of a run's folder; `name` is its path seen from there."""

    name: str
    path: Path
    size: int

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"name": self.name, "size": self.size}


@dataclass(frozen=True, slots=True)
class Log:
    """The kept log of one service in one stage of a run."""

    stage: str
    service: str
    file: Evidence

    def text(self) -> str:
        """Read it."""
        return self.file.path.read_text("utf-8", "replace")

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data, with its text."""
        facts = {"stage": self.stage, "service": self.service, **self.file.to_json()}
        return {**facts, "text": self.text()}


def choose_run(state: StateDirectory, run_id: str | None, recipe: str | None) -> PastRun:
    """Return the run of that id; without one the newest, of a recipe or of any.

    The newest is one that does not run any more: logs are kept when a run leaves its app.

    Raises:
        InputError: There is none.
    """
    if run_id is not None:
        return find_run(state, run_id)
    for run in past_runs(state, recipe):
        if run.state != "running":
            return run
    raise InputError(
        f"no run of {recipe} has ended yet" if recipe else "no run has ended yet",
        where=str(state.runs),
        remedy="warmci runs lists what there is",
    )


def evidence(run: PastRun) -> list[Evidence]:
    """Return all files of a run, by name; no links."""
    return sorted(_files(run.folder, run.folder), key=lambda each: each.name)


def logs(run: PastRun, service: str | None = None) -> list[Log]:
    """Return the kept logs of a run, of one service or of all.

    Raises:
        NotEvaluated: It has kept none.
        InputError: It has none of that service.
    """
    kept = list(_logs(run))
    if not kept:
        raise NotEvaluated(
            f"run {run.id} has kept no logs",
            where=str(run.folder),
            why=_why_none(run),
            remedy=f"warmci logs {run.id} --list shows what it has kept; warmci runs lists others",
        )
    found = [log for log in kept if service in (None, log.service)]
    if not found:
        names = ", ".join(sorted({log.service for log in kept}))
        raise InputError(
            f"run {run.id} has kept no log of a service {service!r}",
            where=str(run.folder / _LOGS),
            remedy=f"name one of: {names}",
        )
    return found


def _logs(run: PastRun) -> Iterator[Log]:
    folder = run.folder / _LOGS
    if folder.is_symlink():
        return
    for each in sorted(_files(folder, run.folder, deep=False), key=lambda each: each.name):
        if each.path.suffix == ".log":
            # the stage is one word, a service's name may have dashes
            stage, _, service = each.path.stem.partition("-")
            yield Log(stage, service or stage, each)


def _files(folder: Path, top: Path, *, deep: bool = True) -> Iterator[Evidence]:
    try:
        with os.scandir(folder) as found:
            entries = list(found)
    except OSError:
        return
    for entry in entries:
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            if deep:
                yield from _files(path, top)
        elif entry.is_file(follow_symlinks=False):
            yield Evidence(str(path.relative_to(top)), path, entry.stat().st_size)


def _why_none(run: PastRun) -> str:
    if run.state == "running":
        return f"it still runs, and keeps them when it leaves its app: {run.why}"
    if run.state == "died":
        return "it died before it could"
    return "it ended before an app ran" if run.result is not None else run.why
