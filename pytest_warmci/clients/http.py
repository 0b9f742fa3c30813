"""HTTP requests of our own (the only owner of `requests` in the package)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urljoin

import requests

_MOST: Final = 4 * 1024 * 1024
"""Bytes of a body that are read."""

_CHUNK: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: a status (0: nothing answered) and the body (its beginning, when it is
    very long) or the reason."""

    status: int
    text: str

    def __str__(self) -> str:
        head = " ".join(self.text[:200].split())
        return f"HTTP {self.status}: {head}" if self.status else f"no answer: {head}"


def get(url: str, *, timeout: float, headers: dict[str, str] | None = None) -> Answer:
    """GET a URL without following redirects or using a proxy; never raises for an answer.

    Args:
        url: Absolute URL on this machine.
        timeout: Seconds for connecting and for each read.
        headers: Extra request headers.
    """
    with requests.Session() as session:
        session.trust_env = False
        try:
            with session.get(
                url, timeout=timeout, headers=headers, allow_redirects=False, stream=True
            ) as response:
                return Answer(response.status_code, _text(response, timeout))
        except requests.RequestException as error:
            return Answer(0, str(error))


def _text(response: requests.Response, timeout: float) -> str:
    """Return a body as text, as much of it as comes in time: some pages never end."""
    body = b""
    end = time.monotonic() + timeout
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) >= _MOST or time.monotonic() > end:
            break
    try:
        return body.decode(response.encoding or "utf-8", "replace")
    except LookupError:  # there is no such encoding
        return body.decode("utf-8", "replace")


class AppSession(requests.Session):
    """A `requests.Session` bound to one app: relative URLs are the app's, and no request waits
    for ever (`timeout` defaults to 30 s)."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base.rstrip("/") + "/"
        self.trust_env = False

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> Any:
        """Send a request; `url` may be a path."""
        kwargs.setdefault("timeout", 30)
        address = url.decode() if isinstance(url, bytes) else url
        return super().request(method, urljoin(self.base, address.lstrip("/")), *args, **kwargs)
