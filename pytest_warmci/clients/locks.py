"""Leases: a kernel lock that dies with its holder, and a record that says who that is.

The kernel lock alone decides. The record beside it is for people; it may be stale or missing, and
nothing is ever concluded from its pid or its age. Everything that is shared or exclusive between
processes goes through here: apps, runs, the cache.
"""

from __future__ import annotations

import errno
import fcntl
import glob
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pytest_warmci.clients import files
from pytest_warmci.clients.disk import disk_trouble_named
from pytest_warmci.clients.machine import boot_id, process_start, utc_now
from pytest_warmci.errors import DiskTooSmall, LockBusy, StateDamaged, UsageError, WarmciError
from pytest_warmci.model import FORMAT

_POLL: Final = 0.05
"""Seconds between two attempts."""

_GRACE: Final = 0.3
"""Seconds for which a nameless holder is given time to write its record, even with limit 0; it
may also be nothing but somebody's `holder` probe."""

_BUSY: Final = frozenset({errno.EWOULDBLOCK, errno.EACCES})
_CANNOT: Final = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})

_open: set[int] = set()
"""Descriptors of locks that this process holds or tries."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who takes a lock: run id (empty: no run's own), its mode, and why in a few words.

    `recipe` and `session` say more about the lease of a run; empty for any other lock.
    """

    run: str
    mode: str
    why: str
    recipe: str = ""
    session: str = ""


@contextmanager
def hold(
    path: Path,
    *,
    who: Holder,
    limit: float,
    on_wait: Callable[[str], None] | None = None,
    shared: bool = False,
) -> Iterator[None]:
    """Hold the lock `path` (`<name>.lock`) for the block, against every process and thread.

    A shared hold goes together with other shared ones; who waits for an exclusive one stops new
    shared ones. A shared hold is never turned into an exclusive one: release it, then take that.

    Args:
        path: The lock file; it is created once and stays.
        who: What others read while they wait.
        limit: Seconds to wait at most; 0 tries once.
        on_wait: Told once what we wait for, and again whenever the holder changes.
        shared: Hold it together with others.

    Raises:
        LockBusy: Somebody else had it for longer than `limit`; the error names them.
        DiskTooSmall: There is no room for the lock's file, which was not there yet.
        UsageError: The file system there cannot lock.
    """
    wait = _Wait(path, limit, on_wait)
    descriptor = _take_shared(path, wait) if shared else _take_alone(path, wait)
    record = _record_path(path)
    if shared:
        record = record.with_name(f"{path.stem}~{secrets.token_hex(4)}.json")
    try:
        if not shared:
            _sweep_shared(path)
        _record(record, path, who)
        yield
    finally:
        try:
            # When this cannot be written the record is stale; the kernel lock is what counts.
            with suppress(WarmciError, OSError):
                if shared:
                    record.unlink(missing_ok=True)
                else:
                    free = {"format": FORMAT, "lock": path.stem, "free_since": utc_now()}
                    files.write_json(record, free)
        finally:
            _close(descriptor)


