"""Which tests each tier runs. Tiers are marks and folders on the same tests, never other tests.

- check: what needs no server (every folder but the real ones).
- test: check, the real tests marked `core`, and a sample of the other real ones that changes
  with the tree and fits into a time budget.
- nightly: everything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

REAL_FOLDERS = frozenset({"benchmarks", "contract", "e2e", "faults"})
"""Folders of `tests/` whose tests run real servers."""

SHARED_SERVERS = {
    "keycloak": ("test_baseline", "test_cold", "test_killed_keycloak", "test_login", "test_quick"),
    "live-warm keycloak": (
        "test_keycloak_trouble",
        "test_realm_crowd",
        "test_sso",
        "test_synapse",
    ),
    "swarm behind a proxy": (
        "test_swarm_engine_killed",
        "test_swarm_front",
        "test_swarm_killed",
        "test_swarm_radicale",
    ),
}
"""Files of the real folders that share a dear fixture (`seeded`, `signed_on`, `radicale_on_swarm`): on
several workers each of these would set it up for itself, which takes minutes."""

SAMPLE_BUDGET_S = 240.0
UNMARKED_COST_S = 30.0
"""What a real test without `@pytest.mark.cost` is taken to cost."""


class Tier(StrEnum):
    """How much of the suite runs."""

    CHECK = "check"
    TEST = "test"
    NIGHTLY = "nightly"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One collected test, as far as the choice needs it."""

    id: str
    real: bool = True
    core: bool = False
    nightly: bool = False
    cost: float = UNMARKED_COST_S


def folder_of(test_id: str) -> str:
    """Name the folder of `tests/` that a test id lies in ("" for one elsewhere)."""
    parts = test_id.split("::", maxsplit=1)[0].split("/")
    return parts[1] if len(parts) > 2 and parts[0] == "tests" else ""


def is_real(test_id: str) -> bool:
    """Tell whether a test id lies in one of the real folders."""
    return folder_of(test_id) in REAL_FOLDERS


def group_of(test_id: str) -> str:
    """Name what has to run on one worker: the files that share a server, else the file."""
    file = test_id.partition("::")[0]
    stem = file.rpartition("/")[2].removesuffix(".py")
    for group, files in SHARED_SERVERS.items():
        if is_real(test_id) and stem in files:
            return group
    return file


def dearest_first(candidates: Iterable[Candidate]) -> list[str]:
    """Order ids for several workers: the longest group begins first, none is left to run alone.

    Tests of one group stay together and keep their order; tests that need no server come last.
    """
    candidates = list(candidates)
    costs: dict[str, float] = {}
    for test in candidates:
        group = group_of(test.id)
        costs[group] = costs.get(group, 0.0) + (test.cost if test.real else 0.0)
    groups = {group: n for n, group in enumerate(sorted(costs, key=lambda group: -costs[group]))}
    return [test.id for test in sorted(candidates, key=lambda test: groups[group_of(test.id)])]


def choose(tier: Tier, candidates: Iterable[Candidate], seed: str) -> frozenset[str]:
    """Choose the ids that `tier` runs; the same seed gives the same sample."""
    candidates = list(candidates)
    if tier is Tier.NIGHTLY:
        return frozenset(test.id for test in candidates)
    candidates = [test for test in candidates if not test.nightly]
    chosen = {test.id for test in candidates if not test.real}
    if tier is Tier.TEST:
        chosen |= {test.id for test in candidates if test.real and test.core}
        chosen |= _sample((test for test in candidates if test.real and not test.core), seed)
    return frozenset(chosen)


def _sample(candidates: Iterable[Candidate], seed: str) -> set[str]:
    """Draw tests in the seed's order until the budget is used up."""

    def draw(test: Candidate) -> bytes:
        return hashlib.sha256(f"{seed}\0{test.id}".encode()).digest()

    left = SAMPLE_BUDGET_S
    sample = set()
    for test in sorted(candidates, key=draw):
        if test.cost <= left:
            left -= test.cost
            sample.add(test.id)
    return sample
