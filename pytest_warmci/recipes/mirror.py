"""Recipes behind a URL: a mirror of the repository in the cache, brought up to date when opened."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from pytest_warmci.clients import git
from pytest_warmci.clients.files import make_folder, remove_tree
from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.errors import CommandFailed, FetchFailed


def mirror(url: str, cache: Path) -> Path:
    """Return a bare repository that has all refs of a URL, cloned or fetched just now.

    Raises:
        FetchFailed: The URL does not answer or is no repository.
        LockBusy: Another process has been at it for longer than any fetch takes.
    """
    sources, locks = cache / "sources", cache / "locks"
    make_folder(sources)
    make_folder(locks)
    name = re.sub(r"[^0-9A-Za-z._-]", "", re.split(r"[/:]", url.rstrip("/"))[-1])
    short = name.removesuffix(".git").lstrip(".")[:40] or "source"
    target = sources / f"{short}-{hashlib.sha256(url.encode()).hexdigest()[:16]}"
    # git refuses two fetches at once with an error that explains nothing.
    who = Holder(run="", mode="fetch", why=short)
    with hold(locks / f"{target.name}.lock", who=who, limit=git.NETWORK):
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
    building = target.with_name(f".building-{target.name}")
    remove_tree(building)  # of somebody who died at it
    try:
        git.clone_mirror(url, building)
        building.rename(target)
    finally:
        remove_tree(building)
