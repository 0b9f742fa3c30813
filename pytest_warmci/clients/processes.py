"""What runs on this machine (the only owner of `psutil`).

A pid alone proves nothing (pids come round again): a process is known by its pid and start time,
within one boot.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from pytest_warmci.clients.machine import boot_id, has_terminal, is_zombie, process_start


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process for good: pid, start time (clock ticks since boot) and boot id.

    Ticks, as the kernel counts them: a time of day moves when the clock is set.
    """

    pid: int
    started: int
    boot: str


def identify(pid: int) -> ProcessId | None:
    """Return the identity of a running process, None when it is gone."""
    started = process_start(pid)
    return ProcessId(pid, started, boot_id()) if started else None


def is_alive(process: ProcessId) -> bool:
    """Tell whether exactly this process still runs; a zombie does not."""
    same = process_start(process.pid) == process.started and process.boot == boot_id()
    return same and not is_zombie(process.pid)


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
                found.append(process)
        except (ProcessLookupError, PermissionError):
            continue
    return found


def carrying(variable: str, value: str) -> list[ProcessId]:
    """List the live processes whose environment says `variable=value`."""
    return [each for each in _processes() if environment(each).get(variable) == value]


def using(folder: Path) -> list[ProcessId]:
    """List the live processes, other than this one, with a working directory or an open file
    below `folder`."""
    top = str(folder.resolve())
    found = []
    for process in _processes():
        if process.pid == os.getpid():
            continue
        try:
            paths = [psutil.Process(process.pid).cwd(), *open_files(process)]
        except (psutil.Error, OSError):
            continue
        if any(path == top or path.startswith(top + "/") for path in paths):
            found.append(process)
    return found


def living_in(folder: Path) -> list[ProcessId]:
    """List the live processes that an app's folder is home to, whatever became of their ancestry.

    These have their program or working directory below `folder`, or a file there open for
    writing. Who only reads there, or sits at a terminal, is a guest and not listed.
    """
    top = str(folder.resolve())
    found = []
    for process in _processes():
        if process.pid == os.getpid() or has_terminal(process.pid):
            continue
        try:
            seen = psutil.Process(process.pid)
            paths = [seen.cwd(), executable(process)]
            paths += [file.path for file in seen.open_files() if file.mode != "r"]
        except (psutil.Error, OSError):
            continue
        if any(path == top or path.startswith(top + "/") for path in paths):
            found.append(process)
    return found


def environment(process: ProcessId) -> dict[str, str]:
    """Return a process's environment as the kernel has it; empty when it cannot be read."""
    try:
        return dict(psutil.Process(process.pid).environ())
    except (psutil.Error, OSError):
        return {}


def open_files(process: ProcessId) -> list[str]:
    """Return the paths of the regular files that a process has open, as far as we may see."""
    try:
        return [file.path for file in psutil.Process(process.pid).open_files()]
    except (psutil.Error, OSError):
        return []


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
        and connection.laddr
        and connection.laddr.port == port
        and connection.laddr.ip in wanted
    ]


def describe(pids: Iterable[int | None]) -> str:
    """Name processes for an error message."""
    parts = []
    for pid in pids:
        try:
            parts.append(
                "another user's" if pid is None else f"{psutil.Process(pid).name()} ({pid})"
            )
        except psutil.Error:
            parts.append(f"pid {pid}")
    return ", ".join(parts)


def _processes() -> Iterator[ProcessId]:
    boot = boot_id()
    for pid in psutil.pids():
        started = process_start(pid)
        if started and not is_zombie(pid):
            yield ProcessId(pid, started, boot)
