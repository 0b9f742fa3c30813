"""What a person and a machine get to see of a session: header, statuses, results, exit code."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_warmci.clients import interrupts
from pytest_warmci.clients.files import make_folder, write_json
from pytest_warmci.clients.machine import utc_now
from pytest_warmci.errors import StateDamaged, WarmciError
from pytest_warmci.model import AUTO_ENGINE
from pytest_warmci.plugin import reports
from pytest_warmci.plugin.collect import key_of
from pytest_warmci.plugin.reports import NOT_EVALUATED, labels
from pytest_warmci.runs.session import SessionRuns
from pytest_warmci.runs.summary import describe, describe_known_good
from pytest_warmci.store.results import Result, read_result
from pytest_warmci.store.sessions import Session, mask_argv, write_session

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

EXIT_INTERRUPTED: Final = 2
EXIT_NOT_EVALUATED: Final = 75
EXIT_NOTHING_RAN: Final = 5


class Summary:
    """Hooks of the process that talks to the terminal."""

    def __init__(self, config: pytest.Config, runs: SessionRuns) -> None:
        self._config = config
        self._runs = runs
        self._started = utc_now()
        self._unevaluated: list[tuple[str, str, str]] = []
        """Item (or what else), reason, and the label of a cause that is told once."""
        self._failed = 0
        self._passed = 0
        self._recipes: set[str] = set()
        self._broken: dict[str, str] = {}
        self._finished = False
        self._rerun = False

    def pytest_report_header(self) -> list[str]:
        """Say what will run, and why."""
        settings = self._runs.settings
        return [
            (
                f"warmci: mode {settings.mode}, engine {settings.engine}, head {settings.head},"
                f" session {settings.session}"
            ),
            f"warmci: state {settings.state}",
        ]

    def pytest_report_collectionfinish(self, items: list[pytest.Item]) -> list[str]:
        """Say what each recipe's run starts from."""
        lines = []
        for plan in self._runs.plans:
            engine = self._runs.engine(plan.enrolment.folder)
            if self._runs.settings.engine.value == AUTO_ENGINE:
                why = self._runs.engine_reason(plan.enrolment.folder)
                lines.append(f"warmci: {plan.enrolment.recipe}: engine {engine.name} ({why})")
            entry = self._runs.known_good(plan.enrolment.recipe, engine.name)
            lines.append(f"warmci: {plan.enrolment.recipe}: {describe_known_good(entry)}")
            if plan.fallback:
                lines.append(
                    f"warmci: {plan.enrolment.recipe}: cold ({plan.requested_mode} asked:"
                    f" {plan.fallback}); a cold run takes minutes"
                )
        try:
            lines += [f"warmci: warning: {text}" for text in self._runs.state.warnings()]
        except WarmciError as error:
            lines.append(f"warmci: {error.summary}")
        return lines

    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        """Show what was not evaluated as that."""
        if labels(report).get("verdict") == NOT_EVALUATED:
            return "not evaluated", "N", ("NOT EVALUATED", {"yellow": True})
        return None

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Remember which recipes are to leave a result."""
        keys = [key_of(item) for item in session.items]
        self._recipes |= {key.folder.name for key in keys if key is not None}

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note recipes that could not even be planned, and what that means."""
        found = labels(report)
        if "recipe" in found:
            self._broken[found["recipe"]] = found["verdict"]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count, and put the mode into JUnit's classname."""
        found = labels(report)
        if "recipe" in found:
            self._recipes.add(found["recipe"])
        if found.get("verdict") == NOT_EVALUATED:
            self._unevaluated.append((report.nodeid, str(report.longrepr), found.get("cause", "")))
        elif report.failed:
            self._failed += 1
        elif report.passed and report.when == "call" and "recipe" not in found:
            self._passed += 1  # of a recipe, only its result says whether it passed
        if "mode" in found:
            self._label_junit(report, found["mode"])

    def _label_junit(self, report: pytest.TestReport, mode: str) -> None:
        # The writer has no public way to change a classname.
        try:
            from _pytest.junitxml import mangle_test_address, xml_key
        except ImportError:
            return
        xml = self._config.stash.get(xml_key, None)
        if xml is None:
            return
        names = mangle_test_address(report.nodeid)
        classname = ".".join([mode, *([xml.prefix] if xml.prefix else []), *names[:-1]])
        xml.node_reporter(report).add_attribute("classname", classname)

    def pytest_sessionstart(self) -> None:
        """Put what was asked for on the whole JUnit file."""
        with contextlib.suppress(ImportError):
            from _pytest.junitxml import xml_key

            xml = self._config.stash.get(xml_key, None)
            if xml is not None:
                settings = self._runs.settings
                xml.add_global_property("warmci.requested_mode", settings.mode.value)
                xml.add_global_property("warmci.engine", settings.engine.value)
                xml.add_global_property("warmci.session", settings.session)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        """Record the session before it runs anything: if it is killed, that much is known."""
        distributed = bool(getattr(self._config.option, "tx", None))
        if (self._recipes or distributed) and not self._config.option.collectonly:
            with contextlib.suppress(WarmciError, OSError):
                self._record(self._recipes)

    def _record(
        self, missing: Collection[str], results: Collection[Result] = (), status: int | None = None
    ) -> None:
        record = Session(
            id=self._runs.settings.session,
            started=self._started,
            argv=tuple(sys.argv),
            finished=None if status is None else utc_now(),
            runs=tuple(each.run_id for each in results),
            verdicts={each.run_id: each.verdict for each in results},
            exit_status=status,
            without_result=tuple(sorted(missing)),
        )
        path = self._runs.state.session(self._runs.settings.session)
        make_folder(path.parent)
        write_session(path, record)

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Let pytest tell of an interruption wherever it came, and end with its exit code."""
        interrupts.drop_placeless(excinfo.tb)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Decide the exit status and write the session's record; every lane is closed by now."""
        if self._config.option.collectonly:
            return
        try:
            results = list(self.results())
        except WarmciError:
            return  # collecting has said it; there is no state to write to
        expected = {*self._recipes, *self._broken}
        if not results and not expected and not self._unevaluated:
            return
        missing = expected - {each.recipe for each in results}
        session.exitstatus = self._exit_status(int(exitstatus), results, missing)
        self._finished = True
        self._write(session, results, missing)

    def _exit_status(self, status: int, results: list[Result], missing: set[str]) -> int:
        if status == 2 and self._broken and set(self._broken.values()) == {NOT_EVALUATED}:
            return EXIT_NOT_EVALUATED
        if interrupts.told() and status in (0, 1, 2, 5):
            return EXIT_INTERRUPTED
        if status not in (0, 1, 5):
            # Under -n, xdist turns --maxfail into an interruption.
            limit = self._config.option.maxfail or 0
            distributed = bool(getattr(self._config.option, "tx", None))
            by_maxfail = status == 2 and distributed and 0 < limit <= self._failed
            return 1 if by_maxfail else status
        if self._failed or any(each.verdict == "failed" for each in results):
            return 1
        undone = [each for each in results if _promotion_failed(each)]
        unknown = any(each.verdict == "not-evaluated" for each in results)
        if self._unevaluated or undone or unknown or missing:
            return EXIT_NOT_EVALUATED
        passed = self._passed or any(each.verdict == "passed" for each in results)
        return 0 if passed else EXIT_NOTHING_RAN

    def results(self) -> Iterator[Result]:
        """Read the results that this session's runs left, whichever process ran them."""
        runs = self._runs.state.runs
        for folder in sorted(runs.iterdir()) if runs.is_dir() else []:
            try:
                found = read_result(folder)
            except (FileNotFoundError, StateDamaged):
                continue
            if found.session == self._runs.settings.session:
                yield found

    def _write(self, session: pytest.Session, results: list[Result], missing: set[str]) -> None:
        """Write FILE of --warmci-json, then the session's record; say so when one cannot be."""
        writes = [("the session's record", self._write_record)]
        if self._config.option.warmci_json:
            # First and last: what becomes of the record may change the exit status.
            writes = [
                ("the results", self._write_json),
                *writes,
                ("the results", self._write_json),
            ]
        for what, write in writes:
            try:
                write(session, results, missing)
            except (OSError, WarmciError) as error:
                said = f"{what} could not be written"
                if all(said != each for each, *_ in self._unevaluated):
                    self._unevaluated.append((said, str(error), reports.cause_of([error])))
                if session.exitstatus in (0, EXIT_NOTHING_RAN):
                    session.exitstatus = EXIT_NOT_EVALUATED

    def _write_record(
        self, session: pytest.Session, results: list[Result], missing: set[str]
    ) -> None:
        self._record(missing, results, int(session.exitstatus))

    def _write_json(
        self, session: pytest.Session, results: list[Result], missing: set[str]
    ) -> None:
        data: dict[str, Any] = {
            "format": 1,
            "session": self._runs.settings.session,
            "exit_status": int(session.exitstatus),
            "without_result": sorted(missing),
            "results": [each.to_json() for each in results],
        }
        write_json(Path(self._config.option.warmci_json).absolute(), data)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Show why things were not evaluated, each recipe's result, and how to run it again."""
        if not self._finished:
            return
        if self._unevaluated:
            terminalreporter.section("NOT EVALUATED", yellow=True)
            told: set[str] = set()
            for nodeid, reason, cause in self._unevaluated:
                # What a full disk brings with it says no more than where it was met again.
                text = reason.splitlines()[0] if cause in told else reason
                told |= {cause} - {""}
                terminalreporter.write_line(f"{nodeid}\n{_indented(text)}")
        results = list(self.results())
        for each in results:
            terminalreporter.section(f"warmci {each.recipe}", sep="-")
            entry = self._runs.known_good(each.recipe, each.engine)
            for line in describe(each, entry, self._runs.state.run(each.run_id)):
                terminalreporter.write_line(line)
        self._rerun = bool(results)

    def pytest_unconfigure(self) -> None:
        """End with the command that runs this again, below pytest's own last line."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if self._rerun and reporter is not None:
            reporter.write_line(f"run again: {_rerun(self._config)}")


def _promotion_failed(result: Result) -> bool:
    return not result.promoted and result.promotion_reason.startswith("the promotion failed")


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def _rerun(config: pytest.Config) -> str:
    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        words = [sys.executable, "-m", "pytest"]
    else:
        try:
            words = [str(program.absolute().relative_to(Path.cwd()))]
        except ValueError:
            words = [str(program)]
    # What would be a secret in it has to be typed again.
    return shlex.join(mask_argv([*words, *map(str, config.invocation_params.args)]))
