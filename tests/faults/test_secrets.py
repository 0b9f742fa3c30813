"""Secrets stay where they belong, whatever an app, its tests or its neighbours do with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.workshop import RADICALE, Outcome, Workshop
from tests.faults.aftermath import check_quiet
from tests.faults.crowd import Crowd, copy_recipe
from tests.faults.hostile.recipe import hostile_recipe, one_test
from tests.faults.hunt import Hunt

TOKEN = "q7LbX2vK9mPz4RtY"  # of an option on the command line

OPTION = """
def pytest_addoption(parser):
    parser.addoption("--api-token")
"""

CARELESS = """
import subprocess
import pytest

@pytest.fixture
def careless(app):
    password = app.secret("password")
    yield password
    print("fixture prints", password)
    raise RuntimeError("fixture raises " + password)

def test_careless(app, http, careless):
    print("test prints", careless)
    found = {"user": app.env["RADICALE_USER"], "password": careless}
    http.auth = (found["user"], careless)
    assert found == {"password": http.get("/.web/").status_code}
"""

LEAKS = """
import os, subprocess
from pathlib import Path

def test_leaks(app, run, capfd):
    password = app.secret("password")
    (run.state.alerts / "leak.json").write_text(password)
    with capfd.disabled():
        print(password)
    shows = [["sh", "-c", "sleep 1; true", "leak", password], ["sleep", "1"]]
    ways = [subprocess.Popen(words, env={**os.environ, "LEAK": password}) for words in shows]
    assert [0, 0] == [each.wait() for each in ways]
"""


class Bench:
    """One state directory, all that sessions on it write, and what hunts for secrets there."""

    def __init__(self, workshop: Workshop, folder: Path) -> None:
        self.workshop = workshop
        self.state = workshop.root
        self.written = folder / "written"
        self.written.mkdir()
        self.recipe = folder / "recipe_tests" / "radicale"
        self.hunt = Hunt(self.state)

    def run(self, *words: str | Path) -> Outcome:
        """Run a session that tells as much as it can."""
        junit = self.written / f"junit{len(list(self.written.iterdir()))}.xml"
        verbose = ("-vv", "-rA", "--showlocals", "-ojunit_logging=all", f"--junitxml={junit}")
        with Crowd(self.written / junit.stem) as crowd:
            outcome = crowd.start(self.state, *verbose, *words).end()
        print(outcome.text)  # noqa: T201 - shown by pytest when the test fails
        return outcome

    def check_clean(self) -> None:
        """No secret was shown, and none is in what is left."""
        assert self.hunt.secrets, "no secret was ever seen: nothing was proved"
        assert self.hunt.looks > 20
        assert set() == self.hunt.seen
        assert [] == self.hunt.in_files(self.state, self.written, more=[TOKEN])
        check_quiet(self.workshop)


@pytest.fixture
def bench(radicale: Workshop, tmp_path: Path) -> Bench:
    return Bench(radicale, tmp_path)


@pytest.mark.core
@pytest.mark.cost(6)
def test_a_careless_test_shows_no_secret(bench: Bench) -> None:
    """It fails with the secret in its values, output and error; so does its fixture afterwards."""
    copy_recipe(RADICALE, bench.recipe.parent)
    (bench.recipe / "test_careless.py").write_text(CARELESS)
    conftest = bench.recipe / "conftest.py"
    conftest.write_text(conftest.read_text() + OPTION)

    with bench.hunt:
        outcome = bench.run("--quick", f"--api-token={TOKEN}", bench.recipe)

    assert outcome.status == 1, outcome.text
    for words in ("test prints ********", "fixture prints ********", "'password': '********'"):
        assert words in outcome.text
    assert "--api-token=***" in outcome.text.splitlines()[-1]
    bench.check_clean()


@pytest.mark.cost(14)
def test_a_head_that_tells_its_secret_shows_none(bench: Bench, tmp_path: Path) -> None:
    """To its log and in its pages: errors, kept logs, the kept probe and results quote these."""
    told(hostile_recipe(bench.recipe.parent, "tells", tmp_path / "none"))

    with bench.hunt:
        outcome = bench.run(one_test(bench.recipe))

    assert outcome.status == 1, outcome.text
    assert "HTTP 500: my password is ********" in outcome.result["reason"]
    [run] = bench.state.glob(f"runs/{outcome.result['run_id']}")
    assert "my password is ********" in (run / "logs" / "install-app.log").read_text()
    assert "my password is ********" in (run / "probe-install.txt").read_text()
    bench.check_clean()


@pytest.mark.cost(25)
def test_a_known_good_that_tells_its_secret_shows_none(bench: Bench, tmp_path: Path) -> None:
    """In the alert about it, and in the logs that the canonical keeps."""
    told(hostile_recipe(bench.recipe.parent, "tells", tmp_path / "none"))

    with bench.hunt:
        outcome = bench.run("--quick", bench.recipe)

    assert outcome.status == 75, outcome.text
    [alert] = bench.state.glob("alerts/*.json")
    assert "my password is ********" in json.loads(alert.read_text())["data"]["what"]
    log = bench.workshop.place.folder / "logs" / "app.log"
    assert "my password is ********" in log.read_text()
    bench.check_clean()


@pytest.mark.cost(14)
def test_a_promotion_shows_no_secret(bench: Bench) -> None:
    """It makes new ones, for two apps."""
    with bench.hunt:
        outcome = bench.run("--warmci-head", "published", RADICALE)

    assert outcome.result["promoted"], outcome.text
    assert len(bench.hunt.secrets) >= 3
    bench.check_clean()


@pytest.mark.core
@pytest.mark.cost(6)
def test_a_planted_leak_is_found(bench: Bench) -> None:
    """Wherever it is: what finds nothing elsewhere can find something."""
    copy_recipe(RADICALE, bench.recipe.parent)
    (bench.recipe / "test_leaks.py").write_text(LEAKS)

    with bench.hunt:
        outcome = bench.run("--quick", f"{bench.recipe}/test_leaks.py")

    assert outcome.status == 0, outcome.text
    kinds = {each.partition(" of ")[0] for each in bench.hunt.seen}
    assert {"cmdline", "environ"} == kinds
    found = bench.hunt.in_files(bench.state, bench.written)
    assert str(bench.state / "alerts" / "leak.json") in found
    assert [".log"] == [Path(each).suffix for each in found if each.startswith(str(bench.written))]


def told(recipe: Path) -> None:
    """Let a recipe wait for its page for a short time only: it will not come."""
    file = recipe / "recipe.yml"
    file.write_text(file.read_text().replace("deploy: 15", "deploy: 3"))
