"""Removing what dead runs left, and saying why the rest stays.

A run is alive exactly while its kernel lock is held; age proves nothing. The one thing that goes
by the clock is an app that was kept for a person to look at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from pytest_warmci.clients.files import sweep_garbage
from pytest_warmci.clients.locks import Holder, describe, hold, holder
from pytest_warmci.errors import LockBusy, StateDamaged, WarmciError
from pytest_warmci.naming import canonical_recipe, is_kept_warm
from pytest_warmci.protocols import Engine
from pytest_warmci.runs.place import Place
from pytest_warmci.runs.recover import STOP_SECONDS, recover_canonical, remove_app
from pytest_warmci.store.journal import Journal
from pytest_warmci.store.kept import KeptApp, read_kept
from pytest_warmci.store.state import StateDirectory

Outcome = Literal["removed", "restored", "kept", "failed"]

_FOR_A_PERSON: Final = "its folder is gone; what it has on the engine is for a person to remove"


@dataclass(frozen=True, slots=True)
class Reaped:
    """What became of one app (in a dry run: what would), and why.

    Without a domain it is about an engine that could not be asked for apps that have no folder.
    """

    domain: str
    engine: str
    outcome: Outcome
    why: str

    def to_json(self) -> dict[str, str]:
        """Return it as plain data."""
        return asdict(self)

    @property
    def name(self) -> str:
        """What it is about, for people."""
        return self.domain or f"engine {self.engine}"

    def __str__(self) -> str:
        return f"{self.outcome} {self.name}: {self.why}"


def reap_apps(state: StateDirectory, engine: Engine) -> list[str]:
    """Reap, as the first thing that every run does; return what has changed, one sentence each.

    An app that cannot be removed does not keep another one from being tested: it is told.
    """
    return [str(each) for each in reap(state, engine) if each.outcome != "kept"]


def reap(
    state: StateDirectory,
    engine: Engine,
    *,
    dry_run: bool = False,
    session: str = "reap",
    only: str = "",
    end_kept: bool = False,
) -> list[Reaped]:
    """Remove the throw-away apps of dead runs, and end apps whose time to be looked at is over.

    Args:
        state: The state directory.
        engine: What deployed them.
        dry_run: Only say what would be done.
        session: Who does it, for journals.
        only: The domain to reap; empty for all.
        end_kept: Also what is kept for somebody to look at.

    Returns:
        One entry for each app that could have been removed.
    """
    found = []
    folders = {folder.name: folder for folder in _apps(state, engine)}
    for folder in folders.values():
        if only in ("", folder.name):
            one = _reap_one(state, engine, folder, session, dry_run=dry_run, force=end_kept)
            found += [one] if one is not None else []
    if not only:
        found += _reap_strays(state, engine, folders, session, dry_run=dry_run)
    if not dry_run:
        _sweep(state)
    return found


def _reap_strays(
    state: StateDirectory,
    engine: Engine,
    known: Collection[str],
    session: str,
    *,
    dry_run: bool,
) -> Iterator[Reaped]:
    """Remove what an engine has of apps whose folder is gone, which are those that are not known."""
    try:
        domains = sorted(set(engine.domains()) - set(known))
    except WarmciError as error:
        yield Reaped("", engine.name, "failed", f"it cannot be asked: {error.summary}")
        return
    for domain in domains:
        try:
            folder = state.app(engine.name, domain)
        except WarmciError as error:  # whoever wrote that label did not know what a domain is
            yield Reaped(domain, engine.name, "failed", error.summary)
            continue
        one = _reap_one(
            state, engine, folder, session, dry_run=dry_run, force=False, folder_gone=True
        )
        if one is not None:
            yield one


def _reap_one(
    state: StateDirectory,
    engine: Engine,
    folder: Path,
    session: str,
    *,
    dry_run: bool,
    force: bool,
    folder_gone: bool = False,
) -> Reaped | None:
    domain = folder.name
    who = Holder(run="reap", mode="reap", why="remove what a dead run left")
    lock = state.lock(domain)
    try:
        kept = read_kept(folder)
        if is_kept_warm(domain) and kept is None:
            return Reaped(domain, engine.name, "kept", _FOR_A_PERSON) if folder_gone else None
        if dry_run:
            held = holder(lock)
            busy = held is not None
            why = f"in use by {describe(held)}" if held is not None else ""
            if busy:
                return Reaped(domain, engine.name, "kept", why)
            return _due(engine, folder, kept, force=force)
        with hold(lock, who=who, limit=0):
            if folder.is_dir() is folder_gone:
                return None  # it went, or was made, before we had the lock
            kept = read_kept(folder)  # whoever held the lock may have kept it at the last moment
            if is_kept_warm(domain) and kept is None:
                return None
            due = _due(engine, folder, kept, force=force)
            if due.outcome == "removed":
                remove_app(engine, Place("", domain, folder), STOP_SECONDS)
            elif due.outcome == "restored":
                recipe = canonical_recipe(domain) or ""
                recover_canonical(state, engine, Place(recipe, domain, folder), session)
            return due
    except LockBusy as busy_error:
        return Reaped(domain, engine.name, "kept", busy_error.why)
    except (WarmciError, OSError) as error:
        text = error.summary if isinstance(error, WarmciError) else str(error)
        return Reaped(domain, engine.name, "failed", text)


def _due(engine: Engine, folder: Path, kept: KeptApp | None, *, force: bool) -> Reaped:
    """Say what is due for an app that nobody holds."""
    if kept is not None and not force and not kept.expired(datetime.now(UTC)):
        why = f"run {kept.run} keeps it until {kept.until}"
        return Reaped(folder.name, engine.name, "kept", why)
    if kept is not None:
        why = f"run {kept.run} kept it until {kept.until}"
    else:
        why = "a dead run had left it" if folder.is_dir() else "its folder is gone"
    with suppress(StateDamaged):
        begun = Journal(folder).read()
        if kept is None and begun is not None:
            why = f"run {begun.get('run')} died, it had begun {begun.get('begun')}"
    outcome: Outcome = "restored" if is_kept_warm(folder.name) else "removed"
    return Reaped(folder.name, engine.name, outcome, why)


def _apps(state: StateDirectory, engine: Engine) -> Iterator[Path]:
    apps = state.apps(engine.name)
    for folder in sorted(apps.iterdir()) if apps.is_dir() else []:
        if not folder.name.startswith(".") and folder.is_dir():
            yield folder


def _sweep(state: StateDirectory) -> None:
    """Delete unfinished files of dead processes, wherever a run writes."""
    tops = [state.root, state.locks, state.runs, state.sessions, state.alerts]
    tops.append(state.cache / "sources")
    for group in (state.root / "apps", state.root / "canonicals"):
        tops += sorted(group.iterdir()) if group.is_dir() else []
    for run in state.runs.iterdir():
        tops += [run, run / "logs"]  # also where there is a result: a lease is given back after it
    for top in tops:
        with suppress(OSError):
            sweep_garbage(top)
