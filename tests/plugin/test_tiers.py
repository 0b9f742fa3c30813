"""The tiers as a session shows them: selection, skips, evidence, with and without workers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
WORKERS = pytest.mark.parametrize("workers", [[], ["-n1"]], ids=["plain", "xdist"])


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A small project with this project's conftest."""
    monkeypatch.delenv("CI", raising=False)
    tests = pytester.mkpydir("tests")
    for file in ("conftest.py", "evidence.py", "tiers.py"):
        shutil.copy(TESTS / file, tests)
    for file in ("seeded.py", "swarm_fixtures.py"):
        (tests / file).touch()  # their fixtures are for real tests
    for folder, text in {
        "unit": "def test_unit(): pass",
        "e2e": "import pytest\n@pytest.mark.core\ndef test_core(): pass\n"
        "@pytest.mark.cost(9999)\ndef test_dear(): pass\n"
        "def test_sampled(): pass",
        "benchmarks": "def test_speed(): pass",
        "faults": "import pytest\n@pytest.mark.core\ndef test_kill(): pytest.skip('no kill')",
        "contract": "import pytest\npytest.skip('no engine', allow_module_level=True)",
    }.items():
        (tests / folder).mkdir()
        (tests / folder / f"test_{folder}.py").write_text(text)
    pytester.makepyprojecttoml(
        """
        [tool.pytest.ini_options]
        testpaths = ["tests"]
        pythonpath = ["."]
        addopts = ["--import-mode=importlib", "-pno:warmci", "-pno:cacheprovider"]
        filterwarnings = ["error"]
        markers = ["core", "cost", "nightly", "real"]
        """
    )
    return pytester


@WORKERS
def test_tier_test_lists_what_it_leaves_out(suite: pytest.Pytester, workers: list[str]) -> None:
    result = suite.runpytest_subprocess(*workers)

    assert result.ret == pytest.ExitCode.OK
    assert result.parseoutcomes()["passed"] == 3
    result.stdout.fnmatch_lines_random(
        [
            "tier: test, sample seed no git",
            "*= left out by tier test =*",
            "tests/benchmarks/test_benchmarks.py::test_speed",
            "tests/e2e/test_e2e.py::test_dear",
        ]
    )


def test_tier_check_needs_no_server(suite: pytest.Pytester) -> None:
    result = suite.runpytest_subprocess("--tier", "check")

    result.assert_outcomes(passed=1, skipped=1, deselected=5)
    result.stdout.fnmatch_lines(["*left out by tier check*", "tests/benchmarks: 1"])


def test_what_is_named_runs(suite: pytest.Pytester) -> None:
    result = suite.runpytest_subprocess("tests/benchmarks", "tests/e2e")

    result.assert_outcomes(passed=4)


def test_marks_by_folder_can_be_selected(suite: pytest.Pytester) -> None:
    result = suite.runpytest_subprocess("--tier", "nightly", "-m", "not real")

    result.assert_outcomes(passed=1, skipped=1, deselected=5)


@WORKERS
def test_a_skipped_real_test_fails_in_ci(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: list[str]
) -> None:
    monkeypatch.setenv("CI", "true")

    result = suite.runpytest_subprocess(*workers)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines_random(
        [
            "*= skipped, but must run (CI or --no-skips) =*",
            "tests/contract/test_contract.py: no engine",
            "tests/faults/test_faults.py::test_kill: no kill",
        ]
    )


@WORKERS
def test_evidence_names_everything(suite: pytest.Pytester, workers: list[str]) -> None:
    result = suite.runpytest_subprocess(
        "--tier", "nightly", "--evidence", "kept/evidence.json", *workers
    )

    evidence = json.loads((suite.path / "kept/evidence.json").read_text())
    assert result.ret == pytest.ExitCode.OK
    assert (1, None, "nightly", 0, []) == tuple(
        evidence[key] for key in ("format", "commit", "tier", "exit_status", "left_out")
    )
    assert {
        "tests/benchmarks/test_benchmarks.py::test_speed": "passed",
        "tests/contract/test_contract.py": "skipped",
        "tests/e2e/test_e2e.py::test_core": "passed",
        "tests/e2e/test_e2e.py::test_dear": "passed",
        "tests/e2e/test_e2e.py::test_sampled": "passed",
        "tests/faults/test_faults.py::test_kill": "skipped",
        "tests/unit/test_unit.py::test_unit": "passed",
    } == {test["id"]: test["outcome"] for test in evidence["tests"]}
    assert ["no engine", "no kill"] == sorted(skip["reason"] for skip in evidence["skips"])


def test_evidence_of_two_sessions_is_joined(suite: pytest.Pytester) -> None:
    """The worse exit status stands, and nothing is said twice."""
    (suite.path / "tests/unit/test_unit.py").write_text("def test_wrong(): assert 1 == 2\n")
    suite.runpytest_subprocess("--evidence", "first.json", "tests/unit")

    result = suite.runpytest_subprocess(
        "--evidence-after", "first.json", "--evidence", "both.json", "tests/e2e"
    )

    both = json.loads((suite.path / "both.json").read_text())
    assert pytest.ExitCode.OK == result.ret
    assert 1 == both["exit_status"]
    assert {
        "tests/e2e/test_e2e.py::test_core": "passed",
        "tests/e2e/test_e2e.py::test_dear": "passed",
        "tests/e2e/test_e2e.py::test_sampled": "passed",
        "tests/unit/test_unit.py::test_wrong": "failed",
    } == {test["id"]: test["outcome"] for test in both["tests"]}


def test_evidence_keeps_failures(suite: pytest.Pytester) -> None:
    (suite.path / "tests/unit/test_unit.py").write_text(
        "import pytest\n"
        "def test_wrong(): assert 1 == 2\n"
        "@pytest.fixture\ndef broken(): yield; raise OSError('left behind')\n"
        "def test_leaves(broken): pass\n"
        "@pytest.mark.xfail(reason='known')\ndef test_known(): assert 0\n"
    )

    suite.runpytest_subprocess("--evidence", "evidence.json", "tests/unit")

    evidence = json.loads((suite.path / "evidence.json").read_text())
    assert 1 == evidence["exit_status"]
    assert [
        ("test_known", "xfailed", "known"),
        ("test_leaves", "error", "OSError: left behind"),
        ("test_wrong", "failed", "assert 1 == 2"),
    ] == [
        (test["id"].partition("::")[2], test["outcome"], test["reason"])
        for test in evidence["tests"]
    ]
