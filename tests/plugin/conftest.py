"""Whole pytest sessions over a recipe of the fake engine, in a folder of their own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import xdist.scheduler
import yaml

# Imported here because pytester forgets what was imported inside of a run, which costs seconds.
import pytest_warmci.plugin.asserts
import pytest_warmci.plugin.collect
import pytest_warmci.plugin.fixtures
import pytest_warmci.plugin.floor
import pytest_warmci.plugin.scheduler
import pytest_warmci.plugin.summary  # noqa: F401
from pytest_warmci.recipes.source import open_source
from pytest_warmci.store.state import open_state
from tests import ghost
from tests.fakes import FakeEngine, broken_rules, hurry, stop_all

assert xdist.scheduler

ROOT = Path(__file__).parents[2]

CONFTEST = """\
import os
from pathlib import Path
import pytest
from pytest_warmci.errors import DiskTooSmall, EngineUnavailable, NotEvaluated, RecipeFailed
from tests.fakes import FakeEngine, hurry

patch = pytest.MonkeyPatch()

def pytest_configure():
    hurry(patch)

def pytest_unconfigure():
    patch.undo()

{trouble}

def pytest_warmci_make_engine():
    return FakeEngine(Path({calls!r}), globals().get("TROUBLE"))
"""


@dataclass(frozen=True)
class Template:
    """A recipe's folder and two state directories: one without, one with a known-good."""

    recipe_tests: Path
    fresh: Path
    seeded: Path


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """Make once what every test copies."""
    top = tmp_path_factory.mktemp("template")
    made = Template(top / "recipe_tests", top / "fresh", top / "seeded")
    folder = ghost.write_recipe(made.recipe_tests)
    open_source(str(folder / "source"), open_state(made.fresh).cache)
    shutil.copytree(made.fresh, made.seeded)
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        ghost.seed(made.seeded, folder, top / "calls")
    return made


@dataclass
class Shop:
    """A folder to run pytest in, with one recipe `ghost`.

    `state` is the state directory, `calls` what the engine was asked (a line each).
    """

    pytester: pytest.Pytester
    template: Template
    state: Path
    calls_file: Path
    outcome: pytest.RunResult | None = field(default=None)

    @property
    def recipe(self) -> Path:
        return self.pytester.path / "recipe_tests" / "ghost"

    def seed(self) -> None:
        """Take the state directory that has a known-good."""
        shutil.rmtree(self.state)
        shutil.copytree(self.template.seeded, self.state, symlinks=True)

    def trouble(self, text: str) -> None:
        """Let the engine have trouble: `text` defines TROUBLE in the conftest."""
        self._conftest(text)

    def _conftest(self, trouble: str = "") -> None:
        text = CONFTEST.format(calls=str(self.calls_file), trouble=trouble)
        self.pytester.path.joinpath("conftest.py").write_text(text)

    def tests(self, text: str, name: str = "test_own.py", recipe: str = "ghost") -> None:
        """Give the recipe a test file."""
        (self.pytester.path / "recipe_tests" / recipe / name).write_text(text)

    def arguments(self, *words: str) -> list[str]:
        given = list(words)
        if not any(word.startswith("recipe_tests") or word == "." for word in given):
            given.append("recipe_tests/ghost")
        return [*given, f"--warmci-state={self.state}"]

    def run(self, *words: str) -> pytest.RunResult:
        """Run pytest in this process; the recipe's folder is the argument unless one is given."""
        self.outcome = self.pytester.runpytest_inprocess(
            *self.arguments(*words), no_reraise_ctrlc=True
        )
        assert {} == FakeEngine.servers, "an app still runs"
        return self.outcome

    def run_outside(self, *words: str) -> pytest.RunResult:
        """Run pytest in a process of its own."""
        self.outcome = self.pytester.runpytest_subprocess(*self.arguments(*words), timeout=60)
        return self.outcome

    def lines(self) -> list[str]:
        assert self.outcome is not None
        return self.outcome.outlines

    def text(self) -> str:
        return "\n".join(self.lines())

    def calls(self, *verbs: str) -> list[str]:
        """Return what the engine was asked, only these verbs when any are given."""
        found = self.calls_file.read_text().splitlines() if self.calls_file.exists() else []
        return [line for line in found if not verbs or line.split()[0] in verbs]

    def results(self) -> list[dict[str, Any]]:
        """Return the results of this test's runs, oldest first."""
        old = {path.name for path in (self.template.seeded / "runs").iterdir()}
        places = [
            path
            for path in (self.state / "runs").glob("*/result.json")
            if path.parent.name not in old
        ]
        places.sort(key=lambda path: path.stat().st_mtime_ns)
        return [json.loads(path.read_text()) for path in places]

    def result(self) -> dict[str, Any]:
        """Return the result of the only run."""
        (found,) = self.results()
        return found

    def entry(self) -> str | None:
        """Return the registry entry's text."""
        path = self.state / "canonicals" / "process" / "ghost.yml"
        return path.read_text() if path.exists() else None

    def known_good(self) -> dict[str, Any]:
        """Return what the registry entry says (in its text a run id of digits has quotes)."""
        return dict(yaml.safe_load(self.entry() or "{}"))

    def database(self) -> dict[str, Any]:
        """Return the canonical's database as it lies there."""
        place = self.canonical / "volumes" / "data" / "database.json"
        found: dict[str, Any] = json.loads(place.read_text())
        return found

    @property
    def canonical(self) -> Path:
        return self.state / "apps" / "process" / "warm-ghost.warmci.localhost"

    def cold_apps(self) -> list[str]:
        """Return the folders of throw-away apps that are still there."""
        apps = self.state / "apps" / "process"
        return sorted(path.name for path in apps.glob("*") if not path.name.startswith("warm-"))

    def check_restored(self) -> None:
        """The canonical is as the seed left it: old schema, both rows, nothing in flight."""
        assert {"schema": "1.1", "rows": {"ana": "here", "bea": "here"}} == self.database()
        assert not (self.canonical / "journal.json").exists()
        assert not (self.canonical / "running.json").exists()

    def outcomes(self) -> Mapping[str, str]:
        """Return the short outcome of each item, from the lines of `-v`."""
        found = {}
        for line in self.lines():
            words = line.split()
            if len(words) >= 2 and "::" in words[0]:
                found[words[0].removeprefix("recipe_tests/")] = words[1]
        return found


@pytest.fixture
def shop(
    pytester: pytest.Pytester,
    template: Template,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Shop]:
    """A folder with the recipe `ghost` (no tests of its own) and a fresh state directory."""
    for name in ("WARMCI_ENGINE", "WARMCI_STATE", "PYTEST_ADDOPTS", "CI", "PYTEST_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    shutil.copytree(template.recipe_tests, pytester.path / "recipe_tests")
    pytester.makeini("[pytest]\naddopts = --import-mode=importlib --strict-markers\n")
    own = tmp_path_factory.mktemp("state")
    shutil.copytree(template.fresh, own / "state")
    made = Shop(pytester, template, own / "state", own / "calls")
    made._conftest()
    yield made
    stop_all()
    assert [] == broken_rules(made.calls_file)
