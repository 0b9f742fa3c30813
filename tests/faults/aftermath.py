"""What must hold after any fault, seen from outside: nothing left, and a known-good that is whole."""

from __future__ import annotations

import json
import os
import signal
import socket
from contextlib import suppress
from pathlib import Path

from pytest_warmci.clients import locks, processes
from pytest_warmci.errors import WarmciError
from pytest_warmci.model import KnownGood
from pytest_warmci.store import snapshots
from tests.e2e.workshop import Outcome, Workshop

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
    return found + workshop.elsewhere()


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
    try:
        snapshots.verify(workshop.place.snapshots, entry.generation, entry.digest)
    except WarmciError as error:
        raise AssertionError(f"the known-good is not whole: {error}") from error
    return entry


def check_put_back(workshop: Workshop) -> None:
    """The canonical lies there as its known-good says, to the byte."""
    found, entry = workshop.volumes_digest(), workshop.known_good
    assert found == entry.digest, f"not put back: {found} is not {entry.digest}"


def check_recovered(workshop: Workshop, outcome: Outcome, before: KnownGood) -> None:
    """The run after a fault passes, from the same known-good, and leaves nothing."""
    assert outcome.status == 0, f"the next run has not passed: {outcome.text}"
    check_known_good(workshop, before)
    if outcome.result["mode"] == "quick":
        assert outcome.result["known_good"] == {"before": before.digest, "after": before.digest}
    check_quiet(workshop)


def check_quiet(workshop: Workshop) -> None:
    """Nothing is left."""
    found = leftovers(workshop)
    assert not found, f"left over: {found}"


def end_leftovers(workshop: Workshop) -> None:
    """End what a struck session has left running; for the end of a test that may have failed.

    Only what lives in this state directory's apps, or names it in its environment, by its pid.
    """
    found = processes.living_in(workshop.root / "apps")
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"={workshop.root}/".encode() in path.read_bytes():
                known = processes.identify(int(path.parent.name))
                found += [known] if known else []
    for each in found:
        processes.signal_process(each, signal.SIGKILL)


def _is_unfinished(name: str) -> bool:
    return name.startswith(UNFINISHED) or name.endswith(".restoring")


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
