"""What the shell completes, asked as the shell asks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete, ZshComplete

from pytest_warmci.cli import main
from pytest_warmci.clients.files import make_folder
from pytest_warmci.store.kept import write_kept
from pytest_warmci.store.state import StateDirectory, open_state
from tests.unit.test_cli_shell import MINI, until
from tests.unit.warm_state import fingerprint, put_result

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateDirectory:
    """Three recipes, two runs, one kept app."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WARMCI_STATE", str(tmp_path / "state"))
    for name in ("recipe_tests/wiki", "recipe_tests/webmail", "elsewhere/other"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "recipe.yml").write_text("")
    state = open_state(tmp_path / "state")
    for minute, run_id in enumerate(("1a2b3c", "1a77aa")):
        put_result(state, run_id)
        path = state.run(run_id) / "result.json"
        os.utime(path, (1_700_000_000 + minute, 1_700_000_000 + minute))
    folder = state.app("process", MINI.domain)
    make_folder(folder)
    kept = {name: getattr(MINI, name) for name in MINI.__dataclass_fields__}
    write_kept(folder, type(MINI)(**kept | {"until": until(5)}))
    return state


def completed(*words: str) -> list[str]:
    """What may stand in the place of the last word."""
    *before, incomplete = words
    asked = BashComplete(main, {}, "warmci", "_WARMCI_COMPLETE")
    return [item.value for item in asked.get_completions(before, incomplete)]


def test_verbs() -> None:
    assert ["schema", "seed", "shell", "status"] == completed("s")


@pytest.mark.parametrize("verb", ["doctor", "plan", "runs", "seed", "status"])
def test_recipes(verb: str) -> None:
    """Those in recipe_tests, where the folder that is asked for is another one."""
    assert ["webmail", "wiki"] == completed(verb, "w")
    assert ["wiki"] == completed(verb, "wi")
    assert [] == completed(verb, "other")
    if verb in ("doctor", "plan", "seed"):
        assert ["other"] == completed(verb, "--tests", "elsewhere", "")


def test_recipes_of_an_option() -> None:
    assert ["webmail", "wiki"] == completed("logs", "--recipe", "w")


def test_runs(tmp_path: Path) -> None:
    """The newest first, of the state directory that is named so far."""
    assert ["1a77aa", "1a2b3c"] == completed("logs", "")
    assert ["1a2b3c"] == completed("logs", "1a2")
    assert [] == completed("logs", "--state", "nowhere", "")
    assert [] == completed("--state", "nowhere", "logs", "")
    assert not (tmp_path / "nowhere").exists()


def test_kept_apps() -> None:
    assert ["miniapp", "mini-1a2b3c.warmci.localhost"] == completed("shell", "mi")
    assert ["1a2b3c"] == completed("shell", "1")


def test_choices() -> None:
    assert ["recipe"] == completed("schema", "r")


def test_no_state_and_no_recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing to choose from, no error, whatever is wrong with them."""
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    (tmp_path / "file").write_text("")

    assert [] == completed("plan", "")
    assert [] == completed("logs", "--state", "nowhere", "")
    assert [] == completed("logs", "--state", str(tmp_path / "file"), "")
    assert [] == completed("logs", "--state", "", "")


def test_completing_changes_nothing(tmp_path: Path) -> None:
    before = fingerprint(tmp_path)

    completed("logs", "")
    completed("shell", "")
    completed("plan", "")

    assert before == fingerprint(tmp_path)


def test_as_the_shell_asks() -> None:
    """Through the environment, as the line in the start file makes it do."""
    script = "from pytest_warmci.cli import main; main(prog_name='warmci')"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}

    def run(**more: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=env | more,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    asked = run(_WARMCI_COMPLETE="zsh_complete", COMP_WORDS="warmci plan we", COMP_CWORD="2")

    assert asked.splitlines()[:2] == ["plain", "webmail"]
    assert "_WARMCI_COMPLETE=zsh_complete" in run(_WARMCI_COMPLETE="zsh_source")
    assert ZshComplete(main, {}, "warmci", "_WARMCI_COMPLETE").source() in run(
        _WARMCI_COMPLETE="zsh_source"
    )
