"""What else is in a session: other tests, authors' own fixtures, other plugins, the checkout."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests import ghost
from tests.plugin.conftest import Shop


def test_other_tests_beside_recipes_are_left_alone(shop: Shop) -> None:
    """They run in front, unlabelled, and cannot see an app."""
    shop.tests("def test_own(app): pass\n")
    shop.pytester.makepyfile(
        test_other="def test_a(): pass\ndef test_b(request):\n"
        "    assert [] == request.node.user_properties\n"
        "    assert request.node.get_closest_marker('cold') is None\n"
    )

    done = shop.run("-v", ".", "--warmci-head", "published")

    ran = list(shop.outcomes())
    assert 0 == done.ret, shop.text()
    assert ["test_other.py::test_a", "test_other.py::test_b"] == ran[:2]
    assert shop.result()["promoted"]


def test_a_failure_elsewhere_is_not_the_recipes(shop: Shop) -> None:
    """Exit 1 all the same; the recipe's result stays green."""
    shop.pytester.makepyfile(test_other="def test_a(): assert False\n")

    done = shop.run(".")

    assert 1 == done.ret
    assert "passed" == shop.result()["verdict"]


def test_a_pass_elsewhere_does_not_hide_that_nothing_ran(shop: Shop) -> None:
    """A skipped recipe is no failure, and other tests have passed: pytest's own 0."""
    shop.seed()
    shop.pytester.makepyfile(test_other="def test_a(): pass\n")

    done = shop.run(".", "--quick", "--warmci-head", "no-change")

    assert 0 == done.ret
    assert "skipped" == shop.result()["verdict"]


@pytest.mark.parametrize("name", ["app", "mode", "http"])
def test_fixtures_do_not_exist_without_recipes(shop: Shop, name: str) -> None:
    """Their names are too common to take away from other suites."""
    folder = shop.pytester.mkdir("elsewhere")
    (folder / "test_it.py").write_text(f"def test_it({name}): pass\n")

    done = shop.pytester.runpytest_inprocess("elsewhere")

    assert 1 == done.ret
    done.stdout.fnmatch_lines([f"*fixture '{name}' not found*"])


