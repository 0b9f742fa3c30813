"""A pytest plugin that strikes a real session at one exact point, for tests of faults.

Load it with `-p tests.faults.strike` and say in the environment what to do:

- `STRIKE_AT`: `<phase>#<which>+<event>`: in the `<which>`-th step of that name (from 1), before the
  `<event>`-th change of a file, process or name (0: when the step begins). Without a step
  (`+<event>`) it counts from the start to the end of the process.
- `STRIKE_ONLY`: a regular expression; only changes whose line matches from its beginning are
  counted. A line is the event of the audit hook and what it is about: `os.rename /from /to`. With
  one that begins with `http`, what is sent by HTTP counts as well: `http.client.send POST /path`.
- `STRIKE_WITH`: what happens there: `kill` (SIGKILL to this process), `kill-parent`, `kill-both`,
  the name of a signal (`SIGTERM`, `SIGINT`, `SIGHUP`) sent to this process, the same with `-parent`
  (the controller of a distributed session) or `-group` (what a terminal does), or `run:<command>`
  (a program that is run to its end, once; arguments are split at spaces).
- `STRIKE_LOG`: a file to which each step is added as a line `<phase>#<which> <changes in it>`, and
  at the end of the process a line ` <changes at all>`.

Nothing of the session is replaced: steps are watched, and changes are seen by an audit hook before
they happen. Each process strikes once at the most.
"""

from __future__ import annotations

import atexit
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_warmci.runs.phases import Phases

CHANGES = frozenset(
    {
        "os.chmod",
        "os.kill",
        "os.killpg",
        "os.link",
        "os.mkdir",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.symlink",
        "os.truncate",
        "shutil.rmtree",
        "subprocess.Popen",
    }
)
"""Audit events of what changes the world; opening a file for writing counts too."""

_REQUEST = "http.client.send"
"""Audit event of a request, and of each piece of its body."""

_WRITES = os.O_WRONLY | os.O_RDWR


class Striker:
    """Counts steps and changes, and strikes when its point has come."""

    def __init__(self, at: str, blow: str, log: str, only: str = "") -> None:
        self.step, _, event = at.partition("+")
        self.event = int(event or 0)
        self.only = re.compile(only)
        self.events = CHANGES | {_REQUEST} if only.startswith("http") else CHANGES
        self.blow = blow
        self.log = Path(log) if log else None
        self.steps: Counter[str] = Counter()
        self.inside: list[str] = []
        self.changes: Counter[str] = Counter()
        self.struck = False

    @contextmanager
    def watch(self, name: str) -> Iterator[None]:
        self.steps[name] += 1
        step = f"{name}#{self.steps[name]}"
        self.inside.append(step)
        try:
            if step == self.step and self.event == 0:
                self.strike()
            yield
        finally:
            self.inside.pop()
            self.note(step)

    def note(self, step: str) -> None:
        if self.log is not None and not self.struck:
            with self.log.open("a") as stream:
                stream.write(f"{step} {self.changes[step]}\n")

    def seen(self, event: str, arguments: tuple[object, ...]) -> None:
        """See an event of the interpreter, before it happens."""
        if self.struck or not self._counts(event, arguments) or arguments[0] == self.log:
            return
        if not self.only.match(_line(event, arguments)):
            return
        for step in ["", *self.inside[-1:]]:
            self.changes[step] += 1
            if step == self.step and self.changes[step] == self.event:
                self.strike()

    def _counts(self, event: str, arguments: tuple[object, ...]) -> bool:
        return _is_write(arguments) if event == "open" else event in self.events

    def strike(self) -> None:
        if self.struck:
            return
        self.struck = True
        if self.blow.startswith("run:"):
            subprocess.run(shlex.split(self.blow.removeprefix("run:")), check=False)
        elif self.blow.startswith("kill"):
            if self.blow in ("kill-parent", "kill-both"):
                os.kill(os.getppid(), signal.SIGKILL)
            if self.blow in ("kill", "kill-both"):
                os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(60)  # it does not come back
        else:
            name, _, whom = self.blow.partition("-")
            number = signal.Signals[name]
            if whom == "group":
                os.killpg(os.getpgrp(), number)
            else:
                os.kill(os.getppid() if whom == "parent" else os.getpid(), number)


def _is_write(arguments: tuple[object, ...]) -> bool:
    """Tell whether a file is opened for writing, and not by the interpreter or pytest for itself."""
    path, _, flags = arguments
    ours = isinstance(path, str | bytes | os.PathLike) and "__pycache__" not in str(path)
    return ours and isinstance(flags, int) and bool(flags & _WRITES)


def _line(event: str, arguments: tuple[object, ...]) -> str:
    words = [
        each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each)
        for each in arguments
        if isinstance(each, str | bytes | os.PathLike)
    ]
    return " ".join([event, *words])


def install(striker: Striker) -> None:
    """Watch the steps of every run in this process."""
    original = Phases.__call__

    @contextmanager
    def watched(phases: Phases, name: str) -> Iterator[None]:
        with original(phases, name), striker.watch(name):
            yield

    Phases.__call__ = watched  # type: ignore[method-assign, assignment]
    sys.addaudithook(striker.seen)
    atexit.register(striker.note, "")


if os.environ.get("STRIKE_AT") or os.environ.get("STRIKE_LOG"):
    install(
        Striker(
            os.environ.get("STRIKE_AT", ""),
            os.environ.get("STRIKE_WITH", "kill"),
            os.environ.get("STRIKE_LOG", ""),
            os.environ.get("STRIKE_ONLY", ""),
        )
    )
