"""Conducting an app's processes: start what can start, stop what has to, see what is healthy.

Nothing here waits; each call moves the app one step and says what is still missing.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from pathlib import Path

from pytest_warmci.clients import command, http, ports, processes
from pytest_warmci.clients.files import make_folder, remove_tree, write_bytes
from pytest_warmci.engines.process import artifacts, boot, installs
from pytest_warmci.engines.process.plan import HealthPlan, ServicePlan, bin_folder
from pytest_warmci.engines.process.provision import Provision
from pytest_warmci.engines.process.records import OwnerRecord, Records, new_record
from pytest_warmci.engines.secrets import mask, provide_secrets
from pytest_warmci.errors import AddressTaken, CommandFailed, RecipeFailed
from pytest_warmci.model import Stack
from pytest_warmci.protocols import AppPlace

_TAIL = 3_000
"""How many bytes of a service's log an error carries."""

_ANSWER_SECONDS = 5.0
_TRAINING_GRACE = 120.0
_CHECK_EVERY = 0.2
"""Seconds between two healthchecks; servers log each request that comes too early."""


class Conductor:
    """Moves one app towards one stack.

    Args:
        provision: Where installs and boot caches come from.
        app: The app.
        stack: What it is to become.
        training: Folder for what services learn from this boot; None for an ordinary boot.
    """

    def __init__(
        self, provision: Provision, app: AppPlace, stack: Stack, training: Path | None = None
    ) -> None:
        self._provision = provision
        self._app = app
        self._stack = stack
        self._training = training
        self._records = Records(app.folder)
        self._checked: dict[str, tuple[float, str]] = {}
        self.plans: Mapping[str, ServicePlan] = provision.plans(app, stack)

    def begin(self) -> None:
        """Make what the services need and ask those that differ to stop."""
        if not self._records.all():
            remove_tree(self._app.folder / "logs")  # they tell of one run each
        provide_secrets(self._app.folder, self._stack)
        for volume in self._stack.volumes:
            make_folder(self._app.folder / "volumes" / volume)
        for record in self._records.all():
            if self._is_other(record):
                self._records.ask_to_stop(record)

    def step(self) -> list[str]:
        """Move the app one step; return what is still missing, nothing when it has converged.

        Raises:
            RecipeFailed: A service ended, or is not healthy after its healthcheck's own time.
            AddressTaken: Another program has the app's port.
        """
        missing: list[str] = []
        healthy: set[str] = set()
        for record in self._records.all():
            if self._is_other(record) or record.stop_after:
                missing.append(f"{record.service} is stopping")
                finish_stop(self._records, record)
        for name, each in self.plans.items():
            found = self._records.find(name)
            if found is None:
                if all(needed in healthy for needed in each.depends_on):
                    self._start(each)
                    missing.append(f"{name} is starting")
                else:
                    missing.append(f"{name} waits for {', '.join(each.depends_on)}")
            elif self._is_other(found) or found.stop_after:
                continue
            elif not self._records.is_running(found):
                self._report_end(each, found)
            elif state := self._illness(each):
                missing.append(f"{name}: {state}")
                self._check_grace(each, found, state)
            else:
                healthy.add(name)
        return missing

    def tails(self) -> str:
        """Return the end of every service's log, secrets blotted out."""
        return "\n".join(self._tail(record) for record in self._records.all())

    def _illness(self, each: ServicePlan) -> str:
        """Return what is wrong with a running service; asked no more often than is useful."""
        when, known = self._checked.get(each.name, (0.0, ""))
        if time.monotonic() - when >= _CHECK_EVERY:
            known = mask(self._app.folder, _illness(each.health, each))
            self._checked[each.name] = (time.monotonic(), known)
        return known

    def _is_other(self, record: OwnerRecord) -> bool:
        wanted = self.plans.get(record.service)
        return wanted is None or wanted.key != record.key

    def _start(self, each: ServicePlan) -> None:
        folder = self._app.folder
        config = self._provision.config.services[each.name]
        if each.port is not None and not ports.is_free("127.0.0.1", each.port):
            self._report_taken(each.port)
        remove_tree(each.scratch)
        for place in (each.scratch / "home", each.scratch / "tmp", each.scratch / "bin"):
            make_folder(place)
        prepared = self._provision.prepared(self._stack, each.name)
        installs.install(prepared, config, each.scratch / "install")
        for relative, target in each.links.items():
            place = each.scratch / "install" / relative
            remove_tree(place)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(target)
        for path, (data, mode) in each.files.items():
            make_folder(path.parent)
            write_bytes(path, data, mode=mode)
        for program, launcher in config.programs.items():
            if not program.startswith("/"):
                link = bin_folder(folder, each.name) / program
                link.symlink_to((self._provision.recipe_folder / launcher).resolve())
        environment = dict(each.environment)
        if config.boot_cache and self._training is not None:
            environment["WARMCI_BOOT_CACHE_OUT"] = str(self._training / each.name)
        elif config.boot_cache:
            learnt = boot.find(self._provision.boot_cache(self._stack, each.name))
            if learnt is not None:
                environment["WARMCI_BOOT_CACHE"] = str(learnt)
        log = folder / "logs" / f"{each.name}.log"
        make_folder(log.parent)
        record = new_record(
            each.name,
            each.key,
            depends_on=each.depends_on,
            stop_grace=each.stop_grace if self._training is None else _TRAINING_GRACE,
            stop_signal=each.stop_signal,
            artifact=artifacts.label(self._provision.coordinate(self._stack, each.name)),
            log=log,
        )
        self._records.spawn(record, each.argv, environment, each.scratch, log)

    def _report_end(self, each: ServicePlan, record: OwnerRecord) -> None:
        code = command.exit_code(record.pid)
        if each.port is not None and not ports.is_free("127.0.0.1", each.port):
            self._report_taken(each.port)
        ended = "ended" if code is None else f"ended with code {code}"
        raise RecipeFailed(
            f"service '{each.name}' {ended} after {time.time() - record.begun:.1f} s",
            where=f"{self._stack.recipe} {self._stack.revision}",
            why=self._tail(record),
            remedy="look at its log",
        )

    def _report_taken(self, port: int) -> None:
        owners = processes.listeners("127.0.0.1", port)
        raise AddressTaken(
            f"port {port} is taken by another program",
            where=self._app.domain,
            why=f"it belongs to {processes.describe(owners) or 'a process that we cannot see'}",
            remedy="stop that program: the address of a canonical cannot change",
        )

    def _check_grace(self, each: ServicePlan, record: OwnerRecord, state: str) -> None:
        if each.health is None or time.time() - record.begun < each.health.grace:
            return
        raise RecipeFailed(
            f"service '{each.name}' is not healthy after its healthcheck's own"
            f" {each.health.grace:.0f} s",
            where=f"{self._stack.recipe} {self._stack.revision}",
            why=f"{state}\n{self._tail(record)}",
            remedy="look at its log, or give the healthcheck a longer start_period",
        )

    def _tail(self, record: OwnerRecord) -> str:
        folder = self._app.folder
        log = folder / "logs" / f"{record.service}.log"
        try:
            with log.open("rb") as file:
                size = log.stat().st_size
                begin = record.log_from if record.log_from <= size else 0  # it was cut since
                file.seek(max(begin, size - _TAIL))
                if size - _TAIL > begin:
                    file.readline()  # half a line may be half a secret
                text = file.read(_TAIL).decode("utf-8", "replace").strip()
        except FileNotFoundError:
            text = ""
        return f"log of {record.service}:\n{mask(folder, text) or '(empty)'}"


