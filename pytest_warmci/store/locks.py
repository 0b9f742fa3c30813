"""Locks: a kernel lock that dies with its holder, and a record that says who that is.

The kernel lock alone decides. The record beside it is for people; it may be stale or missing, and
nothing is ever concluded from its pid or its age.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pytest_warmci.clients import files
from pytest_warmci.clients.machine import boot_id, process_start, utc_now
from pytest_warmci.errors import DiskTooSmall, LockBusy, StateDamaged
from pytest_warmci.model import FORMAT

_POLL: Final = 0.05
"""Seconds between two attempts."""

_GRACE: Final = 0.3
"""Seconds for which a nameless holder is given time to write its record, even with limit 0; it
may also be nothing but somebody's `holder` probe."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who takes a lock: run id, mode of that run, and why in a few words."""

    run: str
    mode: str
    why: str


@contextmanager
def hold(
    path: Path,
    *,
    who: Holder,
    limit: float,
    on_wait: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Hold the lock `path` (`<name>.lock`) for the block, against every process and thread.

    Args:
        path: The lock file; it is created once and stays.
        who: What others read while they wait.
        limit: Seconds to wait at most; 0 tries once.
        on_wait: Told once what we wait for, and again whenever the holder changes.

    Raises:
        LockBusy: Somebody else had it for longer than `limit`; the error names them.
    """
    from filelock import FileLock

    lock = FileLock(
        path,
        mode=0o600,
        thread_local=False,  # released wherever the block ends
        fallback_to_soft=False,  # a file that merely exists outlives its holder
        preserve_lock_file=True,
    )
    _acquire(lock.acquire, path, limit, on_wait)
    try:
        _record(path, who)
        yield
    finally:
        try:
            # When this cannot be written the record is stale; the kernel lock is what counts.
            with suppress(DiskTooSmall, OSError):
                free = {"format": FORMAT, "lock": path.stem, "free_since": utc_now()}
                files.write_json(_record_path(path), free)
        finally:
            lock.release()


def holder(path: Path) -> dict[str, Any] | None:
    """Return the record of who holds the lock now (empty when nameless), None when nobody does.

    Creates nothing. Raises:
        OSError: The lock file cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno != errno.EWOULDBLOCK:
            raise
        return _read(path)
    finally:
        os.close(descriptor)
    return None


def describe(record: dict[str, Any]) -> str:
    """Return a holder's record in words: `run 1a2b3c (cold, pid 77, since 12:00:03)`."""
    if not record:
        return "another process (no record of it)"
    details = [str(record["mode"]), f"pid {record['pid']}"]
    if record["host"] != socket.gethostname():
        details[-1] += f" on {record['host']}"
    details.append(f"since {_clock_time(str(record['since']))}")
    why = f": {record['why']}" if record["why"] else ""
    return f"run {record['run']} ({', '.join(details)}){why}"


def _acquire(
    attempt: Callable[..., object],
    path: Path,
    limit: float,
    on_wait: Callable[[str], None] | None,
) -> None:
    from filelock import Timeout

    begun = time.monotonic()
    said = ""
    while True:
        try:
            attempt(blocking=False)
        except Timeout:
            pass
        else:
            return
        record = _read(path)
        waited = time.monotonic() - begun
        if waited >= (limit if record else max(limit, _GRACE)):
            raise LockBusy(
                f"{path.stem} is busy",
                why=f"held by {describe(record)}; waited {waited:.0f} s",
                remedy="try again when that run has ended; its lock goes with its process",
            )
        text = f"waiting for {path.stem}: held by {describe(record)}"
        if record and on_wait and text != said:
            on_wait(text)
            said = text
        time.sleep(_POLL)


def _record_path(path: Path) -> Path:
    return path.with_suffix(".json")


def _record(path: Path, who: Holder) -> None:
    record = {
        "format": FORMAT,
        "lock": path.stem,
        **asdict(who),
        "pid": os.getpid(),
        "process_start": process_start(os.getpid()),
        "boot": boot_id(),
        "host": socket.gethostname(),
        "since": utc_now(),
    }
    try:
        files.write_json(_record_path(path), record)
    except DiskTooSmall:
        # Who frees the disk needs locks too. Better nameless than with another's name.
        _record_path(path).unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any]:
    """Return the holder's record; empty when it is missing, damaged or says "free"."""
    try:
        record = files.read_record(_record_path(path), "lock record")
    except (FileNotFoundError, StateDamaged):
        return {}
    names = {"run", "mode", "why", "pid", "host", "since"}
    return record if names <= record.keys() else {}


def _clock_time(since: str) -> str:
    try:
        moment = datetime.strptime(since, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).astimezone()
    except ValueError:
        return since
    today = moment.date() == datetime.now(UTC).astimezone().date()
    return moment.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")
