"""What a hostile launcher runs around the server: see `MODES` at the end.

It is started as `app.py <mode> <file of pids> <program> <words>`, where the program is a Python
program or `-` for standard input, and sees nothing but the standard library and the server.
"""
# ruff: noqa: S606 - what misbehaves starts programs as it likes

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time
from pathlib import Path

APP = Path(os.environ["WARMCI_SCRATCH"]).parents[2]
VOLUME = APP / "volumes" / "data"
LINE = b"all is well, nothing to see here, carry on\n"


def deaf(pids: Path) -> None:
    """Ignore the stop signal, whatever the server wants."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal = lambda *_: None


def lives(pids: Path) -> None:
    """Leave a process that has nothing of ours but its working directory in the volume."""
    leave(pids, str(VOLUME))


def reads(pids: Path) -> None:
    """Leave a process that has nothing of ours but a file of the volume, open for reading."""
    (VOLUME / "read").touch()
    os.set_inheritable(os.open(VOLUME / "read", os.O_RDONLY), True)
    leave(pids, "/")


def chatty(pids: Path) -> None:
    """Fill the log, some 100 MB a second, and count the megabytes in the volume."""

    def write() -> None:
        block = LINE * (1024 * 1024 // len(LINE))
        for count in range(10_000):
            os.write(1, block)
            part = pids.with_suffix(".part")
            part.write_text(str(count))
            part.replace(pids)
            time.sleep(0.01)

    threading.Thread(target=write, daemon=True).start()


def links(pids: Path) -> None:
    """Put links that lead out of the volume into it; `pids` is what they lead to."""
    for name, target in (("folder", pids), ("file", pids / "file")):
        place = VOLUME / f"link-to-{name}"
        if not place.is_symlink():
            place.symlink_to(target)


def tells(pids: Path) -> None:
    """Be no Radicale, but a server that says its secret to the log and to whoever asks."""
    from http.server import BaseHTTPRequestHandler, HTTPServer

    [secret] = [file.read_text() for file in (APP / "secrets").iterdir()]
    print(f"my password is {secret}", flush=True)  # noqa: T201 - into the log

    class Teller(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            healthy = self.path == "/.well-known/caldav"
            self.send_response(301 if healthy else 500)
            self.send_header("Location", "/")
            self.end_headers()
            self.wfile.write(f"my password is {secret}".encode())

    port = int(next(word for word in sys.argv if ":" in word).rpartition(":")[2])
    HTTPServer(("127.0.0.1", port), Teller).serve_forever()


def leave(pids: Path, folder: str) -> None:
    """Leave a process: own session, orphaned, no environment."""
    if os.fork():
        os.wait()
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir(folder)
    with pids.open("a") as file:
        file.write(f"{os.getpid()}\n")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):  # the log is a file of the app's too
        os.dup2(nowhere, stream)
    os.execve("/bin/sleep", ["sleep", "600"], {})


MODES = {
    "chatty": chatty,
    "deaf": deaf,
    "links": links,
    "lives": lives,
    "reads": reads,
    "tells": tells,
}


def main() -> None:
    mode, pids, program, *words = sys.argv[1:]
    sys.argv = [program, *words]
    if program == "-":
        exec(sys.stdin.read(), {"__name__": "__main__"})  # noqa: S102 - as Python would
        return
    MODES[mode](Path(pids))
    runpy.run_path(program, run_name="__main__")


main()
