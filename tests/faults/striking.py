"""Running sessions that are struck (see `strike`), and reading what they say about their steps."""

from __future__ import annotations

import os
import sys

from pytest_warmci.clients import command
from tests.e2e.workshop import LIMIT, ROOT, Outcome, Workshop, clean_environment

PLUGIN = ("-p", "tests.faults.strike")

STORE = r"os\.kill|\S+ /(?!\S*/run/)"
"""Changes of what is kept, for `only`: not of an app's throw-away folders, nor each of the files
of a folder that is being deleted under its garbage name."""


def struck(workshop: Workshop, at: str, blow: str, *words: str, only: str = "") -> Outcome:
    """Run a session that is struck at a point."""
    return workshop.pytest(*PLUGIN, *words, env=striking(at, blow, only))


def killed(workshop: Workshop, at: str, *words: str, only: str = "") -> Outcome:
    """Run a session that is killed at a point, and see that it was."""
    outcome = struck(workshop, at, "kill", *words, only=only)
    assert outcome.status == -9, outcome.text
    return outcome


def recorded(workshop: Workshop, *words: str, only: str = "") -> tuple[Outcome, dict[str, int]]:
    """Run a session to its end; return how many changes each of its steps has made."""
    log = workshop.root.with_suffix(".steps")
    log.unlink(missing_ok=True)
    env = {"STRIKE_LOG": str(log), "STRIKE_ONLY": only, "PYTHONPATH": str(ROOT)}
    outcome = workshop.pytest(*PLUGIN, *words, env=env)
    lines = [line.rpartition(" ") for line in log.read_text("utf-8").splitlines()]
    return outcome, {step: int(changes) for step, _, changes in lines}


def names(steps: dict[str, int]) -> list[str]:
    """Return the steps, sorted; the many stretches of tests are one."""
    return sorted({step if not step.startswith("test#") else "test" for step in steps if step})


def by_hand(workshop: Workshop, *words: str, at: str = "", only: str = "") -> command.Completed:
    """Run the `warmci` command on the state directory, perhaps killed at a point."""
    program = "import tests.faults.strike; from pytest_warmci.cli import main; main()"
    return command.run(
        [sys.executable, "-c", program, *words],
        timeout=LIMIT,
        cwd=ROOT,
        env={
            **clean_environment(),
            **workshop.environment,
            **striking(at, "kill", only),
            "WARMCI_STATE": str(workshop.root),
        },
        check=False,
    )


def striking(at: str, blow: str, only: str = "") -> dict[str, str]:
    """Return the environment of a session that is to be struck."""
    return {
        "STRIKE_AT": at,
        "STRIKE_WITH": blow,
        "STRIKE_ONLY": only,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).strip(":"),
    }


def sample(count: int, most: int) -> list[int]:
    """Return numbers from 1 to `count`, both included, evenly: `most` of them at the most."""
    if count <= most:
        return list(range(1, count + 1))
    return sorted({1 + round(i * (count - 1) / (most - 1)) for i in range(most)})


def last_run(workshop: Workshop) -> str:
    """Return the id of the run that began last."""
    folders = workshop.state.runs.iterdir()
    return max(folders, key=lambda folder: (folder / "lease.lock").stat().st_mtime_ns).name
