"""Looking at what is warm: every state is told apart, nothing is written, nothing is hidden."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.clients.usage import tree_bytes
from pytest_warmci.errors import UsageError
from pytest_warmci.runs import recover, status
from pytest_warmci.runs.place import Place
from pytest_warmci.runs.status import WarmThing, age_seconds, look
from pytest_warmci.store.alerts import raise_alert
from pytest_warmci.store.journal import Journal
from pytest_warmci.store.quarantine import clear_quarantine
from pytest_warmci.store.results import Result, read_result
from pytest_warmci.store.state import StateDirectory, open_state
from tests.unit.warm_state import DOMAIN, fingerprint, put_known_good, put_result, setting


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    """A state directory with nothing in it."""
    return open_state(tmp_path / "state")


def only(state: StateDirectory) -> WarmThing:
    (thing,) = look(setting(state.root)).things
    return thing


def place(state: StateDirectory) -> Place:
    return Place("miniapp", DOMAIN, state.app("process", DOMAIN))


def test_without_a_state_directory(tmp_path: Path) -> None:
    """It says so, and makes none."""
    found = look(setting(tmp_path / "none"))

    assert (False, ()) == (found.exists, found.things)
    assert [] == list(tmp_path.iterdir())


def test_an_empty_state_directory(state: StateDirectory) -> None:
    """There is one, and nothing in it."""
    found = look(setting(state.root))

    assert (True, (), ()) == (found.exists, found.things, found.alerts)


def test_a_known_good(state: StateDirectory) -> None:
    """Entry, address, and what volumes and snapshot really take."""
    entry = put_known_good(state.root)

    thing = only(state)

    assert entry == thing.entry
    assert {"known-good": ""} == thing.states
    assert thing.volumes_bytes is not None
    assert thing.volumes_bytes >= 100_000
    assert thing.snapshot_bytes >= 100_000
    assert thing.volumes_bytes + thing.snapshot_bytes == thing.size_bytes
    assert {} == thing.last


def test_volumes_that_only_an_engine_sees_have_no_size(state: StateDirectory) -> None:
    """Nothing would be a lie, and asking takes too long for a look."""
    put_known_good(state.root)
    shutil.rmtree(place(state).folder / "volumes")

    thing = only(state)

    assert thing.volumes_bytes is None
    assert thing.snapshot_bytes == thing.size_bytes >= 100_000
    assert thing.to_json()["volumes_bytes"] is None


def test_nothing_is_written(state: StateDirectory) -> None:
    """Not one byte, name or time differs after a look at all that there can be."""
    put_known_good(state.root)
    put_result(state, "1a2b3c")
    recover.quarantine(state, place(state), "both rotten")
    Journal(place(state).folder).begin("quick", run="1a2b3c", session="s")
    before = fingerprint(state.root)

    look(setting(state.root))

    assert before == fingerprint(state.root)


def test_quarantined(state: StateDirectory) -> None:
    """The reason that `recover` wrote; and no longer known-good."""
    put_known_good(state.root)
    recover.quarantine(state, place(state), "both rotten")

    assert {"quarantined": "both rotten"} == only(state).states

    clear_quarantine(place(state).folder)

    assert {"known-good": ""} == only(state).states


def test_an_unreadable_quarantine_is_one(state: StateDirectory) -> None:
    """A damaged mark never means that there is none."""
    put_known_good(state.root)
    recover.quarantine(state, place(state), "both rotten")
    (mark,) = place(state).folder.glob("quarantine*")
    mark.write_text("{")

    assert "cannot be read" in only(state).states["quarantined"]


def test_in_use(state: StateDirectory) -> None:
    """Its holder by run, mode and time; the open journal is that run's, not an interruption."""
    put_known_good(state.root)
    Journal(place(state).folder).begin("quick", run="77aa77", session="s")

    with hold(state.lock(DOMAIN), who=Holder("77aa77", "quick", "quick run"), limit=0):
        thing = only(state)

    assert ["in-use"] == list(thing.states)
    assert re.fullmatch(
        rf"run 77aa77 \(quick, pid {os.getpid()}, since \d\d:\d\d:\d\d\): quick run",
        thing.states["in-use"],
    )
    assert thing.holder is not None
    assert "77aa77" == thing.holder["run"]
    assert thing.journal is not None


def test_a_quarantined_app_in_use_is_both(state: StateDirectory) -> None:
    """One state does not hide another."""
    put_known_good(state.root)
    recover.quarantine(state, place(state), "rotten")

    with hold(state.lock(DOMAIN), who=Holder("77aa77", "cold", ""), limit=0):
        assert {"quarantined", "in-use"} == only(state).states.keys()


def test_interrupted(state: StateDirectory) -> None:
    """A journal that nobody holds the lock for, with what was going on."""
    put_known_good(state.root)
    Journal(place(state).folder).begin("promote", run="dead00", session="s")

    states = only(state).states

    assert ["interrupted"] == list(states)
    assert states["interrupted"].startswith("promote of run dead00, begun 2")


