"""What is warm: every canonical with its version, age, size, holder and last results.

Only looks: starts nothing, writes nothing, waits for nobody. Modules that are slow to import stay
out of here, so that looking is quick.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pytest_warmci.clients.locks import describe, holder
from pytest_warmci.clients.usage import entries, tree_bytes
from pytest_warmci.errors import InputError, StateDamaged, WarmciError
from pytest_warmci.model import FORMAT, KnownGood, Mode
from pytest_warmci.naming import canonical_domain, canonical_recipe
from pytest_warmci.runs.engines import used_engines
from pytest_warmci.settings import Setting
from pytest_warmci.store.alerts import open_alerts
from pytest_warmci.store.journal import Journal
from pytest_warmci.store.kept import read_kept
from pytest_warmci.store.quarantine import quarantine_reason
from pytest_warmci.store.registry import Registry
from pytest_warmci.store.results import Result, read_result
from pytest_warmci.store.state import StateDirectory, peek_state

State = Literal[
    "known-good", "none", "damaged", "quarantined", "in-use", "kept", "interrupted", "unreadable"
]

Runs = Mapping[Mode, Result]


@dataclass(frozen=True, slots=True)
class WarmThing:
    """One canonical, or what is there of one that has no known-good yet.

    `states` maps each state that holds to its details; sizes are bytes on disk, that of volumes
    None where only the engine can tell, which nobody asks here; `holder` is the lock's record
    (empty when nameless), None when nobody holds it; `last` has the newest result of each mode
    that ran.
    """

    recipe: str
    engine: str
    domain: str
    entry: KnownGood | None
    states: Mapping[State, str]
    holder: Mapping[str, Any] | None
    journal: Mapping[str, Any] | None
    volumes_bytes: int | None
    snapshot_bytes: int
    last: Runs

    @property
    def size_bytes(self) -> int:
        """Bytes on disk of snapshots, and of volumes as far as that is known."""
        return (self.volumes_bytes or 0) + self.snapshot_bytes

    def to_json(self) -> dict[str, Any]:
        """Return all facts as plain data, without what a witness keeps for itself."""
        entry = {} if self.entry is None else asdict(self.entry)
        entry.pop("witness", None)
        entry.pop("format", None)
        return {
            **entry,
            "recipe": self.recipe,
            "engine": self.engine,
            "domain": self.domain,
            "known_good": self.entry is not None,
            "age_seconds": None if self.entry is None else age_seconds(self.entry.promoted_at),
            "states": dict(self.states),
            "holder": None if self.holder is None else dict(self.holder),
            "journal": None if self.journal is None else dict(self.journal),
            "volumes_bytes": self.volumes_bytes,
            "snapshot_bytes": self.snapshot_bytes,
            "last": {
                mode: self.last[mode].to_json() if mode in self.last else None
                for mode in ("cold", "quick")
            },
        }


@dataclass(frozen=True, slots=True)
class Status:
    """What there is in a state directory; `exists` is false when there is none."""

    state: Setting[Path]
    exists: bool
    warnings: tuple[str, ...] = ()
    things: tuple[WarmThing, ...] = ()
    alerts: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "format": FORMAT,
            "state": {
                "path": str(self.state.value),
                "origin": self.state.origin,
                "exists": self.exists,
                "warnings": list(self.warnings),
            },
            "canonicals": [thing.to_json() for thing in self.things],
            "alerts": [dict(alert) for alert in self.alerts],
        }


def look(state: Setting[Path], recipe: str | None = None, only: str | None = None) -> Status:
    """Return what is warm, of one recipe or of all, on one engine or on all.

    What cannot be read is a state of the thing that it belongs to, and hides nothing else.

    Raises:
        UsageError: The state directory is not ours to read.
        StateDamaged: Its own record cannot be read.
    """
    directory = peek_state(state.value)
    if directory is None:
        return Status(state, exists=False)
    names = sorted(
        {
            (found, engine)
            for engine in used_engines(directory)
            if only in (None, engine)
            for found in _recipes(directory, engine)
            if recipe in (None, found)
        }
    )
    last = _last_runs(directory, names)
    things = tuple(_thing(directory, name, engine, last) for name, engine in names)
    alerts = open_alerts(directory.alerts)
    if recipe is not None:
        subjects = {recipe, canonical_domain(recipe), *(thing.domain for thing in things)}
        alerts = [alert for alert in alerts if alert.get("subject") in subjects]
    return Status(state, True, tuple(directory.warnings()), things, tuple(alerts))


def age_seconds(since: str) -> float | None:
    """Return how many seconds ago an ISO 8601 time was, None when it is not one."""
    try:
        then = datetime.fromisoformat(since)
        return max((datetime.now(UTC) - then).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return None


def _recipes(state: StateDirectory, engine: str) -> Iterator[str]:
    """Name the recipes with an entry, and those with an app at a canonical's domain."""
    for name in _visible(state.canonicals(engine)):
        if name.endswith(".yml"):
            yield name.removesuffix(".yml")
    for name in _visible(state.apps(engine)):
        recipe = canonical_recipe(name)
        if recipe is not None:
            yield recipe


