"""A result in words: mode, authority and known-good are always said."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pytest_warmci.model import KnownGood
from pytest_warmci.runs.summary import age, describe, describe_known_good
from pytest_warmci.store.results import (
    Counts,
    KnownGoodDigests,
    PhaseTime,
    Result,
    Source,
    TestedVersion,
    WitnessCount,
)

RESULT = Result(
    run_id="1a2b3c",
    session="s",
    recipe="ghost",
    engine="process",
    mode="quick",
    requested_mode="quick",
    authority=False,
    complete=True,
    verdict="passed",
    reason="",
    source=Source("/src", "HEAD"),
    started="2026-01-01T00:00:00Z",
    seconds=12.34,
    base=TestedVersion("1.0.0+1", "a" * 40),
    head=TestedVersion("", "b" * 40),
    proved_head="java owns the port",
    witness=WitnessCount(4, 4),
    known_good=KnownGoodDigests("sha256:" + "1" * 64, "sha256:" + "1" * 64),
    tests=Counts(5, 0, 1, 2),
    phases=(PhaseTime("deploy", 3.21, "passed"), PhaseTime("upgrade", 4.0, "failed")),
)

ENTRY = KnownGood(
    recipe="ghost",
    engine="process",
    domain="warm-ghost.warmci.localhost",
    url="http://localhost:1",
    version="1.0.0+1",
    commit="a" * 40,
    generation="g",
    digest="sha256:" + "1" * 64,
    witness={},
    promoted_at="2026-01-01T00:00:00Z",
    promoted_by="x",
    evidence={},
    cold_seconds=61.7,
)


def lines(result: Result, entry: KnownGood | None = ENTRY) -> list[str]:
    return describe(result, entry, Path("/runs/1a2b3c"))


def test_a_quick_pass() -> None:
    """All of it, for a person."""
    assert [
        "quick on process: passed",
        "  versions   1.0.0+1 (aaaaaaaa) -> ? (bbbbbbbb)",
        "  tests      5 passed, 0 failed, 1 skipped, 2 deselected",
        "  phases     deploy 3.2 s, upgrade 4.0 s (failed)",
        "  head       java owns the port",
        "  witness    4 before, 4 after",
        "  known-good digest before 111111111111 = after 111111111111",
        "  authority  none: quick is advisory",
        "  time       12.3 s, the last cold run took 1 min 2 s (0.20 x)",
        "  evidence   /runs/1a2b3c",
    ] == lines(RESULT)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"mode": "cold"}, "cold (quick asked) on process: passed"),
        ({"verdict": "failed", "reason": "data lost"}, "quick on process: failed: data lost"),
        ({"known_good": KnownGoodDigests(None, None)}, "  known-good none"),
        (
            {"known_good": KnownGoodDigests("sha256:" + "1" * 64, "sha256:" + "2" * 64)},
            "  known-good digest before 111111111111 != after 222222222222",
        ),
        (
            {"promoted": True, "known_good": KnownGoodDigests(None, "sha256:" + "2" * 64)},
            "  known-good promoted: none -> 222222222222",
        ),
        ({"promoted": True}, "  authority  yes: complete; promoted"),
        (
            {"authority": True, "promotion_reason": "too old"},
            "  authority  yes: complete; not promoted: too old",
        ),
        (
            {"requested_mode": "cold", "incomplete_because": ("-k x", "1 not run")},
            "  authority  none: -k x; 1 not run",
        ),
        ({"notes": ("data: not witnessed",)}, "  note       data: not witnessed"),
        ({"leftovers": ("a network",)}, "  LEFT OVER  a network"),
        ({"mode": "cold", "seconds": 61.0}, "  time       1 min 1 s"),
        ({"base": None}, "  versions   (nothing) -> ? (bbbbbbbb)"),
    ],
)
def test_what_else_there_is_to_say(change: dict[str, object], expected: str) -> None:
    """One line for each."""
    assert expected in lines(replace(RESULT, **change))  # type: ignore[arg-type]


def test_without_a_cold_run_there_is_nothing_to_compare() -> None:
    """Just the time."""
    assert "  time       12.3 s" in lines(RESULT, None)


def test_a_known_good_in_one_line() -> None:
    """Or that there is none."""
    assert "no canonical" == describe_known_good(None)
    assert describe_known_good(ENTRY).startswith(
        "canonical 1.0.0+1 (aaaaaaaa) at http://localhost:1, "
    )


@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        (timedelta(seconds=5), "5 s"),
        (timedelta(minutes=5), "5 min"),
        (timedelta(hours=5), "5 h"),
        (timedelta(days=5), "5 d"),
        (-timedelta(days=5), "0 s"),
    ],
)
def test_ages_are_rough(ago: timedelta, expected: str) -> None:
    """A clock that was set back gives no negative one."""
    then = datetime.now(UTC) - ago - timedelta(milliseconds=20)

    assert expected == age(then.isoformat())
