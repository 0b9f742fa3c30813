"""An app that stops slower than xdist waits for its workers: the controller waits for them."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.workshop import RADICALE, Workshop
from tests.faults.interrupting import check_goes_on, check_interrupted, look, outcome_of, session

SLOW = 12.0
"""Seconds that the app takes to stop. xdist kills a worker ten seconds after it was told to."""

LAUNCHER = """\
#!/bin/sh
set -eu
export PYTHONPATH="$WARMCI_INSTALL"
case "$1" in -) exec "$WARMCI_PYTHON" -s -S -B "$@";; esac
exec "$WARMCI_PYTHON" -s -S -B {folder}/slow.py "$@"
"""

PROGRAM = """\
import atexit
import os
import runpy
import sys
import time

atexit.register(lambda: os.path.exists({mark!r}) and time.sleep({seconds}))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def slow(radicale_warmed: Workshop, tmp_path: Path) -> Workshop:
    """A recipe whose app stops slowly as soon as the file `slow` is there; seeded."""
    folder = tmp_path / "recipe_tests" / "radicale"
    shutil.copytree(RADICALE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for path in folder.glob("source/*/compose.yml"):
        text = path.read_text("utf-8").replace("stop_grace_period: 10s", "stop_grace_period: 60s")
        path.write_text(text, "utf-8")
    recipe = folder / "recipe.yml"
    recipe.write_text(recipe.read_text("utf-8").replace("stop: 10", "stop: 90"), "utf-8")
    process = folder / "process"
    (process / "python").write_text(LAUNCHER.format(folder=process), "utf-8")
    program = PROGRAM.format(mark=str(tmp_path / "slow"), seconds=SLOW)
    (process / "slow.py").write_text(program, "utf-8")
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / "cache").symlink_to(radicale_warmed.root / "cache")
    workshop = Workshop(tmp_path / "state", folder)
    outcome = workshop.pytest("--warmci-head=published")
    assert outcome.result["promoted"] is True, outcome.text
    return workshop


@pytest.mark.nightly
@pytest.mark.cost(50)
def test_a_worker_that_leaves_slowly_is_waited_for(slow: Workshop) -> None:
    """And a second Ctrl-C does not cut it short: it is answered with whom we wait for."""
    before = look(slow)
    mark = slow.root.parent / "slow"
    strike = {"STRIKE_AT": "witness#1", "STRIKE_WITH": f"run:touch {mark}"}

    with session(slow, "--quick", "-n2", env=strike) as running:
        running.wait_for(mark)
        begun = time.monotonic()
        running.tell(signal.SIGINT, group=True)
        running.wait_for(" (radicale) to leave\n")
        running.tell(signal.SIGINT, group=True)
        outcome = outcome_of(slow, running)
        took = time.monotonic() - begun

    assert took > SLOW
    assert "\nwarmci: waiting for gw" in running.stderr
    assert "warmci: told to stop, waiting for gw" in running.stderr
    assert "warmci: told to stop, still leaving radicale (stop, " in running.stderr
    check_interrupted(slow, outcome, before)
    mark.unlink()
    check_goes_on(slow, before)
