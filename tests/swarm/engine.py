"""A real Docker engine in a room of its own, and the one-node Swarm on it."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil

from pytest_warmci.clients import command, processes
from pytest_warmci.clients.waiting import Look, WaitedTooLong, wait_until
from pytest_warmci.errors import CommandFailed, NotEvaluated
from tests.swarm.api import Api
from tests.swarm.room import Room
from tests.swarm.slots import Slot

START_SECONDS = 60.0
"""After a kill the engine first stops the containers that it finds, one by one."""
STOP_SECONDS = 30.0

OVERLAYS = "10.217.0.0/16"
"""What overlay networks get; seen in the namespaces only."""

NETWORKS = frozenset({"bridge", "docker_gwbridge", "host", "ingress", "none"})
"""What every node of a Swarm has."""


class Swarm:
    """One node of a Swarm that has no other.

    Attributes:
        base: The folder with its socket, its log and its data root.
        docker_host: What `DOCKER_HOST` is to be.
        node_ip: Where ports that a stack publishes in host mode are reached from the machine.
        api: Its HTTP interface.

    Args:
        slot: Ours; nobody's engine is in there.
    """

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.base = slot.folder
        self.node_ip = slot.node_address
        self.socket = slot.folder / "docker.sock"
        self.docker_host = f"unix://{self.socket}"
        self.api = Api(self.socket)
        self._room = Room(slot)
        self._entered = 0

    @property
    def log(self) -> Path:
        """What the engine writes."""
        return self.base / "dockerd.log"

    @property
    def environment(self) -> dict[str, str]:
        """All that a docker client needs to use this engine, and nobody's configuration."""
        client = str(self.base / "client")
        return {
            "DOCKER_CONFIG": client,
            "DOCKER_HOST": self.docker_host,
            "HOME": client,
            "PATH": os.environ["PATH"],
        }

    def docker(
        self,
        *words: str | Path,
        timeout: float = 60,
        stdin: bytes = b"",
        env: dict[str, str] | None = None,
        check: bool = True,
    ) -> command.Completed:
        """Run the docker client on it.

        Args:
            words: Its arguments.
            timeout: Seconds until it is killed.
            stdin: What it reads.
            env: More environment, for instance what a compose file asks for.
            check: Raise when its exit code is not 0.

        Raises:
            CommandFailed: It failed.
        """
        return command.run(
            ["docker", *words],
            timeout=timeout,
            stdin=stdin,
            env={**self.environment, **(env or {})},
            check=check,
        )

    def open(self) -> None:
        """Start it and make it a Swarm.

        Raises:
            NotEvaluated: It does not start.
        """
        self._room.open()
        self.start()
        self.docker(
            *("swarm", "init", "--advertise-addr", self.node_ip),
            *("--default-addr-pool", OVERLAYS),
        )

    def start(self) -> None:
        """Start the engine, which is not running, and wait until it answers.

        Raises:
            NotEvaluated: It ends instead, or does not answer; its log says why.
        """
        # After a kill it would not start while anything has the pid in there.
        (self.base / "dockerd.pid").unlink(missing_ok=True)
        words = [
            "dockerd",
            *("--data-root", str(self.slot.data)),
            *("--pidfile", str(self.base / "dockerd.pid")),
            *("--host", self.docker_host),
            *("--host", "unix:///run/docker.sock"),  # the usual place, in there only
            *("--storage-driver", "overlay2"),
            # cgroupfs: with systemd's driver the machine's systemd would have to know them.
            *("--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", self.slot.cgroup),
            *("--log-level", "warn"),
        ]
        self._entered = command.spawn(
            self._room.enter(*words), env=self._room.environment, cwd=self.base, log=self.log
        )

        def look() -> Look:
            if command.exit_code(self._entered) is not None:
                raise self._trouble("the engine ended")
            return Look(self.api.answers(), "the engine does not answer")

        try:
            wait_until(look, timeout=START_SECONDS, every=0.02)
        except WaitedTooLong as late:
            raise self._trouble(late.state) from None

    @property
    def pid(self) -> int:
        """The engine's own process, as seen from outside.

        Raises:
            NotEvaluated: It does not run.
        """
        try:
            [child] = psutil.Process(self._entered).children()
        except (ValueError, psutil.Error):
            raise self._trouble("the engine does not run") from None
        return child.pid

    def kill(self) -> None:
        """Kill the engine, and nothing else: containers go on, and nobody looks after them."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start it again after `kill`, or stop it in order first when it runs.

        Raises:
            NotEvaluated: It does not start.
        """
        if command.exit_code(self._entered) is None:
            self._end(signal.SIGTERM)
        self.start()

    def sweep(self) -> None:
        """Remove every service, container, network, volume, secret and config; images stay.

        Raises:
            NotEvaluated: Something does not go.
        """
        for kind in ("services", "secrets", "configs"):  # of these each is gone at once
            for each in self.api.call("GET", f"/{kind}"):
                self.api.call("DELETE", f"/{kind}/{each['ID']}")

        try:
            wait_until(self._swept, timeout=STOP_SECONDS, every=0.05)
        except WaitedTooLong as late:
            raise self._trouble(f"these do not go: {late.state}") from None

    def close(self) -> None:
        """Remove everything but images, leave the Swarm, and stop the engine in order.

        Raises:
            NotEvaluated: It does not work; the slot's data is then not to be used again.
        """
        self.sweep()
        self.api.call("POST", "/swarm/leave", force="1")
        self._end(signal.SIGTERM)

    def _swept(self) -> Look:
        """Remove what can be removed by now; in use are a network and a volume by containers."""
        # The name of a network that is going is still found, and then cannot be used.
        networks = [each["Name"] for each in self.api.call("GET", "/networks")]
        found = [
            *(
                f"/containers/{each['Id']}"
                for each in self.api.call("GET", "/containers/json", all="1")
            ),
            *(f"/networks/{name}" for name in networks if name not in NETWORKS),
            *(
                f"/volumes/{each['Name']}"
                for each in self.api.call("GET", "/volumes")["Volumes"] or []
            ),
        ]
        for path in found:
            force = {} if path.startswith("/networks") else {"force": "1"}
            with suppress(NotEvaluated):  # in use, or just being removed
                self.api.call("DELETE", path, **force)
        return Look(not found, ", ".join(found))

    def _end(self, number: signal.Signals) -> None:
        process = processes.identify(self.pid)
        if process is not None:
            processes.signal_process(process, number)
        self.wait_ended(STOP_SECONDS)

    def wait_ended(self, seconds: float) -> None:
        """Wait until somebody has killed it.

        Raises:
            NotEvaluated: It does not end.
        """

        def look() -> Look:
            ended = command.exit_code(self._entered) is not None
            return Look(ended, "the engine does not end")

        try:
            wait_until(look, timeout=seconds, every=0.02)
        except WaitedTooLong as late:
            raise self._trouble(late.state) from None

    def _trouble(self, what: str) -> NotEvaluated:
        try:
            said = self.log.read_text("utf-8", "replace")
        except FileNotFoundError:
            said = ""
        return NotEvaluated(what, where=str(self.log), why=said[-3000:])


def engine_version() -> str:
    """Return the version of the engine that this machine has, without starting it.

    Raises:
        CommandFailed: It does not say.
    """
    said = command.run(["dockerd", "--version"], timeout=20).text.split()
    if len(said) < 3:
        raise CommandFailed("dockerd does not say its version", why=" ".join(said))
    return said[2].rstrip(",")
