"""Collecting a recipe: its recipe.yml is a module of generic asserts, its tests get stages."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_warmci.errors import EngineUnavailable
from pytest_warmci.model import PHASES, STAGES, Phase, Stage
from pytest_warmci.plugin import FLOOR
from pytest_warmci.plugin.rules import ANY, BEFORE_UPGRADE, Rule
from pytest_warmci.runs.planning import RunPlan

if TYPE_CHECKING:
    from pytest_warmci.plugin.floor import Floor

ASSERTS: Final = "pytest_warmci.plugin.asserts"
STAGE: Final = "_stage"


@dataclass(frozen=True, slots=True)
class Key:
    """Where in a recipe's life an item runs. Get it from `key_at`: pytest tells the values of a
    parameter apart by identity."""

    folder: Path
    stage: Stage
    phase: Phase


@cache
def key_at(folder: Path, stage: Stage, phase: Phase) -> Key:
    """Return the one key of that folder, stage and phase."""
    return Key(folder, stage, phase)


class RecipeFile(pytest.Module):
    """A recipe.yml as a collector of the plugin's generic asserts."""

    def _getobj(self) -> ModuleType:
        return importlib.import_module(ASSERTS)

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """Check the recipe, then collect the asserts."""
        floor = floor_of(self.config)
        obstacle = floor.unavailable(self.path.parent)
        if obstacle is not None:
            # As a failed collection it would end the session, other recipes' too.
            yield NotHere.from_parent(self, name="not_here", error=obstacle)
            return
        plan = floor.plan(self.path.parent)
        for found in super().collect():
            key = key_of(found) if isinstance(found, pytest.Item) else None
            if isinstance(found, pytest.Item) and key and is_dropped(found, key, plan):
                continue
            yield found


class NotHere(pytest.Item):
    """Stands for a recipe whose engine cannot run it here."""

    def __init__(self, *, error: EngineUnavailable, **rest: Any) -> None:
        super().__init__(**rest)
        self.error = error
        self.add_marker(floor_of(self.config).settings.mode.value)

    def runtest(self) -> None:
        """Say why.

        Raises:
            EngineUnavailable: Always.
        """
        raise self.error

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None
    ) -> str:
        """Return the error's own text."""
        del style
        return str(excinfo.value)


def floor_of(config: pytest.Config) -> Floor:
    """Return the session's floor."""
    floor: Floor | None = config.pluginmanager.get_plugin(FLOOR)
    if floor is None:
        raise pytest.UsageError("pytest-warmci is not set up for this session")
    return floor


def key_of(item: pytest.Item) -> Key | None:
    """Return where an item of a recipe runs, None for any other item."""
    callspec = getattr(item, "callspec", None)
    found = callspec.params.get(STAGE) if callspec is not None else None
    return found if isinstance(found, Key) else None


def generate(metafunc: pytest.Metafunc, folder: Path) -> None:
    """Parametrise one test of a recipe with the stages that it may belong to.

    Those that this run does not have are dropped later, by `is_dropped`: pytest would show an
    empty set of parameters as a skipped test.
    """
    plan = floor_of(metafunc.config).plan(folder)
    rule = rule_of(metafunc.definition)
    stages = [stage for stage in plan.stages if stage in rule.stages] or rule.stages[:1]
    keys = [key_at(folder, stage, rule.phase) for stage in stages]
    if STAGE not in metafunc.fixturenames:
        metafunc.fixturenames.insert(0, STAGE)
    metafunc.parametrize(
        STAGE, keys, indirect=True, scope="session", ids=[key.stage for key in keys]
    )


def rule_of(item: pytest.Item) -> Rule:
    """Return when an item of a recipe runs: a generic assert's rule, or that of its marks."""
    from pytest_warmci.plugin.asserts import RULES

    function = getattr(item, "originalname", None) or item.name
    if getattr(getattr(item, "module", None), "__name__", "") == ASSERTS:
        return RULES[function]
    rule = BEFORE_UPGRADE if item.get_closest_marker("before_upgrade") else ANY
    return replace(rule, modes=("cold",)) if "cold" in _own_marks(item) else rule


def is_dropped(item: pytest.Item, key: Key, plan: RunPlan) -> bool:
    """Tell whether an item does not belong to this run."""
    rule = rule_of(item)
    if key.stage not in plan.stages or plan.mode not in rule.modes:
        return True
    if rule.witness and not (key.folder / "witness.py").is_file():
        return True
    if rule.sso and plan.enrolment.sso is None:
        return True
    return rule.last_stage_only and key.stage != plan.stages[-1]


def _own_marks(item: pytest.Item) -> set[str]:
    return {mark.name for mark in item.iter_markers() if not mark.kwargs.get("_warmci")}


def sort(items: list[pytest.Item]) -> None:
    """Put items in the order of their recipes' lives; others stay where they are, in front."""
    seen: dict[Path, int] = {}

    def place(item: pytest.Item) -> tuple[int, int, int, int]:
        key = key_of(item)
        if key is None:
            return (-1, 0, 0, 0)
        recipe = seen.setdefault(key.folder, len(seen))
        order = rule_of(item).order
        return (recipe, STAGES.index(key.stage), PHASES.index(key.phase), order)

    items.sort(key=place)
