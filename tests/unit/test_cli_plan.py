"""`warmci plan`: what a run would do, and what its session would end with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pytest_warmci.cli import main
from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.recipes.source import open_source
from pytest_warmci.store.quarantine import mark_quarantined
from pytest_warmci.store.state import StateDirectory, open_state
from tests.unit.warm_state import (
    DOMAIN,
    fingerprint,
    parsed,
    put_known_good,
    put_result,
    write_recipe,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The recipe miniapp, published as 1.0.0+1.0 and 1.1.0+1.1, which is HEAD."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WARMCI_STATE", str(tmp_path / "state"))
    write_recipe(tmp_path / "recipe_tests")
    return tmp_path


@pytest.fixture
def state(here: Path) -> StateDirectory:
    return open_state(here / "state")


def warmci(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["plan", "miniapp", *arguments])


def planned(*arguments: str) -> dict[str, Any]:
    done = warmci("--json", *arguments)
    facts: dict[str, Any] = parsed(done.stdout)
    assert done.exit_code == facts["exit_status"]
    return facts


def known_good(state: StateDirectory, version: str) -> None:
    """Make a published version the known-good."""
    source = open_source("recipe_tests/miniapp/source", state.cache)
    (commit,) = [each.commit for each in source.published() if each.version == version]
    put_known_good(state.root, version=version, commit=commit)


def second_step(here: Path) -> Path:
    return here / "recipe_tests/miniapp/source/02-1.1.0+1.1/compose.yml"


def test_a_cold_run(here: Path) -> None:
    """Mode, head, base, stages, what differs, what it could become."""
    done = warmci()

    assert (0, "") == (done.exit_code, done.stderr)
    assert done.stdout.startswith("miniapp: cold on process\n")
    for line in (
        f"  source     {here}/recipe_tests/miniapp/source\n",
        "  base       1.0.0+1.0 (",
        "), which is HEAD\n",
        "  stages     install, upgrade\n",
        "  differs    services.app.image\n",
        "  witness    yes\n",
        "  promotes   yes, if all of it is green\n",
        "  time       unknown: no cold run has passed yet\n",
    ):
        assert line in done.stdout
    assert done.stdout.endswith("would run\n")


def test_a_quick_run(state: StateDirectory) -> None:
    """On the known-good; never promotes; takes about what it last took."""
    known_good(state, "1.0.0+1.0")
    put_result(state, "00000a", mode="quick", requested_mode="quick", seconds=41.0)
    put_result(state, "00000b", seconds=190.0)

    facts = planned("--quick")

    assert ("quick", ["upgrade"], 0) == (facts["mode"], facts["stages"], facts["exit_status"])
    assert "1.0.0+1.0" == facts["base"]["version"]
    assert (False, "a quick run never promotes") == (facts["could_promote"], facts["why_not"])
    assert ("00000a", 41.0) == (facts["last"]["run"], facts["last"]["seconds"])
    assert "time       about 41 s: run 00000a took that" in warmci("--quick").stdout
    assert "time       about 3 min 10 s: run 00000b took that" in warmci().stdout


def test_quick_without_a_canonical(state: StateDirectory) -> None:
    """Falls back to cold, says why, and is no authority."""
    facts = planned("--quick")

    assert ("cold", "quick", "no canonical") == (
        facts["mode"],
        facts["requested_mode"],
        facts["fallback"],
    )
    assert "not asked for as cold" == facts["why_not"]
    assert warmci("--quick").stdout.startswith("miniapp: cold (quick asked) on process: no canon")

    known_good(state, "1.0.0+1.0")
    mark_quarantined(state.app("process", DOMAIN), "both rotten")

    assert "canonical quarantined: both rotten" == planned("--quick")["fallback"]


def test_a_recipe_that_only_a_swarm_can_run(here: Path) -> None:
    """Ends with 75, as the session does, and says which engine can."""
    (here / "recipe_tests/miniapp/process.yml").unlink()

    done = warmci()

    assert (75, "") == (done.exit_code, done.stdout)
    assert "the engine process cannot run this recipe: there is no process.yml" in done.stderr
    assert "do:  use engine swarm, or write one" in done.stderr
    assert 75 == session()


def test_nothing_to_upgrade(state: StateDirectory) -> None:
    """Ends with 5, as the session does."""
    known_good(state, "1.1.0+1.1")

    done = warmci("--quick")

    assert 5 == done.exit_code
    assert "would be skipped: nothing to upgrade: head deploys the same as 1.1.0" in done.stdout
    assert 5 == session("--quick")


def test_a_known_good_that_head_does_not_build_on(state: StateDirectory) -> None:
    put_known_good(state.root)

    done = warmci("--quick")
    obstacle = planned("--quick")["obstacle"]

    assert 75 == done.exit_code
    assert "could not be evaluated: miniapp: the known-good 1.1.0+1.1 (cccccccc) is not" in (
        done.stdout
    )
    assert "do:  rebase head onto 1.1.0+1.1" in done.stdout
    assert "NotAnAncestor" == obstacle["error"]


def test_what_the_engine_cannot_see(here: Path) -> None:
    """A key that it ignores differs: which one."""
    compose = second_step(here)
    compose.write_text(compose.read_text() + "    mem_limit: 64m\n")

    facts = planned()

    assert (75, ["services.app.mem_limit"]) == (facts["exit_status"], facts["differs"]["unseen"])
    assert "EngineCannotSee" == facts["obstacle"]["error"]
    assert "it could not be evaluated" == facts["why_not"]
    assert "  not seen   services.app.mem_limit\n" in warmci().stdout


def test_what_process_yml_does_not_describe(here: Path, state: StateDirectory) -> None:
    """Only the engine knows; the session comes to the same."""
    compose = second_step(here)
    compose.write_text(compose.read_text() + "  db: {image: example/db:1}\n")
    known_good(state, "1.0.0+1.0")

    done = warmci("--quick")

    assert 75 == done.exit_code
    assert "service 'db' is not described in process.yml" in done.stdout
    assert 75 == session("--quick")


def session(*arguments: str) -> int:
    """What the session that was looked ahead to ends with."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "recipe_tests/miniapp", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    return done.returncode


