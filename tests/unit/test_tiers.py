"""The choice of a tier: pure, and the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tiers import (
    REAL_FOLDERS,
    SAMPLE_BUDGET_S,
    SHARED_SERVERS,
    Candidate,
    Tier,
    choose,
    dearest_first,
    group_of,
    is_real,
)

TESTS = Path(__file__).parents[1]

UNIT = Candidate("tests/unit/test_a.py::test_a", real=False)
CORE = Candidate("tests/e2e/test_a.py::test_core", core=True, cost=600)
NIGHTLY = Candidate("tests/benchmarks/test_a.py::test_a", nightly=True, cost=1)
OTHERS = [Candidate(f"tests/faults/test_a.py::test_{n}", cost=60) for n in range(20)]
ALL = [UNIT, CORE, NIGHTLY, *OTHERS]


def test_check_runs_what_needs_no_server() -> None:
    assert {UNIT.id} == choose(Tier.CHECK, ALL, "seed")


def test_test_adds_core_and_as_many_others_as_the_budget_holds() -> None:
    chosen = choose(Tier.TEST, ALL, "seed")

    assert {UNIT.id, CORE.id} == chosen - {other.id for other in OTHERS}
    assert sum(other.cost for other in OTHERS if other.id in chosen) == SAMPLE_BUDGET_S


def test_nightly_runs_everything() -> None:
    assert {test.id for test in ALL} == choose(Tier.NIGHTLY, ALL, "seed")


def test_nightly_only_tests_are_never_sampled() -> None:
    assert frozenset() == choose(Tier.TEST, [NIGHTLY], "seed")


def test_the_sample_depends_on_the_seed_alone() -> None:
    again = choose(Tier.TEST, reversed(ALL), "seed")
    others = {choose(Tier.TEST, ALL, f"seed {n}") for n in range(10)}

    assert choose(Tier.TEST, ALL, "seed") == again
    assert len(others) > 1


def test_every_test_is_sampled_by_some_seed() -> None:
    seen = frozenset[str]().union(*(choose(Tier.TEST, ALL, str(n)) for n in range(100)))

    assert {other.id for other in OTHERS} <= seen


@pytest.mark.parametrize(
    ("test_id", "real"),
    [
        ("tests/e2e/test_a.py::test_a[x/y::z]", True),
        ("tests/faults/kills/test_a.py::TestA::test_a", True),
        ("tests/unit/test_a.py::test_a", False),
        ("tests/test_e2e.py::test_a", False),
        ("recipe_tests/keycloak/recipe.yml::test_serves[upgrade]", False),
    ],
)
def test_the_folder_says_what_is_real(test_id: str, real: bool) -> None:
    assert is_real(test_id) is real


def test_files_that_share_a_server_stay_together() -> None:
    """They and no others; a file of that name elsewhere is another one."""
    together = {
        group_of(f"tests/{name}.py::test_x[1]")
        for name in ("e2e/test_sso", "faults/test_realm_crowd")
    }

    assert {"live-warm keycloak"} == together
    assert "keycloak" == group_of("tests/e2e/test_quick.py::test_x")
    assert "tests/unit/test_quick.py" == group_of("tests/unit/test_quick.py::test_x")
    assert "tests/faults/test_killed.py" == group_of("tests/faults/test_killed.py::test_x")


def test_files_that_share_a_server_are_there() -> None:
    """A renamed one would set the server up once more."""
    real = {path.stem for folder in REAL_FOLDERS for path in TESTS.glob(f"{folder}/test_*.py")}

    assert set() == {name for names in SHARED_SERVERS.values() for name in names} - real


def test_the_dearest_group_begins_and_stays_together() -> None:
    """Groups, not tests: two dear tests of one server are one piece of work."""
    tests = [
        UNIT,
        Candidate("tests/faults/test_a.py::test_1", cost=50),
        Candidate("tests/e2e/test_quick.py::test_1", cost=40),
        Candidate("tests/faults/test_a.py::test_2", cost=5),
        Candidate("tests/e2e/test_cold.py::test_1", cost=30),
    ]

    assert dearest_first(tests) == [tests[n].id for n in (2, 4, 1, 3, 0)]
