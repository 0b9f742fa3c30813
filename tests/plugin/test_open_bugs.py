"""Open bugs, each shown by a test. See BUGS.md."""

from __future__ import annotations

import pytest

from tests import ghost
from tests.fakes import stop_all
from tests.plugin.conftest import Shop
from tests.plugin.test_complete import PUBLISHED, check_no_authority
from tests.plugin.test_input import check_refused

OWN = "def test_own(app): pass\n"


def test_a_state_directory_that_others_may_enter_is_refused(shop: Shop) -> None:
    """It holds secrets; the command that mends it is in the error."""
    shop.state.chmod(0o755)

    done = shop.run()

    assert 2 == done.ret, shop.text()
    check_refused(shop, "others may enter the state directory", "chmod 700")
    assert 0o755 == shop.state.stat().st_mode & 0o777


@pytest.mark.parametrize(
    "text",
    ["def plant(app): return {}\n", "def broken(:\n", "import no_such_module\n"],
    ids=["no check", "syntax", "import"],
)
def test_a_bad_witness_is_one_clean_error(shop: Shop, text: str) -> None:
    """Found before anything is deployed."""
    (shop.recipe / "witness.py").write_text(text)

    done = shop.run()

    assert done.ret == 2, shop.text()
    check_refused(shop, "witness.py")


def test_a_bad_recipe_with_tests_is_still_one_error(shop: Shop) -> None:
    """The recipe's test files do not say it again."""
    (shop.recipe / "recipe.yml").write_text("format: 1\n")
    shop.tests(OWN)
    shop.tests(OWN, "test_other.py")

    done = shop.run()

    assert 2 == done.ret
    check_refused(shop, "missing key")


def test_a_skipped_module_is_not_complete(shop: Shop) -> None:
    """A whole file that skips itself generates no item, and is missing all the same."""
    shop.tests("import pytest\npytest.skip('today', allow_module_level=True)\n")

    done = shop.run(*PUBLISHED)

    assert 0 == done.ret, shop.text()
    check_no_authority(shop)


def test_pytest_exit_restores(shop: Shop) -> None:
    """Whatever code an author ends the session with, it was ended early."""
    shop.seed()
    shop.tests("import pytest\ndef test_own(app): pytest.exit('enough', returncode=7)\n")

    done = shop.run("--quick")

    assert 7 == done.ret
    assert not shop.result()["complete"]
    assert "passed" != shop.result()["verdict"]
    shop.check_restored()


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


def test_a_skipped_quick_run_names_the_known_good(shop: Shop) -> None:
    """The digest of known-good before and after is printed: equal, always."""
    shop.seed()

    shop.run("--quick", "--warmci-head", "no-change")

    digests = shop.result()["known_good"]
    assert digests["before"] == digests["after"] is not None


def test_before_upgrade_alone_is_no_pass(shop: Shop) -> None:
    """It looks at the base only: no verdict on head."""
    shop.seed()
    shop.tests("import pytest\n@pytest.mark.before_upgrade\ndef test_old(app): pass\n")

    done = shop.run("--quick", "-m", "before_upgrade")

    assert 0 != done.ret
    assert "passed" != shop.result()["verdict"]


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


def test_an_interruption_outranks_a_failure_under_maxfail(shop: Shop) -> None:
    """2 is kept also when --maxfail was given and not reached."""
    shop.tests("def test_a(app): assert False\ndef test_b(app): raise KeyboardInterrupt\n")

    assert 2 == shop.run("--maxfail=5").ret


def test_quick_may_leave_cold_out(shop: Shop) -> None:
    """`-m 'not cold'` says what --quick says: no contradiction."""
    shop.seed()

    assert 0 == shop.run("--quick", "-m", "not cold").ret


def test_an_os_error_in_a_promotion_is_no_failure_of_the_recipe(shop: Shop) -> None:
    """Whatever goes wrong there, the verdict stays."""
    shop.trouble(
        "def odd(engine, app):\n"
        "    if app.domain.startswith('warm-'):\n"
        "        raise PermissionError('odd')\n"
        "TROUBLE = {'deploy': odd}\n"
    )

    done = shop.run("--warmci-head", "published")

    assert 75 == done.ret, shop.text()
    assert ("passed", False) == (shop.result()["verdict"], shop.result()["promoted"])


@pytest.mark.parametrize("verb", ["deploy", "settle"])
@pytest.mark.parametrize("words", [(), ("--quick",)], ids=["cold", "quick"])
def test_an_os_error_of_ours_is_not_evaluated(
    shop: Shop, verb: str, words: tuple[str, ...]
) -> None:
    """An error that nobody foresaw is not the recipe's; the next run finds a way."""
    shop.seed()
    shop.trouble(
        "import os\ndef odd(engine, app):\n"
        "    if not os.path.exists('once'):\n"
        "        open('once', 'w').close()\n"
        "        raise PermissionError('odd')\n"
        f"TROUBLE = {{{verb!r}: odd}}\n"
    )

    done = shop.pytester.runpytest_inprocess(*shop.arguments("-v", *words))

    stop_all()
    assert 75 == done.ret, done.stdout.str()
    assert "not-evaluated" == shop.result()["verdict"]
    assert " FAILED " not in done.stdout.str()
    assert 0 == shop.run(*words).ret, shop.text()
    assert [] == shop.cold_apps()


@pytest.mark.parametrize("words", [(), ("--quick",)], ids=["cold", "quick"])
def test_evidence_that_cannot_be_kept_does_not_keep_the_app_up(
    shop: Shop, words: tuple[str, ...]
) -> None:
    """Teardown always happens."""
    shop.seed()
    shop.tests("def test_own(run): (run.place.folder / 'logs' / 'x.log').mkdir()\n")

    done = shop.run(*words)

    assert 0 == done.ret, shop.text()
    assert [] == shop.cold_apps()
    assert not (shop.canonical / "journal.json").exists()
    assert any("could not be kept" in note for note in shop.results()[-1]["notes"])


def test_cold_holds_for_tests_before_the_upgrade_too(shop: Shop) -> None:
    """Both marks together: only in a cold run."""
    shop.seed()
    shop.tests(
        "import pytest\n@pytest.mark.cold\n@pytest.mark.before_upgrade\ndef test_own(app): pass\n"
    )

    shop.run("--quick", "-v")

    assert not [item for item in shop.outcomes() if "test_own" in item]


def test_a_recipe_deep_below_the_argument_stays_whole(shop: Shop) -> None:
    """The controller does not know it from the arguments."""
    deep = shop.pytester.path / "a" / "b" / "c"
    ghost.write_recipe(deep, "zombie", ghost.PUBLISHED, "main")

    done = shop.run_outside("-n2", "-v", ".", "--ignore=recipe_tests")

    assert 0 == done.ret
    assert 1 == len(shop.results())


def test_the_recipes_folder_may_be_named_in_a_roundabout_way(shop: Shop) -> None:
    """It is the whole recipe all the same."""
    shop.run("recipe_tests/../recipe_tests/ghost/", "--warmci-head", "published")

    assert shop.result()["promoted"]
