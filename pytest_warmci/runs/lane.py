"""A lane: one recipe's state in one session, moved from stage to stage and phase to phase.

Knows nothing of pytest. Whoever drives it says where to go before each test, what became of each
test, and when to leave; the lane does every step on the way, each at most once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final, Protocol

from pytest_warmci.clients import interrupts
from pytest_warmci.clients.disk import disk_trouble, trouble_at
from pytest_warmci.clients.files import make_folder
from pytest_warmci.clients.locks import hold
from pytest_warmci.clients.machine import utc_now
from pytest_warmci.errors import (
    BaselineRotten,
    CommandFailed,
    NotEvaluated,
    RecipeFailed,
    StateDamaged,
    WarmciError,
)
from pytest_warmci.model import PHASES, STAGES, Phase, Revision, Stage, Verdict
from pytest_warmci.runs import promote
from pytest_warmci.runs.cold import ColdTrack
from pytest_warmci.runs.evidence import evidence_of
from pytest_warmci.runs.handle import AppHandle
from pytest_warmci.runs.outcomes import Outcomes
from pytest_warmci.runs.quick import QuickTrack
from pytest_warmci.runs.recover import UNDONE
from pytest_warmci.runs.run import Run
from pytest_warmci.store.kept import KeptApp
from pytest_warmci.store.results import (
    KeptRunning,
    KnownGoodDigests,
    Result,
    Source,
    TestedVersion,
    WitnessCount,
    write_result,
)

_DISK_OR_NOT: Final = (BaselineRotten, CommandFailed, RecipeFailed)
"""What a full disk may be behind, though the error speaks of something else."""


class Track(Protocol):
    """How one mode moves its app; see `quick` and `cold`."""

    def open(self) -> None:
        """Take locks and recover."""

    def base(self) -> None:
        """Bring the app to base."""

    def head(self, stage: Stage) -> None:
        """Bring the app to head."""

    def restart(self) -> None:
        """Stop and start the app on its data."""

    def leave(self, stage: Stage, *, passed: bool, keep: float | None) -> None:
        """End the stage's app, or leave it running for `keep` seconds to be looked at."""

    def finish(self) -> None:
        """Read the known-good back as it is now."""

    def release(self) -> None:
        """Release every lock."""


class Blocked(Exception):
    """An earlier step of this stage failed or is skipped; the reason is the message."""


