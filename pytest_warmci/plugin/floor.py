"""The hooks of a session that touches a recipe: they move lanes and note what became of items.

Hooks move a lane, never a fixture: an error while pytest tears fixtures down would come after
the app was kept or restored.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterable
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path
from typing import Any, NoReturn

import pytest

from pytest_warmci.clients import interrupts
from pytest_warmci.errors import (
    EngineUnavailable,
    InputError,
    NotEvaluated,
    RecipeFailed,
    UsageError,
    WarmciError,
)
from pytest_warmci.plugin import options, reports
from pytest_warmci.plugin.collect import NotHere, is_dropped, key_of, rule_of, sort
from pytest_warmci.plugin.folders import is_whole, recipe_folder
from pytest_warmci.plugin.narrowing import narrowed
from pytest_warmci.protocols import Engine
from pytest_warmci.runs.lane import Blocked, Lane
from pytest_warmci.runs.planning import RunPlan
from pytest_warmci.runs.session import SessionRuns
from pytest_warmci.store.state import StateDirectory

_STEP_ERROR = pytest.StashKey[RecipeFailed]()


class Floor:
    """Hooks of a process that runs recipes (the only one, or an xdist worker)."""

    def __init__(self, config: pytest.Config) -> None:
        options.check_recipe_session(config)
        self.config = config
        self.settings = options.read(config)
        self.runs = SessionRuns(self.settings, self.progress, self._make_engine)
        self._broken: dict[Path, WarmciError] = {}
        self._told: set[Path] = set()
        self._uncollected: dict[Path, str] = {}
        self._expected: dict[Path, list[str]] = {}
        self._deselected: dict[Path, int] = {}
        self._finalizers: list[tuple[pytest.FixtureDef[Any], pytest.FixtureRequest]] = []
        self._listening = ExitStack()
        self._listening.enter_context(interrupts.listening(self._answer))
        self._debugging = ExitStack()
        self.waits_for = ""
        self.is_worker = hasattr(config, "workerinput")
        self.distributes = bool(getattr(config.option, "tx", None)) and not self.is_worker
        if not self.is_worker:
            from pytest_warmci.plugin.summary import Summary

            config.pluginmanager.register(Summary(config, self.runs), "warmci-summary")
        if self.distributes:
            from pytest_warmci.plugin.scheduler import Distribution

            config.pluginmanager.register(Distribution(self), "warmci-xdist")

    # -- signals -----------------------------------------------------------------------------

    def _answer(self) -> str:
        """Say what goes on to somebody who sends a second signal."""
        doing = [
            f"{lane.run.recipe} ({lane.run.phases.current})"
            for lane in self.runs.lanes
            if lane.run.phases.current
        ]
        if self.waits_for:
            return f"waiting for {self.waits_for} to leave"
        return f"still leaving {', '.join(doing)}" if doing else "leaving"

    def pytest_enter_pdb(self) -> None:
        """At a debugger's prompt Ctrl-C is the debugger's."""
        self._debugging.enter_context(interrupts.prompting(_leave_prompt))

    def pytest_leave_pdb(self) -> None:
        """From here on Ctrl-C is ours again."""
        self._debugging.close()

    def pytest_unconfigure(self) -> None:
        """Give the signals back to whoever had them."""
        self._listening.close()

    # -- what collecting needs ---------------------------------------------------------------

    def plan(self, folder: Path) -> RunPlan:
        """Return a recipe's plan, or end the collection of the file with one clear error."""
        self.try_plan(folder)
        if folder in self._told:
            raise pytest.Collector.CollectError(f"{folder.name} cannot run, see its other error")
        if folder in self._broken:
            self._told.add(folder)
            raise pytest.Collector.CollectError(str(self._broken[folder]))
        return self.runs.plan(folder)

    def unavailable(self, folder: Path) -> EngineUnavailable | None:
        """Return why the engine cannot run a recipe here, if so."""
        self.try_plan(folder)
        error = self._broken.get(folder)
        return error if isinstance(error, EngineUnavailable) else None

    def try_plan(self, folder: Path) -> None:
        """Plan a recipe, so that the rest of a broken one is left out from here on."""
        if folder in self._broken:
            return
        try:
            self.runs.plan(folder)
        except WarmciError as error:
            self._broken[folder] = error

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Leave out recipes under test, which are no tests, and the rest of a broken recipe."""
        if (collection_path / "history.yml").is_file():
            return True
        if collection_path.is_file() and recipe_folder(collection_path) in self._broken:
            return True
        return None

    def _make_engine(self, folder: Path, state: StateDirectory) -> Engine:
        found: Engine | None = self.config.hook.pytest_warmci_make_engine(
            config=self.config, recipe_folder=folder, cache=state.cache, progress=self.progress
        )
        return found or self.runs.open_engine(folder, state)

    def lane(self, folder: Path) -> Lane:
        """Return a recipe's lane; the first call begins the run."""
        lane = self.runs.lane(folder)
        for item in self._expected.pop(folder, []):
            lane.outcomes.expect(item)
        lane.outcomes.deselected += self._deselected.pop(folder, 0)
        return lane

    def progress(self, text: str) -> None:
        """Show a line to the person who waits, whatever is captured."""
        capture = self.config.pluginmanager.get_plugin("capturemanager")
        line = f"warmci: {text}\n"
        if capture is None:
            _write(line)
            return
        with capture.global_and_fixture_disabled():
            _write(line)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Drop what does not belong to this run; mark the rest before `-m` looks at it."""
        kept = []
        for item in items:
            key = key_of(item)
            if key is None:
                kept.append(item)
                continue
            plan = self.plan(key.folder)
            if is_dropped(item, key, plan):
                continue
            item.add_marker(getattr(pytest.mark, plan.mode)(_warmci=True))
            item.user_properties += [
                ("warmci.mode", plan.mode),
                ("warmci.requested_mode", plan.requested_mode),
                ("warmci.engine", self.runs.engine(key.folder).name),
            ]
            self._shield_from_timeout(item)
            kept.append(item)
            self._expected.setdefault(key.folder, []).append(item.nodeid)
        items[:] = kept

    @staticmethod
    def _shield_from_timeout(item: pytest.Item) -> None:
        """Let pytest-timeout's clock run for the test's body only: deploying and restoring have
        deadlines of their own, and shooting down a restore helps nobody."""
        if not item.config.pluginmanager.has_plugin("timeout"):
            return
        mark = item.get_closest_marker("timeout")
        given = dict(mark.kwargs) if mark else {}
        if mark and mark.args:
            given["timeout"] = mark.args[0]
        option = getattr(item.config.option, "timeout", None)
        known = (option, os.environ.get("PYTEST_TIMEOUT"), item.config.getini("timeout"))
        limit = given.get("timeout", next((each for each in known if each), None))
        if limit is None:
            return
        item.add_marker(
            pytest.mark.timeout(float(limit), method="signal", func_only=True), append=False
        )

    def pytest_deselected(self, items: Iterable[pytest.Item]) -> None:
        """Count what was narrowed away."""
        for item in items:
            key = key_of(item)
            if key is not None:
                self._deselected[key.folder] = self._deselected.get(key.folder, 0) + 1
                self._expected[key.folder].remove(item.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Order items last of all: `--ff` and `--nf` are outermost in modifyitems."""
        sort(session.items)

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Note what could not be collected: its recipe is not complete."""
        report = yield
        folder = recipe_folder(getattr(collector, "path", Path("/")))
        if folder is not None and not report.passed:
            what = "could not be collected" if report.failed else "was skipped"
            self._uncollected[folder] = f"{collector.name} {what}"
            error = self._broken.get(folder)
            if error is not None:
                excused = not isinstance(error, InputError | UsageError)
                verdict = reports.NOT_EVALUATED if excused else "invalid"
                reports.label(report, recipe=folder.name, verdict=verdict)
        return report

    # -- moving lanes ------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Time what a recipe's item takes beside the lane's own steps."""
        key = key_of(item)
        with nullcontext() if key is None else self.lane(key.folder).run.phases("test"):
            answer = yield
        if interrupts.told():
            # Somebody's code has swallowed the interruption: stop all the same.
            item.session.shouldstop = "told to stop"
        return answer

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Bring the lane to where the item runs.

        Neither first nor last: skip marks are evaluated before it, fixtures are set up after it.
        """
        key = key_of(item)
        if key is None:
            self._refuse_other_kinds(item)
            return
        if self.config.option.setupplan:
            return
        try:
            self.lane(key.folder).goto(key.stage, key.phase)
        except Blocked as why:
            pytest.skip(str(why))
        except RecipeFailed as error:
            if not rule_of(item).step:
                raise
            item.stash[_STEP_ERROR] = error

    def _refuse_other_kinds(self, item: pytest.Item) -> None:
        """A recipe's test that has no stage would run on no app, and pass."""
        folder = recipe_folder(item.path)
        if folder is None or not isinstance(item, pytest.Function):
            return
        what = f"{item.name} is no plain test function, so it cannot be given a stage"
        self.lane(folder).outcomes.note(item.nodeid, "failed", what)
        pytest.fail(f"{what}: write `def {item.name}(app): ...`", pytrace=False)

    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Let a step that failed on the way fail as the test that it is."""
        error = item.stash.get(_STEP_ERROR, None)
        if error is not None:
            raise error

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, Any, Any]:
        """Remember which fixtures of a recipe outlive their test."""
        result = yield
        wide = fixturedef.scope != "function" and key_of(request._pyfuncitem) is not None  # noqa: SLF001
        if wide and fixturedef.argname != "_stage":
            self._finalizers.append((fixturedef, request))
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, None, None]:
        """End what users built on the app while it is up, then leave the stage."""
        here = key_of(item)
        if here is None:
            return (yield)
        there = key_of(nextitem) if nextitem is not None else None
        lane = self.lane(here.folder)
        errors: list[Exception] = []
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised again below
            errors.append(error)
        if there != here:
            errors += self._end_fixtures()
        if any(not isinstance(error, NotEvaluated) for error in errors):
            reports.note_teardown(lane, item)
        if there is None or (there.folder, there.stage) != (here.folder, here.stage):
            try:
                lane.leave()
            except WarmciError as error:
                errors.append(error)
        if there is None or there.folder != here.folder:
            try:
                self._close(here.folder, interrupted=False)
            except WarmciError as error:
                errors.append(error)
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise ExceptionGroup(f"leaving {here.stage} of {here.folder.name}", errors)
        return None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Tell the recipe's fault from trouble of the place, and note it."""
        report = yield
        key = key_of(item)
        if key is not None:
            reports.note(self.lane(key.folder), key, item, call, report)
        elif isinstance(item, NotHere) and report.failed:
            recipe = item.path.parent.name
            reports.label(report, recipe=recipe, verdict=reports.NOT_EVALUATED)
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Leave what is still entered, and close every lane that began.

        Here a session ends in any case, so no signal may end it in the middle of that.
        """
        self.pytest_leave_pdb()  # who quits a debugger does not leave it
        with interrupts.finishing():
            while self._finalizers:
                # An author's code: whatever it raises, the app must still be left.
                with suppress(BaseException), interrupts.interruptible():
                    self._end_fixtures()
            try:
                with ExitStack() as each:
                    # A lane that came to its end was closed with its last item, these did not.
                    for folder in self.runs.open_folders:
                        each.callback(self._close_late, folder)
            finally:
                answer = yield
        if interrupts.told() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.INTERRUPTED
        return answer

    def _close_late(self, folder: Path) -> None:
        try:
            self._close(folder, interrupted=True)
        except WarmciError as error:  # there is no test left to tell it
            self.progress(f"{folder.name} could not be left: {error}")

    def recover_session(self) -> None:
        """Finish what a worker of this session that died had begun."""
        for text in self.runs.recover():
            self.progress(text)

    def _close(self, folder: Path, *, interrupted: bool) -> None:
        lane = self.lane(folder)
        if lane.result is not None:
            return
        reasons = narrowed(self.config, whole=is_whole(self.config, folder))
        if folder in self._uncollected:
            reasons.append(self._uncollected[folder])
        lane.close(narrowed=reasons, interrupted=interrupted)

    def _end_fixtures(self) -> list[Exception]:
        """End the fixtures that outlive their test, newest first; return what they raised.

        pytest has no public way to end a session fixture at once.
        """
        errors: list[Exception] = []
        while self._finalizers:
            fixturedef, request = self._finalizers.pop()
            try:
                fixturedef.finish(request)  # type: ignore[arg-type]
            except Exception as error:  # noqa: BLE001 - an author's code, shown later
                errors.append(error)
        return errors


def _leave_prompt(signal_name: str) -> NoReturn:
    pytest.exit(f"told to stop by {signal_name}", returncode=pytest.ExitCode.INTERRUPTED)


def _write(line: str) -> None:
    with suppress(OSError):  # the terminal may be gone; what we do must go on
        sys.stderr.write(line)
        sys.stderr.flush()
