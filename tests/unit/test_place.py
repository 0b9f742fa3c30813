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


def test_a_snapshot_covers_env_secrets_version_and_recipe(place: Place) -> None:
    """Beside the data; addresses, logs and journals are not in it."""
    assert {"env", "secrets", "recipe", "deployed.json"} == set(place.roots)
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


# -- what it has for one run -----------------------------------------------------------------


@pytest.fixture
def made(place: Place) -> Place:
    place.folder.mkdir(parents=True)
    (place.folder / "env").write_text("DOMAIN=d\nISSUER=old\n")
    return place


def test_what_it_has_for_one_run_wins(made: Place) -> None:
    """Until it is taken away again."""
    made.wire({"ISSUER": "new", "CLIENT": "app"}, {"oidc_secret": "s3cret"}, {})

    assert {"DOMAIN": "d", "ISSUER": "new", "CLIENT": "app"} == made.env()
    assert "s3cret" == (made.folder / "run.secrets" / "oidc_secret").read_text()

    made.unwire()
    assert {"DOMAIN": "d", "ISSUER": "old"} == made.env()
    assert ["env"] == [path.name for path in made.folder.iterdir()]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a b",
        "it's",
        'say "x"',
        "a\nb",
        "$HOME ${X}",
        "#no comment",
        "\\n",
        "ä",
        "a=b",
        "'",
        "\\",
    ],
)
def test_what_it_has_for_one_run_is_read_as_it_was_given(made: Place, value: str) -> None:
    made.wire({"ISSUER": value}, {}, {})

    assert value == made.env()["ISSUER"]


def test_a_later_wiring_takes_nothing_over(made: Place) -> None:
    made.wire({"A": "1"}, {"first": "1"}, {})
    made.wire({"B": "2"}, {"second": "2"}, {})

    assert ("2", None) == (made.env()["B"], made.env().get("A"))
    assert ["second"] == [path.name for path in (made.folder / "run.secrets").iterdir()]


def test_what_was_never_wired_may_be_unwired(place: Place) -> None:
    """Also where there is no app any more."""
    place.unwire()

    assert not place.folder.exists()


def test_what_it_has_for_one_run_is_ours_only_and_in_no_snapshot(made: Place) -> None:
    made.wire({"A": "1"}, {"oidc_secret": "s3cret"}, {})

    own = [made.folder / "run.env", made.folder / "run.secrets" / "oidc_secret"]
    assert [0o600, 0o600] == [path.stat().st_mode & 0o777 for path in own]
    assert 0o700 == (made.folder / "run.secrets").stat().st_mode & 0o777
    assert not any(path.is_relative_to(root) for path in own for root in made.roots.values())


def test_clearing_takes_it_away_too(made: Place) -> None:
    """It is of the data that are cleared."""
    made.wire({"A": "1"}, {"oidc_secret": "s3cret"}, {})

    made.clear()

    assert [] == list(made.folder.iterdir())


def test_what_is_deployed_is_rendered_with_it(made: Place, haunted: Path) -> None:
    """From git and from the app's own copy."""
    source = open_source(str(haunted / "recipe_tests/ghost/source"), haunted / "state" / "cache")
    revision = source.resolve(ghost.V1)
    made.create(source, revision)
    made.record_deployed(source, revision)

    made.wire({"TYPE": "wired"}, {}, {})

    assert "wired" == made.stack(source, revision).env["TYPE"]
    assert "wired" == made.deployed_stack().env["TYPE"]