def test_what_could_not_promote(here: Path, state: StateDirectory) -> None:
    """An older version than the known-good; no witness."""
    known_good(state, "1.1.0+1.1")

    older = planned("--head", "1.0.0+1.0")

    assert "1.0.0+1.0 is older than the known-good 1.1.0+1.1" == older["why_not"]
    assert "upgrade stage not applicable: no older published version" in older["notes"]
    assert None is older["base"]

    (here / "recipe_tests/miniapp/witness.py").unlink()

    assert (False, False) == (planned()["witnessed"], planned()["could_promote"])
    assert "witness    none: data: not witnessed" in warmci().stdout


def test_who_would_be_waited_for(state: StateDirectory) -> None:
    with hold(state.lock(DOMAIN), who=Holder("77aa77", "quick", "quick run"), limit=0):
        text = warmci().stdout

    assert "  waits for  run 77aa77 (quick, pid " in text


def test_nothing_is_changed(
    here: Path, state: StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No app, no run, no record, nothing in the recipe's folder; only the cache may grow."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    known_good(state, "1.0.0+1.0")
    before = fingerprint(here)

    warmci("--quick")
    warmci()

    assert before == fingerprint(here)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--head", "nowhere"], "no commit is called 'nowhere'"),
        (["--source", "nowhere"], "is not there"),
        (["--quick", "--head", "published"], "--quick and --head published contradict"),
    ],
)
def test_what_cannot_be_planned(arguments: list[str], said: str) -> None:
    """2, and nothing on standard output."""
    done = warmci(*arguments)

    assert (2, "") == (done.exit_code, done.stdout)
    assert said in done.stderr


def test_a_recipe_that_is_not_there() -> None:
    done = CliRunner().invoke(main, ["plan", "nobody"])

    assert 2 == done.exit_code
    assert "there is no recipe 'nobody'" in done.stderr
