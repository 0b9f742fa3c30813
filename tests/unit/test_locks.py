"""Locks: kernel locks between real processes, and a record for people."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_warmci.clients import files, locks
from pytest_warmci.clients.locks import Holder, hold, holder
from pytest_warmci.errors import DiskTooSmall, LockBusy

ROOT = Path(__file__).parents[2]

US = Holder("ffffff", "quick", "testing keycloak")

SCRIPT = """
import os, sys, time
from pathlib import Path
from pytest_warmci.clients.locks import Holder, hold

def say(word):
    os.write(1, f"{word}\\n".encode())  # at once: two processes say something here

with hold(Path(sys.argv[1]), who=Holder("1a2b3c", "cold", "promotion"), limit=5):
    if "fork" in sys.argv and os.fork() == 0:
        say(os.getpid())
        time.sleep(60)
        os._exit(0)
    if "spawn" in sys.argv:
        import subprocess
        child = subprocess.Popen(["sleep", "60"], close_fds=False, stdout=subprocess.DEVNULL)
        say(child.pid)
    say("held")
    sys.stdin.readline()
"""


@contextmanager
def another(path: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run a process that holds the lock until it is told to end or killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(path), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process
    finally:
        process.kill()
        process.stdin.close()
        process.stdout.close()
        process.wait()


def lines(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(count)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A lock that nobody holds."""
    return tmp_path / "keycloak.lock"


def test_the_record_says_who(path: Path) -> None:
    """While it is held the record names us; then nobody."""
    assert holder(path) is None
    assert not path.exists()

    with hold(path, who=US, limit=0):
        found = holder(path)
        mode = stat.S_IMODE(path.stat().st_mode)

    assert found is not None
    assert ("ffffff", "quick", "testing keycloak", os.getpid()) == tuple(
        found[key] for key in ("run", "mode", "why", "pid")
    )
    assert {"process_start", "boot", "host", "since", "format", "lock"} <= found.keys()
    assert 0o600 == mode
    assert holder(path) is None


def test_lock_files_stay(path: Path) -> None:
    """The same inode for ever: who waits for a deleted file waits for nothing."""
    with hold(path, who=US, limit=0):
        inode = path.stat().st_ino
    with hold(path, who=US, limit=0):
        again = path.stat().st_ino

    assert inode == again
    assert path.exists()
    assert "free_since" in json.loads(path.with_suffix(".json").read_text())


def test_a_busy_lock_names_its_holder(path: Path) -> None:
    """With limit 0 there is one try, and the error says who, why, since when."""
    with another(path) as process:
        assert ["held"] == lines(process, 1)

        begun = time.monotonic()
        with pytest.raises(LockBusy) as caught, hold(path, who=US, limit=0):
            pytest.fail("two holders")
        took = time.monotonic() - begun

        why = caught.value.why
        assert f"held by run 1a2b3c (cold, pid {process.pid}, since " in why
        assert "promotion" in why
        assert "keycloak is busy" == caught.value.what
        assert caught.value.remedy
        assert took < 1


def test_waiting_tells_once_and_ends_with_the_holder(path: Path) -> None:
    """One line for one holder; then the lock is ours."""
    told: list[str] = []
    with another(path) as process:
        assert ["held"] == lines(process, 1)
        assert process.stdin is not None
        stdin = process.stdin
        timer = threading.Timer(0.4, lambda: (stdin.write("\n"), stdin.flush()))
        timer.start()
        with hold(path, who=US, limit=20, on_wait=told.append):
            found = holder(path)
        timer.join()

    assert found is not None
    assert "ffffff" == found["run"]
    assert 1 == len(told)
    assert told[0].startswith(
        f"waiting for keycloak: held by run 1a2b3c (cold, pid {process.pid}, since "
    )


