"""Outside programs: the only place that starts them.

`run` is for programs that end by themselves, `spawn` for servers that outlive the caller.
"""

from __future__ import annotations

import atexit
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType

from pytest_warmci.clients import interrupts
from pytest_warmci.errors import CommandFailed

_SHOWN = 4_000
"""How many characters of a failed program's output an error carries (its end)."""


_children: dict[int, subprocess.Popen[bytes]] = {}
"""Servers that this process spawned: kept so that they are reaped and their exit code is known."""


@dataclass(frozen=True, slots=True)
class Completed:
    """What a program that ended left behind."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.stdout.decode("utf-8", "replace")

    @property
    def output(self) -> str:
        """The end of both outputs, for an error message."""
        both = (self.stdout + b"\n" + self.stderr).decode("utf-8", "replace").strip()
        return both[-_SHOWN:]


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    timeout: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    check: bool = True,
    remedy: str = "",
) -> Completed:
    """Run a program to its end. It does not outlive us, however we end.

    Args:
        argv: Program and arguments; never put a secret in here.
        timeout: Seconds until it is killed.
        cwd: Its working directory.
        env: Its whole environment; None passes ours on.
        stdin: What it reads on standard input.
        check: Raise when its exit code is not 0.
        remedy: What the error tells the reader to do.

    Raises:
        CommandFailed: It could not be started, took too long, or (with `check`) failed.
    """
    words = [os.fspath(word) for word in argv]
    line = shlex.join(words)
    path = None if env is None else env.get("PATH")
    if shutil.which(words[0], path=path) is None and not (cwd and "/" in words[0]):
        raise CommandFailed(
            f"cannot start {words[0]}",
            why="there is no such program",
            remedy=remedy or f"install {words[0]}",
        )
    try:
        done = subprocess.run(
            [*_mortal(), *words],
            cwd=cwd,
            env=None if env is None else dict(env),
            input=stdin,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except OSError as error:
        raise CommandFailed(
            f"cannot start {words[0]}", why=str(error), remedy=remedy or f"install {words[0]}"
        ) from None
    except subprocess.TimeoutExpired:
        raise CommandFailed(
            f"no end after {timeout:.0f} s",
            where=line,
            remedy=remedy or "look at the machine's load",
        ) from None
    completed = Completed(done.returncode, done.stdout, done.stderr)
    if check and completed.code != 0:
        raise CommandFailed(
            f"exit code {completed.code}", where=line, why=completed.output, remedy=remedy
        )
    return completed


@cache
def _mortal() -> tuple[str, ...]:
    """Return what makes the kernel end a program with us, where setpriv(1) knows how.

    A `preexec_fn` could do the same, but not safely beside threads.
    """
    program = shutil.which("setpriv")
    if program is None:
        return ()
    words = (program, "--pdeathsig", "KILL", "--")
    known = subprocess.run([*words, "true"], capture_output=True, check=False)
    return words if known.returncode == 0 else ()


def spawn(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path) -> int:
    """Start a server detached: own session and process group, output appended to `log`.

    Returns:
        Its pid, which is also the id of its session and process group.

    Raises:
        CommandFailed: It could not be started.
    """
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        child = subprocess.Popen(
            list(argv),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            close_fds=True,
        )
    except OSError as error:
        raise CommandFailed(f"cannot start {argv[0]}", why=str(error)) from None
    finally:
        os.close(descriptor)
    _children[child.pid] = child
    return child.pid


@atexit.register
def _let_go() -> None:
    """Servers outlive us on purpose: Python need not warn that they still run."""
    for child in _children.values():
        if child.returncode is None:
            child.returncode = 0


def exit_code(pid: int) -> int | None:
    """Return how a server that this process spawned ended (negative: by that signal).

    None while it runs, and for a process that somebody else started.
    """
    child = _children.get(pid)
    return None if child is None else child.poll()


def reap() -> None:
    """Let go of the servers that this process spawned and that have ended, whoever ended them."""
    for child in _children.values():
        child.poll()


def stream(argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
    """Run a program in the foreground on our own terminal and return its exit code.

    Signals that ask us to stop are passed on, and the program's end is waited for: it cleans up.
    A Ctrl-C that a terminal sends to both of us comes to it twice, which it has to bear.
    """
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler's signature
        if child is None:
            early.append(number)
        else:
            child.send_signal(number)

    before = {number: signal.getsignal(number) for number in interrupts.SIGNALS}
    ours = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in ours:
        signal.signal(number, pass_on)
    try:
        child = subprocess.Popen(list(argv), env=None if env is None else dict(env))
        for each in early:
            child.send_signal(each)
        return child.wait()
    finally:
        for number in ours:
            signal.signal(number, before[number])
