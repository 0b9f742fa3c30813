"""Which of a recipe's items a run has: the login only where the app gets single sign-on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_warmci.model import Mode, SsoSpec, Stage
from pytest_warmci.plugin.asserts import RULES
from pytest_warmci.plugin.collect import ASSERTS, is_dropped, key_at
from pytest_warmci.recipes.enrolment import read_enrolment
from pytest_warmci.recipes.source import open_source
from pytest_warmci.runs.planning import RunPlan, plan_run
from tests.fakes import FakeEngine
from tests.unit.signing import SPEC


@dataclass
class Assert:
    """A generic assert, as far as its rule is concerned."""

    originalname: str

    @property
    def module(self) -> Any:
        return SimpleNamespace(__name__=ASSERTS)


@pytest.fixture
def plan(haunted: Path, tmp_path: Path) -> RunPlan:
    folder = haunted / "recipe_tests" / "ghost"
    return plan_run(
        read_enrolment(folder),
        open_source(str(folder / "source"), haunted / "state" / "cache"),
        FakeEngine(tmp_path / "calls"),
        requested="cold",
        head_ref="HEAD",
        known_good=None,
        quarantine="",
    )


def dropped(plan: RunPlan, name: str, stage: Stage) -> bool:
    key = key_at(plan.enrolment.folder, stage, RULES[name].phase)
    return is_dropped(cast("pytest.Item", Assert(name)), key, plan)


def test_only_the_login_needs_single_sign_on() -> None:
    assert ["test_logs_in"] == [name for name, rule in RULES.items() if rule.sso]


@pytest.mark.parametrize("mode", ["cold", "quick"])
@pytest.mark.parametrize("stage", ["install", "upgrade"])
@pytest.mark.parametrize("sso", [SPEC, None])
def test_a_login_is_tried_where_there_is_one(
    plan: RunPlan, mode: Mode, stage: Stage, sso: SsoSpec | None
) -> None:
    """In every stage and mode."""
    made = replace(plan, mode=mode, enrolment=replace(plan.enrolment, sso=sso))

    assert (sso is None) == dropped(made, "test_logs_in", stage)
    assert not dropped(made, "test_serves", stage)