def test_a_new_holder_is_told_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line changes when the record does."""
    told: list[str] = []
    with hold(path, who=Holder("aaaaaa", "cold", ""), limit=0):

        def change(seconds: float) -> None:
            record = json.loads(path.with_suffix(".json").read_text())
            files.write_json(path.with_suffix(".json"), record | {"run": "bbbbbb"})

        monkeypatch.setattr(time, "sleep", change)
        with (
            pytest.raises(LockBusy, match="keycloak"),
            hold(path, who=US, limit=0.2, on_wait=told.append),
        ):
            pytest.fail("two holders")

    assert ["aaaaaa", "bbbbbb"] == [text.partition("run ")[2][:6] for text in told]


def test_the_limit_is_kept(path: Path) -> None:
    """Not before, not long after."""
    with hold(path, who=US, limit=0):
        begun = time.monotonic()
        with pytest.raises(LockBusy), hold(path, who=US, limit=0.4):
            pytest.fail("two holders")

    assert 0.4 <= time.monotonic() - begun < 2


@pytest.mark.parametrize("kind", ["alone", "fork", "spawn"])
def test_a_killed_holder_holds_nothing(path: Path, kind: str) -> None:
    """Its children do not keep the lock, nor does its record."""
    with another(path, kind) as process:
        said = lines(process, 1 if kind == "alone" else 2)
        children = [int(line) for line in said if line.isdigit()]
        assert (kind != "alone") == bool(children)
        try:
            process.send_signal(signal.SIGKILL)
            process.wait()

            assert holder(path) is None
            with hold(path, who=US, limit=0):
                found = holder(path)
        finally:
            for child in children:
                os.kill(child, signal.SIGKILL)

    assert found is not None
    assert "ffffff" == found["run"]


@pytest.mark.parametrize("content", ["", "{", '{"format": 1}'])
def test_a_damaged_record_decides_nothing(path: Path, content: str) -> None:
    """The kernel does; the holder is nameless."""
    path.with_suffix(".json").write_text(content)
    assert holder(path) is None

    with hold(path, who=US, limit=0):
        path.with_suffix(".json").write_text(content)
        assert {} == holder(path)
        with pytest.raises(LockBusy, match="busy") as caught, hold(path, who=US, limit=0):
            pytest.fail("two holders")

    assert "another process (no record of it)" in caught.value.why


def test_a_probe_does_not_make_it_busy(path: Path) -> None:
    """Somebody who only looks is waited out, even with limit 0."""
    path.touch()
    descriptor = os.open(path, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    timer = threading.Timer(0.1, os.close, [descriptor])
    timer.start()

    with hold(path, who=US, limit=0):
        timer.join()


def test_a_full_disk_does_not_lock_out_who_frees_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is had without a record, rather than with another's name."""
    with hold(path, who=Holder("aaaaaa", "cold", ""), limit=0):
        old = path.with_suffix(".json").read_text()
    path.with_suffix(".json").write_text(old)

    def full(*_: object) -> None:
        raise DiskTooSmall("full")

    monkeypatch.setattr(files, "write_json", full)
    with hold(path, who=US, limit=0):
        assert {} == holder(path)

    assert holder(path) is None


def test_an_error_inside_releases(path: Path) -> None:
    """And comes through."""
    with pytest.raises(ZeroDivisionError), hold(path, who=US, limit=0):
        raise ZeroDivisionError

    assert holder(path) is None


def test_it_may_end_in_another_thread(path: Path) -> None:
    """Where a block ends is not always where it began."""
    held = hold(path, who=US, limit=0)
    thread = threading.Thread(target=held.__enter__)
    thread.start()
    thread.join()
    assert holder(path) is not None

    held.__exit__(None, None, None)

    assert holder(path) is None


def test_threads_exclude_each_other(path: Path) -> None:
    """Never two inside, in whatever order."""
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(3):
            with hold(path, who=US, limit=20):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.002)
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [1] * 9 == most


@pytest.mark.parametrize(
    ("since", "expected"),
    [("2020-01-31T12:00:03Z", lambda text: "2020-01-31" in text), ("x", lambda text: "x" in text)],
)
def test_an_old_holder_is_shown_with_its_date(since: str, expected: Callable[[str], bool]) -> None:
    """A time of day alone would lie about yesterday's."""
    record = {"run": "1", "mode": "cold", "pid": 7, "host": "far", "why": "", "since": since}

    text = locks.describe(record)

    assert expected(text)
    assert "pid 7 on far" in text
