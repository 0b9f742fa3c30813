"""Running an operation in a process of its own that dies at one exact change of the disk.

Changes are seen before they happen, by an audit hook and by looking at each write and sync; the
package runs as it is. `kill -9` leaves every change that was made; `lose_power` takes back those
that no sync had made durable by then.
"""

from __future__ import annotations

import json
import os
import random
import select
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pytest_warmci.store import treecopy

LIMIT: Final = 60.0
"""Seconds for one operation; it takes less than one."""

_WRITES: Final = os.O_WRONLY | os.O_RDWR
_NAMES: Final = {
    # event: how many leading arguments are paths; the folder descriptors are the last ones
    "os.link": 2,
    "os.mkdir": 1,
    "os.remove": 1,
    "os.rename": 2,
    "os.rmdir": 1,
    "os.symlink": 2,
}
_OTHERS: Final = frozenset(
    {"os.chmod", "os.chown", "os.removexattr", "os.setxattr", "os.truncate", "os.utime"}
)


@dataclass(frozen=True)
class Change:
    """One change of the disk, or one sync.

    `what` is an event's last word (`rename`, `open`, `write`, `fsync`, `syncfs` ...); `target` is
    the second path of a rename or link; `stash` is where lies what the change made unreachable.
    """

    what: str
    path: str
    target: str = ""
    stash: str = ""
    mode: int = 0

    @property
    def name(self) -> str:
        """The path that appears or goes."""
        return self.target if self.what in ("link", "rename") else self.path


@dataclass(frozen=True)
class Ending:
    """What an operation had changed when it ended, and whether it was struck."""

    struck: bool
    changes: tuple[Change, ...]


def count(operation: Callable[[], object], top: Path) -> int:
    """Tell how many changes below `top` an operation makes."""
    return len(run(operation, top, 0).changes)


def run(operation: Callable[[], object], top: Path, at: int) -> Ending:
    """Run an operation in a child that is killed before its `at`-th change below `top`.

    A write is cut in half. With 0, or more than there are, it comes to its end.
    """
    stash = Path(tempfile.mkdtemp(prefix="stash-", dir=top.parent))
    log = stash / "changes"
    log.touch()
    with warnings.catch_warnings():
        # Python warns of forking beside threads (xdist has some): the child has its own only.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        status = 1
        try:
            _Observer(top, log, stash, at).install()
            operation()
            status = 0
        except BaseException:  # noqa: BLE001 - shown by the parent; a child never goes further
            (stash / "error").write_text(traceback.format_exc())
        finally:
            os._exit(status)
    watched = os.pidfd_open(child)
    try:
        ended, *_ = select.select([watched], [], [], LIMIT)
        if not ended:
            os.kill(child, signal.SIGKILL)
        _, code = os.waitpid(child, 0)
    finally:
        os.close(watched)
    assert ended, f"no end after {LIMIT} s"
    if code != 0 and not os.WIFSIGNALED(code):
        raise AssertionError((stash / "error").read_text())
    changes = tuple(Change(**json.loads(line)) for line in log.read_text().splitlines())
    return Ending(os.WIFSIGNALED(code), changes)


