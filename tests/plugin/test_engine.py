"""Which engine a session runs on: the option, the environment, the ini file, or a hook."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import CONFTEST, Shop

HOOK = "def pytest_warmci_make_engine"
FAR = """
from pytest_warmci.runs import engines
from tests.far_engine import FarEngine
patch.delitem(engines.ENGINES, "swarm")
for name, made in (("process", FakeEngine), ("far", FarEngine)):
    patch.setitem(engines.ENGINES, name, lambda *_, made=made: made(Path({calls!r})))
"""


@pytest.fixture
def two(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop with two engines, and no hook that chooses one."""
    monkeypatch.delenv("WARMCI_ENGINE", raising=False)
    text = CONFTEST.partition(HOOK)[0] + FAR
    conftest = text.format(calls=str(shop.calls_file), trouble="")
    shop.pytester.path.joinpath("conftest.py").write_text(conftest)
    return shop


def say(shop: Shop, monkeypatch: pytest.MonkeyPatch, place: str, name: str) -> tuple[str, ...]:
    """Name an engine there; return the words of the command line."""
    if place == "WARMCI_ENGINE":
        monkeypatch.setenv(place, name)
    elif place.startswith("ini"):
        ini = shop.pytester.path / "tox.ini"
        ini.write_text(ini.read_text() + f"\nwarmci_engine = {name}\n")
    elif place != "default":
        return (f"{place}={name}",)
    return ()


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("--warmci-engine", "far"),
        ("WARMCI_ENGINE", "far"),
        ("ini warmci_engine", "far"),
        ("default", "process"),
    ],
)
def test_a_run_is_on_the_engine_that_is_named(
    two: Shop, monkeypatch: pytest.MonkeyPatch, place: str, name: str
) -> None:
    """The header says where; the result, JUnit and the state directory have it."""
    words = say(two, monkeypatch, place, name)

    done = two.run("--warmci-head=published", "--junitxml=junit.xml", *words)

    assert 0 == done.ret
    assert f", engine {name} ({place}), head published" in two.text()
    assert (name, True) == (two.result()["engine"], two.result()["promoted"])
    assert [name] == [path.parent.name for path in two.state.glob("canonicals/*/ghost.yml")]
    junit = (two.pytester.path / "junit.xml").read_text()
    assert f'name="warmci.engine" value="{name}"' in junit
    assert 'name="warmci.engine"' not in junit.replace(f'engine" value="{name}"', "")


