"""What must hold after any fault, seen from outside: nothing left, and a known-good that is whole."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

from pytest_warmci.clients import locks, processes
from pytest_warmci.model import KnownGood
from pytest_warmci.store import snapshots
from tests.e2e.workshop import Workshop

UNFINISHED = (".garbage-", ".tmp-", ".building-")


def leftovers(workshop: Workshop) -> list[str]:
    """List what a run must not leave: processes, ports, locks, journals, throw-away apps, files."""
    state = workshop.state
    found = [f"process {line}" for line in workshop.processes()]
    found += [f"lives there: {each.pid}" for each in processes.living_in(state.root / "apps")]
    for path in state.root.glob("apps/*/*/address.json"):
        port = int(json.loads(path.read_text())["port"])
        if _answers(port):
            found.append(f"port {port} of {path.parent.name}")
    held = [*state.locks.glob("*.lock"), *state.runs.glob("*/lease.lock")]
    found += [f"lock {path.stem}" for path in held if locks.holder(path) is not None]
    found += [
        f"journal of {path.parent.name}" for path in state.root.glob("apps/*/*/journal.json")
    ]
    for app in state.root.glob("apps/*/*"):
        if not app.name.startswith(("warm-", ".addresses")):
            found.append(f"app {app.name}")
    found += [f"unfinished {path}" for path in unfinished(state.root)]
    return found


def unfinished(root: Path) -> list[Path]:
    """List the half-written and half-deleted things below a state directory (not its cache)."""
    found = []
    for top, folders, files in os.walk(root):
        folders[:] = [name for name in folders if Path(top, name) != root / "cache"]
        names = [*folders, *files]
        found += [Path(top, each) for each in names if _is_unfinished(each)]
    return found


def check_known_good(workshop: Workshop, *allowed: KnownGood) -> KnownGood:
    """The known-good is one of those allowed (compared without its generation), and whole.

    Its snapshot is read to the last byte.
    """
    entry = workshop.known_good
    digests = {each.digest: each.version for each in allowed}
    assert not allowed or entry.digest in digests, f"{entry.digest} is none of {digests}"
    snapshots.verify(workshop.place.snapshots, entry.generation, entry.digest)
    return entry


def check_quiet(workshop: Workshop) -> None:
    """Nothing is left."""
    assert [] == leftovers(workshop)


def _is_unfinished(name: str) -> bool:
    return name.startswith(UNFINISHED) or name.endswith(".restoring")


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
