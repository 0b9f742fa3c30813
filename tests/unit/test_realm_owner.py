"""Owners of realms without a run: alive while they are at it, and gone without a trace."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from pytest_warmci.clients.locks import holder
from pytest_warmci.errors import StateDamaged
from pytest_warmci.runs.realm_owner import owner
from pytest_warmci.store import realm_records
from pytest_warmci.store.realm_records import RealmRecord
from pytest_warmci.store.state import StateDirectory, open_state


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return open_state(tmp_path / "state")


def record(run: str) -> RealmRecord:
    return RealmRecord(f"keycloak-{run}", run, "keycloak", "t", "2026-02-01T12:00:03Z")


def test_an_owner_is_alive_and_says_what_for(state: StateDirectory) -> None:
    """As a run is, for who reaps."""
    with owner(state, "keycloak", "warm up") as one:
        held = holder(state.run(one.id) / "lease.lock")

    assert held is not None
    assert ("warm up", "live", one.id, "keycloak") == (
        held["why"],
        held["mode"],
        held["run"],
        held["recipe"],
    )
    assert (state, "keycloak") == (one.state, one.recipe)


@pytest.mark.parametrize("fails", [True, False])
def test_an_owner_leaves_nothing(state: StateDirectory, fails: bool) -> None:
    with suppress(ZeroDivisionError), owner(state, "keycloak", "warm up"):
        if fails:
            raise ZeroDivisionError

    assert [] == list(state.runs.iterdir())


@pytest.mark.parametrize("fails", [True, False])
def test_an_owner_that_leaves_realms_keeps_their_records(
    state: StateDirectory, fails: bool
) -> None:
    """Who reaps needs them, and sees that nobody has them."""
    with suppress(ZeroDivisionError), owner(state, "keycloak", "warm up") as one:
        realm_records.put(state, record(one.id))
        if fails:
            raise ZeroDivisionError

    assert [record(one.id)] == realm_records.of_all(state)
    assert (state.run(one.id) / "lease.lock").exists()
    assert holder(state.run(one.id) / "lease.lock") is None


def test_a_damaged_record_stays_too(state: StateDirectory) -> None:
    """And hides no error."""

    def spoil() -> None:
        with owner(state, "keycloak", "warm up") as one:
            realm_records.put(state, record(one.id))
            (state.run(one.id) / "realms" / f"keycloak-{one.id}.json").write_text("{")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        spoil()

    (run,) = state.runs.iterdir()
    with pytest.raises(StateDamaged):
        realm_records.of_run(state, run.name)
