"""With `-n`: a recipe stays whole on one worker, and a begun one is never resumed elsewhere."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Protocol

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from pytest_warmci.clients.waiting import Look, WaitedTooLong, wait_until
from pytest_warmci.plugin import options
from pytest_warmci.plugin.folders import recipe_folder
from pytest_warmci.plugin.reports import NOT_EVALUATED, label

if TYPE_CHECKING:
    from xdist.scheduler.protocol import Scheduling

    from pytest_warmci.plugin.floor import Floor

_LEAVING: Final = 600.0
"""Seconds that workers may take to leave their recipes: stop, restore, verify, each bounded."""


_PATIENCE: Final = 1.0
"""Seconds after which a person who waits wants to know for whom."""


class _Process(Protocol):
    """What we ask of a worker's process (a `subprocess.Popen`)."""

    pid: int

    def poll(self) -> int | None:
        """Return how it ended, None while it runs."""


class RecipeScheduling(LoadScopeScheduling):
    """Sends each recipe to one worker; other tests go file by file."""

    def _split_scope(self, nodeid: str) -> str:
        path = self.config.rootpath / nodeid.partition("::")[0]
        folder = recipe_folder(path)
        return str(folder) if folder is not None else str(path)

    def remove_node(self, node: WorkerController) -> str | None:
        """Forget a worker that died; the recipe that it had begun is not given to another one."""
        work = self.assigned_work[node]
        crash = next(
            (item for unit in work.values() for item, done in unit.items() if not done), None
        )
        for unit in work.values():
            if crash in unit or any(unit.values()):
                unit.update(dict.fromkeys(unit, True))
        super().remove_node(node)
        return crash


class Distribution:
    """Hooks of the controller of a distributed session."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._nodes: list[WorkerController] = []

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Producer) -> Scheduling:
        """Keep recipes whole."""
        return RecipeScheduling(config, log)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: WorkerController) -> None:
        """Tell a worker which session it belongs to."""
        node.workerinput[options.SESSION] = self._floor.settings.session
        self._nodes.append(node)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Let workers leave their recipes, then finish for those that could not.

        xdist would leave an interrupted worker alone for five seconds and kill it after ten more,
        in the middle of whatever it restores. The floor lets no signal in here.
        """
        self._wait_for_workers()
        self._floor.recover_session()

    def _wait_for_workers(self) -> None:
        if not any(_is_up(node) for node in self._nodes):
            return
        for node in self._nodes:
            pid = _pid(node)
            if pid is not None and _is_up(node):
                os.kill(pid, signal.SIGTERM)
        recipes = self._floor.runs.live_recipes()
        begun, said = time.monotonic(), ""

        def look() -> Look:
            nonlocal said
            left = ", ".join(_describe(node, recipes) for node in self._nodes if _is_up(node))
            self._floor.waits_for = left
            if left not in ("", said) and time.monotonic() - begun > _PATIENCE:
                said = left
                self._floor.progress(f"waiting for {left} to leave")
            return Look(not left, left)

        try:
            wait_until(look, timeout=_LEAVING)
        except WaitedTooLong as late:
            self._floor.progress(f"{late.state} did not leave: the next run recovers")
        self._floor.waits_for = ""

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(
        self, crashitem: str, report: pytest.TestReport, sched: RecipeScheduling
    ) -> None:
        """A crashed worker says nothing about the recipe."""
        label(report, verdict=NOT_EVALUATED)
        folder = recipe_folder(sched.config.rootpath / crashitem.partition("::")[0])
        if folder is not None:
            label(report, recipe=folder.name)
        report.longrepr = f"{crashitem}: the worker died; the rest of its recipe was not run"


def _describe(node: WorkerController, recipes: Mapping[int, str]) -> str:
    recipe = recipes.get(_pid(node) or 0, "")
    return f"{node.gateway.id} ({recipe})" if recipe else str(node.gateway.id)


def _is_up(node: WorkerController) -> bool:
    """Tell whether a worker still runs its session."""
    if hasattr(node, "workeroutput"):
        return False
    process = _process(node)
    return process is None or process.poll() is None


def _pid(node: WorkerController) -> int | None:
    process = _process(node)
    return None if process is None else process.pid


def _process(node: WorkerController) -> _Process | None:
    """Return a worker's process. execnet has no public name for it; None when that has changed."""
    found: _Process | None = getattr(getattr(node.gateway, "_io", None), "popen", None)
    return found
