"""`kill -9` on a server that migrates its database: what comes back is the old schema and its data."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.workshop import HEAD, SEEDED, Workshop
from tests.faults.aftermath import (
    check_known_good,
    check_put_back,
    check_quiet,
    check_recovered,
    end_leftovers,
)
from tests.faults.striking import by_hand, killed


@pytest.fixture
def keycloak(workshop: Workshop) -> Iterator[Workshop]:
    """A copy of the seeded state with Keycloak's known-good."""
    yield workshop
    end_leftovers(workshop)


@pytest.mark.core
@pytest.mark.cost(60)
def test_killed_after_the_migration_the_next_run_starts_from_the_old_schema(
    keycloak: Workshop,
) -> None:
    """Both servers are left running; the database under them is already the head's."""
    before = keycloak.known_good

    killed(keycloak, "test#6", "--quick")

    assert keycloak.processes() != []
    check_known_good(keycloak, before)
    again = keycloak.pytest("--quick")
    assert again.result["witness"] == {"before": 4, "after": 4}
    assert any("was cut short: restored the known-good" in note for note in again.result["notes"])
    check_recovered(keycloak, again, before)
    assert keycloak.migrated_by() == HEAD


@pytest.mark.nightly
@pytest.mark.cost(60)
def test_killed_after_the_migration_and_recovered_by_hand_the_schema_is_the_old_one(
    keycloak: Workshop,
) -> None:
    """PostgreSQL's children are found although they hide where they come from."""
    before = keycloak.known_good
    killed(keycloak, "test#6", "--quick")

    done = by_hand(keycloak, "recover")

    assert done.code == 0, done.output
    check_quiet(keycloak)
    check_known_good(keycloak, before)
    check_put_back(keycloak)
    assert keycloak.boots_with_witness() == before.evidence["witnessed"]
    assert keycloak.migrated_by() == SEEDED


@pytest.mark.nightly
@pytest.mark.cost(60)
@pytest.mark.parametrize(
    ("at", "only"),
    [
        ("restore#2+400", ""),
        ("restore#2+1", r"os\.rename \S+ \S+/volumes$"),
    ],
    ids=["while the volumes are built", "between the old volumes and the new ones"],
)
def test_killed_while_a_failing_head_is_rolled_back_the_known_good_comes_back(
    keycloak: Workshop, at: str, only: str
) -> None:
    """By hand at once, or by the next run: here by hand, so that it can be looked at."""
    before = keycloak.known_good

    killed(keycloak, at, "--quick", "--warmci-head=damaged-data", only=only)

    check_known_good(keycloak, before)
    done = by_hand(keycloak, "recover", "keycloak")
    assert done.code == 0, done.output
    check_known_good(keycloak, before)
    check_put_back(keycloak)
    check_quiet(keycloak)
    assert keycloak.migrated_by() == SEEDED
