"""Building one thing of the cache: one process at a time, the others take what it made.

Below an app's lock in the lock order: whoever builds waits for no app.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pytest_warmci.clients.files import make_folder, remove_tree, sweep_garbage
from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.protocols import Progress

_LIMIT: Final = 1800.0
"""Seconds; a download or a build step that hangs is given up sooner by whoever began it."""


@contextmanager
def alone(cache: Path, name: str, why: str, progress: Progress) -> Iterator[None]:
    """Build the thing `name` of an engine's cache while nobody else does.

    Look again inside whether it still has to be built.

    Args:
        cache: The engine's cache folder.
        name: What locks call it; the same for all who build it.
        why: What others read while they wait.
        progress: Told whom we wait for.

    Raises:
        LockBusy: Somebody else has built for longer than anything takes.
    """
    locks = cache / "locks"
    make_folder(locks)
    who = Holder(run="", mode="build", why=why)
    with hold(locks / f"{name}.lock", who=who, limit=_LIMIT, on_wait=progress):
        yield


def part_of(target: Path) -> Path:
    """Return the place where `target` is built before it is renamed; `sweep_parts` knows it."""
    return target.with_name(f".{target.name}.part")


def sweep_parts(target: Path) -> None:
    """Remove what those who died while they built `target` left; belongs under its lock."""
    begin = f".{target.name}."
    for found in sorted(target.parent.iterdir()) if target.parent.is_dir() else []:
        # More dots: another thing's part, whose name begins like ours.
        if found.name.startswith(begin) and "." not in found.name.removeprefix(begin):
            remove_tree(found)
    sweep_garbage(target.parent)
