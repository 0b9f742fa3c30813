"""What ran here: the runs of a state directory, newest first, and how they compare in time.

Only looks: starts nothing, writes nothing, waits for nobody. A folder costs a look at its date;
its result is read when somebody wants to see it.
"""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal

from pytest_warmci.clients.files import read_record
from pytest_warmci.clients.locks import describe, holder
from pytest_warmci.clients.usage import entries
from pytest_warmci.errors import InputError, StateDamaged
from pytest_warmci.model import Mode
from pytest_warmci.runs.realm_owner import OWNER_MODE
from pytest_warmci.store.results import Result, read_result
from pytest_warmci.store.state import StateDirectory

RunState = Literal["running", "ended", "died", "unreadable"]

_RESULT: Final = "result.json"
_LEASE: Final = "lease"
_FAR: Final = 500
"""Results read at most to find one to compare with."""
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run.

    `result` is there exactly when it has ended. `lease` is what the run said of itself when it
    began (empty when it said nothing). `why` says more about a state that is not "ended".
    `touched` is when its folder was last written, in nanoseconds since the epoch.
    """

    id: str
    folder: Path
    state: RunState
    touched: int
    result: Result | None
    lease: dict[str, Any]
    why: str = ""

    @property
    def recipe(self) -> str:
        """The recipe's name; empty when nothing says it."""
        return str(self.lease.get("recipe", "")) if self.result is None else self.result.recipe

    @property
    def began(self) -> str:
        """When it began (ISO 8601, UTC); when it was last heard of, where nothing says it."""
        if self.result is not None:
            return self.result.started
        heard = datetime.fromtimestamp(self.touched / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return str(self.lease.get("since") or heard)

    @property
    def verdict(self) -> str:
        """The verdict; a run without a result was not evaluated, one that still runs has none."""
        if self.result is not None:
            return self.result.verdict
        return "" if self.state == "running" else "not-evaluated"

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        found = self.result
        mode = self.lease.get("mode")
        return {
            "run": self.id,
            "recipe": self.recipe,
            "state": self.state,
            "verdict": self.verdict or None,
            "reason": self.why if found is None else found.reason,
            "mode": mode if found is None else found.mode,
            "requested_mode": None if found is None else found.requested_mode,
            "engine": None if found is None else found.engine,
            "authority": found is not None and found.authority,
            "base": None if found is None else found.to_json()["base"],
            "head": None if found is None else found.to_json()["head"],
            "began": self.began,
            "seconds": None if found is None else found.seconds,
            "promoted": found is not None and found.promoted,
            "promotion_reason": "" if found is None else found.promotion_reason,
        }


@dataclass(frozen=True, slots=True)
class Times:
    """The last passed quick run of a recipe, and its last passed cold one; None: there is none."""

    recipe: str
    quick: Result | None
    cold: Result | None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        both = {"quick": self.quick, "cold": self.cold}
        return {
            "recipe": self.recipe,
            **{
                mode: None if each is None else {"run": each.run_id, "seconds": each.seconds}
                for mode, each in both.items()
            },
        }


def past_runs(
    state: StateDirectory, recipe: str | None = None, *, failed: bool = False
) -> Iterator[PastRun]:
    """Yield runs: those that still run, then by when they ended, newest first.

    Args:
        state: The state directory.
        recipe: Only runs of this one; those of which nothing says the recipe are left out then.
        failed: Only runs that have ended, or died, and did not pass.
    """
    for run in _all(state):
        if recipe not in (None, run.recipe):
            continue
        if failed and run.verdict in ("", "passed"):
            continue
        yield run


def find_run(state: StateDirectory, run_id: str) -> PastRun:
    """Return the run of that id.

    Raises:
        InputError: There is none; the error names the nearest and the newest ones.
    """
    # Looked up among the names that are there: whatever was typed, it leads nowhere else.
    folders = {path.name: path for path in run_folders(state)}
    if run_id in folders:
        return _look(folders[run_id])
    names = newest_ids(state)
    close = difflib.get_close_matches(run_id, names, n=3, cutoff=0.6)
    starts = [name for name in names if run_id and name.startswith(run_id)]
    near = list(dict.fromkeys([*starts, *close]))[:_SHOWN]
    raise InputError(
        f"there is no run {run_id!r}",
        where=str(state.runs),
        why=f"the nearest: {', '.join(near)}" if near else "",
        remedy=f"name one of the newest: {', '.join(names[:_SHOWN])}; warmci runs lists more"
        if names
        else "nothing has run yet with this state directory: pytest recipe_tests/RECIPE",
    )


def newest_ids(state: StateDirectory) -> list[str]:
    """Return the ids of all runs, the newest first, without reading any of them."""
    dated = sorted(((_touched(path), path.name) for path in run_folders(state)), reverse=True)
    return [name for _, name in dated]


def run_folders(state: StateDirectory) -> list[Path]:
    """Return the folders of all runs, in no order; a link is none."""
    return [
        Path(entry.path)
        for entry in entries(state.runs)
        if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
    ]


def compare(
    state: StateDirectory, recipes: Iterable[str], engine: str | None = None
) -> list[Times]:
    """Return the last passed run of each mode of some recipes, looking back only so far.

    Both are of one engine: what another one needs says nothing.

    Args:
        state: The state directory.
        recipes: The names of the recipes.
        engine: The engine; None means, for each recipe, that of its last passed run.
    """
    engines: dict[str, str] = {}
    found: dict[str, dict[Mode, Result]] = {recipe: {} for recipe in recipes}
    missing = 2 * len(found)
    for run in islice(_all(state), _FAR):
        result = run.result
        if result is not None and result.verdict == "passed" and result.recipe in found:
            if result.engine != (engine or engines.setdefault(result.recipe, result.engine)):
                continue
            missing -= result.mode not in found[result.recipe]
            found[result.recipe].setdefault(result.mode, result)
        if not missing:
            break
    return [
        Times(recipe, modes.get("quick"), modes.get("cold")) for recipe, modes in found.items()
    ]


def duration(seconds: float) -> str:
    """Return a length of time as people say it: `4.1 s`, `41 s`, `3 min 10 s`, `1 h 4 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _all(state: StateDirectory) -> Iterator[PastRun]:
    dated: list[tuple[int, str, Path]] = []
    alive: list[PastRun] = []
    for folder in run_folders(state):
        touched = _touched(folder)
        if not (folder / _RESULT).exists():
            run = _look(folder)
            if run.lease.get("mode") == OWNER_MODE:
                continue  # it only had realms: the Keycloak that was warmed up, the reaper
            if run.state == "running":
                alive.append(run)
                continue
        # a heap: whoever wants ten of thousands does not pay for sorting all
        dated.append((-touched, folder.name, folder))
    yield from sorted(alive, key=lambda run: run.began, reverse=True)
    heapq.heapify(dated)
    while dated:
        yield _look(heapq.heappop(dated)[2])


def _touched(folder: Path) -> int:
    """Return when a run ended; without a result, when something of it was last written."""
    for path in (folder / _RESULT, folder):
        try:
            return path.stat().st_mtime_ns
        except OSError:
            continue
    return 0


def _look(folder: Path) -> PastRun:
    lease: dict[str, Any] = {}
    for _ in range(2):  # a run that ends between two looks has a result at the second one
        try:
            return PastRun(
                folder.name, folder, "ended", _touched(folder), read_result(folder), lease
            )
        except FileNotFoundError:
            pass
        except StateDamaged as error:
            return _without_result(folder, "unreadable", lease, error.summary)
        try:
            held = holder(folder / f"{_LEASE}.lock")
        except OSError as error:
            return _without_result(folder, "unreadable", lease, str(error))
        if held is not None:
            return _without_result(folder, "running", held, describe(held))
        lease = _last_lease(folder)
    return _without_result(folder, "died", lease, "it died: it left no result")


def _without_result(folder: Path, state: RunState, lease: dict[str, Any], why: str) -> PastRun:
    return PastRun(folder.name, folder, state, _touched(folder), None, lease, why)


def _last_lease(folder: Path) -> dict[str, Any]:
    """Return what a run that is gone said of itself; empty when it said nothing."""
    try:
        return read_record(folder / f"{_LEASE}.json", "lease")
    except (FileNotFoundError, StateDamaged):
        return {}