def test_a_session_without_recipes_leaves_no_trace(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No header line, no state directory, no changed exit status."""
    state = shop.pytester.path / "state"
    monkeypatch.setenv("WARMCI_STATE", str(state))
    folder = shop.pytester.mkdir("elsewhere")
    (folder / "test_it.py").write_text("import pytest\ndef test_it(): pytest.skip('x')\n")

    done = shop.pytester.runpytest_inprocess("elsewhere")

    assert 0 == done.ret
    done.stdout.no_fnmatch_line("*warmci:*")
    assert not state.exists()


def test_an_authors_conftest_may_override_our_fixtures(shop: Shop) -> None:
    """Theirs is nearer, also for the generic asserts' sake: those never ask for `app`."""
    shop.tests(
        "import pytest\n@pytest.fixture(scope='session')\ndef app(app): return app.url\n"
        "@pytest.fixture\ndef mode(): return 'mine'\n",
        "conftest.py",
    )
    shop.tests(
        "def test_own(app, mode):\n    assert app.startswith('http://')\n    assert mode == 'mine'\n"
    )

    done = shop.run()

    assert 0 == done.ret, shop.text()


def test_test_classes_have_stages(shop: Shop) -> None:
    """Plain classes are fine, with class fixtures on the app."""
    shop.seed()
    shop.tests(
        "import pytest\nclass TestOwn:\n"
        "    @pytest.fixture(scope='class')\n    def url(self, app): return app.url\n"
        "    def test_it(self, url): assert url\n"
    )

    done = shop.run("--quick", "-v")

    assert 0 == done.ret, shop.text()
    assert "PASSED" == shop.outcomes()["ghost/test_own.py::TestOwn::test_it[upgrade]"]


def test_an_app_fixture_in_an_unrelated_test_explains_itself(shop: Shop) -> None:
    """Beside recipes the name is known, but there is no app to give."""
    shop.pytester.makepyfile(test_other="def test_a(app): pass\n")

    done = shop.run(".", "-k", "test_a")

    assert 1 == done.ret
    assert "is not a plain test function of a recipe" in shop.text()


@pytest.mark.parametrize("words", [("--quick",), ()], ids=["quick", "cold"])
def test_the_checkout_is_the_same_before_and_after(shop: Shop, words: tuple[str, ...]) -> None:
    """State never lives in the recipe's folder: git sees no difference."""
    shop.seed()
    shop.tests("def test_own(app): pass\n")
    top = shop.pytester.path
    (top / ".gitignore").write_text("__pycache__/\n.pytest_cache/\n")
    for command in ("init -q", "add -A", "-c user.name=a -c user.email=b commit -q -m x"):
        subprocess.run(["git", *command.split()], cwd=top, check=True)

    done = shop.run(*words)

    found = subprocess.run(
        ["git", "status", "--porcelain"], cwd=top, check=True, capture_output=True, text=True
    )
    assert 0 == done.ret
    assert "" == found.stdout


@pytest.mark.parametrize("place", ["option", "mark"])
def test_a_timeout_does_not_shoot_a_deploy_down(shop: Shop, place: str) -> None:
    """pytest-timeout's clock runs for the body of a test only."""
    shop.seed()
    shop.trouble(
        "import time\ndef slow(engine, app):\n    time.sleep(0.2)\n"
        "TROUBLE = {'wait_converged': slow, 'settle': slow}\n"
    )
    shop.tests(
        "import pytest\n@pytest.mark.timeout(0.15)\ndef test_own(app): pass\n"
        if place == "mark"
        else "def test_own(app): pass\n"
    )
    words = ("--timeout=0.15",) if place == "option" else ()

    done = shop.run("--quick", *words, "-k", "serves or own")

    assert 0 == done.ret, shop.text()


def test_a_timeout_still_ends_a_tests_body(shop: Shop) -> None:
    """By signal, whatever method was asked for: the other one is os._exit without teardown."""
    shop.seed()
    shop.tests("import time\ndef test_own(app): time.sleep(30)\n")

    done = shop.run("--quick", "--timeout=0.3", "--timeout-method=thread", "-k", "own")

    assert 1 == done.ret
    assert "failed" == shop.result()["verdict"]
    shop.check_restored()


def test_a_generic_assert_shows_what_it_compared(shop: Shop) -> None:
    """The plugin's own module is rewritten as a test file is."""
    shop.seed()

    done = shop.run_outside("--quick", "--warmci-head", "restarts", "-W", "error")

    assert 1 == done.ret
    assert any(line.startswith("E       AssertionError: assert (") for line in shop.lines())


def test_two_recipes_each_run_whole(shop: Shop) -> None:
    """One after the other, each with its own result."""
    ghost.write_recipe(shop.pytester.path / "recipe_tests", "zombie", ghost.PUBLISHED, "main")

    done = shop.run("recipe_tests", "-v", "--warmci-head", "published")

    recipes = [item.partition("/")[0] for item in shop.outcomes()]
    assert 0 == done.ret
    assert ["ghost"] * (len(recipes) // 2) + ["zombie"] * (len(recipes) // 2) == recipes
    assert [("ghost", True), ("zombie", True)] == [
        (result["recipe"], result["promoted"]) for result in shop.results()
    ]


def test_strict_settings_are_fine(shop: Shop) -> None:
    """Warnings as errors, strict markers and configuration, without neighbours."""
    shop.seed()
    words = ["-W", "error", "--strict-config", "-p", "no:xdist", "-p", "no:junitxml"]

    done = shop.run_outside("--quick", *words, "-p", "no:timeout", "-p", "no:cacheprovider")

    assert 0 == done.ret, done.stderr.str() + shop.text()
    assert "" == done.stderr.str()
    assert not Path(shop.pytester.path, ".pytest_cache").exists()


def test_a_testcase_in_a_recipe_gets_a_clear_error(shop: Shop) -> None:
    """It has no stage, so it would run on no app at all."""
    shop.tests("import unittest\nclass TestOwn(unittest.TestCase):\n    def test_it(self): pass\n")

    done = shop.run("-v")

    assert 1 == done.ret
    assert "ERROR" == shop.outcomes()["ghost/test_own.py::TestOwn::test_it"]
    assert "plain test function" in shop.text()


def test_the_source_of_a_recipe_holds_no_tests_of_ours(shop: Shop) -> None:
    """What the recipe under test brings along is not collected."""
    place = shop.recipe / "source" / "upgrade"
    (place / "test_theirs.py").write_text("def test_theirs(): assert False\n")

    done = shop.run("-v")

    assert 0 == done.ret, shop.text()
    assert not [item for item in shop.outcomes() if "theirs" in item]


@pytest.mark.parametrize("place", ["ini", "variable"])
def test_a_timeout_from_elsewhere_does_not_shoot_a_deploy_down(
    shop: Shop, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pytest-timeout's clock runs for the body of a test only."""
    shop.seed()
    shop.trouble(
        "import time\ndef slow(engine, app):\n    time.sleep(0.2)\n"
        "TROUBLE = {'wait_converged': slow}\n"
    )
    if place == "ini":
        shop.pytester.makeini("[pytest]\naddopts = --import-mode=importlib\ntimeout = 0.15\n")
    else:
        monkeypatch.setenv("PYTEST_TIMEOUT", "0.15")

    done = shop.run("--quick", "-k", "serves")

    assert 0 == done.ret, shop.text()
