"""With `-n`: a recipe stays whole on one worker, and a begun one is never resumed elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from pytest_warmci.plugin import options
from pytest_warmci.plugin.folders import recipe_folder
from pytest_warmci.plugin.reports import NOT_EVALUATED, label

if TYPE_CHECKING:
    from xdist.scheduler.protocol import Scheduling


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

    def __init__(self, session: str) -> None:
        self._session = session

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Producer) -> Scheduling:
        """Keep recipes whole."""
        return RecipeScheduling(config, log)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: WorkerController) -> None:
        """Tell a worker which session it belongs to."""
        node.workerinput[options.SESSION] = self._session

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
