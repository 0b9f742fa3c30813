"""The first process of the namespaces that one engine lives in; a program, run by `room`.

When it dies the kernel ends everything in there: engine, containers, mounts, links. It waits for
orphans by ignoring SIGCHLD, so nothing stays a zombie.

Usage: `hall.py FOLDER`; writes its pid, as the machine outside sees it, to `FOLDER/hall.pid`.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path


def furnish() -> None:
    """Give the namespaces a /proc and a /run of their own, and a host name."""
    # The outer /run holds sockets of a Docker that may run there. In here the engine can have its
    # usual places: recipes mount /var/run/docker.sock as they are written. /sys stays the outer
    # one: a new one would hide the cgroups.
    mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run")
    mount("-t", "proc", "proc", "/proc")
    socket.sethostname("node1")


def mount(*words: str) -> None:
    """Run mount(8)."""
    subprocess.run(["mount", *words], check=True)


def main() -> None:
    """Furnish, say that it is done, and stay."""
    ready = Path(sys.argv[1]) / "hall.pid"
    pid = str(Path("/proc/self").readlink())  # of the outer /proc, so it is the outer pid
    furnish()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    part = ready.with_suffix(".part")
    part.write_text(pid)
    part.replace(ready)
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
