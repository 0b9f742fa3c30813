"""Flags that contradict each other or would make a verdict untrue are refused with the way out."""

from __future__ import annotations

import shutil

import pytest

from tests.plugin.conftest import Shop


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--quick", "-m", "cold"), "--quick and -m cold contradict each other"),
        (("--quick", "--warmci-head", "published"), "a published version is tested cold"),
        (("--quick", "--warmci-seed"), "--quick and --warmci-seed contradict each other"),
        (("--warmci-lock-limit", "soon"), "is not a number of seconds"),
        (("--warmci-lock-limit", "-1"), "is not a number of seconds"),
        (("-n1", "--dist", "each"), "--dist each would deploy every recipe once a worker"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_flags_that_are_refused(shop: Shop, words: tuple[str, ...], expected: str) -> None:
    """Exit 4, one line, nothing started."""
    done = shop.run(*words)

    assert 4 == done.ret
    assert expected in done.stderr.str()
    assert "Traceback" not in done.stderr.str()
    assert [] == shop.calls()
    assert [] == shop.results()


def test_reruns_are_refused(shop: Shop) -> None:
    """A rerun meets an app that has changed since (the option is another plugin's)."""
    conftest = shop.pytester.path / "conftest.py"
    conftest.write_text(
        conftest.read_text()
        + "\ndef pytest_addoption(parser):\n    parser.addoption('--reruns', type=int)\n"
    )

    done = shop.run("--reruns", "2")

    assert 4 == done.ret
    assert "--reruns would repeat a test on an app that has changed" in done.stderr.str()
    assert [] == shop.calls()


def test_what_is_refused_for_recipes_is_nobody_elses_business(shop: Shop) -> None:
    """A suite without recipes may rerun, and may use -m cold for its own mark."""
    shop.pytester.makepyfile(test_other="def test_other(): pass\n")
    conftest = shop.pytester.path / "conftest.py"
    conftest.write_text(
        conftest.read_text()
        + "\ndef pytest_addoption(parser):\n    parser.addoption('--reruns', type=int)\n"
    )

    done = shop.pytester.runpytest_inprocess("--reruns", "2", "test_other.py")

    assert 0 == done.ret


def test_quick_may_leave_cold_out(shop: Shop) -> None:
    """`-m 'not cold'` says what --quick says: no contradiction."""
    shop.seed()

    assert 0 == shop.run("--quick", "-m", "not cold").ret


def test_a_recipe_that_only_a_swarm_can_run_is_not_evaluated(shop: Shop) -> None:
    """It has no process.yml: one error that says which engine can run it, and no run."""
    (shop.pytester.path / "conftest.py").write_text("")  # the fake engine needs none
    assert not (shop.recipe / "process.yml").exists()

    done = shop.run()

    assert 75 == done.ret
    assert 1 == shop.text().count("the engine process cannot run this recipe")
    assert "use engine swarm, or write one (docs/reference/process-yml.md)" in shop.text()
    assert "recipe_tests/ghost/recipe.yml::not_here" in shop.text()
    assert [] == shop.results()


@pytest.mark.parametrize("words", [(), ("-n2",), ("-m", "cold")], ids=["", "n2", "m cold"])
def test_beside_a_recipe_that_cannot_run_here_the_others_run(
    shop: Shop, words: tuple[str, ...]
) -> None:
    """It is not evaluated, so the session is not green; the others have their verdict."""
    only_ghost = """
MADE = pytest_warmci_make_engine

def pytest_warmci_make_engine(recipe_folder):
    return MADE() if recipe_folder.name != "other" else None
"""
    conftest = shop.pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text() + only_ghost)
    other = shop.recipe.with_name("other")
    shutil.copytree(shop.recipe, other)
    file = other / "recipe.yml"
    file.write_text(file.read_text().replace("recipe: ghost", "recipe: other"))
    (other / "test_more.py").write_text("def test_more(app): ...\n")

    done = shop.run_outside(*words, "recipe_tests")

    assert 75 == done.ret
    assert 1 == shop.text().count("the engine process cannot run this recipe")
    assert ["passed"] == [each["verdict"] for each in shop.results()]
