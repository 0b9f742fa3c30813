"""Leaving a stage: users' fixtures end first, and anything but a pass is rolled back."""

from __future__ import annotations

import pytest

from tests import ghost
from tests.fakes import stop_all
from tests.plugin.conftest import Shop

WIDE = """\
import pytest, requests
from pathlib import Path

@pytest.fixture(scope="session")
def wide(app):
    yield app.url
    answer = requests.get(f"{app.url}/health", timeout=5).text
    with Path("ended").open("a") as stream:
        stream.write(answer + "\\n")
    ENDING

def test_wide(wide): pass
"""


def ended(shop: Shop) -> list[str]:
    return (shop.pytester.path / "ended").read_text().splitlines()


@pytest.mark.parametrize("scope", ["session", "module"])
def test_wide_fixtures_on_the_app_end_while_it_is_up(shop: Shop, scope: str) -> None:
    """In every stage of its own; a session fixture would otherwise outlive two apps."""
    shop.tests(WIDE.replace("ENDING", "pass").replace('"session"', f'"{scope}"'))

    done = shop.run()

    assert 0 == done.ret, shop.text()
    assert ["up, schema 1.2", "up, schema 1.2"] == ended(shop)


def test_a_wide_fixture_of_before_upgrade_ends_before_it(shop: Shop) -> None:
    """What was built on the base is no help on head."""
    shop.seed()
    shop.tests(
        WIDE.replace("ENDING", "pass") + "@pytest.mark.before_upgrade\ndef test_old(wide): pass\n"
    )

    done = shop.run("--quick")

    assert 0 == done.ret, shop.text()
    assert ["up, schema 1.1", "up, schema 1.2"] == ended(shop)


def test_a_wide_fixtures_failing_end_is_on_its_own_recipe_and_restores(shop: Shop) -> None:
    """An ERROR at the last test of this recipe, not at the next one's first."""
    shop.seed()
    shop.tests(WIDE.replace("ENDING", "assert False, 'wide end'"))
    ghost.write_recipe(shop.pytester.path / "recipe_tests", "zombie", ghost.PUBLISHED, "main")

    done = shop.run("--quick", "-v", "recipe_tests")

    errors = [line for line in shop.lines() if "ERROR" in line and "::" in line]
    by_recipe = {result["recipe"]: result for result in shop.results()}
    assert 1 == done.ret
    assert errors
    assert all("recipe_tests/ghost/" in line for line in errors), errors
    assert "failed" == by_recipe["ghost"]["verdict"]
    assert "passed" == by_recipe["zombie"]["verdict"]
    assert "wide end" in shop.text()
    shop.check_restored()


@pytest.mark.parametrize("scope", ["function", "session"])
def test_a_failing_fixture_end_fails_a_cold_run(shop: Shop, scope: str) -> None:
    """A green published version with such an error is not promoted."""
    shop.tests(WIDE.replace("ENDING", "assert False").replace('"session"', f'"{scope}"'))

    done = shop.run("--warmci-head", "published")

    assert 1 == done.ret
    assert ("failed", False) == (shop.result()["verdict"], shop.result()["promoted"])
    assert shop.entry() is None
    assert [] == shop.cold_apps()


def test_a_failing_function_fixture_restores(shop: Shop) -> None:
    """The test itself passed; its teardown did not."""
    shop.seed()
    shop.tests(
        "import pytest\n@pytest.fixture\ndef own(app):\n    yield\n    raise OSError('left')\n"
        "def test_own(own): pass\n"
    )

    done = shop.run("--quick")

    assert 1 == done.ret
    assert "failed" == shop.result()["verdict"]
    shop.check_restored()


def test_a_failing_fixture_setup_restores(shop: Shop) -> None:
    """An ERROR before the test is the recipe's failure too: it is its own test suite's."""
    shop.seed()
    shop.tests(
        "import pytest\n@pytest.fixture\ndef own(app): raise OSError('no')\n"
        "def test_own(own): pass\n"
    )

    done = shop.run("--quick")

    assert 1 == done.ret
    assert "failed" == shop.result()["verdict"]
    shop.check_restored()


@pytest.mark.parametrize("words", [("-x",), ("--maxfail=1",)], ids=" ".join)
def test_an_early_stop_leaves_at_once(shop: Shop, words: tuple[str, ...]) -> None:
    """The first failure ends the session; the app is rolled back all the same."""
    shop.seed()
    shop.tests("def test_a(app): assert False\ndef test_b(app): pass\n")

    done = shop.run("--quick", *words)

    result = shop.result()
    assert 1 == done.ret
    assert ("failed", False) == (result["verdict"], result["complete"])
    assert any("not run" in why for why in result["incomplete_because"])
    shop.check_restored()