def holder(path: Path) -> dict[str, Any] | None:
    """Return the record of who holds the lock now (empty when nameless), None when nobody does.

    Of several shared holders it is one, with `others` for how many more there are. Creates
    nothing.

    Raises:
        OSError: The lock file cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        if _try(descriptor, fcntl.LOCK_SH):
            found = _shared_holders(path)
            return found or None
        return _read(_record_path(path))
    finally:
        os.close(descriptor)


def check(path: Path) -> None:
    """Make sure that the file system of a file, which is there, can lock.

    Raises:
        UsageError: It cannot.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _try(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def describe(record: dict[str, Any]) -> str:
    """Return a holder's record in words: `run 1a2b3c (cold, pid 77, since 12:00:03)`.

    What belongs to no run is `a process (fetch, pid 77, since 12:00:03)`.
    """
    if not record:
        return "another process (no record of it)"
    details = [str(record["mode"]), f"pid {record['pid']}"]
    if record["host"] != socket.gethostname():
        details[-1] += f" on {record['host']}"
    details.append(f"since {_clock_time(str(record['since']))}")
    why = f": {record['why']}" if record["why"] else ""
    more = f" and {record['others']} more" if record.get("others") else ""
    name = f"run {record['run']}" if record["run"] else "a process"
    return f"{name} ({', '.join(details)}){why}{more}"


class _Wait:
    """One wait for a lock: its limit, and what was said about it."""

    def __init__(self, path: Path, limit: float, on_wait: Callable[[str], None] | None) -> None:
        self._path = path
        self._limit = limit
        self._on_wait = on_wait
        self._begun = time.monotonic()
        self._said = ""

    def once(self) -> None:
        """Wait for a moment.

        Raises:
            LockBusy: The limit is over.
        """
        # A killed holder's record may lie beside those of shared ones that live.
        record = _shared_holders(self._path) or _read(_record_path(self._path))
        waited = time.monotonic() - self._begun
        if waited >= (self._limit if record else max(self._limit, _GRACE)):
            raise LockBusy(
                f"{self._path.stem} is busy",
                why=f"held by {describe(record)}; waited {waited:.0f} s",
                remedy="try again when that run has ended; its lock goes with its process",
            )
        text = f"waiting for {self._path.stem}: held by {describe(record)}"
        if record and self._on_wait and text != self._said:
            self._on_wait(text)
            self._said = text
        time.sleep(_POLL)


def _take_alone(path: Path, wait: _Wait) -> int:
    descriptor = _open_file(path)
    try:
        if _try(descriptor, fcntl.LOCK_EX):
            return descriptor
        # Whoever has this file keeps new shared holders out until its turn has come.
        turn = _open_file(_turn_path(path))
        try:
            while not _try(turn, fcntl.LOCK_EX):
                if _try(descriptor, fcntl.LOCK_EX):
                    return descriptor
                wait.once()
            while not _try(descriptor, fcntl.LOCK_EX):
                wait.once()
        finally:
            _close(turn)
    except BaseException:
        _close(descriptor)
        raise
    return descriptor


def _take_shared(path: Path, wait: _Wait) -> int:
    descriptor = _open_file(path)
    try:
        while not (_is_free(_turn_path(path)) and _try(descriptor, fcntl.LOCK_SH)):
            wait.once()
    except BaseException:
        _close(descriptor)
        raise
    return descriptor


def _is_free(path: Path) -> bool:
    """Tell whether nobody holds a lock file alone; one that is not there is free."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        return _try(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _BUSY:
            return False
        if error.errno in _CANNOT:
            raise UsageError(
                "the file system of the state directory cannot lock",
                why=str(error),
                remedy="choose a folder on a local disk: --warmci-state DIR",
            ) from error
        raise
    return True


def _open_file(path: Path) -> int:
    with disk_trouble_named(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    _open.add(descriptor)
    return descriptor


def _close(descriptor: int) -> None:
    _open.discard(descriptor)
    os.close(descriptor)


def _forget_in_child() -> None:
    """A forked child has copies of our descriptors, and would hold our locks beyond our death."""
    for descriptor in _open:
        with suppress(OSError):
            os.close(descriptor)
    _open.clear()


os.register_at_fork(after_in_child=_forget_in_child)


def _record_path(path: Path) -> Path:
    return path.with_suffix(".json")


def _turn_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}.next")


def _record(place: Path, path: Path, who: Holder) -> None:
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
        files.write_json(place, record)
    except DiskTooSmall:
        # Who frees the disk needs locks too. Better nameless than with another's name.
        place.unlink(missing_ok=True)


def _read(place: Path) -> dict[str, Any]:
    """Return a holder's record; empty when it is missing, damaged or says "free"."""
    try:
        record = files.read_record(place, "lock record")
    except (FileNotFoundError, StateDamaged):
        return {}
    names = {"run", "mode", "why", "pid", "host", "since"}
    return record if names <= record.keys() else {}


def _shared_holders(path: Path) -> dict[str, Any]:
    """Return the record of one shared holder whose process is there; empty when there is none."""
    found = [record for place in _shared_places(path) if (record := _read(place))]
    alive = [
        record
        for record in found
        if record.get("boot") == boot_id()
        and record.get("process_start") == process_start(int(record["pid"]))
    ]
    return {**alive[0], "others": len(alive) - 1} if alive else {}


def _shared_places(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{glob.escape(path.stem)}~*.json"))


def _sweep_shared(path: Path) -> None:
    """Remove what killed shared holders left; belongs under the exclusive lock, where none lives."""
    for place in _shared_places(path):
        with suppress(OSError):
            place.unlink()


def _clock_time(since: str) -> str:
    try:
        moment = datetime.strptime(since, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).astimezone()
    except ValueError:
        return since
    today = moment.date() == datetime.now(UTC).astimezone().date()
    return moment.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")
