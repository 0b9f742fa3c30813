"""One seeded canonical for all end-to-end tests; each gets a copy of its own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from pytest_warmci.clients.machine import boot_id
from tests.e2e.workshop import Outcome, Workshop, copy_state


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workshop, Outcome]:
    """A state directory that a green cold run of a published version has seeded, and that run."""
    root = tmp_path_factory.mktemp("e2e") / "seeded"
    shared = os.environ.get("WARMCI_TEST_CACHE")
    if shared:  # downloads and prepared installs of an earlier session
        root.mkdir(mode=0o700)
        Path(shared).mkdir(mode=0o700, parents=True, exist_ok=True)
        (root / "cache").symlink_to(shared)
    workshop = Workshop(root)
    outcome = workshop.pytest("--warmci-head", "published")
    assert outcome.status == 0, outcome.text
    assert boot_id()
    return workshop, outcome


@pytest.fixture
def workshop(seeded: tuple[Workshop, Outcome], tmp_path: Path) -> Workshop:
    """A copy of the seeded state directory."""
    copy_state(seeded[0].root, tmp_path / "state")
    return Workshop(tmp_path / "state")


@pytest.fixture
def empty(seeded: tuple[Workshop, Outcome], tmp_path: Path) -> Workshop:
    """A state directory without a canonical; downloads and prepared installs are shared."""
    root = tmp_path / "state"
    root.mkdir(mode=0o700)
    (root / "cache").symlink_to(seeded[0].root / "cache")
    return Workshop(root)


@pytest.fixture
def recipe_copy(workshop: Workshop, tmp_path: Path) -> Path:
    """A copy of the recipe's folder that a test may change; the workshop runs it."""
    folder = tmp_path / "recipe_tests" / "keycloak"
    shutil.copytree(workshop.recipe, folder, ignore=shutil.ignore_patterns("__pycache__"))
    workshop.recipe = folder
    return folder
