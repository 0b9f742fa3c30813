"""A program that has a Swarm with a stack on it until it is killed.

Usage: `python -m tests.swarm.holding FILE [undying]`. Writes the number of its slot to FILE when all
is up. With `undying` the kernel does not end the engine with it.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from pytest_warmci.clients import files
from tests.swarm import catalog, ground, room, stacks


def main() -> None:
    """Start, say so, and stay."""
    if "undying" in sys.argv[2:]:
        room.MORTAL = ()
    with ground.swarm() as swarm:
        catalog.provide(swarm, "web:1")
        stacks.deploy(swarm, "held")
        files.write_text(Path(sys.argv[1]), str(swarm.slot.number))
        signal.pause()


if __name__ == "__main__":
    main()