class Lane:
    """One run, driven from outside.

    Args:
        run: What it is about.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.outcomes = Outcomes()
        self._track: Track = QuickTrack(run) if run.plan.mode == "quick" else ColdTrack(run)
        self._begun = time.monotonic()
        self._started = utc_now()
        self._opened = False
        self._lease = ExitStack()
        self._stage: Stage | None = None
        self._reached: int = -1
        self._left: set[Stage] = set()
        self._failure: dict[Stage | None, WarmciError] = {}
        self.result: Result | None = None

    @property
    def entered(self) -> bool:
        """Tell whether a stage is entered and not left."""
        return self._stage is not None

    @property
    def app(self) -> AppHandle:
        """The app that runs now.

        Raises:
            NotEvaluated: None does.
        """
        if self.run.deployed is None:
            raise NotEvaluated("no app runs now", where=self.run.recipe)
        return self.run.deployed.app

    def goto(self, stage: Stage, phase: Phase) -> None:
        """Do every step up to `phase` of `stage` that is not done yet.

        Raises:
            RecipeFailed: A step failed and the recipe is at fault.
            NotEvaluated: A step failed and the recipe is not at fault.
            Blocked: An earlier call has raised for this stage, or it is skipped.
        """
        if stage != self._stage:
            if stage in self._left or self._is_before(stage):
                raise StateDamaged(f"cannot go back to stage {stage}", where=self.run.recipe)
            self.leave()
        for known in (None, stage):
            if known in self._failure:
                raise Blocked(self._failure[known].summary)
        if self.run.kept is not None:
            raise Blocked(f"the app is kept until {self.run.kept.until}")
        if stage == "upgrade" and self.run.plan.skip:
            raise Blocked(self.run.plan.skip)
        try:
            with self._trouble("the run could not begin"):
                self._open()
        except WarmciError as error:
            self._fail(None, error)
            raise
        self._stage = stage
        try:
            with self._trouble(f"a step of stage {stage} broke down"):
                self._advance(stage, phase)
        except WarmciError as error:
            self._fail(stage, error)
            raise

    def excuse(self) -> NotEvaluated | None:
        """Return why nothing that fails now can be held against the recipe, if so."""
        trouble = trouble_at(self.run.state.root) or self.run.trouble()
        if trouble is not None:
            trouble.what += ", so a failure says nothing about the recipe"
        return trouble

    def block(self, stage: Stage, error: WarmciError) -> None:
        """Say that nothing more of a stage can be evaluated, for that reason."""
        self._fail(stage, error)

    def restart(self) -> None:
        """Restart the app that runs now (cold only), see `ColdTrack.restart`."""
        self._track.restart()

    def leave(self) -> None:
        """End the stage that is entered: logs, undeploy, settle, keep or restore or remove.

        Raises:
            NotEvaluated: It could not be ended cleanly.
        """
        with interrupts.shielded():
            self._leave()

    def _leave(self) -> None:
        stage = self._stage
        if stage is None:
            return
        self._stage, self._reached = None, -1
        self._left.add(stage)
        passed = not self.outcomes.troubled and stage not in self._failure
        passed = passed and self.outcomes.passed > 0
        stopped = self.outcomes.interrupted or interrupts.told()
        keep = None if passed or stopped else self.run.settings.keep.value
        try:
            with self._trouble(f"stage {stage} could not be left"):
                self._track.leave(stage, passed=passed and not stopped, keep=keep)
            if self.run.sign_on is not None and self.run.kept is None:
                self.run.leftovers += [f"realm {name}" for name in self.run.sign_on.alive()]
        except WarmciError as error:
            self._fail(stage, error)
            raise

    def close(self, *, narrowed: Sequence[str], interrupted: bool) -> Result:
        """End the run: leave, promote when it is due, write the result, release the locks.

        Only the promotion can be interrupted; close again then.

        Args:
            narrowed: What made the session do less than the whole recipe, one reason each.
            interrupted: The session was told to stop.

        Returns:
            The result, which is also in the run's folder.
        """
        with interrupts.shielded():
            return self._close(narrowed, interrupted=interrupted or interrupts.told())

    def _close(self, narrowed: Sequence[str], *, interrupted: bool) -> Result:
        run = self.run
        if interrupted:
            self.outcomes.interrupted = True
        try:
            self.leave()
        except WarmciError as error:
            run.notes.append(f"leaving failed: {error.summary}")
        cold_seconds = time.monotonic() - self._begun
        verdict, reason = self._verdict()
        incomplete = [*narrowed, *self.outcomes.incomplete(), *self._not_green(verdict)]
        asked_cold = run.plan.requested_mode == "cold" and run.plan.mode == "cold"
        promoted, why_not = False, "a quick run never promotes"
        if run.plan.mode == "cold":
            why_not = "not asked for as cold" if not asked_cold else "not complete"
        if asked_cold and not incomplete:
            promoted, why_not = self._promote(cold_seconds)
        try:
            with self._trouble("the known-good could not be read back"):
                self._track.finish()
        except WarmciError as error:
            self._fail(None, error)
            verdict, reason = self._verdict()
            incomplete += self._not_green(verdict)
        run.release_realms()
        self.result = Result(
            run_id=run.id,
            session=run.settings.session,
            recipe=run.recipe,
            engine=run.engine.name,
            mode=run.plan.mode,
            requested_mode=run.plan.requested_mode,
            authority=asked_cold and not incomplete,
            complete=not incomplete,
            verdict=verdict,
            reason=reason,
            source=Source(run.plan.source.location, run.plan.head_ref),
            started=self._started,
            seconds=round(time.monotonic() - self._begun, 3),
            base=_tested(run.plan.base),
            head=_tested(run.plan.head),
            proved_head=run.proof,
            witness=None if run.planted is None else WitnessCount(run.before, run.after),
            known_good=KnownGoodDigests(run.digest_before, run.digest_after),
            promoted=promoted,
            promotion_reason=why_not,
            tests=self.outcomes.counts,
            phases=run.phases.done,
            held=run.held,
            leftovers=tuple(run.leftovers),
            evidence=evidence_of(run.folder),
            kept=_kept(run.kept),
            incomplete_because=tuple(dict.fromkeys(incomplete)),
            notes=(*run.plan.notes, *run.notes, *self._witness_note()),
            canonical_domain=run.canonical.domain,
            engine_options=tuple(run.engine.told),
            engine_reason=run.engine_reason,
        )
        try:
            with self._trouble("the result could not be written"):
                make_folder(run.folder)
                write_result(run.folder, self.result)
        finally:
            self._track.release()
            self._lease.close()
        return self.result

    def _open(self) -> None:
        if self._opened:
            return
        run = self.run
        make_folder(run.state.runs)
        run.folder.mkdir(0o700)
        lease = hold(run.folder / "lease.lock", who=run.holder("the run"), limit=0)
        self._lease.enter_context(lease)
        self._track.open()
        self._opened = True

    @contextmanager
    def _trouble(self, what: str) -> Iterator[None]:
        """Say what a failure is: only our errors say whose fault it is, and not even they know
        that it was the disk's."""
        try:
            yield
        except Blocked:
            raise
        except _DISK_OR_NOT as error:
            excuse = self.excuse()
            if excuse is None:
                raise
            excuse.why += f"\n{error.summary}"
            raise excuse from error
        except WarmciError:
            raise
        except Exception as error:
            raise self._explained(what, error) from error

    def _explained(self, what: str, error: Exception) -> NotEvaluated:
        """Return an error of ours for one that nobody has foreseen."""
        root = self.run.state.root
        trouble = disk_trouble(error, root) if isinstance(error, OSError) else None
        if trouble is None:
            trouble = trouble_at(root) or NotEvaluated(what)
            why = f"{type(error).__name__}: {error}"
            trouble.why = f"{trouble.why}\n{why}" if trouble.why else why
        trouble.changed = UNDONE
        return trouble

    def _is_before(self, stage: Stage) -> bool:
        return any(STAGES.index(stage) < STAGES.index(left) for left in self._left)

    def _advance(self, stage: Stage, phase: Phase) -> None:
        wanted = PHASES.index(phase)
        while self._reached < wanted:
            self._reached += 1
            step = PHASES[self._reached]
            if step == "base" and stage == "upgrade":
                if self.run.plan.obstacle is not None:
                    raise self.run.plan.obstacle
                self._track.base()
            elif step == "head":
                self._track.head(stage)
            elif step == "gone":
                self.leave()
                self._stage, self._reached = stage, wanted
                self._left.discard(stage)

    def _fail(self, stage: Stage | None, error: WarmciError) -> None:
        self._failure.setdefault(stage, error)
        if error.verdict == "failed":
            self.outcomes.failure = self.outcomes.failure or error.summary
        else:
            self.outcomes.obstacle = self.outcomes.obstacle or error.summary

    def _verdict(self) -> tuple[Verdict, str]:
        outcomes = self.outcomes
        if outcomes.interrupted:
            return "not-evaluated", "interrupted"
        if outcomes.failure:
            return "failed", outcomes.failure
        if outcomes.obstacle:
            return "not-evaluated", outcomes.obstacle
        if self.run.plan.skip and outcomes.passed == 0:
            return "skipped", self.run.plan.skip
        if outcomes.passed == 0:
            return "skipped", "no test ran"
        if self.run.proof is None:
            return "skipped", "head was not reached"
        return "passed", ""

    def _not_green(self, verdict: Verdict) -> list[str]:
        return [] if verdict == "passed" else [f"verdict {verdict}"]

    def _witness_note(self) -> list[str]:
        return ["data: not witnessed"] if self.run.witness is None else []

    def _promote(self, cold_seconds: float) -> tuple[bool, str]:
        run = self.run
        reason = promote.why_not(run)
        if reason:
            return False, reason
        try:
            with self._trouble("the promotion broke down"):
                reason = promote.promote(run, cold_seconds)
        except WarmciError as error:
            self.outcomes.promotion_failed = True
            if error.remedy:
                run.notes.append(f"to promote: {error.remedy}")
            return False, f"the promotion failed: {error.summary}"
        return not reason, reason


def _kept(app: KeptApp | None) -> KeptRunning | None:
    return None if app is None else KeptRunning(app.url, app.domain, app.until)


def _tested(revision: Revision | None) -> TestedVersion | None:
    return None if revision is None else TestedVersion(revision.version, revision.commit)
