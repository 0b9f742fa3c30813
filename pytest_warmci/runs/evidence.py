"""Evidence of a run, kept in its folder before the app goes; secrets are blotted out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from pytest_warmci.clients import http
from pytest_warmci.clients.files import make_folder, write_text
from pytest_warmci.errors import WarmciError
from pytest_warmci.runs.place import Place
from pytest_warmci.runs.run import Run

_MOST: Final = 2_000_000
"""Bytes of a log that are kept (its end, where the trouble is), characters of anything else."""

_PROBE_SECONDS: Final = 5.0


def keep_evidence(run: Run, stage: str, *, passed: bool) -> None:
    """Keep what explains a stage: logs always, else also the last probe and what head changes.

    What cannot be kept is noted: the app must go all the same.
    """
    place = run.place
    if place is None:
        return
    _keep(run, f"logs of {stage}", lambda: _keep_logs(run, place, stage))
    if not passed:
        _keep(run, "the last probe", lambda: _keep_probe(run, place, stage))
        _keep(run, "what head changes", lambda: _keep_patch(run))


def evidence_of(folder: Path) -> tuple[str, ...]:
    """Name the files of a run's folder that are evidence, sorted."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    names = (str(path.relative_to(folder)) for path in found if not path.name.startswith("."))
    return tuple(sorted(name for name in names if name.endswith((".log", ".txt", ".patch"))))


def _keep(run: Run, what: str, keep: Callable[[], None]) -> None:
    try:
        keep()
    except (OSError, WarmciError) as error:
        why = error.summary if isinstance(error, WarmciError) else str(error)
        run.notes.append(f"{what} could not be kept: {why}")


def _keep_logs(run: Run, place: Place, stage: str) -> None:
    for service, path in run.engine.logs(place).items():
        _write(run, f"logs/{stage}-{service}.log", run.masked(_end_of(path)))


def _keep_probe(run: Run, place: Place, stage: str) -> None:
    probe = run.plan.enrolment.probe
    answer = http.get(run.engine.address(place) + probe.path, timeout=_PROBE_SECONDS)
    said = f"HTTP {answer.status}" if answer.status else "no answer"
    text = f"GET {probe.path}\n{said}\n\n{answer.text}\n"
    # Cut off when it is masked: half a secret would not be seen.
    _write(run, f"probe-{stage}.txt", run.masked(text)[:_MOST])


def _keep_patch(run: Run) -> None:
    base, head = run.plan.base, run.plan.head
    if base is not None:
        patch = run.plan.source.diff(base.commit, head.commit)
        _write(run, "base-to-head.patch", run.masked(patch)[:_MOST])


def _end_of(log: Path) -> str:
    """Return the end of a log; when its beginning is left out, the first line says so."""
    with log.open("rb") as file:
        left_out = log.stat().st_size - _MOST
        file.seek(max(left_out, 0))
        if left_out > 0:
            left_out += len(file.readline(_MOST))  # half a line may be half a secret
        text = file.read(_MOST).decode("utf-8", "replace")
    note = f"warmci: the first {left_out} bytes of this log were not kept\n"
    return note + text if left_out > 0 else text


def _write(run: Run, name: str, text: str) -> None:
    path = run.folder / name
    make_folder(path.parent)
    write_text(path, text)
