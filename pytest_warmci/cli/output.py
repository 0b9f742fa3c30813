"""What the command prints: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final, Self

import click
from rich.console import Console

from pytest_warmci.errors import InputError, Interrupted, RecipeFailed, UsageError, WarmciError
from pytest_warmci.model import DEFAULT_ENGINE, FORMAT

if TYPE_CHECKING:
    from rich.progress import Progress

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_NOTHING_RAN: Final = 5
EXIT_NOT_POSSIBLE: Final = 75

_PIPE_WIDTH: Final = 200
"""Columns where there is no terminal: what is read by a program should not be wrapped."""


def console(stream: IO[str] | None = None) -> Console:
    """Return a console on a stream (standard output): colour and wrapping on a terminal only."""
    stream = sys.stdout if stream is None else stream
    terminal = stream.isatty()
    return Console(
        file=stream,
        force_terminal=terminal,  # else FORCE_COLOR would put colours into files
        color_system="auto" if terminal else None,
        width=None if terminal else _PIPE_WIDTH,
        markup=False,
        emoji=False,
        highlight=False,
    )


def human_size(count: int) -> str:
    """Return a number of bytes as people read it."""
    from pytest_warmci.clients import disk

    return disk.human_size(count)


def app_name(domain: str, engine: str) -> str:
    """Return how an app is called where apps of several engines may be listed."""
    return domain if engine == DEFAULT_ENGINE else f"{domain} on {engine}"


def emit(record: object) -> None:
    """Print a record as JSON on standard output."""
    click.echo(json.dumps(record, indent=2, default=str))


def tell(text: str) -> None:
    """Tell the person who waits, on standard error."""
    click.echo(f"warmci: {text}", err=True)


def exit_status(error: WarmciError) -> int:
    """Return what the command ends with when this error ends it."""
    if isinstance(error, UsageError | InputError | Interrupted):
        return EXIT_USAGE
    return EXIT_FAILED if isinstance(error, RecipeFailed) else EXIT_NOT_POSSIBLE


def fail(error: WarmciError, *, as_json: bool) -> None:
    """Print an error: for a person on standard error, for a program on standard output too."""
    first, *rest = str(error).splitlines()
    click.echo("\n".join([click.style(f"warmci: {first}", fg="red", bold=True), *rest]), err=True)
    if as_json:
        names = ("what", "where", "why", "remedy", "changed")
        facts = {name: getattr(error, name) for name in names}
        emit({"format": FORMAT, "error": facts, "exit_status": exit_status(error)})


@contextmanager
def stdout_on_stderr() -> Iterator[None]:
    """Let what programs write to standard output during the block go to standard error."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


class Steps:
    """Shows what goes on and for how long: moving on a terminal, else a line for each step.

    It is a `Progress` of this package: call it with a line of text.
    """

    def __init__(self, begin: str) -> None:
        self._begin = begin
        self._begun = time.monotonic()
        self._bar: Progress | None = None
        if sys.stderr.isatty():
            from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            self._bar = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                TimeElapsedColumn(),
                console=console(sys.stderr),
                transient=True,
            )
            self._task = self._bar.add_task(begin, total=None)

    def __enter__(self) -> Self:
        if self._bar is None:
            tell(self._begin)
        else:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, text: str) -> None:
        """Show that this is what goes on now."""
        if self._bar is None:
            tell(f"{time.monotonic() - self._begun:6.1f} s  {text}")
        else:
            self._bar.update(self._task, description=f"{self._begin}: {text}")
