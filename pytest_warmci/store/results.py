"""What one run found: `result.json` is the truth, every other report derives from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pytest_warmci.clients import files
from pytest_warmci.errors import StateDamaged
from pytest_warmci.model import FORMAT, Mode, Verdict
from pytest_warmci.store.result_schema import RESULT_SCHEMA

_FILE: Final = "result.json"


@dataclass(frozen=True, slots=True)
class TestedVersion:
    """A version (may be empty: not published) and its commit."""

    __test__ = False  # the name is ours, not pytest's

    version: str
    commit: str


@dataclass(frozen=True, slots=True)
class WitnessCount:
    """How much of the planted data was found; None when it was not looked for."""

    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class KnownGoodDigests:
    """Digest of the known-good before and after the run; None when there was none."""

    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of test items by outcome."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    deselected: int = 0


@dataclass(frozen=True, slots=True)
class PhaseTime:
    """One timed step of a run; `outcome` is `passed`, `failed` or `interrupted`."""

    name: str
    seconds: float
    outcome: str


@dataclass(frozen=True, slots=True)
class KeptRunning:
    """Where an app that was left running answers, and until when (ISO 8601 in UTC)."""

    url: str
    domain: str
    until: str


@dataclass(frozen=True, slots=True)
class Held:
    """An app whose lock the run held, and from when to when (ISO 8601 in UTC, microseconds)."""

    domain: str
    since: str
    until: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where the recipe came from: path or URL, and which head was asked for."""

    location: str
    head_ref: str


@dataclass(frozen=True, slots=True)
class Result:
    """One recipe in one session.

    `mode` is what ran, `requested_mode` what was asked for; `authority` says whether it may gate a
    merge. `started` is ISO 8601 in UTC, `seconds` the whole run. `proved_head` says how it was
    proven that head is what ran, None when it was not. `evidence` names files of the run's folder,
    `kept` an app that was left running to be looked at. `engine_options` is what the engine was
    told beside its name; a file with the digest of its content. `engine_reason` says who named the
    engine, or why it was chosen.
    """

    run_id: str
    session: str
    recipe: str
    engine: str
    mode: Mode
    requested_mode: Mode
    authority: bool
    complete: bool
    verdict: Verdict
    reason: str
    source: Source
    started: str
    seconds: float
    base: TestedVersion | None = None
    head: TestedVersion | None = None
    proved_head: str | None = None
    witness: WitnessCount | None = None
    known_good: KnownGoodDigests = KnownGoodDigests(None, None)
    promoted: bool = False
    promotion_reason: str = ""
    tests: Counts = Counts()
    phases: tuple[PhaseTime, ...] = ()
    held: tuple[Held, ...] = ()
    leftovers: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    kept: KeptRunning | None = None
    incomplete_because: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    canonical_domain: str | None = None
    engine_options: tuple[str, ...] = ()
    engine_reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as `RESULT_SCHEMA` describes it."""
        record = asdict(self)
        for name, value in record.items():
            if isinstance(value, tuple):
                record[name] = list(value)
        return {"format": FORMAT, **record}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Result:
        """Return what `to_json` made.

        Raises:
            StateDamaged: The record is something else.
        """
        values = {key: value for key, value in record.items() if key != "format"}
        missing = sorted(set(RESULT_SCHEMA["required"]) - record.keys())
        if missing:
            raise StateDamaged("this is not a result", why=f"without {', '.join(missing)}")
        try:
            return cls(
                **values
                | {
                    "source": Source(**values["source"]),
                    "base": _version(values["base"]),
                    "head": _version(values["head"]),
                    "witness": values["witness"] and WitnessCount(**values["witness"]),
                    "known_good": KnownGoodDigests(**values["known_good"]),
                    "tests": Counts(**values["tests"]),
                    "phases": tuple(PhaseTime(**phase) for phase in values["phases"]),
                    "held": tuple(Held(**each) for each in values["held"]),
                    "leftovers": tuple(values["leftovers"]),
                    "evidence": tuple(values["evidence"]),
                    "kept": values["kept"] and KeptRunning(**values["kept"]),
                    "incomplete_because": tuple(values["incomplete_because"]),
                    "notes": tuple(values["notes"]),
                    "engine_options": tuple(values["engine_options"]),
                }
            )
        except TypeError as error:
            raise StateDamaged("this is not a result", why=str(error)) from error


def write_result(folder: Path, result: Result) -> Path:
    """Write `result.json` into a run's folder; return its path.

    Raises:
        DiskTooSmall: There is no room for it.
    """
    path = folder / _FILE
    files.write_json(path, result.to_json())
    return path


def read_result(folder: Path) -> Result:
    """Read the result in a run's folder.

    Raises:
        FileNotFoundError: The run has left none (= not evaluated).
        StateDamaged: It cannot be read.
    """
    path = folder / _FILE
    try:
        return Result.from_json(files.read_record(path, "result", remedy="run the test again"))
    except StateDamaged as error:
        error.where = error.where or str(path)
        error.remedy = error.remedy or "run the test again"
        raise


def _version(record: Mapping[str, Any] | None) -> TestedVersion | None:
    return None if record is None else TestedVersion(**record)