@pytest.mark.parametrize("place", ["--warmci-engine", "WARMCI_ENGINE", "ini warmci_engine"])
def test_an_engine_that_is_none_is_one_clear_error(
    two: Shop, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """It says who named it and what there is, and nothing is started."""
    words = say(two, monkeypatch, place, "procces")

    done = two.run(*words)

    assert 4 == done.ret
    assert 1 == done.stderr.str().count("there is no engine 'procces'")
    assert place in done.stderr.str()
    assert "there is: process, far" in done.stderr.str()
    assert "Traceback" not in done.stderr.str()
    assert [] == two.calls()


def test_a_hook_wins(shop: Shop) -> None:
    """The engine that it returns is what the recipe's items and results say."""
    text = CONFTEST.replace(
        "return FakeEngine(", "from tests.far_engine import FarEngine\n    return FarEngine("
    )
    shop.pytester.path.joinpath("conftest.py").write_text(
        text.format(calls=str(shop.calls_file), trouble="")
    )

    done = shop.run("--warmci-head=published", "--warmci-engine=process")

    assert 0 == done.ret
    assert "far" == shop.result()["engine"]


def test_what_is_no_recipe_is_no_engines_business(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another suite runs whatever the variable says."""
    monkeypatch.setenv("WARMCI_ENGINE", "procces")
    shop.pytester.makepyfile(test_other="def test_other(): pass\n")

    assert 0 == shop.pytester.runpytest_inprocess("test_other.py").ret


# -- auto ------------------------------------------------------------------------------------

SWARM = """
from pytest_warmci.errors import EngineUnavailable
from pytest_warmci.runs import engines
from tests.far_engine import FarEngine

class SwarmEngine(FarEngine):
    name = "swarm"
    def check(self):
        if {down}:
            raise EngineUnavailable("no Docker engine answers", why="it sleeps")

def process(folder, state, progress, options):
    assert () == options
    return FakeEngine(Path({calls!r}))

def swarm(folder, state, progress, options):
    assert (("proxy", "https://10.0.0.5"),) == options
    return SwarmEngine(Path({calls!r}))

for made in (process, swarm):
    patch.setitem(engines.ENGINES, made.__name__, made)
"""
AUTO = ("--warmci-engine=auto", "--warmci-engine-option=proxy=https://10.0.0.5")


@pytest.fixture
def town(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop with a process engine and a Swarm, and a recipe that can run on both."""
    monkeypatch.delenv("WARMCI_ENGINE", raising=False)
    (shop.recipe / "process.yml").write_text("format: 1\n")
    swarm(shop)
    return shop


def swarm(shop: Shop, *, down: bool = False) -> None:
    """Let the Swarm be up, or down."""
    text = CONFTEST.partition(HOOK)[0] + SWARM
    conftest = text.format(calls=str(shop.calls_file), trouble="", down=down)
    shop.pytester.path.joinpath("conftest.py").write_text(conftest)


@pytest.mark.parametrize("place", ["--warmci-engine", "WARMCI_ENGINE", "ini warmci_engine"])
def test_auto_takes_what_answers(town: Shop, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """The header and the result say which and why; JUnit has the engine of each test."""
    words = say(town, monkeypatch, place, "auto")

    done = town.run("--warmci-head=published", "--junitxml=junit.xml", *words, AUTO[1])

    assert 0 == done.ret
    assert f", engine auto ({place}), head published" in town.text()
    assert "warmci: ghost: engine swarm (auto: it answers)" in town.lines()
    assert "cold on swarm (auto: it answers): passed" in town.text()
    result = town.result()
    assert ("swarm", "auto: it answers") == (result["engine"], result["engine_reason"])
    assert [] == list(town.state.glob("canonicals/process/ghost.yml"))
    junit = (town.pytester.path / "junit.xml").read_text()
    assert 'name="warmci.engine" value="swarm"' in junit


def test_auto_stays_with_the_canonical(town: Shop) -> None:
    """Though the Swarm is up; and what only a Swarm is told is said to be ignored."""
    town.seed()

    assert 0 == town.run("--quick", *AUTO).ret

    why = "auto: the canonical is there; ignored: proxy"
    assert f"warmci: ghost: engine process ({why})" in town.lines()
    result = town.result()
    found = ("process", why, "quick", "passed")
    assert found == tuple(result[name] for name in ("engine", "engine_reason", "mode", "verdict"))


def test_auto_does_not_leave_a_canonical_whose_engine_is_down(town: Shop) -> None:
    """Not evaluated, and nothing is deployed on the one that is up."""
    assert 0 == town.run("--warmci-head=published", *AUTO).ret
    town.calls_file.unlink()
    swarm(town, down=True)

    done = town.run("--quick", *AUTO)

    assert 75 == done.ret
    assert "no Docker engine answers" in town.text()
    assert "auto stays on engine swarm: the canonical is there" in town.text()
    assert [] == town.calls()


def test_auto_without_any_engine_is_not_evaluated(town: Shop) -> None:
    """And each engine says what it lacks."""
    (town.recipe / "process.yml").unlink()
    swarm(town, down=True)

    done = town.run(*AUTO)

    assert 75 == done.ret
    assert "no engine can run it here" in town.text()
    assert "not on swarm: no Docker engine answers: it sleeps" in town.text()
    assert "not on process: there is no process.yml" in town.text()


def test_an_engine_that_was_named_is_not_said_to_be_chosen(two: Shop) -> None:
    assert 0 == two.run("--warmci-engine=far").ret

    assert "cold on far: passed" in two.text()
    assert "warmci: ghost: engine" not in two.text()
    assert "--warmci-engine" == two.result()["engine_reason"]


def test_an_engine_of_a_hook_is_said_to_be_one(shop: Shop) -> None:
    assert 0 == shop.run().ret

    assert "a hook's" == shop.result()["engine_reason"]
