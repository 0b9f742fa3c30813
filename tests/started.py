"""Programs that are told to stop: each in a process group of its own, as a terminal starts it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from pytest_warmci.clients.waiting import Look, wait_until

_START = (
    # A tester that is killed takes along what it has started.
    *("setpriv", "--pdeathsig", "KILL", "--"),
    # And one that runs in the background ignores SIGINT, which programs inherit.
    *("env", "--default-signal=INT,TERM,HUP"),
)


class Started:
    """A program that runs, and what it has written so far.

    Args:
        argv: Program and arguments.
        folder: For its outputs.
        cwd: Its working directory.
        env: Its whole environment.
        output: A descriptor for both outputs, instead of files.
        terminal: A descriptor of a terminal that becomes its own, for all three streams.
    """

    def __init__(
        self,
        argv: Sequence[str],
        folder: Path,
        *,
        cwd: Path,
        env: Mapping[str, str] | None,
        output: int | None,
        terminal: int | None,
    ) -> None:
        self._out, self._err = folder / "stdout", folder / "stderr"
        given = output if terminal is None else terminal
        own = [] if terminal is None else ["setsid", "--ctty"]
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [*_START, *own, *argv],
                cwd=cwd,
                env=None if env is None else dict(env),
                stdin=subprocess.PIPE if terminal is None else terminal,
                stdout=out if given is None else given,
                stderr=err if given is None else given,
                process_group=0 if terminal is None else None,  # else setsid makes it
            )
        self.pid = self.process.pid

    @property
    def stdout(self) -> str:
        """What it has written to standard output so far."""
        return self._out.read_text("utf-8", "replace")

    @property
    def stderr(self) -> str:
        """What it has written to standard error so far."""
        return self._err.read_text("utf-8", "replace")

    @property
    def text(self) -> str:
        """Both."""
        return self.stdout + self.stderr

    def tell(self, number: signal.Signals, *, group: bool = False) -> None:
        """Send a signal to it alone, or to its whole group as a terminal does."""
        (os.killpg if group else os.kill)(self.pid, number)

    def type(self, text: str) -> None:
        """Write to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def wait_for(self, what: Path | str, times: int = 1, limit: float = 60) -> None:
        """Wait until a file is there, or a text in the outputs; fail when it has ended before."""

        def look() -> Look:
            code = self.process.poll()
            there = what.exists() if isinstance(what, Path) else self.text.count(what) >= times
            assert there or code is None, f"ended with {code}, without {what}: {self.text}"
            return Look(there, f"no {what}: {self.text}")

        wait_until(look, timeout=limit, every=0.01)

    def wait(self, limit: float = 60) -> int:
        """Return its exit status."""
        return self.process.wait(limit)


@contextmanager
def started(
    argv: Sequence[str],
    folder: Path,
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    output: int | None = None,
    terminal: int | None = None,
) -> Iterator[Started]:
    """Run a program during the block; with the block it ends at the latest, and its group."""
    made = Started(argv, folder, cwd=cwd, env=env, output=output, terminal=terminal)
    try:
        yield made
    finally:
        with suppress(ProcessLookupError):
            os.killpg(made.pid, signal.SIGKILL)
        made.process.wait()
        if made.process.stdin is not None:
            with suppress(BrokenPipeError):
                made.process.stdin.close()
        print(made.stdout, made.stderr, sep="\n")  # noqa: T201 - shown when the test fails
