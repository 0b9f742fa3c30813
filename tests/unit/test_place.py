"""An app on disk: its env, what is deployed, what a snapshot covers."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_warmci.errors import StateDamaged
from pytest_warmci.recipes.source import open_source
from pytest_warmci.runs.place import Place
from tests import ghost

DOMAIN = "warm-ghost.warmci.localhost"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place("ghost", DOMAIN, tmp_path / "apps" / DOMAIN)


def test_a_new_app_gets_its_env_from_the_sample(place: Place, haunted: Path) -> None:
    """With its own domain."""
    source = open_source(str(haunted / "recipe_tests/ghost/source"), haunted / "state" / "cache")

    place.create(source, source.resolve(ghost.V1))

    assert DOMAIN == place.env()["DOMAIN"]
    assert ("ghost", "v1") == (place.env()["TYPE"], place.env()["SECRET_ADMIN_PASSWORD_VERSION"])


def test_what_is_deployed_is_on_record_with_its_files(place: Place, haunted: Path) -> None:
    """It can be rendered again without git, as it was, with the env that the app has now."""
    source = open_source(str(haunted / "recipe_tests/ghost/source"), haunted / "state" / "cache")
    old, new = source.resolve(ghost.V1), source.resolve("upgrade")
    place.create(source, old)
    assert place.deployed() is None
    with pytest.raises(StateDamaged, match="no version is recorded"):
        place.deployed_stack()

    place.record_deployed(source, old)
    place.record_deployed(source, new)

    assert new == place.deployed()
    assert place.stack(source, new) == place.deployed_stack()


def test_a_snapshot_covers_data_env_secrets_version_and_recipe(place: Place) -> None:
    """What is restored is restored together; addresses, logs and journals are not in it."""
    assert {"volumes", "env", "secrets", "recipe", "deployed.json"} == set(place.roots)
    assert all(path.parent == place.folder for path in place.roots.values())
    assert place.snapshots not in place.roots.values()


def test_clearing_leaves_snapshots_and_address(place: Place) -> None:
    """And is fine where there is nothing."""
    place.clear()
    for name in (*place.roots, "snapshot", "logs"):
        (place.folder / name).mkdir(parents=True)
    (place.folder / "address.json").touch()

    place.clear()

    assert {"snapshot", "logs", "address.json"} == {each.name for each in place.folder.iterdir()}
