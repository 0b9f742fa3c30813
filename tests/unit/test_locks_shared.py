"""Shared holds: together with each other, never with an exclusive one, between real processes."""

from __future__ import annotations

import errno
import fcntl
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_warmci.clients import locks
from pytest_warmci.clients.locks import Holder, describe, hold, holder
from pytest_warmci.errors import LockBusy, UsageError

ROOT = Path(__file__).parents[2]

US = Holder("ffffff", "reconcile", "upgrading keycloak")

SCRIPT = """
import sys
from pathlib import Path
from pytest_warmci.clients.locks import Holder, hold

path, run, kind = sys.argv[1:]
shared = kind == "shared"
who = Holder(run, "quick" if shared else "reconcile", "needs keycloak")

def say(text):
    print(text, flush=True)

with hold(Path(path), who=who, limit=20, on_wait=say, shared=shared):
    say("held")
    sys.stdin.readline()
say("released")
"""


class Another:
    """A process that takes the lock, and holds it until it is told to end."""

    def __init__(self, path: Path, run: str, kind: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(path), run, kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def line(self) -> str:
        """Wait for the next thing that it says."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def release(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert self.line() == "released"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        self.process.wait()


@contextmanager
def another(path: Path, run: str, kind: str = "shared") -> Iterator[Another]:
    process = Another(path, run, kind)
    try:
        yield process
    finally:
        process.close()


def records(path: Path) -> list[str]:
    return sorted(json.loads(each.read_text())["run"] for each in path.parent.glob("*~*.json"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A lock that nobody holds; its name would be a pattern to those who look for records."""
    return tmp_path / "live-[k].lock"


def test_shared_holds_go_together(path: Path) -> None:
    """Each has a record of its own, which goes with it."""
    with another(path, "aaaaaa") as first, another(path, "bbbbbb") as second:
        assert ["held", "held"] == [first.line(), second.line()]

        with hold(path, who=US, limit=0, shared=True):
            assert ["aaaaaa", "bbbbbb", "ffffff"] == records(path)

        first.release()
        second.release()
    assert [] == records(path)
    assert holder(path) is None


def test_the_holders_are_named_and_counted(path: Path) -> None:
    """One by name, the others by number."""
    with another(path, "aaaaaa") as first, another(path, "bbbbbb") as second:
        assert ["held", "held"] == [first.line(), second.line()]

        found = holder(path)

        assert found is not None
        assert found["run"] in {"aaaaaa", "bbbbbb"}
        assert describe(found).endswith("needs keycloak and 1 more")
        second.release()
        alone = holder(path)
        assert alone is not None
        assert ("aaaaaa", 0) == (alone["run"], alone["others"])
        assert "more" not in describe(alone)


def test_an_exclusive_one_waits_for_all_shared_ones(path: Path) -> None:
    """And says whom it waits for."""
    with another(path, "aaaaaa") as first:
        assert "held" == first.line()
        with another(path, "bbbbbb", "alone") as writer:
            assert writer.line().startswith(
                f"waiting for live-[k]: held by run aaaaaa (quick, pid {first.process.pid}, since "
            )
            first.release()
            assert "held" == writer.line()


def test_a_shared_one_waits_for_an_exclusive_one(path: Path) -> None:
    """Whose name it is told, and which it never joins."""
    with another(path, "aaaaaa", "alone") as writer:
        assert "held" == writer.line()
        with pytest.raises(LockBusy) as caught, hold(path, who=US, limit=0, shared=True):
            pytest.fail("both hold it")
        assert "held by run aaaaaa (reconcile, pid" in caught.value.why
        with another(path, "bbbbbb") as reader:
            assert "held by run aaaaaa" in reader.line()
            writer.release()
            assert "held" == reader.line()


def test_who_waits_alone_stops_new_shared_ones(path: Path) -> None:
    """Else it would wait for ever for a service that many use."""
    with another(path, "aaaaaa") as first:
        assert "held" == first.line()
        with another(path, "bbbbbb", "alone") as writer:
            assert "waiting" in writer.line()
            with another(path, "cccccc") as late:
                assert "held by run aaaaaa" in late.line()
                with pytest.raises(LockBusy), hold(path, who=US, limit=0, shared=True):
                    pytest.fail("it overtook who waits")
                first.release()
                assert "held" == writer.line()
                assert "held by run bbbbbb" in late.line()
                writer.release()
                assert "held" == late.line()


def test_a_killed_waiter_lets_shared_ones_in_again(path: Path) -> None:
    """Its turn is a kernel lock too."""
    with another(path, "aaaaaa") as first:
        assert "held" == first.line()
        with another(path, "bbbbbb", "alone") as writer:
            assert "waiting" in writer.line()
            writer.kill()

            with hold(path, who=US, limit=0, shared=True):
                assert ["aaaaaa", "ffffff"] == records(path)


def test_killed_shared_holders_hold_nothing(path: Path) -> None:
    """Their records are nobody's, and go when somebody has the lock alone."""
    with another(path, "aaaaaa") as first, another(path, "bbbbbb") as second:
        assert ["held", "held"] == [first.line(), second.line()]
        first.kill()
        found = holder(path)
        second.kill()

    assert found is not None
    assert ("bbbbbb", 0) == (found["run"], found["others"])
    assert holder(path) is None
    assert ["aaaaaa", "bbbbbb"] == records(path)
    with hold(path, who=US, limit=0):
        assert [] == records(path)


def test_a_killed_exclusive_holder_is_not_named_for_living_shared_ones(path: Path) -> None:
    """Its record stays behind, and would name somebody who is gone."""
    with another(path, "aaaaaa", "alone") as dead:
        assert "held" == dead.line()
        dead.kill()
    with another(path, "bbbbbb") as reader:
        assert "held" == reader.line()

        with pytest.raises(LockBusy) as caught, hold(path, who=US, limit=0):
            pytest.fail("both hold it")

    assert "run bbbbbb" in caught.value.why


def test_only_the_records_of_that_lock_are_swept(path: Path) -> None:
    """Names may begin alike."""
    other = path.with_name("live-[k]-2.lock")
    with (
        hold(other, who=US, limit=0, shared=True),
        hold(path, who=US, limit=0),
    ):
        assert ["ffffff"] == records(path)


def test_what_belongs_to_no_run_is_named_by_its_process(path: Path) -> None:
    """Who fetches an artifact knows nothing of runs."""
    with hold(path, who=Holder("", "fetch", "radicale 3.9.0"), limit=0):
        found = holder(path)

    assert found is not None
    assert describe(found).startswith("a process (fetch, pid ")
    assert describe(found).endswith("): radicale 3.9.0")


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "shared"])
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_that_cannot_lock_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int, shared: bool
) -> None:
    """At once, with the way out: waiting would not help."""

    def cannot(descriptor: int, kind: int) -> None:
        raise OSError(number, "No locks available")

    monkeypatch.setattr(fcntl, "flock", cannot)
    begun, before = time.monotonic(), set(locks._open)

    with (
        pytest.raises(UsageError, match="cannot lock") as caught,
        hold(path, who=US, limit=60, shared=shared),
    ):
        pytest.fail("it was not locked")

    assert "No locks available" in caught.value.why
    assert "--warmci-state DIR" in caught.value.remedy
    assert time.monotonic() - begun < 5
    assert before == locks._open
