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
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Terminated(KeyboardInterrupt):
    """We were told to stop by another signal than Ctrl-C's."""


class _State:
    """What this process was told, and whether it may be heard now."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.depth = 0
        self.pending = False
        self.answer: Callable[[], str] | None = None

    def deliver(self) -> None:
        """Raise what was told."""
        self.pending = False
        number = self.seen[0]
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise Terminated(signal.Signals(number).name)


_state = _State()


@contextmanager
def listening(answer: Callable[[], str]) -> Iterator[None]:
    """Turn signals into interruptions during the block; one that is ignored stays ignored.

    Does nothing inside itself, nor in another thread than the main one, where none are handled.

    Args:
        answer: Says what goes on, to whoever sends another signal while we are leaving.
    """
    if _state.answer is not None or threading.current_thread() is not threading.main_thread():
        yield
        return
    _state.answer = answer
    before = {number: signal.getsignal(number) for number in SIGNALS}
    ours = [number for number in SIGNALS if before[number] is not signal.SIG_IGN]
    for number in ours:
        signal.signal(number, _handle)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])
        _state.answer = None
        _state.seen.clear()
        _state.pending = False


@contextmanager
def silent() -> Iterator[None]:
    """Give the signals back to whoever had them, for a debugger's prompt."""
    kept = {number: signal.getsignal(number) for number in SIGNALS}
    ours = [number for number in SIGNALS if kept[number] is _handle]
    for number in ours:
        default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, default)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, _handle)


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
        _state.deliver()


@contextmanager
def interruptible() -> Iterator[None]:
    """Let signals in again during the block, within a shielded one."""
    depth, _state.depth = _state.depth, 0
    try:
        if _state.pending:
            _state.deliver()
        yield
    finally:
        _state.depth = depth


def told() -> bool:
    """Tell whether a signal has asked us to stop."""
    return bool(_state.seen)


def _handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler's signature
    first = not _state.seen
    _state.seen.append(number)
    if first and _state.depth == 0:
        _state.deliver()
    if first:
        _state.pending = True
    answer = _state.answer() if _state.answer is not None else ""
    # Straight to the descriptor: whatever was being written may hold a lock of its stream.
    with suppress(OSError):
        os.write(2, f"warmci: told to stop, {answer}\n".encode())
