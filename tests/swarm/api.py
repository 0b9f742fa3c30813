"""Docker's HTTP interface on a Unix socket: as much of it as making the ground needs."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pytest_warmci.errors import NotEvaluated

SECONDS = 120.0


class Api:
    """The engine that listens on a socket.

    Args:
        path: The socket; needs not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def answers(self) -> bool:
        """Tell whether somebody listens and is well."""
        try:
            return self._ask("GET", "/_ping", seconds=2.0)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def call(self, method: str, path: str, body: object = None, **query: str) -> Any:
        """Make a call; return what the JSON of the answer says, None for 404.

        Raises:
            NotEvaluated: It was refused.
            OSError: Nobody answers.
        """
        status, answer = self._ask(method, f"{path}?{urlencode(query)}", json.dumps(body).encode())
        if status == http.HTTPStatus.NOT_FOUND:
            return None
        if status >= http.HTTPStatus.BAD_REQUEST:
            raise NotEvaluated(f"{method} {path}: {status}", why=answer.decode("utf-8", "replace"))
        return json.loads(answer) if answer.strip() else None

    def send(
        self,
        path: str,
        query: list[tuple[str, str]],
        write: Callable[[Callable[[bytes], int]], None],
    ) -> None:
        """Post what `write` gives, piece by piece, to the function that it is called with.

        Raises:
            NotEvaluated: It was refused, at once or in the course of it.
        """
        connection = _Connection(self._path, SECONDS)

        def piece(data: bytes) -> int:
            if data:
                connection.send(b"%x\r\n" % len(data) + data + b"\r\n")
            return len(data)

        try:
            connection.putrequest("POST", f"{path}?{urlencode(query)}")
            connection.putheader("Content-Type", "application/x-tar")
            connection.putheader("Transfer-Encoding", "chunked")
            connection.endheaders()
            with suppress(BrokenPipeError):  # refused in the middle: the answer says why
                write(piece)
                connection.send(b"0\r\n\r\n")
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
        finally:
            connection.close()
        # The answer begins before the work is done: an error may come in a 200.
        if response.status != http.HTTPStatus.OK or '"error"' in text:
            raise NotEvaluated(f"POST {path}: {response.status}", why=text)

    def _ask(
        self, method: str, target: str, body: bytes = b"", seconds: float = SECONDS
    ) -> tuple[int, bytes]:
        connection = _Connection(self._path, seconds)
        try:
            connection.request(method, target, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


class _Connection(http.client.HTTPConnection):
    """HTTP on a Unix socket."""

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__("docker", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
