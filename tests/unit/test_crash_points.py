"""The writes of the store, each stopped before each of its changes, by a kill or a power cut."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_warmci.clients import files
from pytest_warmci.clients.rsa import KeyPair
from pytest_warmci.store import (
    alerts,
    kept,
    key_stock,
    live_records,
    quarantine,
    realm_records,
    snapshots,
)
from pytest_warmci.store.journal import Journal
from pytest_warmci.store.registry import Registry, RegistryWriter
from pytest_warmci.store.state import StateDirectory
from tests import crash
from tests.fakes import hurry
from tests.unit.snapshot_app import App, wreck
from tests.unit.test_live_records import RECORD
from tests.unit.test_realm_records import FIRST
from tests.unit.test_registry import ENTRY

CUTS = (None, 0, 1)
"""A kill; a power cut that takes all that is not durable; one that takes some of it."""


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here waits for the disk: that the order is right is seen, not felt."""
    hurry(monkeypatch)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """The folder that changes."""
    (tmp_path / "top").mkdir()
    return tmp_path / "top"


def deaths(operation: Callable[[], object], top: Path) -> Iterator[tuple[str, bool]]:
    """Die at every change, and yield when the disk is as it was left; at the end, when it ended.

    `top` must be as the operation is to find it. Yields where it is and whether it had ended.
    """
    spare = top.with_name("spare")
    shutil.rmtree(spare, ignore_errors=True)
    shutil.copytree(top, spare, symlinks=True)

    def reset() -> None:
        shutil.rmtree(top)
        shutil.copytree(spare, top, symlinks=True)

    through(operation, top)
    for cut in CUTS:
        number = 0
        for number, ending in crash.endings(operation, top, reset):
            if cut is not None:
                crash.lose_power(ending, cut)
            yield f"change {number}, cut {cut}", not ending.struck
        assert number > 2


def through(operation: Callable[[], object], top: Path) -> crash.Ending:
    """Run an operation to its end, and see that it synced all that it should, in time."""
    ending = crash.run(operation, top, 0)
    assert [] == crash.published_too_early(ending)
    assert [] == crash.not_durable(ending)
    return ending


def test_an_entry_is_the_old_or_the_new_one(top: Path) -> None:
    """To the last field, and when `put` has returned it is the new one for good."""
    state = StateDirectory(top, "u")
    RegistryWriter(state).put(ENTRY)
    new = replace(ENTRY, version="10.8.0+26.7.3", generation="20260201-120003-4d5e6f")

    for where, ended in deaths(lambda: RegistryWriter(state).put(new), top):
        found = Registry(state).find("process", "keycloak")
        assert found in ((new,) if ended else (ENTRY, new)), where


def test_the_first_entry_is_whole_or_there_is_none(top: Path) -> None:
    """Its folder is made with it."""
    state = StateDirectory(top, "u")

    for where, ended in deaths(lambda: RegistryWriter(state).put(ENTRY), top):
        found = Registry(state).find("process", "keycloak")
        assert found in ((ENTRY,) if ended else (None, ENTRY)), where


def test_a_journal_is_open_with_all_its_facts_or_not_at_all(top: Path) -> None:
    """An operation that `begin` has let go is known, whatever happens next."""
    journal = Journal(top)

    def begin() -> None:
        journal.begin("promote", run="1a2b3c", session="s", generation="g2")

    for where, ended in deaths(begin, top):
        found = journal.read()
        assert found is not None or not ended, where
        assert found is None or ("promote", "g2") == (found["op"], found["generation"]), where


def test_a_note_in_a_journal_is_there_or_not(top: Path) -> None:
    """What was known before stays."""
    journal = Journal(top)
    journal.begin("promote", run="1a2b3c", session="s", step=1)

    for where, ended in deaths(lambda: journal.note(step=2), top):
        found = journal.read()
        assert found is not None, where
        assert found["step"] in ((2,) if ended else (1, 2)), where
        assert "1a2b3c" == found["run"], where


def test_a_journal_that_has_ended_stays_ended(top: Path) -> None:
    """Until then it says what it said."""
    journal = Journal(top)
    journal.begin("quick", run="1a2b3c", session="s")

    for where, ended in deaths(journal.end, top):
        found = journal.read()
        assert found is None if ended else found is None or "1a2b3c" == found["run"], where


def test_a_new_generation_is_whole_or_not_there(top: Path) -> None:
    """The one before it is not touched, and the sweep takes what is unfinished."""
    app = App(top / "app")
    first = app.take("g1")
    app.env.write_text("A=2\n")
    second = snapshots.measure(app.roots).digest

    for where, ended in deaths(lambda: app.take("g2"), top):
        there = snapshots.generations(app.snapshots)
        assert {"g1"} <= set(there) <= {"g1", "g2"}, where
        assert "g2" in there or not ended, where
        snapshots.verify(app.snapshots, "g1", first)
        if "g2" in there:
            snapshots.verify(app.snapshots, "g2", second)
        snapshots.sweep(app.snapshots, {"g1"})
        assert ["g1"] == [path.name for path in app.snapshots.iterdir()], where


def test_a_restore_leaves_old_roots_or_new_ones_but_no_half_ones(top: Path) -> None:
    """Some may be missing, never are both there, and the next restore brings all of them."""
    app = App(top / "app")
    wanted, digest = app.facts(), app.take()
    new = seen(app)
    wreck(app)
    old = seen(app)

    for where, ended in deaths(lambda: app.restore(digest), top):
        found = seen(app)
        is_old = all(found[name] in ("absent", old[name]) for name in app.roots)
        assert is_old or all(found[name] in ("absent", new[name]) for name in app.roots), where
        assert not ended or wanted == app.facts(), where
        app.restore(digest)
        assert wanted == app.facts(), where
        assert [] == app.leftovers(), where


