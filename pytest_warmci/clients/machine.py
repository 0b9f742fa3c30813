"""What tells one process, boot and moment from another, for records that outlive them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path


def utc_now() -> str:
    """Return the time as ISO 8601 in UTC, to the second: `2026-01-31T12:00:03Z`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc_exact() -> str:
    """Return the time as ISO 8601 in UTC, to the microsecond: `2026-01-31T12:00:03.000001Z`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def boot_id() -> str:
    """Return what identifies this boot of the machine; empty where the kernel does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def process_start(pid: int) -> int:
    """Return when a process began, in clock ticks since boot; 0 when there is none.

    Together with the pid and the boot it names one process for good: pids come round again.
    """
    fields = _stat(pid)
    return int(fields[19]) if fields else 0


def is_zombie(pid: int) -> bool:
    """Tell whether a process has ended and only waits to be reaped.

    A first thread that has ended looks the same while other threads go on, so these count too.
    """
    fields = _stat(pid)
    return bool(fields) and fields[0] in ("Z", "X", "x") and int(fields[17]) <= 1


def has_terminal(pid: int) -> bool:
    """Tell whether a process has a controlling terminal: somebody may be sitting there."""
    fields = _stat(pid)
    return bool(fields) and fields[4] != "0"


def _stat(pid: int) -> list[str]:
    """Return the fields of proc_pid_stat(5) from the third on; nothing when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return []
    # The second field is the program's name in parentheses and may hold anything, so the count
    # begins behind the last parenthesis.
    return text.rpartition(")")[2].split()
