"""Recipes behind a URL: a mirror of the repository in the cache, brought up to date when opened."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from pytest_warmci.clients import git
from pytest_warmci.errors import CommandFailed, FetchFailed, LockBusy


def mirror(url: str, cache: Path) -> Path:
    """Return a bare repository that has all refs of a URL, cloned or fetched just now.

    Raises:
        FetchFailed: The URL does not answer or is no repository.
        LockBusy: Another process has been at it for longer than any fetch takes.
    """
    sources = cache / "sources"
    sources.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^0-9A-Za-z._-]", "", re.split(r"[/:]", url.rstrip("/"))[-1])
    short = name.removesuffix(".git").lstrip(".")[:40] or "source"
    target = sources / f"{short}-{hashlib.sha256(url.encode()).hexdigest()[:16]}"
    with _alone(target.with_name(f"{target.name}.lock"), git.NETWORK):
        try:
            if target.is_dir():
                git.Repository(target).fetch_mirror()
            else:
                _clone(url, target)
        except CommandFailed as error:
            raise FetchFailed(
                "cannot be fetched",
                where=url,
                why=error.why or error.what,
                remedy="look at the address and the network and run again, or give a local clone",
            ) from None
    return target


def _clone(url: str, target: Path) -> None:
    building = Path(tempfile.mkdtemp(prefix=".building-", dir=target.parent))
    try:
        git.clone_mirror(url, building / "repository")
        (building / "repository").rename(target)
    finally:
        shutil.rmtree(building, ignore_errors=True)


@contextlib.contextmanager
def _alone(path: Path, limit: float) -> Iterator[None]:
    """Hold a lock file: git refuses two fetches at once with an error that explains nothing."""
    with path.open("w") as stream:
        take = functools.partial(fcntl.flock, stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        end = time.monotonic() + limit
        while True:
            try:
                take()
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise LockBusy(
                        "another process has been fetching this source for too long",
                        where=str(path),
                        remedy="wait for it, or end it",
                    ) from None
                time.sleep(0.1)
        yield
