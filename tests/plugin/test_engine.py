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
