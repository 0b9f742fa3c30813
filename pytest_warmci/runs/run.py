"""One run: what it is about, and what it has found out so far."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.clients.machine import utc_exact
from pytest_warmci.errors import InputError, NotEvaluated, RecipeFailed
from pytest_warmci.masking import blotted
from pytest_warmci.model import Revision, SsoSpec, Stack
from pytest_warmci.naming import canonical_domain
from pytest_warmci.protocols import Engine, Progress
from pytest_warmci.recipes.enrolment import RECIPE_FILE
from pytest_warmci.runs.deploying import Deployed
from pytest_warmci.runs.handle import without_secrets
from pytest_warmci.runs.login_module import LoginModule
from pytest_warmci.runs.phases import Phases
from pytest_warmci.runs.place import Place
from pytest_warmci.runs.planning import RunPlan, sample_stack
from pytest_warmci.runs.sign_on import SignOn
from pytest_warmci.runs.wiring import Wiring
from pytest_warmci.runs.witness import WitnessModule
from pytest_warmci.settings import Settings
from pytest_warmci.store.kept import KeptApp
from pytest_warmci.store.results import Held
from pytest_warmci.store.state import StateDirectory


@dataclass
class Run:
    """The facts of one run (one recipe in one session).

    `deployed` is what runs now, `planted` what the witness wants back, `before` and `after` how
    much of it was found. `kept` is the app that was left running to be looked at. `place` is the
    app of the stage that is entered. `digest_before` and `digest_after` are the known-good's.
    `sign_on` is what it has of the live-warm Keycloak, `login` how people log in to the app.
    `engine_reason` says who named the engine, or why it was chosen.
    """

    id: str
    plan: RunPlan
    settings: Settings
    state: StateDirectory
    engine: Engine
    progress: Progress
    witness: WitnessModule | None
    phases: Phases = field(default_factory=Phases)
    notes: list[str] = field(default_factory=list)
    place: Place | None = None
    deployed: Deployed | None = None
    planted: dict[str, Any] | None = None
    before: int | None = None
    after: int | None = None
    proof: str | None = None
    instances: tuple[str, ...] = ()
    digest_before: str | None = None
    digest_after: str | None = None
    leftovers: list[str] = field(default_factory=list)
    kept: KeptApp | None = None
    sign_on: SignOn | None = None
    login: LoginModule | None = None
    engine_reason: str = ""
    _held: list[Held] = field(default_factory=list)
    _secrets: set[str] = field(default_factory=set)

    @property
    def recipe(self) -> str:
        """The recipe's name."""
        return self.plan.enrolment.recipe

    @property
    def canonical(self) -> Place:
        """The place of the recipe's canonical."""
        domain = canonical_domain(self.recipe, self.engine.base_domain)
        return Place(self.recipe, domain, self.state.app(self.engine.name, domain))

    @property
    def folder(self) -> Path:
        """The run's own folder in the state directory."""
        return self.state.run(self.id)

    def holder(self, why: str) -> Holder:
        """Say who we are to those who wait for a lock that we hold."""
        return Holder(
            run=self.id,
            mode=self.plan.mode,
            why=f"{self.recipe}: {why}",
            recipe=self.recipe,
            session=self.settings.session,
        )

    @contextmanager
    def hold(self, place: Place, why: str, *, limit: float) -> Iterator[None]:
        """Hold an app's lock for the block, and remember from when to when.

        Raises:
            LockBusy: Somebody else had it for longer than `limit` seconds.
        """
        lock = self.state.lock(place.domain)
        with hold(lock, who=self.holder(why), limit=limit, on_wait=self.progress):
            self._held.append(Held(place.domain, utc_exact(), ""))
            own = len(self._held) - 1
            try:
                yield
            finally:
                self._held[own] = replace(self._held[own], until=utc_exact())

    @property
    def held(self) -> tuple[Held, ...]:
        """The apps whose locks this run has held; for those that it still holds, until now."""
        now = utc_exact()
        return tuple(each if each.until else replace(each, until=now) for each in self._held)

    def masked(self, text: str) -> str:
        """Return `text` with every secret that an app of this run has or had blotted out.

        Those that an app had are known from an earlier call.
        """
        if self.place is not None:
            self._secrets |= set(self.engine.secret_values(self.place))
        if self.sign_on is not None:
            self._secrets |= self.sign_on.secret_values
        return blotted(text, self._secrets)

    def prepare(self, revision: Revision, domain: str) -> None:
        """Fetch and build what deploying a revision needs, so that deploying does not wait for it.

        Raises:
            NotEvaluated: It cannot be had.
            RecipeFailed: It cannot be built.
            InputError: sso.secrets names what head has not.
        """
        sso = self.plan.enrolment.sso
        stack = sample_stack(self.plan.source, self.recipe, revision, domain, sso)
        if sso is not None and revision == self.plan.head:
            self._check_secrets(sso, stack)
        self.engine.prepare(stack)

    def _check_secrets(self, sso: SsoSpec, stack: Stack) -> None:
        """See that head has each secret that its app is to be given.

        A base may not: then it had another single sign-on, or none.

        Raises:
            InputError: It has not: its app would have another one, and nobody would know why.
        """
        unknown = [name for name in sso.secrets if name not in stack.secrets]
        if unknown:
            raise InputError(
                f"there is no secret '{unknown[0]}' in the compose file of {stack.revision}",
                where=str(self.plan.enrolment.folder / RECIPE_FILE),
                why="sso.secrets gives it a value",
                remedy=f"name one of: {', '.join(sorted(stack.secrets)) or 'none'}",
            )

    @property
    def wired(self) -> Wiring | None:
        """What the app was given to log people in with; None when it gets nothing."""
        return None if self.sign_on is None else self.sign_on.wired

    def wire(self, place: Place) -> None:
        """Give an app its single sign-on before it is deployed, if its recipe asks for it.

        Raises:
            NotEvaluated: Keycloak cannot be had, or makes no realm.
        """
        spec = self.plan.enrolment.sso
        if spec is not None and self.sign_on is not None:
            with self.phases("sso"):
                self.sign_on.wire(spec, place, self.engine)

    def unwire(self, place: Place) -> None:
        """Take it away again, after the app was undeployed."""
        if self.sign_on is None or self.plan.enrolment.sso is None:
            return
        with self.phases("sso"):
            try:
                self.sign_on.unwire(place)
            except NotEvaluated as error:
                self.notes.append(error.summary)

    def trouble(self) -> NotEvaluated | None:
        """Return what the app stands on and what does not work, or did not all the time, if so."""
        trouble: NotEvaluated | None = None
        if self.sign_on is not None:
            trouble = self.sign_on.trouble()
        if trouble is None and self.place is not None:
            trouble = self.engine.trouble(self.place)
        return trouble

    def blame_trouble(self) -> None:
        """Raise when it is the live-warm Keycloak or the engine that failed, rather than the app.

        Raises:
            NotEvaluated: It is.
        """
        trouble = self.trouble()
        if trouble is not None:
            raise trouble

    def release_realms(self) -> None:
        """Delete the run's realms and give Keycloak up; what stays is noted, and reaped later."""
        if self.sign_on is not None and self.sign_on.attached:
            with self.phases("realms"):
                self.notes += self.sign_on.release()

    def running(self, deployed: Deployed) -> None:
        """Remember what runs now."""
        self.deployed = deployed
        if self.place is not None:
            self.instances = tuple(each.instance for each in self.engine.running(self.place))

    def plant(self, deployed: Deployed) -> None:
        """Plant the witness, and see that it can be found at all.

        Raises:
            RecipeFailed: It cannot be planted, or not be found right afterwards.
        """
        if self.witness is None:
            return
        with without_secrets(deployed.app):
            self.planted = self.witness.plant(deployed.app)
            self.before = self.witness.check(deployed.app, self.planted)
        if self.before == 0:
            raise RecipeFailed(
                "the witness finds nothing of what it has just planted",
                where=str(self.plan.enrolment.folder / "witness.py"),
                remedy="plant() and check() must agree",
            )

    def check_witness(self) -> tuple[int, int]:
        """Look for the planted data now.

        Returns:
            How much was found before the upgrade, and now.

        Raises:
            RecipeFailed: There is less than before, or nothing.
        """
        if self.witness is None or self.planted is None or self.deployed is None:
            raise RecipeFailed("data: not witnessed", where=self.recipe)
        before = self.before or 0
        try:
            with without_secrets(self.deployed.app):
                self.after = self.witness.check(self.deployed.app, self.planted)
        except RecipeFailed as error:
            self.after = 0
            raise RecipeFailed(
                f"data lost: the witness had {before}, now it cannot even look",
                where=self.recipe,
                why=f"{error.what}: {error.why}",
            ) from error
        if self.after < before or self.after == 0:
            raise RecipeFailed(
                f"data lost: the witness had {before}, now it finds {self.after}",
                where=self.recipe,
                remedy="look at what the upgrade does to volumes and database",
            )
        return before, self.after
