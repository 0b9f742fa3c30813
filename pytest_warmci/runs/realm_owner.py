"""Who owns realms: something with a folder and a lease, like a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pytest_warmci.clients.files import make_folder, remove_tree
from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.naming import new_run_id
from pytest_warmci.store import realm_records
from pytest_warmci.store.state import StateDirectory


@dataclass(frozen=True, slots=True)
class RealmOwner:
    """A run, or what has a lease like one; whose lease is held by somebody else here."""

    state: StateDirectory
    id: str
    recipe: str


@contextmanager
def owner(state: StateDirectory, recipe: str, why: str) -> Iterator[RealmOwner]:
    """Be an owner of realms for the block, without a run.

    Args:
        state: The state directory.
        recipe: What the realms' names begin with.
        why: What for, for people.
    """
    while state.run(run_id := new_run_id()).exists():
        pass
    folder = state.run(run_id)
    make_folder(folder)
    who = Holder(run=run_id, mode="live", why=why, recipe=recipe)
    with hold(folder / "lease.lock", who=who, limit=0):
        yield RealmOwner(state, run_id, recipe)
        done = not realm_records.of_run(state, run_id)
    if done:
        remove_tree(folder)
