"""Sessions that are told to stop while they run, and what must hold afterwards, at once."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pytest_warmci.model import KnownGood
from tests.e2e.workshop import ROOT, Outcome, Workshop, clean_environment
from tests.faults.aftermath import check_known_good, check_quiet
from tests.started import Started, started

LIMIT = 240.0


@contextmanager
def session(
    workshop: Workshop,
    *words: str,
    output: int | None = None,
    terminal: int | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[Started]:
    """Run a session on the recipe's folder (or on the ids among `words`) during the block."""
    target = _target(workshop)
    target.unlink(missing_ok=True)
    ids = [word for word in words if "::" in word or word.endswith(".py")]
    argv = [
        sys.executable,
        *("-m", "pytest", "-rs", "-p", "tests.faults.strike"),
        *("-o", f"cache_dir={workshop.root}.cache"),
        *(ids or [str(workshop.recipe)]),
        *(f"--warmci-state={workshop.root}", f"--warmci-json={target}"),
        *(word for word in words if word not in ids),
    ]
    with program(workshop, argv, output=output, terminal=terminal, env=env) as running:
        yield running


@contextmanager
def program(
    workshop: Workshop,
    argv: list[str],
    *,
    output: int | None = None,
    terminal: int | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[Started]:
    """Run a program of this project during the block."""
    with started(
        argv,
        workshop.root.parent,
        cwd=ROOT,
        env={**clean_environment(), "PYTHONPATH": str(ROOT), **(env or {})},
        output=output,
        terminal=terminal,
    ) as running:
        yield running


def outcome_of(workshop: Workshop, running: Started) -> Outcome:
    """Wait for a session's end, and return what it has left."""
    status = running.wait(LIMIT)
    target = _target(workshop)
    data = json.loads(target.read_text("utf-8")) if target.exists() else {}
    return Outcome(status, running.text, data)


def struck(workshop: Workshop, at: str, blow: str, *words: str, only: str = "") -> Outcome:
    """Run a session that is struck at a point (see the strike plugin) and ends by itself."""
    env = {"STRIKE_AT": at, "STRIKE_WITH": blow, "STRIKE_ONLY": only}
    with session(workshop, *words, env=env) as running:
        return outcome_of(workshop, running)


@dataclass(frozen=True)
class Before:
    """What a session finds."""

    known_good: KnownGood
    volumes: str


def look(workshop: Workshop) -> Before:
    """Look at what the next session will find."""
    return Before(workshop.known_good, workshop.volumes_digest())


def check_interrupted(workshop: Workshop, outcome: Outcome, before: Before) -> None:
    """It ended as told, it is not green, and nothing is left to be done by the next run."""
    assert outcome.status == 2, outcome.text
    for result in outcome.results:
        found = (result["verdict"], result["reason"], result["promoted"], result["authority"])
        assert found == ("not-evaluated", "interrupted", False, False)
    check_left(workshop, before)


def check_left(workshop: Workshop, before: Before) -> None:
    """Nothing runs or is held any more; the known-good is as it was, and the volumes equal it.

    (Or nobody has come to touch them.)
    """
    check_quiet(workshop)
    assert check_known_good(workshop, before.known_good) == before.known_good
    assert workshop.volumes_digest() in (before.known_good.digest, before.volumes)


def check_goes_on(workshop: Workshop, before: Before) -> None:
    """The next run passes, on the same known-good, and has nothing to recover."""
    again = workshop.pytest("--quick")
    assert again.status == 0, again.text
    digest = before.known_good.digest
    assert again.result["known_good"] == {"before": digest, "after": digest}
    assert not [note for note in again.result["notes"] if "cut short" in note]


def _target(workshop: Workshop) -> Path:
    return workshop.root.parent / f"{workshop.root.name}.json"
