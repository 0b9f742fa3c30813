"""The quick track: reattach the canonical, upgrade it, keep or restore it.

It only reads the registry. What heals a known-good lives in `recover` and runs before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from pytest_warmci.clients import interrupts
from pytest_warmci.clients.disk import require_free
from pytest_warmci.clients.files import remove_tree, write_json
from pytest_warmci.errors import (
    BaselineRotten,
    DiskTooSmall,
    NotEvaluated,
    Quarantined,
    RecipeFailed,
    SnapshotDamaged,
    WarmciError,
)
from pytest_warmci.model import FORMAT, KnownGood, Stage
from pytest_warmci.runs import reap, recover
from pytest_warmci.runs.deploying import bring_up, deploy, take_down
from pytest_warmci.runs.evidence import keep_evidence
from pytest_warmci.runs.handle import without_secrets
from pytest_warmci.runs.keeping import keep_running
from pytest_warmci.runs.roots import roots_of
from pytest_warmci.runs.run import Run
from pytest_warmci.store import snapshots
from pytest_warmci.store.alerts import raise_alert
from pytest_warmci.store.journal import Journal
from pytest_warmci.store.quarantine import quarantine_reason
from pytest_warmci.store.registry import Registry

_KEPT = "kept.json"
_SPARE = 256 * 1024 * 1024


class QuickTrack:
    """Moves a recipe's canonical through a quick run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._place = run.canonical
        self._entry: KnownGood | None = None
        self._held = ExitStack()
        self._open = False

    def open(self) -> None:
        """Take the canonical's lock, recover, and prove the known-good by content."""
        run, place = self._run, self._place
        limit = run.settings.lock_limit.value
        self._held.enter_context(run.hold(place, "quick run", limit=limit))
        with run.phases("recover"):
            run.notes += reap.reap_apps(run.state, run.engine)
            run.notes += recover.recover_canonical(
                run.state, run.engine, place, run.settings.session
            )
            entry = Registry(run.state).find(run.engine.name, run.recipe)
            reason = quarantine_reason(place.folder)
            if entry is None or reason or entry.commit != getattr(run.plan.base, "commit", ""):
                raise Quarantined(
                    "the canonical changed while this run waited for it",
                    where=run.recipe,
                    why=reason,
                    remedy="run again",
                )
            entry, healed = recover.ensure_known_good(run.state, run.engine, place, entry)
            run.notes += healed
            snapshots.check_way(place.snapshots, entry.generation, roots_of(run.engine, place))
            run.digest_before = entry.digest
            size = snapshots.verify(place.snapshots, entry.generation, entry.digest).size_bytes
            require_free(place.folder, 3 * size + _SPARE, "restoring and upgrading the canonical")
        self._entry = entry
        run.place = place
        with run.phases("prepare"):
            run.prepare(run.plan.head, place.domain)

    def base(self) -> None:
        """Deploy the known-good on its own data and look for the witness.

        A rotten baseline is restored and tried once more.

        Raises:
            BaselineRotten: The known-good does not work, or its data are not all there.
        """
        entry = self._known_good()
        with interrupts.shielded():
            journal = Journal(self._place.folder)
            journal.begin("quick", run=self._run.id, session=self._run.settings.session)
            self._open = True
        with self._run.phases("restore"):
            self._restore_if_changed(entry)
        self._run.wire(self._place)  # kept data meets a fresh realm
        try:
            self._boot(entry)
        except (RecipeFailed, BaselineRotten) as first:
            self._run.blame_trouble()
            self._run.notes.append(f"the known-good did not work, restored it: {first.summary}")
            with self._run.phases("restore"):
                take_down(self._run.engine, self._place, self._run.plan.enrolment)
                recover.restore(self._run.state, self._run.engine, self._place, entry)
            try:
                self._boot(entry)
            except (RecipeFailed, BaselineRotten) as second:
                self._run.blame_trouble()
                self._raise_rotten(second)

    def head(self, stage: Stage) -> None:
        """Upgrade the canonical to head, in place."""
        run = self._run
        with run.phases("upgrade"):
            plan = run.plan
            run.running(
                deploy(run.engine, self._place, plan.enrolment, plan.source, plan.head, run.wired)
            )
        if run.deployed is not None:
            run.proof = run.deployed.proof

    def restart(self) -> None:
        """Not part of a quick run.

        Raises:
            NotEvaluated: Always.
        """
        raise NotEvaluated("a quick run does not restart the app", where=self._run.recipe)

    def leave(self, stage: Stage, *, passed: bool, keep: float | None) -> None:
        """Undeploy; keep the volumes after a pass, else put the known-good back.

        An app that is left running to be looked at keeps its journal: whoever comes next, or
        `warmci reap` when its time is over, puts the known-good back.

        Raises:
            SnapshotDamaged: The known-good cannot be restored (loud, quarantined).
            NotEvaluated: The app does not stop.
        """
        run = self._run
        deployed, run.deployed = run.deployed, None
        if not self._open:
            return
        entry = self._known_good()
        keep_evidence(run, "quick", passed=passed)
        if keep is not None and deployed is not None:
            keep_running(run, self._place, keep)
            self._open = False
            return
        try:
            with run.phases("stop"), recover.undone_later():
                take_down(run.engine, self._place, run.plan.enrolment)
        except WarmciError:
            # What does not stop is restored by the next run: its journal is still there.
            self._open = False
            raise
        run.unwire(self._place)
        if passed and not interrupts.told():
            write_json(
                self._place.folder / _KEPT,
                {"format": FORMAT, "run": run.id, "commit": run.plan.head.commit},
            )
        else:
            with run.phases("restore"), self._loudly():
                recover.restore(run.state, run.engine, self._place, entry)
                remove_tree(self._place.folder / _KEPT)
        Journal(self._place.folder).end()
        self._open = False
        run.leftovers += run.engine.leftovers(self._place)

    @contextmanager
    def _loudly(self) -> Iterator[None]:
        """Raise an alert when the known-good could not be put back, whatever the reason."""
        try:
            yield
        except (OSError, WarmciError) as error:
            # What is damaged is quarantined, which is loud already; a full disk takes no alert.
            if not isinstance(error, SnapshotDamaged | DiskTooSmall):
                raise_alert(
                    self._run.state.alerts,
                    kind="restore.failed",
                    subject=self._run.recipe,
                    what=f"the known-good could not be put back: {error}",
                    where=self._place.domain,
                    remedy=f"warmci recover {self._run.recipe}",
                    facts={"run": self._run.id},
                )
            raise

    def finish(self) -> None:
        """Read the known-good back, by content, as it is now.

        Raises:
            SnapshotDamaged: It is not what it was.
        """
        run = self._run
        now = Registry(run.state).find(run.engine.name, run.recipe)
        if now is None:
            return
        if run.digest_before is None:  # nothing was opened, so nothing can have changed
            run.digest_before = run.digest_after = now.digest
            return
        read = snapshots.verify(self._place.snapshots, now.generation, now.digest)
        run.digest_after = read.digest

    def release(self) -> None:
        """Release the canonical's lock."""
        self._held.close()

    def _known_good(self) -> KnownGood:
        if self._entry is None:
            raise NotEvaluated("the canonical was not opened", where=self._run.recipe)
        return self._entry

    def _restore_if_changed(self, entry: KnownGood) -> None:
        roots = roots_of(self._run.engine, self._place)
        if snapshots.measure(roots).digest == entry.digest:
            return
        kept = self._place.folder / _KEPT
        who = "an earlier run's upgrade was kept" if kept.is_file() else "they had changed"
        recover.restore(self._run.state, self._run.engine, self._place, entry)
        remove_tree(kept)
        self._run.notes.append(f"volumes restored to known-good first: {who}")

    def _boot(self, entry: KnownGood) -> None:
        run = self._run
        with run.phases("deploy"):
            stack = self._place.deployed_stack()
            run.running(bring_up(run.engine, self._place, run.plan.enrolment, stack, run.wired))
        if run.witness is None or run.deployed is None:
            return
        with run.phases("witness"), without_secrets(run.deployed.app):
            run.planted = dict(entry.witness)
            run.before = run.witness.check(run.deployed.app, run.planted)
        promised = int(entry.evidence.get("witnessed", 0))
        if run.before == 0 or run.before < promised:
            raise BaselineRotten(
                f"the witness finds {run.before} of {promised} in the known-good",
                where=run.recipe,
            )

    def _raise_rotten(self, error: WarmciError) -> None:
        raise_alert(
            self._run.state.alerts,
            kind="baseline.rotten",
            subject=self._run.recipe,
            what=f"the known-good itself does not work: {error.summary}",
            where=self._place.domain,
            facts={"run": self._run.id},
            remedy=f"warmci seed {self._run.recipe}",
        )
        raise BaselineRotten(
            "the known-good itself does not work",
            where=self._run.recipe,
            why=str(error),
            remedy=f"run cold, or seed again: warmci seed {self._run.recipe}",
            changed="the known-good is being put back; an alert was raised",
        ) from error
