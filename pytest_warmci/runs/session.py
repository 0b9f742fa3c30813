"""All runs of one pytest process: plans and lanes, one of each a recipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from pytest_warmci.clients import locks
from pytest_warmci.model import AUTO_ENGINE, DEFAULT_ENGINE, Enrolment, KnownGood
from pytest_warmci.naming import canonical_domain, new_run_id
from pytest_warmci.protocols import Engine, Progress
from pytest_warmci.recipes.enrolment import absolute_source, read_enrolment
from pytest_warmci.recipes.source import open_source
from pytest_warmci.runs.choosing import choose, own_options
from pytest_warmci.runs.engines import keeper, keepers, open_engine
from pytest_warmci.runs.lane import Lane
from pytest_warmci.runs.live_keycloak import LiveService, keycloak_beside, open_service
from pytest_warmci.runs.login_module import LoginModule
from pytest_warmci.runs.place import Place
from pytest_warmci.runs.planning import RunPlan, check_base, plan_run
from pytest_warmci.runs.realm_owner import RealmOwner
from pytest_warmci.runs.recovering import recover_session
from pytest_warmci.runs.run import Run
from pytest_warmci.runs.sign_on import SignOn
from pytest_warmci.runs.witness import WitnessModule, find_witness
from pytest_warmci.settings import Settings
from pytest_warmci.store.quarantine import quarantine_reason
from pytest_warmci.store.registry import Registry
from pytest_warmci.store.state import StateDirectory, open_state


class SessionRuns:
    """The runs of one process.

    Args:
        settings: What the session was told to do.
        progress: Told about work that takes long.
        make_engine: Returns the engine for a recipe's folder, given the state directory; None
            means the one that the settings name.
    """

    def __init__(
        self,
        settings: Settings,
        progress: Progress,
        make_engine: Callable[[Path, StateDirectory], Engine] | None = None,
    ) -> None:
        self.settings = settings
        self.progress = progress
        self._make_engine = make_engine or self.open_engine
        self._engines: dict[Path, Engine] = {}
        self._reasons: dict[Path, str] = {}
        self._witnesses: dict[Path, WitnessModule | None] = {}
        self._logins: dict[Path, LoginModule | None] = {}
        self._plans: dict[Path, RunPlan] = {}
        self._lanes: dict[Path, Lane] = {}

    @cached_property
    def state(self) -> StateDirectory:
        """The state directory, created when it is not there."""
        return open_state(self.settings.state.value)

    def engine(self, folder: Path) -> Engine:
        """Return the engine for a recipe's folder."""
        if folder not in self._engines:
            self._engines[folder] = self._make_engine(folder, self.state)
        return self._engines[folder]

    def open_engine(self, folder: Path, state: StateDirectory) -> Engine:
        """Return the engine that the settings name, or have chosen, for a recipe's folder."""
        name, options = self.settings.engine.value, self.settings.engine_options.value
        if name != AUTO_ENGINE:
            self._reasons[folder] = self.settings.engine.origin
            return open_engine(name, folder, state, self.progress, options)
        chosen = choose(folder, state, self.progress, options)
        self._reasons[folder] = chosen.reason
        return chosen.engine

    def engine_reason(self, folder: Path) -> str:
        """Return why a recipe's engine is that one: who named it, or why it was chosen."""
        self.engine(folder)
        return self._reasons.get(folder, "a hook's")

    def enrolment(self, folder: Path) -> Enrolment:
        """Read a recipe's enrolment, with the source that was asked for."""
        enrolment = read_enrolment(folder)
        override = self.settings.source.value
        if override is None:
            return enrolment
        return replace(
            enrolment, source=absolute_source(override, Path.cwd(), self.settings.source.origin)
        )

    def known_good(self, recipe: str, engine: str) -> KnownGood | None:
        """Return the registry entry of a recipe."""
        return Registry(self.state).find(engine, recipe)

    def plan(self, folder: Path) -> RunPlan:
        """Return what the run of a recipe will do; worked out once.

        Raises:
            InputError: recipe.yml, the source or the head is not usable.
            EngineUnavailable: This machine cannot run it, or its canonical has another base domain.
        """
        if folder not in self._plans:
            enrolment = self.enrolment(folder)
            self._witnesses[folder] = find_witness(folder)
            self._logins[folder] = LoginModule(folder) if enrolment.sso else None
            if enrolment.requires:
                keycloak_beside(folder)
            engine = self.engine(folder)
            engine.check()
            domain = canonical_domain(enrolment.recipe, engine.base_domain)
            place = Place(enrolment.recipe, domain, self.state.app(engine.name, domain))
            known_good = self.known_good(enrolment.recipe, engine.name)
            if known_good is not None:
                check_base(known_good, domain)
            self._plans[folder] = plan_run(
                enrolment,
                open_source(enrolment.source, self.state.cache),
                engine,
                requested=self.settings.mode.value,
                head_ref=self.settings.head.value,
                known_good=known_good,
                quarantine=quarantine_reason(place.folder),
            )
        return self._plans[folder]

    def lane(self, folder: Path) -> Lane:
        """Return the lane of a recipe, which exists from the first call on."""
        if folder not in self._lanes:
            run = Run(
                id=self._new_run(),
                plan=self.plan(folder),
                settings=self.settings,
                state=self.state,
                engine=self.engine(folder),
                progress=self.progress,
                witness=self._witnesses[folder],
                login=self._logins[folder],
                engine_reason=self.engine_reason(folder),
            )
            run.sign_on = self._sign_on(run, folder)
            self._lanes[folder] = Lane(run)
        return self._lanes[folder]

    def _sign_on(self, run: Run, folder: Path) -> SignOn:
        def service() -> LiveService:
            beside = keycloak_beside(folder)
            return open_service(beside, self.state, self._engine_beside(folder, beside))

        return SignOn(
            RealmOwner(self.state, run.id, run.recipe),
            run.holder("uses Keycloak"),
            service,
            limit=self.settings.lock_limit.value,
            own_keys=not self.settings.server_keys.value,
            progress=self.progress,
        )

    def _engine_beside(self, folder: Path, beside: Path) -> Engine:
        """Return the engine of the Keycloak that a recipe uses: an app finds only its own's."""
        if self.settings.engine.value != AUTO_ENGINE or folder not in self._reasons:
            return self.engine(beside)
        name = self.engine(folder).name
        options = own_options(name, self.settings.engine_options.value)
        return open_engine(name, beside, self.state, self.progress, options)

    @property
    def lanes(self) -> list[Lane]:
        """The lanes that have begun and are not closed."""
        return [lane for lane in self._lanes.values() if lane.result is None]

    @property
    def plans(self) -> list[RunPlan]:
        """The plans so far."""
        return list(self._plans.values())

    @property
    def open_folders(self) -> list[Path]:
        """The folders of the recipes whose lanes have begun and are not closed."""
        return [folder for folder, lane in self._lanes.items() if lane.result is None]

    def recover(self) -> list[str]:
        """Recover the apps that dead runs of this session left; return what was done.

        With `-n` the runs are other processes', so no engine is left out that has apps here.
        """
        if self.settings.engine.value == AUTO_ENGINE:
            own = keeper(DEFAULT_ENGINE, self.state, self.progress)
        else:
            own = self._make_engine(self.state.root, self.state)  # no recipe is needed
        others = [each for each in keepers(self.state, self.progress) if each.name != own.name]
        session = self.settings.session
        return [
            text
            for engine in (own, *others)
            for text in recover_session(self.state, engine, session)
        ]

    def live_recipes(self) -> dict[int, str]:
        """Return the recipes whose runs of this session are alive, by the pid of who runs them."""
        places = sorted(self.state.runs.glob("*/lease.lock"))
        records = [record for place in places if (record := locks.holder(place))]
        return {
            int(record["pid"]): str(record["recipe"])
            for record in records
            if record["session"] == self.settings.session
        }

    def _new_run(self) -> str:
        """Return an id that no run has. The run itself makes the folder, when it begins."""
        while self.state.run(run_id := new_run_id()).exists():
            pass
        return run_id
