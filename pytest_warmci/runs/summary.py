"""A result in a few lines for a person."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pytest_warmci.model import AUTO_ENGINE, KnownGood
from pytest_warmci.store.results import Result, TestedVersion


def describe(result: Result, known_good: KnownGood | None, folder: Path) -> list[str]:
    """Return a result's block: verdict, what was compared, phases, data, known-good, files."""
    asked = "" if result.mode == result.requested_mode else f" ({result.requested_mode} asked)"
    verdict = result.verdict + (f": {result.reason}" if result.reason else "")
    tests = result.tests
    lines = [
        f"{result.mode}{asked} on {describe_engine(result.engine, result.engine_reason)}: {verdict}",
        f"  versions   {_version(result.base)} -> {_version(result.head)}",
        f"  tests      {tests.passed} passed, {tests.failed} failed, {tests.skipped} skipped"
        + (f", {tests.deselected} deselected" if tests.deselected else ""),
        "  phases     "
        + ", ".join(
            f"{each.name} {each.seconds:.1f} s"
            + ("" if each.outcome == "passed" else f" ({each.outcome})")
            for each in result.phases
        ),
    ]
    if result.proved_head:
        lines.append(f"  head       {result.proved_head}")
    if result.witness is not None:
        lines.append(f"  witness    {result.witness.before} before, {result.witness.after} after")
    lines.append(_known_good_line(result))
    lines.append(_authority_line(result))
    if result.mode == "quick" and known_good is not None and known_good.cold_seconds:
        ratio = result.seconds / known_good.cold_seconds
        lines.append(
            f"  time       {_seconds(result.seconds)}, the last cold run took"
            f" {_seconds(known_good.cold_seconds)} ({ratio:.2f} x)"
        )
    else:
        lines.append(f"  time       {_seconds(result.seconds)}")
    lines += [f"  note       {note}" for note in result.notes]
    lines += [f"  LEFT OVER  {each}" for each in result.leftovers]
    named = ""
    if result.verdict != "passed" and result.evidence:
        named = f": {', '.join(result.evidence)}"
    lines.append(f"  evidence   {folder}{named}")
    return lines


def describe_engine(name: str, reason: str) -> str:
    """Return an engine's name, with the reason where it was chosen and not named."""
    return f"{name} ({reason})" if reason.startswith(f"{AUTO_ENGINE}: ") else name


def describe_known_good(entry: KnownGood | None) -> str:
    """Return one line about a recipe's known-good."""
    if entry is None:
        return "no canonical"
    return (
        f"canonical {entry.version} ({entry.commit[:8]}) at {entry.url},"
        f" {age(entry.promoted_at)} old"
    )


def age(since: str) -> str:
    """Return how long ago an ISO 8601 time was, roughly."""
    then = datetime.fromisoformat(since)
    seconds = max((datetime.now(UTC) - then).total_seconds(), 0)
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _known_good_line(result: Result) -> str:
    before, after = result.known_good.before, result.known_good.after
    if before is None and after is None:
        return "  known-good none"
    if result.promoted:
        return f"  known-good promoted: {_short(before)} -> {_short(after)}"
    same = "=" if before == after else "!="
    return f"  known-good digest before {_short(before)} {same} after {_short(after)}"


def _authority_line(result: Result) -> str:
    if result.promoted:
        return "  authority  yes: complete; promoted"
    if result.authority:
        return f"  authority  yes: complete; not promoted: {result.promotion_reason}"
    if result.requested_mode == "quick":
        return "  authority  none: quick is advisory"
    return f"  authority  none: {'; '.join(result.incomplete_because)}"


def _version(version: TestedVersion | None) -> str:
    if version is None:
        return "(nothing)"
    return f"{version.version or '?'} ({version.commit[:8]})"


def _short(digest: str | None) -> str:
    return "none" if digest is None else digest.removeprefix("sha256:")[:12]


def _seconds(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
