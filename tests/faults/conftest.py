"""The fast recipe, seeded once; each test of a fault gets a copy of its state."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.workshop import ROOT, Workshop, copy_state
from tests.faults.aftermath import end_leftovers
from tests.unit.conftest import haunt, haunted

__all__ = ["haunt", "haunted"]  # fixtures: a recipe of the engine without servers

RADICALE = ROOT / "recipe_tests" / "radicale"


@pytest.fixture(scope="session")
def radicale_seeded(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A state directory with radicale's known-good."""
    root = tmp_path_factory.mktemp("faults") / "seeded"
    shared = os.environ.get("WARMCI_TEST_CACHE")
    if shared:
        root.mkdir(mode=0o700)
        Path(shared).mkdir(mode=0o700, parents=True, exist_ok=True)
        (root / "cache").symlink_to(shared)
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
