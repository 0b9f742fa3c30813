"""Host names that this process finds at an address of its own choice, as `curl --resolve` does.

An app on a Swarm is reached by its domain, at the proxy in front of it. A test's domain is in no
name server, and what asks for it may be any library: so the answer is given where all of Python
asks, in `socket.getaddrinfo`.
"""

from __future__ import annotations

import socket
from typing import Any, Final

_answers: Final[dict[str, str]] = {}
_ask: Final = socket.getaddrinfo


def answer_for(name: str, address: str) -> None:
    """Let this process find `name` where `address` is (an IP address or another name) from now
    on."""
    _answers[_key(name)] = address
    socket.getaddrinfo = _answering


def _answering(host: Any, *args: Any, **kwargs: Any) -> Any:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    known = _answers.get(_key(name)) if isinstance(name, str) else None
    return _ask(host if known is None else known, *args, **kwargs)


def _key(name: str) -> str:
    return name.lower().removesuffix(".")
