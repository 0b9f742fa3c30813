"""Making a recipe's first known-good, or another version's: by a green cold run and nothing else.

The cold run is a pytest of its own, the same that anybody could start; what it made of the
registry is read afterwards.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pytest_warmci.clients import command
from pytest_warmci.clients.usage import tree_bytes
from pytest_warmci.errors import InputError, SnapshotDamaged, StateDamaged, WarmciError
from pytest_warmci.model import AUTO_ENGINE, DEFAULT_ENGINE, FORMAT, KnownGood, Revision
from pytest_warmci.protocols import Progress
from pytest_warmci.recipes.enrolment import read_enrolment
from pytest_warmci.recipes.source import Source, open_source
from pytest_warmci.runs.choosing import choose, home_of, own_options
from pytest_warmci.runs.engines import keeper, open_engine
from pytest_warmci.runs.place import Place
from pytest_warmci.runs.session import SessionRuns
from pytest_warmci.runs.status import age_seconds
from pytest_warmci.runs.training import train_canonical
from pytest_warmci.settings import DEFAULT_LOCK_LIMIT, EngineOptions, Setting, Settings
from pytest_warmci.store.manifest import read_manifest
from pytest_warmci.store.quarantine import quarantine_reason
from pytest_warmci.store.registry import Registry
from pytest_warmci.store.results import Result, read_result
from pytest_warmci.store.state import StateDirectory, open_state, peek_state
from pytest_warmci.store.streams import apart

WITNESS: Final = "witness.py"
NOT_POSSIBLE: Final = 75
"""Exit status of a seed whose run was green but could not promote."""

_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class Seeding:
    """A seed that is due: where, of which recipe's folder, and the published version wanted.

    `engine` is the one that it is made on, `asked` what was named for it: `auto` too. `explicit`
    says that the version was asked for by name, so that it may be an older one. `options` is what
    the engine is told beside its name; where nothing is, the run has what its ini file says.
    """

    state: Setting[Path]
    engine: Setting[str]
    folder: Path
    revision: Revision
    explicit: bool
    asked: str
    options: EngineOptions = ()

    @property
    def recipe(self) -> str:
        """The recipe's name."""
        return self.folder.name

    def argv(self) -> list[str]:
        """Return the command line of the cold run."""
        head = self.revision.version if self.explicit else "published"
        words = [sys.executable, "-m", "pytest", str(self.folder)]
        words += ["--warmci-head", head, "--warmci-state", str(self.state.value)]
        words += ["--warmci-engine", self.asked]
        words += [f"--warmci-engine-option={name}={value}" for name, value in self.options]
        return [*words, "--warmci-seed"] if self.explicit else words


@dataclass(frozen=True, slots=True)
class Seeded:
    """What a seed has come to.

    `exit_status` is what the command ends with: the run's own, but 75 where a green run did not
    promote. `reason` says why there is no new known-good, empty when there is. `entry` is the
    registry's now, `size_bytes` what its volumes and snapshots take on disk.
    """

    recipe: str
    exit_status: int
    reason: str
    entry: KnownGood | None
    size_bytes: int = 0
    result: Result | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "format": FORMAT,
            "recipe": self.recipe,
            "exit_status": self.exit_status,
            "promoted": self.result is not None and not self.reason,
            "reason": self.reason,
            "known_good": known_good_json(self.entry, self.size_bytes),
            "result": None if self.result is None else self.result.to_json(),
        }


def known_good_json(entry: KnownGood | None, size_bytes: int) -> dict[str, Any] | None:
    """Return a registry entry as plain data, without what a witness keeps for itself."""
    if entry is None:
        return None
    facts = asdict(entry)
    del facts["witness"], facts["format"]
    return {**facts, "age_seconds": age_seconds(entry.promoted_at), "size_bytes": size_bytes}


def existing(state: Setting[Path], engine: Setting[str], recipe: str) -> Seeded | None:
    """Return what there is when the recipe has a valid known-good there that is not set aside.

    Valid: the entry can be read, and its snapshot is there with the digest of the entry. (Its
    bytes are compared by every run that uses it.) Creates nothing.

    Raises:
        StateDamaged: The entry, or the mark of a quarantine, cannot be read.
    """
    directory = peek_state(state.value)
    if directory is None:
        return None
    name = engine.value
    if name == AUTO_ENGINE:
        home = home_of(directory, recipe)
        name = DEFAULT_ENGINE if home is None else home.engine
    entry = Registry(directory).find(name, recipe)
    if entry is None:
        return None
    place = _place(directory, entry)
    if quarantine_reason(place.folder):
        return None
    try:
        manifest = read_manifest(place.snapshots / entry.generation)
    except SnapshotDamaged:
        return None
    if manifest.measured.digest != entry.digest:
        return None
    return Seeded(recipe, 0, "", entry, _size(directory, entry))


