"""Namespaces for one engine (net, mount, pid, host name), and the link between them and us.

They belong to the process in `hall`, which the kernel kills when we die: there are no names to forget.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from pytest_warmci.clients import command
from pytest_warmci.clients.waiting import Look, WaitedTooLong, wait_until
from pytest_warmci.errors import NotEvaluated
from tests.swarm.slots import MARK, Slot

PROGRAMS = {
    "busybox": "busybox-static",
    "containerd": "containerd",
    "curl": "curl",
    "docker": "docker.io",
    "dockerd": "docker.io",
    "ip": "iproute2",
    "iptables": "iptables",
    "mount": "mount",
    "nsenter": "util-linux",
    "runc": "runc",
    "setpriv": "util-linux",
    "unshare": "util-linux",
}
"""What is needed, and Debian's package of it."""

READY_SECONDS = 10.0

MORTAL: tuple[str, ...] = ("setpriv", "--pdeathsig", "KILL", "--")
"""Whoever dies, the one below is killed: we, unshare, the hall, everything in there."""

_UNSHARED = ("--net", "--mount", "--uts", "--pid")
_ALONE = ("unshare", *_UNSHARED, "--propagation", "slave", "--fork", "--kill-child")


def why_not() -> str:
    """Say why this machine cannot have a private engine; empty when it can."""
    if os.geteuid() != 0:
        return "a private Docker engine needs root"
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        packages = sorted({PROGRAMS[program] for program in missing})
        return (
            f"a private Docker engine needs {', '.join(missing)}: apt-get install"
            f" --no-install-recommends {' '.join(packages)}"
        )
    tried = command.run([*_ALONE, "true"], timeout=10, check=False)
    if tried.code != 0:
        return f"no namespaces for a private Docker engine: {tried.output}"
    return ""


class Room:
    """The namespaces of one slot.

    Args:
        slot: Whose folder, link and addresses it has.
    """

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self.pid = 0
        """The first process in there, as seen from outside."""

    @property
    def environment(self) -> dict[str, str]:
        """For programs in there: nothing of ours (proxies, a Docker's address) but PATH."""
        return {MARK: str(self._slot.folder), "PATH": os.environ["PATH"]}

    def enter(self, *words: str) -> list[str]:
        """Return the words that run a program in there."""
        return ["nsenter", "--target", str(self.pid), *_UNSHARED, "--", *words]

    def open(self) -> None:
        """Make the namespaces and the link.

        Raises:
            CommandFailed: Something of it cannot be made.
            NotEvaluated: It takes too long.
        """
        folder = self._slot.folder
        hall = str(Path(__file__).with_name("hall.py"))
        holder = command.spawn(
            [*MORTAL, *_ALONE, sys.executable, "-I", hall, str(folder)],
            env=self.environment,
            cwd=folder,
            log=folder / "hall.log",
        )
        ready = folder / "hall.pid"

        def look() -> Look:
            code = command.exit_code(holder)
            if code is not None:
                said = (folder / "hall.log").read_text("utf-8", "replace")
                raise NotEvaluated("no namespaces", where=str(folder), why=f"exit {code}: {said}")
            return Look(ready.exists(), "not furnished")

        try:
            wait_until(look, timeout=READY_SECONDS, every=0.02)
        except WaitedTooLong as late:
            raise NotEvaluated("no namespaces", where=str(folder), why=late.state) from None
        self.pid = int(ready.read_text())
        self._link()

    def _link(self) -> None:
        """Connect the machine with them. There is no way further.

        With a default route an image that is not there would be looked for in the network, for
        as long as that takes; without, this fails at once.
        """
        slot = self._slot
        there = f"/proc/{self.pid}/ns/net"
        outside = (
            f"link add {slot.link} type veth peer name eth0 netns {there}\n"
            f"address add {slot.host_address}/30 dev {slot.link}\n"
            f"link set {slot.link} up\n"
        )
        inside = f"link set lo up\naddress add {slot.node_address}/30 dev eth0\nlink set eth0 up\n"
        batch = ["ip", "-batch", "-"]
        command.run(batch, timeout=10, stdin=outside.encode())
        command.run(["nsenter", f"--net={there}", "--", *batch], timeout=10, stdin=inside.encode())
