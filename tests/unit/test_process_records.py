"""Owner records: there before the process, enough to find it after a crash."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_warmci.clients import command, processes
from pytest_warmci.engines.process import records as records_module
from pytest_warmci.engines.process.records import KEY, TOKEN, OwnerRecord, Records, new_record
from pytest_warmci.errors import CommandFailed, DiskTooSmall, StateDamaged

ENV = {"PATH": os.environ["PATH"]}


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    made = Records(tmp_path)
    yield made
    for process in processes.using(tmp_path):
        processes.signal_process(process, signal.SIGKILL)
        while processes.is_alive(process):
            time.sleep(0.005)
    for pid in command._children:
        command.exit_code(pid)


def record(tmp_path: Path, service: str = "app") -> OwnerRecord:
    return new_record(
        service,
        "key",
        depends_on=("db",),
        stop_grace=0.2,
        stop_signal="SIGTERM",
        artifact="web:1.0",
        log=tmp_path / "log",
    )


def spawn(records: Records, tmp_path: Path, *argv: str) -> OwnerRecord:
    return records.spawn(record(tmp_path), argv, ENV, tmp_path, tmp_path / "log")


def test_records_come_back_as_they_were(records: Records, tmp_path: Path) -> None:
    """Sorted by service; a dropped one is gone."""
    app, db = record(tmp_path), record(tmp_path, "db")
    records.put(db)
    records.put(app)

    assert [app, db] == records.all()
    assert db == records.find("db")
    records.drop("db")
    records.drop("db")
    assert records.find("db") is None


def test_every_process_has_a_token_of_its_own(tmp_path: Path) -> None:
    """Which nothing else carries."""
    assert record(tmp_path).token != record(tmp_path).token


def test_a_spawn_completes_its_record(records: Records, tmp_path: Path) -> None:
    """Pid and start; token and key are in the process's environment."""
    done = spawn(records, tmp_path, "sleep", "60")

    assert done == records.find("app")
    assert done.process is not None
    assert records.is_running(done)
    found = processes.environment(done.process)
    assert (done.token, "key") == (found[TOKEN], found[KEY])


def test_a_spawn_that_fails_leaves_its_record(records: Records, tmp_path: Path) -> None:
    """Without a process: recovery finds that nothing runs and forgets it."""
    with pytest.raises(CommandFailed):
        spawn(records, tmp_path, "/no/such/program")

    left = records.find("app")
    assert left is not None
    assert (None, False, []) == (left.process, records.is_running(left), records.survivors(left))


def test_a_record_without_a_pid_finds_its_process(records: Records, tmp_path: Path) -> None:
    """Killed between the spawn and the second write."""
    done = spawn(records, tmp_path, "sleep", "60")
    lost = replace(done, pid=0, started=0, boot="")

    assert records.is_running(lost)
    assert [done.process] == records.survivors(lost)
    records.ask_to_stop(lost)
    end = time.monotonic() + 5
    while records.is_running(lost):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_children_are_survivors_even_without_the_token(records: Records, tmp_path: Path) -> None:
    """PostgreSQL's overwrite their environment; the session still names them."""
    done = spawn(records, tmp_path, "sh", "-c", "env -i sleep 60 & exec sleep 61")
    end = time.monotonic() + 5
    while len(records.survivors(done)) < 2:
        assert time.monotonic() < end
        time.sleep(0.01)

    records.kill(done)

    while records.survivors(done):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_stop_is_asked_once(records: Records, tmp_path: Path) -> None:
    """The deadline does not move when asked again."""
    spawn(records, tmp_path, "sh", "-c", "trap '' TERM; while :; do sleep 1; done")
    asked = records.find("app")
    assert asked is not None
    before = time.time()
    records.ask_to_stop(asked)
    first = records.find("app")
    assert first is not None

    records.ask_to_stop(first)

    assert first == records.find("app")
    assert before + 0.2 <= first.stop_after <= time.time() + 0.2


def test_a_full_disk_keeps_nothing_from_stopping(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal is sent, and who asked remembers until when to wait."""
    done = spawn(records, tmp_path, "sleep", "60")

    def refuse(*_: object) -> None:
        raise DiskTooSmall("full")

    monkeypatch.setattr(records_module, "write_json", refuse)

    records.ask_to_stop(done)

    (asked,) = records.all()
    assert time.time() < asked.stop_after
    end = time.monotonic() + 5
    while records.is_running(done):
        assert time.monotonic() < end
        time.sleep(0.01)
    records.drop("app")
    assert [] == records.all()


def test_a_process_of_another_boot_is_nobody_of_ours(records: Records, tmp_path: Path) -> None:
    """Its pid may be anybody's now."""
    done = spawn(records, tmp_path, "sleep", "60")

    old = replace(done, boot="another", token="0" * 32)

    assert not records.is_running(old)
    assert [] == records.survivors(old)


def test_a_damaged_record_never_means_nobody(records: Records, tmp_path: Path) -> None:
    """Something may run."""
    records.put(record(tmp_path))
    (tmp_path / "owners" / "app.json").write_text("{")

    with pytest.raises(StateDamaged):
        records.all()


def test_a_log_begins_where_the_last_one_ended(tmp_path: Path) -> None:
    """Errors show only what this start said."""
    (tmp_path / "log").write_text("before")

    assert (6, 0) == (record(tmp_path).log_from, record(tmp_path / "none").log_from)