def prepare(
    state: Setting[Path],
    engine: Setting[str],
    folder: Path,
    version: str | None,
    progress: Progress,
    options: EngineOptions = (),
) -> Seeding:
    """Make sure that a seed can succeed before minutes are spent on it.

    Args:
        state: The state directory; created when it is missing.
        engine: The engine to make it on; `auto` is decided here.
        folder: The recipe's folder.
        version: The published version to seed; None means the newest.
        progress: Told about work that takes long.
        options: What the engine is told beside its name.

    Raises:
        EngineUnavailable: `auto` finds none, or what the engine needs is not installed.
        InputError: The recipe, its source or the version is not usable, or there is no witness.
        UsageError: The state directory cannot be used, or the engine has no such option.
        FetchFailed: The source could not be fetched.
    """
    enrolment = read_enrolment(folder)
    if not (folder / WITNESS).is_file():
        raise InputError(
            f"there is no {WITNESS}, and without one nothing can become known-good",
            where=str(folder),
            why="data: not witnessed",
            remedy=f"write {WITNESS} with plant(app) -> dict and check(app, planted) -> int",
        )
    directory = open_state(state.value)
    source = open_source(enrolment.source, directory.cache)
    revision = source.resolve("published") if version is None else _published(source, version)
    chosen = engine
    if engine.value == AUTO_ENGINE:
        found = choose(folder, directory, progress, options)
        chosen = Setting(found.engine.name, found.reason)
    elif options:
        open_engine(engine.value, folder, directory, progress, options)  # refuses what it has not
    return Seeding(
        state,
        chosen,
        enrolment.folder,
        revision,
        explicit=version is not None,
        asked=engine.value,
        options=options,
    )


def run(seeding: Seeding) -> Seeded:
    """Run the cold run in the foreground, its output on our own, and read what it has changed.

    Raises:
        CommandFailed: pytest cannot be started.
        StateDamaged: The registry cannot be read afterwards.
    """
    state = open_state(seeding.state.value)
    before = {path.name for path in state.runs.iterdir()}
    code = command.stream(seeding.argv())
    status = code if code >= 0 else 128 - code
    engine = seeding.engine.value
    entry = Registry(state).find(engine, seeding.recipe)
    result = _result(state, seeding, before, entry)
    reason = _why_not(seeding, status, entry, result)
    if reason and status == 0:
        status = NOT_POSSIBLE
    size = 0 if entry is None else _size(state, entry)
    return Seeded(seeding.recipe, status, reason, entry, size, result)


def train(seeding: Seeding, progress: Progress) -> tuple[str, str]:
    """Let the canonical's boots become faster.

    Returns:
        What was done (empty when there was nothing to do), and what went wrong (empty when
        nothing did). Neither changes the known-good.
    """
    settings = Settings(
        mode=Setting("cold", "warmci seed"),
        state=seeding.state,
        head=Setting(seeding.revision.version, "warmci seed"),
        source=Setting(None, "default"),
        engine=seeding.engine,
        lock_limit=Setting(DEFAULT_LOCK_LIMIT, "default"),
        allow_lower=Setting(value=False, origin="default"),
        keep=Setting(None, "default"),
        server_keys=Setting(False, "default"),
        session=secrets.token_hex(6),
        engine_options=Setting(
            own_options(seeding.engine.value, seeding.options), "--engine-option"
        ),
    )
    try:
        return train_canonical(SessionRuns(settings, progress), seeding.folder), ""
    except WarmciError as error:
        return "", error.summary
    except OSError as error:
        return "", str(error)


def _published(source: Source, version: str) -> Revision:
    published = source.published()
    for revision in published:
        if revision.version == version:
            return revision
    newest = [each.version for each in reversed(published)]
    more = f" and {len(newest) - _SHOWN} older" if len(newest) > _SHOWN else ""
    raise InputError(
        f"'{version}' is not a published version",
        where=source.location,
        why=f"published: {', '.join(newest[:_SHOWN]) or 'none'}{more}",
        remedy="name one of them: only what is published can become known-good",
    )


def _result(
    state: StateDirectory, seeding: Seeding, before: set[str], entry: KnownGood | None
) -> Result | None:
    """Find the result of the run that has just ended.

    Others may have tested the same recipe meanwhile: the run that made the entry is ours to tell
    about first, then the one that ended last.
    """
    found: list[Result] = []
    for path in state.runs.iterdir():
        if path.name in before:
            continue
        try:
            result = read_result(path)
        except (FileNotFoundError, NotADirectoryError, StateDamaged):
            continue
        wanted = (seeding.recipe, seeding.engine.value, "cold")
        ours = (result.recipe, result.engine, result.requested_mode) == wanted
        if ours and result.head is not None and result.head.commit == seeding.revision.commit:
            found.append(result)
    maker = entry.promoted_by if entry is not None else ""
    found.sort(key=lambda result: (result.run_id == maker, result.started))
    return found[-1] if found else None


def _why_not(seeding: Seeding, status: int, entry: KnownGood | None, result: Result | None) -> str:
    """Say why the wanted version is not the known-good that this run made; empty when it is."""
    if result is None:
        return f"the run left no result (pytest ended with {status}: see its output)"
    if not result.promoted:
        if result.verdict != "passed":
            return f"the cold run {_verdict(result)}"
        return ": ".join(
            filter(None, (result.promotion_reason, "; ".join(result.incomplete_because)))
        )
    if entry is None or (entry.version, entry.commit) != (
        seeding.revision.version,
        seeding.revision.commit,
    ):
        return "it was promoted, but another run has moved the known-good since"
    if status != 0:
        return f"it was promoted, but pytest ended with {status}: see its output"
    return ""


def _verdict(result: Result) -> str:
    words: Mapping[str, str] = {
        "failed": "failed",
        "skipped": "was skipped",
        "not-evaluated": "could not be evaluated",
    }
    return words[result.verdict] + (f": {result.reason}" if result.reason else "")


def _place(state: StateDirectory, entry: KnownGood) -> Place:
    return Place(entry.recipe, entry.domain, state.app(entry.engine, entry.domain))


def _size(state: StateDirectory, entry: KnownGood) -> int:
    place = _place(state, entry)
    near, far = apart(keeper(entry.engine, state, lambda _: None).data(place))
    kept = tree_bytes(place.snapshots)
    # What is behind an engine is as large as what was just taken of it.
    return sum(tree_bytes(root) for root in near.values()) + kept + (kept if far else 0)
