"""The way in: a Swarm for a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.swarm import images, slots
from tests.swarm.engine import Swarm, engine_version
from tests.swarm.slots import Slot


@contextmanager
def swarm() -> Iterator[Swarm]:
    """Have a one-node Swarm of our own for the block; nothing runs on it.

    Images that an earlier session has made may be there (`catalog.provide` asks for some). Whatever
    becomes of us, the kernel ends it with us, and the next one here clears away the rest.

    Raises:
        NotEvaluated: It cannot be made here; `room.why_not` knows the usual reasons.
    """
    with slots.lease() as slot, swarm_in(slot) as found:
        yield found


@contextmanager
def swarm_in(slot: Slot) -> Iterator[Swarm]:
    """Have it in a slot, which is ours and cleared. When the block fails it is not stopped."""
    engine = engine_version()
    slot.open(engine)
    found = Swarm(slot)
    found.open()
    images.forget_others(found)
    yield found
    found.close()
    slot.close(engine)
