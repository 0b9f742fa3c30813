"""What the plugin costs a session that has nothing to do with recipes."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from pytest_warmci.clients import command
from tests.benchmarks.figures import median, report
from tests.e2e.workshop import clean_environment

ROUNDS = 11


@pytest.mark.nightly
@pytest.mark.cost(20)
def test_idle(tmp_path: Path) -> None:
    """The same trivial session with and without the plugin, in turns; no file is left behind."""
    suite, home = tmp_path / "suite", tmp_path / "home"
    suite.mkdir()
    home.mkdir()
    (suite / "test_one.py").write_text("def test_one(): pass\n", "utf-8")
    environment = {**clean_environment(), "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("XDG_STATE_HOME", None)
    taken: dict[str, list[float]] = {"with": [], "without": []}
    for _ in range(ROUNDS):
        for name, words in (("with", []), ("without", ["-p", "no:warmci"])):
            begun = time.monotonic()
            command.run(
                [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words],
                timeout=60,
                cwd=suite,
                env=environment,
            )
            taken[name].append(time.monotonic() - begun)

    assert [path.name for path in suite.iterdir()] == ["test_one.py"]
    assert list(home.iterdir()) == []
    report(
        "the idle plugin (milliseconds, medians)",
        {
            "without": 1000 * median(taken["without"]),
            "with": 1000 * median(taken["with"]),
            "added": 1000 * (median(taken["with"]) - median(taken["without"])),
        },
    )
