"""What is wrong with a recipe's own files: each finding belongs to one of them."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from pytest_warmci.clients import git
from pytest_warmci.runs import doctor_recipes
from pytest_warmci.runs.doctor import Check
from pytest_warmci.runs.doctor_recipes import check_recipe
from tests.unit.warm_state import fingerprint, write_recipe


def of(folder: Path) -> dict[str, Check]:
    return {check.name.removeprefix("miniapp: "): check for check in check_recipe(folder)}


def outcomes(folder: Path) -> dict[str, str]:
    return {name: check.outcome for name, check in of(folder).items()}


def test_a_healthy_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All its files, its source, both heads; nothing is written into its folder."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    folder = write_recipe(tmp_path)
    before = fingerprint(folder)

    found = of(folder)

    assert {"ok"} == {check.outcome for check in found.values()}, found
    assert ["recipe.yml", "process.yml", "witness.py", "source", "published", "HEAD"] == [*found]
    assert "2 published, the newest 1.1.0+1.1 (" in found["source"].found
    assert "1.1.0+1.1 (" in found["HEAD"].found
    assert ", upgraded from 1.0.0+1.0 (" in found["HEAD"].found
    assert before == fingerprint(folder)


@pytest.mark.parametrize(
    ("file", "text", "missing"),
    [
        ("recipe.yml", "recipe: miniapp\nformat: 1\nsauce: x\n", "recipe.yml"),
        ("process.yml", "format: 1\n", "process.yml"),
        ("witness.py", "def plant(app): return {}\n", "witness.py"),
        ("witness.py", "this is no Python\n", "witness.py"),
        ("witness.py", "raise SystemExit(3)\n", "witness.py"),
        ("source/history.yml", "format: 1\n", "source"),
    ],
)
def test_a_broken_file(tmp_path: Path, file: str, text: str, missing: str) -> None:
    """Its own check says so, and only that one."""
    folder = write_recipe(tmp_path)
    (folder / file).write_text(text)

    found = outcomes(folder)

    assert [missing] == [name for name, outcome in found.items() if outcome == "missing"]


def test_no_process_yml(tmp_path: Path) -> None:
    """With where to read how to write one."""
    folder = write_recipe(tmp_path)
    (folder / "process.yml").unlink()

    check = of(folder)["process.yml"]

    assert "missing" == check.outcome
    assert "docs/reference/process-yml.md" in check.remedy


def test_no_witness(tmp_path: Path) -> None:
    """Can be tested, but never become known-good."""
    folder = write_recipe(tmp_path)
    (folder / "witness.py").unlink()

    assert "warn" == outcomes(folder)["witness.py"]


def test_a_version_that_the_engine_cannot_run(tmp_path: Path) -> None:
    """What process.yml does not describe is found without deploying."""
    folder = write_recipe(tmp_path)
    compose = folder / "source" / "02-1.1.0+1.1" / "compose.yml"
    compose.write_text(compose.read_text().replace("example/app", "example/other"))

    found = of(folder)

    assert "missing" == found["HEAD"].outcome
    assert "example/other" in found["HEAD"].found


def test_a_source_behind_a_url_is_not_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No network."""
    folder = write_recipe(tmp_path)
    text = (folder / "recipe.yml").read_text()
    (folder / "recipe.yml").write_text(
        text.replace("source: source", "source: https://x.example/y")
    )

    def refuse(*_: object) -> None:
        raise AssertionError("opened")

    monkeypatch.setattr(doctor_recipes, "open_source", refuse)

    found = of(folder)

    assert "ok" == found["source"].outcome
    assert "not looked at" in found["source"].found
    assert "HEAD" not in found


def test_changes_that_would_not_be_tested(tmp_path: Path) -> None:
    """Somebody's own clone with changes: HEAD cannot be tested, what is published can."""
    folder = write_recipe(tmp_path)
    clone = tmp_path / "clone"
    git.run("init", "--quiet", "--initial-branch=main", str(clone))
    repository = git.Repository(clone)
    shutil.copytree(folder / "source" / "01-1.0.0+1.0", clone, dirs_exist_ok=True)
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    repository.git("add", ".")
    repository.git(*who, "commit", "--quiet", "-m", "x")
    text = (folder / "recipe.yml").read_text()
    (folder / "recipe.yml").write_text(text.replace("source: source", f"source: {clone}"))

    assert "warn" == outcomes(folder)["source"]
    assert "published" not in outcomes(folder)

    repository.git(*who, "tag", "-a", "-m", "x", "1.0.0+1.0")
    (clone / "new").write_text("")
    found = of(folder)
    assert ("ok", "missing") == (found["published"].outcome, found["HEAD"].outcome)
    assert "without an upgrade" in found["published"].found
    assert "stash" in found["HEAD"].remedy
