"""The check that two runs never hold one app at once can fail."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_warmci.store.results import Held, Result, Source
from tests.faults.overlaps import overlaps

DAY = "2026-01-31T12:00:"
ONE, OTHER = "warm-one.warmci.localhost", "warm-other.warmci.localhost"

RUN = Result(
    run_id="",
    session="s",
    recipe="one",
    engine="process",
    mode="quick",
    requested_mode="quick",
    authority=False,
    complete=True,
    verdict="passed",
    reason="",
    source=Source("source", "HEAD"),
    started=f"{DAY}00Z",
    seconds=1.0,
)


def runs(*spans: tuple[str, str, str]) -> list[Result]:
    """Return one run for each span of an app: domain, from second, until second."""
    return [
        replace(RUN, run_id=f"run{number}", held=(Held(app, f"{DAY}{since}Z", f"{DAY}{until}Z"),))
        for number, (app, since, until) in enumerate(spans)
    ]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(ONE, "01.0", "02.0"), (ONE, "01.999999", "03.0")], ["run1 began"]),
        ([(ONE, "01.5", "03.0"), (ONE, "01.0", "02.0")], ["run0 began"]),
        ([(ONE, "01.0", "09.0"), (ONE, "02.0", "03.0"), (ONE, "04.0", "05.0")], ["run1", "run2"]),
        ([(ONE, "01.0", "02.0"), (ONE, "01.0", "02.0")], ["run1"]),
    ],
    ids=["by a microsecond", "in the other order", "over two", "the same"],
)
def test_a_planted_overlap_is_found(
    spans: list[tuple[str, str, str]], expected: list[str]
) -> None:
    """Each by the later run, with both times."""
    found = overlaps(runs(*spans))

    assert len(expected) == len(found)
    for text, line in zip(expected, found, strict=True):
        assert text in line
        assert line.startswith(f"{ONE}: ")


def test_one_after_the_other_is_none() -> None:
    """Nor are two apps at once."""
    spans = [(ONE, "01.0", "02.0"), (ONE, "02.0", "03.0"), (OTHER, "01.5", "02.5")]

    assert [] == overlaps(runs(*spans))
    assert [] == overlaps([RUN])


@pytest.mark.parametrize(
    ("since", "until"), [("03.0", "02.0"), ("01", "02")], ids=["backwards", "whole seconds"]
)
def test_times_that_prove_nothing_are_refused(since: str, until: str) -> None:
    """Rather than taken for a proof."""
    with pytest.raises(ValueError, match=r"backwards|parts of a second"):
        overlaps(runs((ONE, since, until)))
