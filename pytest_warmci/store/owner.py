"""What tells one process, boot and moment from another, for records that outlive them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path


def utc_now() -> str:
    """Return the time as ISO 8601 in UTC, to the second: `2026-01-31T12:00:03Z`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


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
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    # The second field is the program's name in parentheses and may hold anything, so count from
    # the last parenthesis: start time is field 22.
    return int(text.rpartition(")")[2].split()[19])