def test_a_run_that_ends_meanwhile_is_no_interruption(
    state: StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal was read just before its run ended it and let go of the lock."""
    put_known_good(state.root)
    journal = Journal(place(state).folder)
    journal.begin("quick", run="77aa77", session="s")
    read = Journal.read

    def read_late(self: Journal) -> object:
        found = read(self)
        journal.end()
        return found

    monkeypatch.setattr(Journal, "read", read_late)

    assert {"known-good": ""} == only(state).states


def test_a_damaged_entry_hides_nothing_else(state: StateDirectory) -> None:
    """Its own row says what is wrong; the others are as ever."""
    put_known_good(state.root)
    put_known_good(state.root, recipe="other")
    (state.canonicals("process") / "miniapp.yml").write_text("format: 1\n")

    damaged, fine = look(setting(state.root)).things

    assert ("miniapp", None, ["damaged"]) == (damaged.recipe, damaged.entry, list(damaged.states))
    assert "registry entry is damaged" in damaged.states["damaged"]
    assert damaged.size_bytes > 200_000
    assert ("other", {"known-good": ""}) == (fine.recipe, fine.states)


def test_an_entry_that_leads_out_is_damaged(state: StateDirectory) -> None:
    """A domain is never followed out of the state directory."""
    put_known_good(state.root, domain="../../etc")

    assert "damaged" in only(state).states


def test_an_app_without_an_entry(state: StateDirectory) -> None:
    """The first promotion was cut short: shown, with no known-good."""
    place(state).folder.mkdir(parents=True)
    Journal(place(state).folder).begin("promote", run="dead00", session="s")

    thing = only(state)

    assert ("miniapp", None) == (thing.recipe, thing.entry)
    assert {"interrupted", "none"} == thing.states.keys()


def test_throw_away_apps_are_not_warm(state: StateDirectory) -> None:
    """Cold apps, garbage and foreign names are left out."""
    for name in ("mini-1a2b3c.warmci.localhost", ".garbage-1", "warm-x", "warm-X.org"):
        (state.apps("process") / name).mkdir(parents=True)

    assert () == look(setting(state.root)).things


def test_the_newest_result_of_each_mode(state: StateDirectory) -> None:
    """By when they were written; those of other recipes and unreadable ones are passed over."""
    put_known_good(state.root)
    put_result(state, "000001", verdict="failed", reason="old", promoted=False, authority=False)
    cold = put_result(state, "000002")
    quick = put_result(
        state,
        "000003",
        mode="quick",
        requested_mode="quick",
        promoted=False,
        authority=False,
    )
    put_result(state, "000004", recipe="other")
    put_result(state, "000005", engine="swarm")
    put_result(state, "000006")
    (state.run("000006") / "result.json").write_text("{")
    state.run("000007").mkdir()
    for number in range(1, 7):
        path = state.run(f"{number:06}") / "result.json"
        os.utime(path, (number * 1000, number * 1000))

    assert {"cold": cold, "quick": quick} == only(state).last


def test_no_more_results_are_read_than_needed(
    state: StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long history does not slow a look down."""
    put_known_good(state.root)
    for number in range(30):
        mode = ("cold", "quick")[number % 2]
        put_result(state, f"{number:06}", mode=mode, authority=False, promoted=False)
        path = state.run(f"{number:06}") / "result.json"
        os.utime(path, (number * 1000, number * 1000))
    reads: list[Path] = []

    def counted(folder: Path) -> Result:
        reads.append(folder)
        return read_result(folder)

    monkeypatch.setattr(status, "read_result", counted)

    assert {"cold": "000028", "quick": "000029"} == {
        mode: result.run_id for mode, result in only(state).last.items()
    }
    assert 2 == len(reads)


def test_one_recipe(state: StateDirectory) -> None:
    """Only it, and only its alerts, by recipe and by domain."""
    put_known_good(state.root)
    put_known_good(state.root, recipe="other")
    for subject in ("miniapp", DOMAIN, "other"):
        raise_alert(state.alerts, kind="k", subject=subject, what="w", where="here", remedy="r")

    found = look(setting(state.root), "miniapp")

    assert ["miniapp"] == [thing.recipe for thing in found.things]
    assert {"miniapp", DOMAIN} == {alert["subject"] for alert in found.alerts}
    assert 3 == len(look(setting(state.root)).alerts)


def test_plain_data_says_all_but_what_the_witness_keeps(state: StateDirectory) -> None:
    """Facts for programs, and no secret of a witness among them."""
    put_known_good(state.root)
    put_result(state, "1a2b3c")

    facts = look(setting(state.root)).to_json()

    (thing,) = facts["canonicals"]
    assert "1.1.0+1.1" == thing["version"]
    assert "http://localhost:20001" == thing["url"]
    assert "passed" == thing["last"]["cold"]["verdict"]
    assert thing["last"]["quick"] is None
    assert thing["age_seconds"] > 0
    assert "hunter2" not in str(facts)
    assert {"path": str(state.root), "origin": "--state", "exists": True, "warnings": []} == facts[
        "state"
    ]


def test_another_users_state_is_refused(state: StateDirectory) -> None:
    """Not shown as empty."""
    state.root.chmod(0o755)

    with pytest.raises(UsageError, match="others may enter"):
        look(setting(state.root))


def test_age() -> None:
    """Seconds since; a time in the future is now; nonsense has no age."""
    assert (age_seconds("2020-01-01T00:00:00Z") or 0) > 1e8
    assert 0.0 == age_seconds("2999-01-01T00:00:00Z")
    assert age_seconds("yesterday") is None


def test_size_counts_each_file_once(tmp_path: Path) -> None:
    """Blocks on disk, a hard link only once, symlinks not followed, nothing where nothing is."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"x" * 50_000)
    single = tree_bytes(tmp_path)
    os.link(tmp_path / "a" / "file", tmp_path / "again")
    (tmp_path / "up").symlink_to("/")

    assert 50_000 <= single < 80_000
    assert 0 <= tree_bytes(tmp_path) - single <= 4096
    assert 0 == tree_bytes(tmp_path / "none")


def test_an_unreadable_lock_is_a_state(
    state: StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be told is said, not guessed."""
    put_known_good(state.root)

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(status, "holder", refuse)

    assert "Permission denied" in only(state).states["unreadable"]
