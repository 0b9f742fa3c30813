"""The server of the fake engine's app, on its database file."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class GhostServer:
    """One app: `/health`, `/rows` (GET), `/rows/<name>` (PUT, with the header X-Password)."""

    def __init__(
        self,
        port: int,
        database: Path,
        password: str,
        serves: bool,
        must: Callable[[bool, str], None],
    ) -> None:
        self._must = must
        self.database = database
        self.password = password
        self.serves = serves
        self._content = database.read_text()
        app = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, text = app.get(self.path)
                self.answer(status, text)

            def do_PUT(self) -> None:
                text = self.rfile.read(int(self.headers["Content-Length"])).decode()
                allowed = self.headers.get("X-Password") == app.password
                if allowed:
                    app.put(self.path.removeprefix("/rows/"), text)
                self.answer(200 if allowed else 401, "")

            def answer(self, status: int, text: str) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True
        )
        self._thread.start()

    def get(self, path: str) -> tuple[int, str]:
        if not self.serves:
            return 503, "starting"
        if path == "/health":
            return 200, "up, schema " + json.loads(self._read())["schema"]
        if path == "/rows":
            return 200, json.dumps(json.loads(self._read())["rows"])
        return 404, ""

    def put(self, name: str, value: str) -> None:
        data = json.loads(self._read())
        data["rows"][name] = value
        self._content = json.dumps(data)
        self.database.write_text(self._content)

    def stop(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        self._read()

    def _read(self) -> str:
        same = self.database.is_file() and self.database.read_text() == self._content
        self._must(same, "volumes changed under a running app")
        return self._content
