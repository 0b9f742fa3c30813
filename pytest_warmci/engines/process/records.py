"""Owner records: what this engine started, written before it was started.

The record's token is in the process's environment, so that the process is found even when the
record never got its pid.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pytest_warmci.clients import command, processes
from pytest_warmci.clients.files import make_folder, read_record, write_json
from pytest_warmci.clients.machine import boot_id
from pytest_warmci.clients.processes import ProcessId
from pytest_warmci.errors import CommandFailed, DiskReadOnly, DiskTooSmall
from pytest_warmci.model import FORMAT
from pytest_warmci.naming import new_token

TOKEN = "WARMCI_TOKEN"  # noqa: S105 - the variable's name, not a secret
KEY = "WARMCI_KEY"


@dataclass(frozen=True, slots=True)
class OwnerRecord:
    """One process of one app.

    `pid` is 0 until the spawn came back; `log_from` is where its output begins in the log
    (bytes); `begun` is when it was spawned (seconds since the epoch); `stop_after` is when a
    stop that was asked for becomes a kill (0: none asked for).
    """

    service: str
    key: str
    token: str
    depends_on: tuple[str, ...]
    stop_grace: float
    stop_signal: str
    artifact: str
    log_from: int
    begun: float
    pid: int = 0
    started: int = 0
    boot: str = ""
    stop_after: float = 0.0
    format: int = FORMAT

    @property
    def process(self) -> ProcessId | None:
        """The process that the record names, None when it names none yet."""
        return ProcessId(self.pid, self.started, self.boot) if self.pid else None


class Records:
    """The owner records of one app."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "owners"
        self._app = folder
        self._unwritten: dict[str, OwnerRecord] = {}
        """What was asked to stop while the disk took no record of it, by token."""

    def all(self) -> list[OwnerRecord]:
        """Return every record, by service."""
        found = []
        for path in sorted(self._folder.glob("*.json")):
            data = dict(read_record(path, "owner record"))
            data["depends_on"] = tuple(data["depends_on"])
            record = OwnerRecord(**data)
            found.append(self._unwritten.get(record.token, record))
        return found

    def find(self, service: str) -> OwnerRecord | None:
        """Return one service's record."""
        return next((record for record in self.all() if record.service == service), None)

    def put(self, record: OwnerRecord) -> None:
        """Write a record durably."""
        make_folder(self._folder)
        data: dict[str, Any] = asdict(record)
        write_json(self._folder / f"{record.service}.json", data)

    def drop(self, service: str) -> None:
        """Forget a service whose process is gone."""
        command.reap()  # a record that was never completed does not say which child it was
        (self._folder / f"{service}.json").unlink(missing_ok=True)

    def spawn(
        self,
        record: OwnerRecord,
        argv: tuple[str, ...],
        environment: Mapping[str, str],
        cwd: Path,
        log: Path,
    ) -> OwnerRecord:
        """Write the record, start the process, complete the record."""
        self.put(record)
        env = {**environment, TOKEN: record.token, KEY: record.key}
        pid = command.spawn(argv, env=env, cwd=cwd, log=log)
        known = processes.identify(pid)
        if known is None:  # a child stays a zombie until it is reaped
            raise CommandFailed(f"process {pid} is gone", where=argv[0])
        done = replace(record, pid=pid, started=known.started, boot=known.boot)
        self.put(done)
        return done

    def is_running(self, record: OwnerRecord) -> bool:
        """Tell whether the record's own process runs."""
        if record.process is None:
            return bool(processes.carrying(TOKEN, record.token))
        alive = processes.is_alive(record.process)
        if not alive:
            command.exit_code(record.pid)  # reaps it when it is our own child
        return alive

    def survivors(self, record: OwnerRecord) -> list[ProcessId]:
        """List what is left of a service: its process, and all that it started."""
        found = {process.pid: process for process in processes.carrying(TOKEN, record.token)}
        if record.pid and record.boot == boot_id():
            found |= {process.pid: process for process in processes.group_members(record.pid)}
        return list(found.values())

    def ask_to_stop(self, record: OwnerRecord) -> None:
        """Send the stop signal to the service's own process, once.

        A disk that is full must not keep an app from stopping: then only we know that we asked.
        """
        if record.stop_after:
            return
        asked = replace(record, stop_after=time.time() + record.stop_grace)
        try:
            self.put(asked)
        except (DiskTooSmall, DiskReadOnly):
            self._unwritten[record.token] = asked
        number = signal.Signals[record.stop_signal]
        targets = [record.process] if record.process else self.survivors(record)
        for target in targets:
            processes.signal_process(target, number)

    def kill(self, record: OwnerRecord) -> None:
        """Kill all that is left of a service."""
        for process in self.survivors(record):
            processes.signal_process(process, signal.SIGKILL)


def new_record(
    service: str,
    key: str,
    *,
    depends_on: tuple[str, ...],
    stop_grace: float,
    stop_signal: str,
    artifact: str,
    log: Path,
) -> OwnerRecord:
    """Return the record of a process that is about to be started."""
    return OwnerRecord(
        service=service,
        key=key,
        token=new_token(),
        depends_on=depends_on,
        stop_grace=stop_grace,
        stop_signal=stop_signal,
        artifact=artifact,
        log_from=log.stat().st_size if log.exists() else 0,
        begun=time.time(),
    )
