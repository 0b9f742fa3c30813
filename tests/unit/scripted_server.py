"""A server on this machine that plays a script: it answers what it expects, in that order, only."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

HTML = "text/html;charset=utf-8"
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Step:
    """One request that is expected, and its answer.

    Args:
        request: Method and path, with the query.
        body: What is answered; `{url}` is the server's own URL, in headers too, where `{port}` is
            its port.
        status: Its status.
        kind: Its content type.
        headers: More headers, each with its values.
        sent: The fields of the form that must come, all of them.
        cookies: The cookies that must come, all of them; None for whatever comes.
    """

    request: str
    body: str = ""
    status: int = 200
    kind: str = HTML
    headers: Mapping[str, list[str]] = field(default_factory=dict)
    sent: Mapping[str, str] | None = None
    cookies: Mapping[str, str] | None = None


def moved(request: str, to: str, **more: object) -> Step:
    """Expect a request and redirect it."""
    headers = {"Location": [to], **more.pop("headers", {})}  # type: ignore[dict-item]
    return Step(request, status=302, headers=headers, **more)  # type: ignore[arg-type]


class Script:
    """The steps that are left, and what did not go by them."""

    def __init__(self, steps: list[Step]) -> None:
        self.left = steps
        self.wrong: list[str] = []
        self.url = ""

    def filled(self, text: str) -> str:
        """Put the server's own address into a text."""
        return text.replace("{url}", self.url).replace("{port}", self.url.rpartition(":")[2])

    def next(self, request: str, body: str, cookie: str) -> Step:
        """Take the next step, which must be the one that is expected."""
        expected = self.left.pop(0) if self.left else None
        sent = dict(parse_qsl(body, keep_blank_values=True))
        cookies = {name: morsel.value for name, morsel in SimpleCookie(cookie).items()}
        seen = f"{request} {sent} {cookies}"
        if expected is None or request != expected.request:
            problem = f"came: {seen}; expected: {expected}"
        elif expected.sent is not None and sent != expected.sent:
            problem = f"came: {seen}; expected fields: {expected.sent}"
        elif expected.cookies is not None and cookies != expected.cookies:
            problem = f"came: {seen}; expected cookies: {expected.cookies}"
        else:
            return expected
        self.wrong.append(problem)
        return Step(request, problem, status=418, kind="text/plain")


@contextmanager
def scripted(*steps: Step) -> Iterator[str]:
    """Serve a script during the block; it must have been played to its end, and nothing else."""
    script = Script(list(steps))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer("")

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            self.answer(self.rfile.read(length).decode())

        def answer(self, body: str) -> None:
            cookie = self.headers.get("Cookie", "")
            step = script.next(f"{self.command} {self.path}", body, cookie)
            content = script.filled(step.body).encode()
            self.send_response(step.status)
            for name, values in step.headers.items():
                for value in values:
                    self.send_header(name, script.filled(value))
            self.send_header("Content-Type", step.kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        script.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield script.url
        finally:
            server.shutdown()
            thread.join()
    assert script.wrong == []
    assert script.left == []
