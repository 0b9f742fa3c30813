"""When an item of a recipe runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pytest_warmci.model import STAGES, Mode, Phase, Stage


@dataclass(frozen=True, slots=True)
class Rule:
    """When an item runs.

    `order` sorts within a phase: steps come before authors' tests (1), what disturbs the app
    after them. A `step` does its work in getting there. `sso`: only where the app gets single
    sign-on.
    """

    stages: tuple[Stage, ...] = STAGES
    phase: Phase = "head"
    modes: tuple[Mode, ...] = ("cold", "quick")
    order: int = 1
    step: bool = False
    witness: bool = False
    sso: bool = False
    last_stage_only: bool = False


ANY: Final = Rule()
"""An author's test."""

BEFORE_UPGRADE: Final = Rule(stages=("upgrade",), phase="base")
"""An author's test marked `before_upgrade`."""
