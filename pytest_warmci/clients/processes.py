"""What runs on this machine (the only owner of `psutil`).

A pid alone proves nothing (pids come round again): a process is known by its pid and start time,
within one boot.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process for good: pid, start time (seconds since the epoch) and boot id."""

    pid: int
    started: float
    boot: str


def boot_id() -> str:
    """Return the id of this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def identify(pid: int) -> ProcessId | None:
    """Return the identity of a running process, None when it is gone."""
    try:
        return ProcessId(pid, psutil.Process(pid).create_time(), boot_id())
    except psutil.Error:
        return None


def is_alive(process: ProcessId) -> bool:
    """Tell whether exactly this process still runs; a zombie does not."""
    if process.boot != boot_id():
        return False
    try:
        found = psutil.Process(process.pid)
        same = abs(found.create_time() - process.started) < 0.02
        return same and found.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def signal_process(process: ProcessId, number: signal.Signals, *, group: bool = False) -> bool:
    """Send a signal to exactly this process, or to its whole group; False when it is gone."""
    if not is_alive(process):
        return False
    try:
        if group:
            os.killpg(process.pid, number)
        else:
            os.kill(process.pid, number)
    except ProcessLookupError:
        return False
    return True


def group_members(leader: int) -> list[ProcessId]:
    """List the live processes of the session that `leader` began (it may be gone itself)."""
    found = []
    for process in _processes():
        try:
            if os.getsid(process.pid) == leader:
                found.append(ProcessId(process.pid, process.create_time(), boot_id()))
        except (psutil.Error, ProcessLookupError, PermissionError):
            continue
    return found


def carrying(variable: str, value: str) -> list[ProcessId]:
    """List the live processes whose environment says `variable=value`."""
    found = []
    for process in _processes():
        try:
            if process.environ().get(variable) == value:
                found.append(ProcessId(process.pid, process.create_time(), boot_id()))
        except (psutil.Error, OSError):
            continue
    return found


def using(folder: Path) -> list[ProcessId]:
    """List the live processes, other than this one, with a working directory or an open file
    below `folder`."""
    top = str(folder.resolve())
    found = []
    for process in _processes():
        if process.pid == os.getpid():
            continue
        try:
            paths = [process.cwd(), *(file.path for file in process.open_files())]
        except (psutil.Error, OSError):
            continue
        if any(path == top or path.startswith(top + "/") for path in paths):
            found.append(ProcessId(process.pid, process.create_time(), boot_id()))
    return found


def environment(process: ProcessId) -> dict[str, str]:
    """Return a process's environment as the kernel has it; empty when it cannot be read."""
    try:
        return dict(psutil.Process(process.pid).environ())
    except (psutil.Error, OSError):
        return {}


def executable(process: ProcessId) -> str:
    """Return the path of the program that a process runs; empty when it cannot be read."""
    try:
        return psutil.Process(process.pid).exe()
    except (psutil.Error, OSError):
        return ""


def listeners(address: str, port: int) -> list[int | None]:
    """List the pids that listen on a TCP port at an address (or at all addresses).

    None stands for a process that we may not see into (somebody else's).
    """
    wanted = {address, "0.0.0.0", "::", "::ffff:" + address}  # noqa: S104 - compared, not bound
    return [
        connection.pid
        for connection in psutil.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
        and connection.laddr.port == port
        and connection.laddr.ip in wanted
    ]


def describe(pids: Iterable[int | None]) -> str:
    """Name processes for an error message."""
    parts = []
    for pid in pids:
        try:
            parts.append("another user's" if pid is None else f"{psutil.Process(pid).name()} ({pid})")
        except psutil.Error:
            parts.append(f"pid {pid}")
    return ", ".join(parts)


def _processes() -> Iterable[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except psutil.Error:
            continue