class _Observer:
    """Sees changes in the child, notes each before it happens, and dies when its turn has come."""

    def __init__(self, top: Path, log: Path, stash: Path, at: int) -> None:
        self._top = os.fspath(top) + "/"
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND)
        self._stash = stash
        self._at = at
        self._seen = 0
        self._busy = False
        self._write = os.write

    def install(self) -> None:
        for name, what in (("write", "write"), ("pwrite", "write"), ("copy_file_range", "write")):
            self._wrap(name, what)
        self._wrap_sync(os, "fsync")
        self._wrap_sync(treecopy, "_syncfs")
        sys.addaudithook(self._hear)

    def _wrap(self, name: str, what: str) -> None:
        real = getattr(os, name)

        def call(first: int, second: Any, *rest: Any, **more: Any) -> Any:
            descriptor = second if name == "copy_file_range" else first
            if not self._busy:
                half = None if name == "copy_file_range" else second[: len(second) // 2]
                self._note(
                    Change(what, _of(descriptor)),
                    torn=None if half is None else lambda: real(first, half, *rest),
                )
            return real(first, second, *rest, **more)

        setattr(os, name, call)

    def _wrap_sync(self, module: object, name: str) -> None:
        real = getattr(module, name)

        def call(descriptor: int) -> None:
            self._note(Change(name.lstrip("_"), _of(descriptor)))
            real(descriptor)

        setattr(module, name, call)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._busy:
            return
        if event == "open":
            path, _, flags = arguments
            if isinstance(path, int) or not isinstance(flags, int) or not flags & _WRITES:
                return
            self._busy = True
            change = self._opened(os.path.abspath(os.fsdecode(path)), flags)
        elif event in _NAMES or event in _OTHERS:
            self._busy = True
            change = self._named(event, arguments)
        else:
            return
        self._busy = False
        if change is not None:
            self._note(change)

    def _opened(self, path: str, flags: int) -> Change | None:
        if not os.path.lexists(path):
            return Change("create", path)
        if flags & os.O_EXCL:
            return None
        return Change("truncate" if flags & os.O_TRUNC else "open", path)

    def _named(self, event: str, arguments: tuple[Any, ...]) -> Change | None:
        what = event.removeprefix("os.")
        if event in _OTHERS:
            first = arguments[0]
            path = _of(first) if isinstance(first, int) else os.fsdecode(first)
            return Change("metadata", os.path.abspath(path))
        count = _NAMES[event]
        folders = arguments[-count:] if what != "symlink" else (None, arguments[-1])
        paths = [
            _absolute(path, folder)
            for path, folder in zip(arguments[:count], folders, strict=True)
        ]
        path, target = (paths[0], paths[1] if count == 2 else "")
        if what == "symlink":
            path, target = target, ""
        there = os.path.lexists(path)
        if what in ("mkdir", "symlink"):
            return None if there else Change(what, path)
        if not there or (what == "link" and os.path.lexists(target)):
            return None  # it fails
        lost = target if what == "rename" else path if what == "remove" else ""
        stash = self._keep(lost) if lost and self._ours(lost) else ""
        return Change(what, path, target, stash, os.lstat(path).st_mode & 0o7777)

    def _keep(self, path: str) -> str:
        """Give what is about to lose its name another one outside."""
        if not os.path.lexists(path) or os.path.isdir(path):
            return ""
        place = os.fspath(self._stash / str(self._seen))
        os.link(path, place, follow_symlinks=False)
        return place

    def _ours(self, path: str) -> bool:
        return path.startswith(self._top)

    def _note(self, change: Change, torn: Callable[[], object] | None = None) -> None:
        if not (self._ours(change.path + "/") or self._ours(change.target + "/")):
            return
        self._busy = True
        self._seen += 1
        if self._seen == self._at:
            if torn is not None:
                torn()
            os.kill(os.getpid(), signal.SIGKILL)
        self._write(self._log, (json.dumps(asdict(change)) + "\n").encode())
        self._busy = False


def _of(descriptor: int) -> str:
    return os.readlink(f"/proc/self/fd/{descriptor}")


def _absolute(path: str | bytes, folder: int | None) -> str:
    text = os.fsdecode(path)
    if folder is not None and folder >= 0:
        return f"{_of(folder)}/{text}"
    return os.path.abspath(text)


# -- power -----------------------------------------------------------------------------------


def lose_power(ending: Ending, seed: int = 0) -> None:
    """Take back what was not durable when the operation ended.

    Args:
        ending: Of the operation.
        seed: 0 for all of it; else each folder keeps a random part of its changes, the older ones,
            and each file its data or not: disks write in their own order.
    """
    draw = random.Random(seed)
    pending, dirty = _volatile(ending.changes)
    kept: dict[str, int] = {}
    for folder in sorted({os.path.dirname(each.name) for each in pending}):
        number = sum(os.path.dirname(each.name) == folder for each in pending)
        kept[folder] = draw.randint(0, number) if seed else 0
    lost = []
    for each in pending:
        folder = os.path.dirname(each.name)
        kept[folder] -= 1
        if kept[folder] < 0:
            lost.append(each)
    for path in sorted(dirty):
        if not seed or draw.random() < 0.5:
            with suppress(OSError):
                os.truncate(path, 0)
    for each in reversed(lost):
        _undo(each)


def _volatile(changes: tuple[Change, ...]) -> tuple[list[Change], set[str]]:
    """Return the changes of names and the files' data that a power cut may take."""
    pending: list[Change] = []
    dirty: set[str] = set()
    for each in changes:
        if each.what == "syncfs":
            pending, dirty = [], set()
        elif each.what == "fsync":
            dirty.discard(each.path)
            pending = [one for one in pending if os.path.dirname(one.name) != each.path]
        elif each.what in ("open", "write"):
            dirty.add(each.path)
        elif each.what != "metadata":
            pending.append(each)
            if each.what in ("create", "truncate"):
                dirty.add(each.path)
            if each.what == "rename":
                dirty = {_moved(path, each) for path in dirty}
    return [each for each in pending if each.what != "truncate"], dirty


def published_too_early(ending: Ending) -> list[str]:
    """List the renames that gave a name to what was not durable yet."""
    early = []
    for number, each in enumerate(ending.changes):
        if each.what not in ("link", "rename") or os.path.basename(each.target).startswith("."):
            continue
        pending, dirty = _volatile(ending.changes[:number])
        inside = each.path + "/"
        unsafe = [path for path in dirty if path == each.path or path.startswith(inside)]
        unsafe += [one.name for one in pending if one.name.startswith(inside)]
        early += [f"{path} as {each.target}" for path in unsafe]
    return early


def not_durable(ending: Ending) -> list[str]:
    """List what a power cut right after the operation would take, but for what is deleted."""
    pending, dirty = _volatile(ending.changes)
    lost = [f"{each.what} {each.name}" for each in pending] + sorted(dirty)
    return [text for text in lost if "/.garbage-" not in text and "/.tmp-" not in text]


def _moved(path: str, rename: Change) -> str:
    inside = path == rename.path or path.startswith(rename.path + "/")
    return rename.target + path[len(rename.path) :] if inside else path


def _undo(change: Change) -> None:
    with suppress(FileNotFoundError, NotADirectoryError):
        if change.what in ("create", "link", "symlink"):
            os.unlink(change.name)
        elif change.what == "mkdir":
            shutil.rmtree(change.path)
        elif change.what == "rmdir":
            os.mkdir(change.path, change.mode)
        elif change.what == "remove":
            os.link(change.stash, change.path, follow_symlinks=False)
        elif change.what == "rename":
            os.rename(change.target, change.path)
            if change.stash:
                os.link(change.stash, change.target, follow_symlinks=False)


def endings(
    operation: Callable[[], object], top: Path, reset: Callable[[], None], every: int = 1
) -> Iterator[tuple[int, Ending]]:
    """Run an operation again and again, struck at each `every`-th change, until it is through.

    Args:
        operation: What to run; `reset` has run before.
        top: Where changes count.
        reset: Brings everything below `top` back to where it was.
        every: 1 for all changes.
    """
    at = 1
    while True:
        reset()
        ending = run(operation, top, at)
        yield at, ending
        if not ending.struck:
            return
        at += every
