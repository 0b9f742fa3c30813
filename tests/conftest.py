"""Tiers, limits and evidence of this project's own suite. See CONTRIBUTING.md.

Nothing here is loaded by `pytest recipe_tests/<recipe>`.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests import evidence
from tests.tiers import (
    UNMARKED_COST_S,
    Candidate,
    Tier,
    choose,
    dearest_first,
    folder_of,
    group_of,
    is_real,
)

pytest_plugins = ["pytester", "tests.seeded", "tests.swarm_fixtures"]

UNIT_LIMIT_S = 30
PLUGIN_LIMIT_S = 90
"""A plugin test runs whole pytest sessions."""
REAL_LIMIT_S = 900


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("tiers", "this project's own tests")
    group.addoption(
        "--tier",
        choices=[str(tier) for tier in Tier],
        help="how much to run; default: test, or all that is named when paths or ids are given",
    )
    group.addoption("--tier-seed", help="seed of the sample (default: the git tree's id)")
    group.addoption(
        "--no-skips", action="store_true", help="a skipped real test fails (always in CI)"
    )
    group.addoption("--evidence", type=Path, metavar="FILE", help="write what was proved")
    group.addoption(
        "--evidence-after", type=Path, metavar="FILE", help="join that of an earlier session to it"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if not config.option.tier_seed:  # workers are given the controller's options
        config.option.tier_seed = evidence.tree(config.rootpath) or "no git"
    kind = TierOfWorker if hasattr(config, "workerinput") else TierOfSession
    config.pluginmanager.register(kind(config), "tiers")


def tier_of(config: pytest.Config) -> Tier | None:
    """Read the tier; None runs exactly what was named."""
    if config.option.tier:
        return Tier(config.option.tier)
    named = config.args_source is pytest.Config.ArgsSource.ARGS
    return None if named else Tier.TEST


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark by folder, before -m is applied."""
    limits = {"unit": UNIT_LIMIT_S, "plugin": PLUGIN_LIMIT_S}
    for item in items:
        folder = folder_of(item.nodeid)
        if is_real(item.nodeid):
            item.add_marker(pytest.mark.real)
        if folder == "benchmarks":
            item.add_marker(pytest.mark.nightly)
        if folder and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(limits.get(folder, REAL_LIMIT_S)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Let `--dist loadfile` keep together what shares a server, too."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    # It would begin with the groups of the most tests; ours come with the dearest first.
    config.option.loadscopereorder = False

    class ByServer(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return ByServer(config, log)


class TierOfWorker:
    """Chooses the tests, and tells the controller (if it isn't it) what it will never see."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.tier = tier_of(config)
        self.left_out: list[str] = []
        self.skipped_files: dict[str, str] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self.tier is None:
            return
        chosen = choose(self.tier, map(_candidate, items), self.config.option.tier_seed)
        dropped = [item for item in items if item.nodeid not in chosen]
        if dropped:
            self.left_out = [item.nodeid for item in dropped]
            self.config.hook.pytest_deselected(items=dropped)
            items[:] = [item for item in items if item.nodeid in chosen]
        # Alone, files keep the order in which they were read.
        if hasattr(self.config, "workerinput"):
            places = {test: n for n, test in enumerate(dearest_first(map(_candidate, items)))}
            items.sort(key=lambda item: places[item.nodeid])

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:  # xdist does not pass these on
            self.skipped_files[report.nodeid] = evidence.skip_reason(report)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        output: dict[str, Any] = getattr(self.config, "workeroutput", {})
        output["left_out"] = self.left_out
        output["skipped_files"] = self.skipped_files


class TierOfSession(TierOfWorker):
    """Keeps the record of the session; refuses skips where they would hide something."""

    def __init__(self, config: pytest.Config) -> None:
        super().__init__(config)
        self.record = evidence.Record()
        self.no_skips = config.option.no_skips or os.environ.get("CI") == "true"

    def pytest_report_header(self) -> str:
        if self.tier is None:
            return "tier: none, all that is named runs"
        return f"tier: {self.tier}, sample seed {self.config.option.tier_seed}"

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.record.add(report)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        output: dict[str, Any] = getattr(node, "workeroutput", {})
        self.left_out = sorted({*self.left_out, *output.get("left_out", [])})
        self.skipped_files |= output.get("skipped_files", {})

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        for file, reason in self.skipped_files.items():
            self.record.outcomes[file] = evidence.Outcome(file, "skipped", 0.0, reason)
        if self.refused_skips() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if earlier := self.config.option.evidence_after:
            self.record.join(earlier, self.config.rootpath)
        if path := self.config.option.evidence:
            self.record.write(
                path,
                root=self.config.rootpath,
                exit_status=int(session.exitstatus),
                tier=str(self.tier or "none"),
                left_out=self.left_out,
            )

    def refused_skips(self) -> list[evidence.Outcome]:
        """List the real tests that had to run and did not."""
        if not self.no_skips:
            return []
        return [skip for skip in self.record.skipped() if is_real(skip.id)]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.left_out:
            terminalreporter.section(f"left out by tier {self.tier}")
            if self.tier is Tier.CHECK:
                for folder, count in sorted(Counter(map(folder_of, self.left_out)).items()):
                    terminalreporter.line(f"tests/{folder}: {count}")
            else:
                for test in self.left_out:
                    terminalreporter.line(test)
        if refused := self.refused_skips():
            terminalreporter.section("skipped, but must run (CI or --no-skips)", red=True)
            for skip in refused:
                terminalreporter.line(f"{skip.id}: {skip.reason}")


def _candidate(item: pytest.Item) -> Candidate:
    cost = item.get_closest_marker("cost")
    return Candidate(
        id=item.nodeid,
        real=is_real(item.nodeid),
        core=item.get_closest_marker("core") is not None,
        nightly=item.get_closest_marker("nightly") is not None,
        cost=float(cost.args[0]) if cost else UNMARKED_COST_S,
    )
