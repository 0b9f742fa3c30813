"""Signals that ask us to stop, and the places where they have to wait.

The first one becomes an exception, but never inside a shielded block: what puts data back must
come to its end. Later ones are answered and do nothing, so that impatience cannot tear a restore.
SIGKILL needs no answer: the next start recovers.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Final, NoReturn

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Terminated(KeyboardInterrupt):
    """We were told to stop by another signal than Ctrl-C's."""


class _State:
    """What this process was told, and whether it may be heard now."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.depth = 0
        self.pending = False
        self.ours: list[signal.Signals] = []
        self.answer: Callable[[], str] | None = None
        self.output: int | None = None
        self.leave_prompt: Callable[[str], NoReturn] | None = None

    def deliver(self, number: int) -> NoReturn:
        """Raise what was told."""
        self.pending = False
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        name = signal.Signals(number).name
        if self.leave_prompt is not None:
            self.leave_prompt(name)
        raise Terminated(name)


_state = _State()


@contextmanager
def listening(answer: Callable[[], str]) -> Iterator[None]:
    """Turn signals into interruptions during the block; one that is ignored stays ignored.

    Does nothing inside itself, nor in another thread than the main one, where none are handled.

    Args:
        answer: Says what goes on, to whoever sends another signal while we are leaving; goes to
            what is standard error now, whatever captures it later.
    """
    if _state.answer is not None or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    _state.ours = [each for each in SIGNALS if before[each] not in (signal.SIG_IGN, None)]
    _state.answer = answer
    with suppress(OSError):  # it may be closed
        _state.output = os.dup(2)
    _handle_ours()
    try:
        yield
    finally:
        for number in _state.ours:
            signal.signal(number, before[number])
        output, _state.output = _state.output, None
        if output is not None:
            os.close(output)
        _state.answer = None
        _state.ours = []
        _state.seen.clear()
        _state.pending = False


@contextmanager
def prompting(leave: Callable[[str], NoReturn]) -> Iterator[None]:
    """Leave Ctrl-C to a debugger's prompt during the block: there it ends a command, not the run.

    Shielded blocks stay shielded, and other signals still ask us to stop.

    Args:
        leave: Given the name of such a signal, raises what a debugger lets through; it would take
            an interruption for a Ctrl-C.
    """
    _state.leave_prompt = leave
    try:
        yield
    finally:
        _state.leave_prompt = None
        _handle_ours()  # a debugger installs a handler of its own when it goes on


@contextmanager
def shielded() -> Iterator[None]:
    """Let no signal in during the block; one that comes is raised at its end."""
    _state.depth += 1
    try:
        yield
    except BaseException:
        # What went wrong is told first. Who drives us asks `told`, and stops.
        _state.depth -= 1
        raise
    _state.depth -= 1
    if _state.depth == 0 and _state.pending:
        _state.deliver(_state.seen[0])


@contextmanager
def finishing() -> Iterator[None]:
    """Let no signal in during the block, nor at its end: nothing is left to be stopped.

    Whoever says what became of it all asks `told`.
    """
    _state.depth += 1
    try:
        yield
    finally:
        _state.depth -= 1
        _state.pending = False


@contextmanager
def interruptible() -> Iterator[None]:
    """Let signals in again during the block, within a shielded one."""
    depth = _state.depth
    try:
        _state.depth = 0
        if _state.pending:
            _state.deliver(_state.seen[0])
        yield
    finally:
        _state.depth = depth


def told() -> bool:
    """Tell whether a signal has asked us to stop."""
    return bool(_state.seen)


def drop_placeless(first: TracebackType) -> None:
    """Take out of a traceback, in place, what has no line.

    A signal may be answered between two instructions that belong to no line. Python then says
    None where everybody expects a number, and pytest breaks over it: pytest-xdist's issue 1196.

    Args:
        first: The traceback's outermost entry; it stays.
    """
    entry = first
    while (following := entry.tb_next) is not None:
        line: object = following.tb_lineno  # an int, say its types
        if line is None:
            entry.tb_next = following.tb_next
        else:
            entry = following


def _handle_ours() -> None:
    for number in _state.ours:
        signal.signal(number, _handle)


def _handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler's signature
    open_ = _state.depth == 0
    if open_ and number == signal.SIGINT and _state.leave_prompt is not None:
        raise KeyboardInterrupt  # the debugger's, not ours
    first = not _state.seen
    _state.seen.append(number)
    if open_ and (first or _state.leave_prompt is not None):
        _state.deliver(number)
    if first:
        _state.pending = True
    answer = _state.answer() if _state.answer is not None else ""
    # Straight to a descriptor: whatever was being written may hold a lock of its stream.
    with suppress(OSError):
        descriptor = 2 if _state.output is None else _state.output
        os.write(descriptor, f"warmci: told to stop, {answer}\n".encode())