def test_an_early_stop_of_a_cold_run_removes_its_app(shop: Shop) -> None:
    """And never begins the next recipe."""
    shop.tests("def test_a(app): assert False\n")
    ghost.write_recipe(shop.pytester.path / "recipe_tests", "zombie", ghost.PUBLISHED, "main")

    done = shop.run("-x", "recipe_tests")

    assert 1 == done.ret
    assert [] == shop.cold_apps()
    assert {"ghos"} == {call.split()[1].partition("-")[0] for call in shop.calls("deploy")}


def test_an_app_that_does_not_stop_is_not_evaluated_and_recovered_next_time(shop: Shop) -> None:
    """N at the end; the journal stays, and the next run puts the known-good back first."""
    shop.seed()
    shop.trouble(
        "def never(engine, app):\n    raise NotEvaluated('the app does not stop')\n"
        "TROUBLE = {'settle': never}\n"
    )
    done = shop.pytester.runpytest_inprocess(*shop.arguments("--quick", "-v"))

    assert 75 == done.ret, done.stdout.str()
    assert (shop.canonical / "journal.json").exists()
    stop_all()
    shop.trouble("")
    again = shop.run("--quick")
    assert 0 == again.ret, shop.text()
    assert any("was cut short: restored" in note for note in shop.results()[-1]["notes"])


def test_a_restore_that_fails_is_loud(shop: Shop) -> None:
    """A snapshot that rotted during the run: exit 75 (1 when a test failed), quarantine, alert."""
    shop.seed()
    shop.tests(
        "from pathlib import Path\n"
        "def test_rot(run):\n"
        "    for path in (run.canonical.folder / 'snapshot').rglob('objects/*'):\n"
        "        path.chmod(0o600)\n"
        "        path.write_bytes(b'x' * path.stat().st_size)\n"
        "    assert False, 'mine'\n"
    )

    done = shop.run("--quick", "-v")

    kinds = sorted(path.name.partition("-")[0] for path in (shop.state / "alerts").glob("*.json"))
    assert 1 == done.ret
    assert "failed" == shop.result()["verdict"]
    assert ["canonical.quarantined"] == kinds
    assert (shop.canonical / "quarantine.json").exists()


def test_quarantined_goes_cold_and_the_next_promotion_takes_it_back(shop: Shop) -> None:
    """Labelled with the reason; a promotion clears the mark and settles the alert."""
    shop.seed()
    for path in [
        *(shop.canonical / "snapshot").rglob("objects/*"),
        shop.canonical / "volumes" / "data" / "database.json",
    ]:
        path.chmod(0o600)
        path.write_text("rotten")
    first = shop.run("--quick", "-v")
    assert 75 == first.ret
    assert "FAILED" not in shop.outcomes().values()
    before = shop.entry()

    second = shop.run("--quick")

    assert 0 == second.ret, shop.text()
    assert "cold (quick asked: canonical quarantined" in shop.text()
    assert before == shop.entry()
    third = shop.run("--warmci-head", "published")
    assert 0 == third.ret
    assert shop.results()[-1]["promoted"]
    assert [] == list((shop.state / "alerts").glob("*.json"))
    assert 0 == shop.run("--quick").ret
    assert "quick" == shop.results()[-1]["mode"]


def test_a_damaged_snapshot_heals_from_equal_volumes(shop: Shop) -> None:
    """The digest stays, the generation is new, and the run says so."""
    shop.seed()
    before = shop.entry() or ""
    (shop_object, *_) = sorted((shop.canonical / "snapshot").rglob("objects/*"))
    shop_object.chmod(0o600)
    shop_object.write_bytes(b"rot")

    done = shop.run("--quick")

    after = shop.entry() or ""
    assert 0 == done.ret, shop.text()
    assert line_of(before, "digest:") == line_of(after, "digest:")
    assert line_of(before, "generation:") != line_of(after, "generation:")
    assert any("was taken anew" in note for note in shop.result()["notes"])


def test_touched_volumes_are_restored_first(shop: Shop) -> None:
    """Whoever wrote into them: a quick run starts from known-good, always."""
    shop.seed()
    (shop.canonical / "volumes" / "data" / "stranger").touch()

    done = shop.run("--quick")

    assert 0 == done.ret, shop.text()
    assert not (shop.canonical / "volumes" / "data" / "stranger").exists()
    assert "volumes restored to known-good first: they had changed" in shop.result()["notes"]


def test_logs_are_kept_without_secrets(shop: Shop) -> None:
    """The run's folder has what the app said in each stage."""
    shop.run("--warmci-head", "published")

    logs = shop.state / "runs" / shop.result()["run_id"] / "logs"
    assert ["install-app.log", "upgrade-app.log"] == sorted(path.name for path in logs.iterdir())
    assert "1.1 starts with password ********\n" == (logs / "install-app.log").read_text()


def line_of(text: str, key: str) -> str:
    (found,) = [line for line in text.splitlines() if line.startswith(key)]
    return found


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