def stop_wave(records: Records) -> list[str]:
    """Ask every service that no running one depends on to stop, and finish those that were
    asked before; return the services that are still there."""
    for record in records.all():
        if record.stop_after:
            finish_stop(records, record)
    present = records.all()
    needed = {name for record in present for name in record.depends_on}
    for record in present:
        if record.service not in needed:
            records.ask_to_stop(record)
    return [record.service for record in present]


def end_strays(folder: Path) -> list[str]:
    """Kill what lives in an app's folder although no service of it is left; return what it is.

    It has left its process group and perhaps its environment: a container would have kept it.
    """
    strays = processes.living_in(folder)
    for stray in strays:
        processes.signal_process(stray, signal.SIGKILL)
    return [processes.describe([stray.pid]) for stray in strays]


def finish_stop(records: Records, record: OwnerRecord) -> None:
    """Forget a service that has gone; kill what outstays its grace."""
    running = records.is_running(record)
    if not running and not records.survivors(record):
        records.drop(record.service)
    elif time.time() > record.stop_after or not running:
        # Docker ends a container with its first process; its children do not outlive it here.
        records.kill(record)


def _illness(health: HealthPlan | None, each: ServicePlan) -> str:
    """Return what is wrong with a running service; empty when it is healthy."""
    if health is None:
        return ""
    if health.url:
        answer = http.get(health.url, timeout=min(health.timeout, _ANSWER_SECONDS))
        return "" if answer.status == health.status else str(answer)
    try:
        done = command.run(
            health.argv,
            timeout=health.timeout,
            cwd=each.scratch,
            env=dict(each.environment),
            check=False,
        )
    except CommandFailed as error:
        return error.summary
    return "" if done.code == 0 else f"healthcheck says {done.code}: {done.output[-200:]}"