def _app_of(state: StateDirectory, recipe: str, engine: str) -> str:
    """Return the domain of a canonical's app that no entry names."""
    apps = sorted(
        name for name in _visible(state.apps(engine)) if canonical_recipe(name) == recipe
    )
    return apps[0] if apps else canonical_domain(recipe)


def _visible(folder: Path) -> list[str]:
    return [entry.name for entry in entries(folder) if not entry.name.startswith(".")]


def _thing(
    state: StateDirectory,
    recipe: str,
    engine: str,
    last: Mapping[tuple[str, str], Runs],
) -> WarmThing:
    states: dict[State, str] = {}
    entry = None
    try:
        entry = Registry(state).find(engine, recipe)
    except WarmciError as error:
        states["damaged"] = error.summary
    domain = _app_of(state, recipe, engine) if entry is None else entry.domain
    try:
        folder, lock = state.app(engine, domain), state.lock(domain)
    except InputError as error:
        states["damaged"] = error.summary
        domain = _app_of(state, recipe, engine)
        folder, lock = state.app(engine, domain), state.lock(domain)
    try:
        reason = quarantine_reason(folder)
        if reason:
            states["quarantined"] = reason
    except StateDamaged as error:
        states["quarantined"] = error.summary
    held, journal, kept = None, None, None
    try:
        kept = read_kept(folder)
        held, journal = _in_flight(lock, Journal(folder))
    except (OSError, StateDamaged) as error:
        states["unreadable"] = error.summary if isinstance(error, WarmciError) else str(error)
    if held is not None:
        states["in-use"] = describe(held)
    elif kept is not None:
        states["kept"] = f"by run {kept.run} until {kept.until}"
    elif journal is not None:
        states["interrupted"] = (
            f"{journal.get('op')} of run {journal.get('run')}, begun {journal.get('begun')}"
        )
    if entry is None and "damaged" not in states:
        states["none"] = ""
    return WarmThing(
        recipe=recipe,
        engine=engine,
        domain=domain,
        entry=entry,
        states=states or {"known-good": ""},
        holder=held,
        journal=journal,
        volumes_bytes=_volumes_bytes(folder, entry),
        snapshot_bytes=tree_bytes(folder / "snapshot"),
        last=last.get((recipe, engine), {}),
    )


def _volumes_bytes(folder: Path, entry: KnownGood | None) -> int | None:
    volumes = folder / "volumes"
    elsewhere = entry is not None and not volumes.is_dir()
    return None if elsewhere else tree_bytes(volumes)


def _in_flight(
    lock: Path, journal: Journal
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return who holds an app, and what is half done.

    A journal whose run has just begun or ended looks like a dead run's, so it is looked at again.
    """
    held, begun = holder(lock), journal.read()
    if held is None and begun is not None:
        held, begun = holder(lock), journal.read()
    return held, begun


def _last_runs(
    state: StateDirectory, wanted: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], dict[Mode, Result]]:
    """Find the newest result of each mode, reading no more results than that takes."""
    found: dict[tuple[str, str], dict[Mode, Result]] = {name: {} for name in wanted}
    missing = 2 * len(found)
    for folder in _newest_first(state.runs):
        if not missing:
            break
        try:
            result = read_result(folder)
        except (FileNotFoundError, StateDamaged):
            continue
        runs = found.get((result.recipe, result.engine))
        if runs is not None and result.mode not in runs:
            runs[result.mode] = result
            missing -= 1
    return found


def _newest_first(runs: Path) -> list[Path]:
    dated = []
    for name in _visible(runs):
        try:
            dated.append(((runs / name / "result.json").stat().st_mtime_ns, name))
        except OSError:
            continue  # it runs, or it was killed before it had a result
    return [runs / name for _, name in sorted(dated, reverse=True)]
