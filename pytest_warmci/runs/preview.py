"""What a run of a recipe would do, worked out as a run works it out, and what it could come to.

Starts nothing and changes no app. Opening the source may fetch it into the cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pytest_warmci.clients.locks import describe, holder
from pytest_warmci.errors import RecipeFailed, WarmciError
from pytest_warmci.model import FORMAT, Mode, Revision
from pytest_warmci.naming import canonical_domain
from pytest_warmci.protocols import Engine, Progress
from pytest_warmci.runs import promote
from pytest_warmci.runs.doctor_recipes import no_bytecode
from pytest_warmci.runs.past import compare
from pytest_warmci.runs.planning import RunPlan, differences, sample_stack
from pytest_warmci.runs.run import Run
from pytest_warmci.runs.session import SessionRuns
from pytest_warmci.runs.witness import find_witness
from pytest_warmci.settings import DEFAULT_LOCK_LIMIT, EngineOptions, Setting, Settings
from pytest_warmci.store.results import Result
from pytest_warmci.store.state import StateDirectory

PASSED: Final = 0
NOTHING_RAN: Final = 5
NOT_EVALUATED: Final = 75
_DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True)
class Preview:
    """A plan, and what follows from it.

    `seen` and `unseen` are the compose keys in which base and head differ, by whether the engine
    honours them. `obstacle` is why it could not be evaluated, the plan's own or the engine's.
    `engine_reason` says who named the engine, or why it was chosen.
    `why_not` says why it could not promote, empty when it could. `last` is the last passed run of
    that mode. `waits_for` says who holds the canonical now, empty when nobody does.
    """

    plan: RunPlan
    engine: str
    engine_reason: str
    seen: tuple[str, ...]
    unseen: tuple[str, ...]
    obstacle: WarmciError | None
    witnessed: bool
    why_not: str
    last: Result | None
    waits_for: str

    @property
    def exit_status(self) -> int:
        """What the session would end with, as far as that is known before anything ran."""
        if self.plan.skip:
            return NOTHING_RAN
        return PASSED if self.obstacle is None else NOT_EVALUATED

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        plan, last = self.plan, self.last
        return {
            "format": FORMAT,
            "recipe": plan.enrolment.recipe,
            "exit_status": self.exit_status,
            "engine": self.engine,
            "engine_reason": self.engine_reason,
            "mode": plan.mode,
            "requested_mode": plan.requested_mode,
            "fallback": plan.fallback,
            "stages": list(plan.stages),
            "source": {"location": plan.source.location, "head_ref": plan.head_ref},
            "head": asdict(plan.head),
            "base": None if plan.base is None else asdict(plan.base),
            "differs": {"seen": list(self.seen), "unseen": list(self.unseen)},
            "skip": plan.skip,
            "obstacle": _facts(self.obstacle),
            "notes": list(plan.notes),
            "witnessed": self.witnessed,
            "could_promote": not self.why_not,
            "why_not": self.why_not,
            "last": None
            if last is None
            else {"run": last.run_id, "seconds": last.seconds, "began": last.started},
            "waits_for": self.waits_for,
        }


def settings(
    state: Setting[Path],
    engine: Setting[str],
    mode: Mode,
    head: str | None,
    source: str | None,
    engine_options: EngineOptions = (),
) -> Settings:
    """Return the settings of the session that is looked ahead to."""
    return Settings(
        mode=Setting(mode, "--quick" if mode == "quick" else _DEFAULT),
        state=state,
        head=Setting("HEAD", _DEFAULT) if head is None else Setting(head, "--head"),
        source=Setting(None, _DEFAULT) if source is None else Setting(source, "--source"),
        engine=engine,
        lock_limit=Setting(DEFAULT_LOCK_LIMIT, _DEFAULT),
        allow_lower=Setting(value=False, origin=_DEFAULT),
        keep=Setting(None, "default"),
        server_keys=Setting(False, "default"),
        session="",
        engine_options=Setting(engine_options, "--engine-option" if engine_options else _DEFAULT),
    )


def look_ahead(told: Settings, folder: Path, progress: Progress) -> Preview:
    """Work out what the run of the recipe in `folder` would do.

    Raises:
        InputError: recipe.yml, the source or the head is not usable.
        EngineUnavailable: This machine cannot run it.
        FetchFailed: The source could not be fetched.
    """
    runs = SessionRuns(told, progress)
    with no_bytecode():
        plan = runs.plan(folder)
        witness = find_witness(folder)
    engine = runs.engine(folder)
    seen, unseen = _differing(plan, engine)
    obstacle = None if plan.skip else plan.obstacle or _engine_obstacle(plan, engine)
    run = Run("", plan, told, runs.state, engine, progress, witness)
    [times] = compare(runs.state, [run.recipe], engine.name)
    return Preview(
        plan=plan,
        engine=engine.name,
        engine_reason=runs.engine_reason(folder),
        seen=seen,
        unseen=unseen,
        obstacle=obstacle,
        witnessed=witness is not None,
        why_not=_why_not(run, obstacle),
        last=times.quick if plan.mode == "quick" else times.cold,
        waits_for=_holder(runs.state, run.canonical.domain),
    )


def _differing(plan: RunPlan, engine: Engine) -> tuple[tuple[str, ...], tuple[str, ...]]:
    base, source = plan.base, plan.source
    if base is None or not source.is_ancestor(base.commit, plan.head.commit):
        return (), ()
    found = differences(plan.enrolment, source, engine, base, plan.head)
    return tuple(found.seen), tuple(found.unseen)


def _engine_obstacle(plan: RunPlan, engine: Engine) -> WarmciError | None:
    """Ask the engine whether it can run what would be deployed, as preparing a run does."""
    revisions: list[Revision | None] = [plan.base, plan.head]
    recipe = plan.enrolment.recipe
    domain = canonical_domain(recipe, engine.base_domain)
    for revision in filter(None, revisions):
        try:
            stack = sample_stack(plan.source, recipe, revision, domain, plan.enrolment.sso)
            engine.examine(stack)
        except RecipeFailed:
            raise
        except WarmciError as error:
            return error
    return None


def _why_not(run: Run, obstacle: WarmciError | None) -> str:
    if run.plan.mode == "quick":
        return "a quick run never promotes"
    if run.plan.requested_mode != "cold":
        return "not asked for as cold"
    if obstacle is not None:
        return "it could not be evaluated"
    return promote.why_not(run)


def _holder(state: StateDirectory, domain: str) -> str:
    held = holder(state.lock(domain))
    return "" if held is None else describe(held)


def _facts(error: WarmciError | None) -> Mapping[str, str] | None:
    if error is None:
        return None
    facts = {"what": error.what, "where": error.where, "why": error.why, "remedy": error.remedy}
    return {"error": type(error).__name__, **facts}
