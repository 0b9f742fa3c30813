"""Choosing addresses on this machine."""

from __future__ import annotations

import random
import socket
from collections.abc import Collection
from pathlib import Path
from typing import Final

from pytest_warmci.errors import AddressTaken

LOWEST: Final = 10_240
_TRIES: Final = 500


def ephemeral_range() -> tuple[int, int]:
    """Return the ports that the kernel gives to outgoing connections (lowest, highest)."""
    low, high = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()
    return int(low), int(high)


def is_free(address: str, port: int) -> bool:
    """Tell whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def choose_port(taken: Collection[int]) -> int:
    """Choose a free port outside the ephemeral range that is not in `taken`.

    Raises:
        AddressTaken: None was found.
    """
    low, high = ephemeral_range()
    pool = [*range(LOWEST, min(low, 65_536)), *range(max(high + 1, LOWEST), 65_536)]
    chosen: list[int] = random.sample(pool, min(_TRIES, len(pool)))
    for port in chosen:
        if port not in taken and is_free("127.0.0.1", port):
            return port
    raise AddressTaken(
        "no free port outside the ephemeral range",
        where="/proc/sys/net/ipv4/ip_local_port_range",
        why=f"the kernel keeps {low}-{high} for outgoing connections",
        remedy="narrow that range, or stop some servers",
    )


def choose_subnet(taken: Collection[str]) -> str:
    """Choose a loopback subnet `127.x.y` that is not in `taken`."""
    while True:
        subnet = f"127.{random.randint(16, 250)}.{random.randint(1, 250)}"
        if subnet not in taken:
            return subnet
