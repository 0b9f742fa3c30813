"""The fast recipe and a still faster one, seeded once; each test of a fault gets a copy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.workshop import ROOT, Workshop, copy_state
from tests.faults.aftermath import end_leftovers

RADICALE = ROOT / "recipe_tests" / "radicale"


HISTORY = """\
format: 1
author: {name: Radicale recipe, email: radicale-recipe@example.org}
head: main
steps:
  - {folder: first, parent: null, branch: main, tag: 1.0.0+3.8.2,
     message: first, date: "2026-05-09T10:00:00+00:00"}
"""


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Downloads and prepared installs, of an earlier session if there was one."""
    folder = Path(os.environ.get("WARMCI_TEST_CACHE") or tmp_path_factory.mktemp("cache"))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _empty(root: Path, cache: Path) -> Path:
    root.mkdir(mode=0o700)
    (root / "cache").symlink_to(cache)
    return root


@pytest.fixture(scope="session")
def radicale_seeded(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Workshop:
    """A state directory with radicale's known-good."""
    root = _empty(tmp_path_factory.mktemp("faults") / "seeded", cache)
    workshop = Workshop(root, RADICALE)
    outcome = workshop.pytest("--warmci-head", "published")
    assert outcome.status == 0, outcome.text
    warmed = workshop.pytest("--quick")
    assert warmed.status == 0, warmed.text
    return workshop


@pytest.fixture
def radicale(radicale_seeded: Workshop, tmp_path: Path) -> Iterator[Workshop]:
    """A copy of it, with volumes that equal the known-good or were kept by a passed quick run."""
    copy_state(radicale_seeded.root, tmp_path / "state")
    workshop = Workshop(tmp_path / "state", RADICALE)
    yield workshop
    end_leftovers(workshop)


@pytest.fixture(scope="session")
def lean_seeded(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Workshop:
    """The same for a recipe with one published version and no tests of its own.

    Its cold run has no upgrade and takes a third of the time, promotion included.
    """
    top = tmp_path_factory.mktemp("lean")
    folder = top / "recipe_tests" / "radicale"
    ignored = shutil.ignore_patterns("__pycache__", "conftest.py", "test_*.py", "source")
    shutil.copytree(RADICALE, folder, ignore=ignored)
    shutil.copytree(RADICALE / "source" / "01-1.0.0+3.8.2", folder / "source" / "first")
    (folder / "source" / "history.yml").write_text(HISTORY, "utf-8")
    workshop = Workshop(_empty(top / "seeded", cache), folder)
    outcome = workshop.pytest()
    assert outcome.result["promoted"] is True, outcome.text
    return workshop


@pytest.fixture
def lean(lean_seeded: Workshop, tmp_path: Path) -> Iterator[Workshop]:
    """A copy of it: a cold run promotes again."""
    copy_state(lean_seeded.root, tmp_path / "state")
    workshop = Workshop(tmp_path / "state", lean_seeded.recipe)
    yield workshop
    end_leftovers(workshop)