@pytest.mark.parametrize("verb", ["remove", "sweep"])
def test_a_generation_goes_all_at_once(top: Path, verb: str) -> None:
    """What can be seen of it is whole, and the others are not touched."""
    app = App(top / "app")
    first, second = app.take("g1"), app.take("g2")

    def go() -> None:
        if verb == "remove":
            snapshots.remove(app.snapshots, "g1")
        else:
            snapshots.sweep(app.snapshots, {"g2"})

    for where, ended in deaths(go, top):
        there = snapshots.generations(app.snapshots)
        assert "g1" not in there or not ended, where
        if "g1" in there:
            snapshots.verify(app.snapshots, "g1", first)
        snapshots.verify(app.snapshots, "g2", second)
        snapshots.sweep(app.snapshots, {"g2"})
        assert ["g2"] == [path.name for path in app.snapshots.iterdir()], where


def test_an_alert_is_counted_once_more_or_not(top: Path) -> None:
    """It is never unreadable, and never two."""
    raise_it(top)

    for where, ended in deaths(lambda: raise_it(top), top):
        (found,) = alerts.open_alerts(top)
        assert found["data"]["count"] in ((2,) if ended else (1, 2)), where
        assert "warmci.restore-failed" == found["type"], where


def test_an_alert_is_open_or_settled(top: Path) -> None:
    """It does not get lost on the way."""
    raise_it(top)

    for where, ended in deaths(lambda: alerts.settle_alert(top, "restore-failed", "ghost"), top):
        seen = [path.name for path in (top / "seen").glob("*.json")]
        assert 1 == len(alerts.open_alerts(top)) + len(seen), where
        assert not ended or seen, where


def test_the_mark_of_a_kept_app_is_whole_or_not_there(top: Path) -> None:
    """Half a mark would keep an app for good."""
    folder = top / "warm-ghost.warmci.localhost"
    folder.mkdir()
    mark = kept.KeptApp(
        "1a2b3c", "ghost", folder.name, "http://localhost:1", "2026-02-01T12:00:03Z", "", "c", ""
    )

    for where, ended in deaths(lambda: kept.write_kept(folder, mark), top):
        assert kept.read_kept(folder) in ((mark,) if ended else (None, mark)), where

    for where, ended in deaths(lambda: kept.drop_kept(folder), top):
        assert kept.read_kept(folder) in ((None,) if ended else (None, mark)), where


def test_a_canonical_is_quarantined_with_its_reason_or_not(top: Path) -> None:
    """And taken back all at once."""
    app = top / "app"

    for where, ended in deaths(lambda: quarantine.mark_quarantined(app, "rotten"), top):
        found = quarantine.quarantine_reason(app)
        assert found in (("rotten",) if ended else ("", "rotten")), where

    for where, ended in deaths(lambda: quarantine.clear_quarantine(app), top):
        found = quarantine.quarantine_reason(app)
        assert found in (("",) if ended else ("", "rotten")), where


def test_a_realm_is_on_record_or_not(top: Path) -> None:
    """When `put` has returned it is for good: the realm is made next."""
    state = StateDirectory(top, "u")
    due = replace(FIRST, condition="disabled")

    for where, ended in deaths(lambda: realm_records.put(state, FIRST), top):
        assert realm_records.of_all(state) in (([FIRST],) if ended else ([], [FIRST])), where

    for where, ended in deaths(lambda: realm_records.put(state, due), top):
        assert realm_records.of_all(state) in (([due],) if ended else ([FIRST], [due])), where

    for where, ended in deaths(lambda: realm_records.drop(state, due.run, due.realm), top):
        assert realm_records.of_all(state) in (([],) if ended else ([due], [])), where


def test_a_live_service_is_on_record_or_not(top: Path) -> None:
    """What has ended is never found as running."""
    folder = top / "live" / "keycloak"

    for where, ended in deaths(lambda: live_records.write_live(folder, RECORD), top):
        assert live_records.read_live(folder) in ((RECORD,) if ended else (None, RECORD)), where

    for where, ended in deaths(lambda: live_records.drop_live(folder), top):
        assert live_records.read_live(folder) in ((None,) if ended else (RECORD, None)), where


@pytest.mark.parametrize("count", [0, 2])
def test_a_pair_of_keys_is_never_in_two_places(
    top: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Else two realms would take each other's tokens; one that is lost is no loss."""
    monkeypatch.setattr(key_stock, "new_key_pair", lambda: KeyPair(os.urandom(8).hex(), "c"))
    stock = key_stock.KeyStock(top)
    stock.prepare(count)

    for where, ended in deaths(lambda: stock.take("a-1a2b3c"), top):
        found = privates(top)
        assert len(found) == len(set(found)), where
        assert ["a-1a2b3c"] == stock.used() or not ended, where

    for where, ended in deaths(lambda: stock.give_back("a-1a2b3c"), top):
        found = privates(top)
        assert len(found) == len(set(found)), where
        assert [] == stock.used() or not ended, where
        stock.give_back("a-1a2b3c")
        taken = [stock.take(name).private for name in ("b-1a2b3c", "c-1a2b3c")]
        assert 2 == len(set(taken)), where


def privates(top: Path) -> list[str]:
    """List the private halves wherever they are."""
    return [files.read_record(path, "pair")["private"] for path in (top / "keys").glob("*/*.json")]


def raise_it(folder: Path) -> None:
    alerts.raise_alert(
        folder, kind="restore-failed", subject="ghost", what="lost", where="here", remedy="look"
    )


def seen(app: App) -> dict[str, str]:
    """Tell what each root holds now."""
    return {
        name: snapshots.measure({name: path}).digest if os.path.lexists(path) else "absent"
        for name, path in app.roots.items()
    }
