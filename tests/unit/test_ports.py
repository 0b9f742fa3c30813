"""Choosing addresses: free, outside the ephemeral range, nobody else's."""

from __future__ import annotations

import random
import socket

import pytest

from pytest_warmci.clients import ports
from pytest_warmci.errors import AddressTaken


def listener() -> socket.socket:
    server = socket.create_server(("127.0.0.1", 0))
    server.listen()
    return server


def test_a_port_that_somebody_listens_on_is_not_free() -> None:
    """And is again when they have gone."""
    with listener() as server:
        port = server.getsockname()[1]
        assert not ports.is_free("127.0.0.1", port)

    assert ports.is_free("127.0.0.1", port)


def test_a_port_that_has_just_been_used_is_free() -> None:
    """Connections in TIME_WAIT are no obstacle for a server."""
    with listener() as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            connection, _ = server.accept()
            connection.close()

    assert ports.is_free("127.0.0.1", port)


def test_the_kernels_range_is_left_alone() -> None:
    """A port in it may be anybody's outgoing connection at the next start."""
    low, high = ports.ephemeral_range()

    chosen = {ports.choose_port(set()) for _ in range(20)}

    assert all(port < low or port > high for port in chosen)
    assert all(ports.LOWEST <= port < 65_536 for port in chosen)


def test_what_is_taken_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a recorded port nor one that is in use."""
    monkeypatch.setattr(ports, "ephemeral_range", lambda: (ports.LOWEST + 3, 65_535))
    monkeypatch.setattr(ports, "is_free", lambda _address, port: port != ports.LOWEST)

    assert ports.LOWEST + 2 == ports.choose_port({ports.LOWEST + 1})


def test_no_free_port_says_what_is_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's own range may be all there is."""
    monkeypatch.setattr(ports, "ephemeral_range", lambda: (1024, 65_535))

    with pytest.raises(AddressTaken, match="no free port outside the ephemeral range") as caught:
        ports.choose_port(set())

    assert "1024-65535" in caught.value.why


def test_subnets_are_loopback_and_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """127.x.y, away from 127.0 and from systemd's 127.0.0.53."""
    numbers = iter([16, 1, 17, 2])
    monkeypatch.setattr(random, "randint", lambda _low, _high: next(numbers))

    assert "127.17.2" == ports.choose_subnet({"127.16.1"})
