"""One seeded canonical of each recipe for all tests on real servers; each gets a copy of its own.

`workshop` is Keycloak, `radicale` is Radicale: the same class, a run of minutes or of seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.workshop import (
    KEYCLOAK,
    RADICALE,
    RADICALE_SSO,
    Outcome,
    Workshop,
    copy_recipe,
    copy_state,
    seed,
)
from tests.signed_on import SignedOn


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workshop, Outcome]:
    """Keycloak's seeded state directory, and the cold run that seeded it. Look, don't touch."""
    return seed(tmp_path_factory.mktemp("e2e") / "seeded", KEYCLOAK)


@pytest.fixture(scope="session")
def radicale_seeded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workshop, Outcome]:
    """Radicale's seeded state directory, and the cold run that seeded it. Look, don't touch."""
    return seed(tmp_path_factory.mktemp("e2e") / "radicale", RADICALE)


@pytest.fixture
def radicale(radicale_seeded: tuple[Workshop, Outcome], tmp_path: Path) -> Workshop:
    """A copy of Radicale's seeded state directory."""
    copy_state(radicale_seeded[0].root, tmp_path / "radicale")
    return Workshop(tmp_path / "radicale", RADICALE)


@pytest.fixture
def unseeded_radicale(radicale_seeded: tuple[Workshop, Outcome], tmp_path: Path) -> Workshop:
    """A state directory without a canonical of Radicale; its cache is shared."""
    return _unseeded(radicale_seeded[0], tmp_path)


@pytest.fixture
def workshop(seeded: tuple[Workshop, Outcome], tmp_path: Path) -> Workshop:
    """A copy of Keycloak's seeded state directory."""
    copy_state(seeded[0].root, tmp_path / "state")
    return Workshop(tmp_path / "state")


@pytest.fixture
def empty(seeded: tuple[Workshop, Outcome], tmp_path: Path) -> Workshop:
    """A state directory without a canonical; downloads and prepared installs are shared."""
    return _unseeded(seeded[0], tmp_path)


def _unseeded(like: Workshop, folder: Path) -> Workshop:
    root = folder / "state"
    root.mkdir(mode=0o700)
    (root / "cache").symlink_to(like.root / "cache")
    return Workshop(root, like.recipe)


@pytest.fixture(scope="session")
def signed_on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SignedOn, Outcome]]:
    """A state directory with a live-warm Keycloak, on which Radicale with single sign-on is seeded.

    It is shared, as its Keycloak is: a test leaves it as it was, and goes by its own runs.
    """
    root = tmp_path_factory.mktemp("sso") / "state"
    found = SignedOn(root, RADICALE_SSO)
    try:
        yield found, seed(root, RADICALE_SSO)[1]
    finally:
        found.stop()


@pytest.fixture
def recipe_copy(workshop: Workshop, tmp_path: Path) -> Path:
    """A copy of Keycloak's folder that a test may change; the workshop runs it."""
    return copy_recipe(workshop, tmp_path)
