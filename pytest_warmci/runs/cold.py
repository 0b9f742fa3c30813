"""The cold track: a fresh app for each stage, removed at its end."""

from __future__ import annotations

from contextlib import ExitStack

from pytest_warmci.clients import interrupts
from pytest_warmci.clients.disk import require_free
from pytest_warmci.clients.files import make_folder
from pytest_warmci.errors import BaselineRotten, NotEvaluated, RecipeFailed
from pytest_warmci.model import Revision, Stage
from pytest_warmci.naming import cold_domain
from pytest_warmci.runs import reap, recover
from pytest_warmci.runs.deploying import bring_up, deploy, take_down
from pytest_warmci.runs.evidence import keep_evidence
from pytest_warmci.runs.keeping import keep_running
from pytest_warmci.runs.place import Place
from pytest_warmci.runs.run import Run
from pytest_warmci.store.journal import Journal
from pytest_warmci.store.registry import Registry

_ROOM = 1024 * 1024 * 1024
"""Bytes that must be free before a cold run: two installs and their data."""


class ColdTrack:
    """Moves throw-away apps through a cold run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        domain = cold_domain(run.recipe, run.id, run.engine.base_domain)
        self._place = Place(run.recipe, domain, run.state.app(run.engine.name, domain))
        self._held = ExitStack()
        self._made = False

    def open(self) -> None:
        """Take the app's lock, reap what dead runs left, and see that there is room."""
        run = self._run
        self._held.enter_context(run.hold(self._place, "cold run", limit=0))
        with run.phases("recover"):
            run.notes += reap.reap_apps(run.state, run.engine)
            require_free(run.state.root, _ROOM, "a cold run")
        known_good = Registry(run.state).find(run.engine.name, run.recipe)
        run.digest_before = known_good.digest if known_good else None
        run.place = self._place
        with run.phases("prepare"):
            run.prepare(run.plan.head, self._place.domain)
            if run.plan.base is not None:
                run.prepare(run.plan.base, self._place.domain)

    def base(self) -> None:
        """Deploy the base fresh and plant the witness in it.

        Raises:
            BaselineRotten: The base, which is published, does not work.
        """
        run, base = self._run, self._run.plan.base
        if base is None:
            raise NotEvaluated("there is no base to upgrade from", where=run.recipe)
        self._create()
        try:
            with run.phases("base"):
                self._place.create(run.plan.source, base)
                run.wire(self._place)
                self._deploy(base)
            if run.deployed is not None:
                with run.phases("witness"):
                    run.plant(run.deployed)
        except RecipeFailed as error:
            run.blame_trouble()
            raise BaselineRotten(
                f"the base {base} itself does not work",
                where=run.recipe,
                why=str(error),
                remedy="run cold on that version to see what is wrong with it",
            ) from error

    def head(self, stage: Stage) -> None:
        """Deploy head: fresh in the install stage, in place over the base in the upgrade stage."""
        run = self._run
        with run.phases("deploy" if stage == "install" else "upgrade"):
            if stage == "install":
                self._create()
                self._place.create(run.plan.source, run.plan.head)
                run.wire(self._place)
            self._deploy(run.plan.head)
        if run.deployed is not None:
            run.proof = run.deployed.proof

    def restart(self) -> None:
        """Stop and start the app on its data, and look for the witness again.

        Raises:
            RecipeFailed: It does not come back, or not with its data.
        """
        run, deployed = self._run, self._run.deployed
        if deployed is None:
            raise NotEvaluated("nothing runs", where=run.recipe)
        if run.witness is not None and run.planted is None:
            run.plant(deployed)
        with run.phases("restart"):
            take_down(run.engine, self._place, run.plan.enrolment)
            run.running(
                bring_up(run.engine, self._place, run.plan.enrolment, deployed.stack, run.wired)
            )
        if run.witness is not None:
            run.check_witness()

    def leave(self, stage: Stage, *, passed: bool, keep: float | None) -> None:
        """Remove the app, whatever happened to it, or leave it running to be looked at."""
        run = self._run
        deployed, run.deployed = run.deployed, None
        if not self._made:
            return
        keep_evidence(run, stage, passed=passed)
        if keep is not None and deployed is not None:
            keep_running(run, self._place, keep)
            self._made = False
            return
        with run.phases("remove"), recover.undone_later():
            recover.remove_app(run.engine, self._place, run.plan.enrolment.stop_timeout)
        self._made = False
        run.unwire(self._place)
        run.leftovers += run.engine.leftovers(self._place)
        if self._place.folder.exists():
            run.leftovers.append(str(self._place.folder))

    def finish(self) -> None:
        """Read the known-good's digest back as it is now."""
        run = self._run
        known_good = Registry(run.state).find(run.engine.name, run.recipe)
        run.digest_after = known_good.digest if known_good else None

    def release(self) -> None:
        """Release the app's lock."""
        self._held.close()

    def _deploy(self, revision: Revision) -> None:
        run = self._run
        plan = run.plan
        run.running(
            deploy(run.engine, self._place, plan.enrolment, plan.source, revision, run.wired)
        )

    def _create(self) -> None:
        """Own the app before anything of it exists."""
        with interrupts.shielded():
            make_folder(self._place.folder)
            self._made = True
            Journal(self._place.folder).begin(
                "cold", run=self._run.id, session=self._run.settings.session
            )
