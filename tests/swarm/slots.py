"""Numbered places for engines: who has one holds a kernel lock, and finds it empty.

Everything that an engine has on the machine is named after the number of its slot: a folder, one
link, two addresses, a group of cgroups, a word in the environment of its processes. So it is known
before it is made what there can be, and whoever gets the lock can clear away what somebody that was
killed has left, without a record that could be missing or wrong.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_warmci.clients import command, locks, processes
from pytest_warmci.clients.waiting import Look, WaitedTooLong, wait_until
from pytest_warmci.errors import LockBusy, NotEvaluated

HOME = Path("/var/cache/warmci-tests/swarm")
"""One for the machine, not for a session: names of links and addresses are the machine's."""

MARK = "WARMCI_TEST_SWARM"
"""In the environment of an engine and of what it starts: the slot's folder."""

COUNT = 64
KEPT = 3
"""So many slots keep their images for the next session: one for each of `make test`'s workers, and
one for the Swarm that has a proxy in front."""

GONE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Slot:
    """One place. Nothing needs to be there.

    Attributes:
        number: Which one.
        home: The folder of all.
        kept_below: It keeps its images if its number is below this.
    """

    number: int
    home: Path = HOME
    kept_below: int = KEPT

    @property
    def folder(self) -> Path:
        """What the engine has on disk."""
        return self.home / str(self.number)

    @property
    def lock(self) -> Path:
        """Held by whose slot it is."""
        return self.home / f"slot-{self.number}.lock"

    @property
    def link(self) -> str:
        """The machine's end of the only link between the machine and the engine."""
        return f"warmci-t{self.number}"

    @property
    def host_address(self) -> str:
        """The machine's end; of a range for benchmarks, which no network uses (RFC 2544)."""
        return f"198.18.{self.number}.1"

    @property
    def node_address(self) -> str:
        """The engine's end."""
        return f"198.18.{self.number}.2"

    @property
    def cgroup(self) -> str:
        """What the cgroups of all containers lie below."""
        return f"/{self.link}"

    @property
    def data(self) -> Path:
        """The engine's data root."""
        return self.folder / "data"

    @property
    def kept(self) -> Path:
        """Says that the data root was left in good order, by which engine."""
        return self.folder / "kept.json"

    def members(self) -> list[processes.ProcessId]:
        """List the processes that carry the slot's mark, containers' own ones not among them."""
        return processes.carrying(MARK, str(self.folder))

    def remains(self) -> list[str]:
        """Say what of an engine is there beside its folder; empty when nothing is."""
        found = [f"process {each.pid}" for each in self.members()]
        if Path("/sys/class/net", self.link).exists():
            found.append(f"link {self.link}")
        found += [f"cgroup {path}" for path in self._cgroups()]
        found += [f"mount {place}" for place in mounts_below(self.folder)]
        return found

    def clear(self) -> None:
        """End and remove what is there; only who holds the lock may. Images are kept if in order.

        Raises:
            NotEvaluated: Something does not go.
        """
        killed = self.members()
        for process in killed:
            processes.signal_process(process, signal.SIGKILL)
        # The first process of a pid namespace is gone only when all others are: then containers
        # are, too. The link goes a moment later, with the network namespace. A dying process has
        # lost its environment, and thus its mark, before.
        self._wait_for(
            "processes", lambda: [str(each.pid) for each in killed if processes.is_alive(each)]
        )
        command.run(["ip", "link", "delete", self.link], timeout=10, check=False)
        for place in reversed(mounts_below(self.folder)):
            command.run(["umount", "--lazy", place], timeout=10, check=False)
        self._wait_for("remains", self._sweep)
        if self.number >= self.kept_below or not self.kept.exists():
            command.run(["rm", "-rf", "--one-file-system", "--", self.folder], timeout=60)

    def open(self, engine: str) -> None:
        """Begin to use the slot: from now on it is not in order.

        Args:
            engine: The version of the engine; what another one has left is not used.
        """
        if _read(self.kept).get("engine") != engine:
            command.run(["rm", "-rf", "--one-file-system", "--", self.folder], timeout=60)
        self.folder.mkdir(mode=0o711, exist_ok=True)
        self.kept.unlink(missing_ok=True)
        (self.folder / "hall.pid").unlink(missing_ok=True)

    def close(self, engine: str) -> None:
        """Say that the data root holds images and nothing else, and can be used again."""
        self.kept.write_text(json.dumps({"engine": engine}), "utf-8")

    def _cgroups(self) -> list[Path]:
        """List the slot's cgroups, inner ones first; cgroup v1 has some trees, v2 one."""
        top = Path("/sys/fs/cgroup")
        name = self.cgroup.lstrip("/")
        # Some of v1's trees have a second name.
        trees = {tree.resolve() for tree in (top / name, *top.glob(f"*/{name}")) if tree.is_dir()}
        inner = {folder for tree in trees for folder in tree.rglob("*") if folder.is_dir()}
        return sorted(trees | inner, reverse=True)

    def _sweep(self) -> list[str]:
        """Remove the cgroups that are empty by now; return what remains."""
        for path in self._cgroups():
            with suppress(OSError):
                path.rmdir()
        return self.remains()

    def _wait_for(self, what: str, left: Callable[[], list[str]]) -> None:
        def look() -> Look:
            found = left()
            return Look(not found, ", ".join(found))

        try:
            wait_until(look, timeout=GONE_SECONDS, every=0.02)
        except WaitedTooLong as late:
            raise NotEvaluated(
                f"{what} of a test's engine do not go", where=str(self.folder), why=late.state
            ) from None


@contextmanager
def lease() -> Iterator[Slot]:
    """Have the first free slot, cleared, for the block; clear it again, and all that nobody has.

    Raises:
        NotEvaluated: All are taken, or one cannot be cleared.
    """
    HOME.mkdir(mode=0o711, parents=True, exist_ok=True)
    with ExitStack() as stack:
        slot = _first_free(stack)
        slot.clear()
        reap()
        try:
            yield slot
        finally:
            slot.clear()


def reap() -> None:
    """Clear the slots that something was left in and that nobody has."""
    for folder in sorted(HOME.glob("[0-9]*")):
        slot = Slot(int(folder.name))
        if not slot.kept.exists():
            with ExitStack() as stack:
                if _take(slot, stack):
                    slot.clear()


def mounts_below(folder: Path) -> list[str]:
    """List the mount points below a folder, in the order in which they were mounted."""
    lines = Path("/proc/self/mounts").read_text("utf-8", "replace").splitlines()
    places = [line.split()[1] for line in lines]
    return [place for place in places if place.startswith(f"{folder}/")]


def _first_free(stack: ExitStack) -> Slot:
    for number in range(COUNT):
        slot = Slot(number)
        if _take(slot, stack):
            return slot
    raise NotEvaluated(f"all {COUNT} places for engines are taken", where=str(HOME))


def _take(slot: Slot, stack: ExitStack) -> bool:
    who = locks.Holder(run="", mode="swarm", why=f"tests of pid {os.getpid()}")
    try:
        stack.enter_context(locks.hold(slot.lock, who=who, limit=0))
    except LockBusy:
        return False
    return True


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found
