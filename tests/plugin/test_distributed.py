"""With `-n`: recipes stay whole, results come together, a dead worker is nobody's failure."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests import ghost
from tests.plugin.conftest import Shop
from tests.plugin.test_interrupted import check_interrupted, running
from tests.started import Started


def two_recipes(shop: Shop) -> None:
    ghost.write_recipe(shop.pytester.path / "recipe_tests", "zombie", ghost.PUBLISHED, "main")


def by_recipe(shop: Shop) -> dict[str, dict[str, Any]]:
    return {result["recipe"]: result for result in shop.results()}


def test_two_recipes_run_whole_on_two_workers(shop: Shop) -> None:
    """One run each, both complete, both promoted, one exit status."""
    two_recipes(shop)

    done = shop.run_outside("recipe_tests", "-n2", "-v", "--warmci-head", "published")

    workers: dict[str, set[str]] = {}
    for line in shop.lines():
        if line.startswith("[gw") and "PASSED" in line:
            recipe = line.partition("recipe_tests/")[2].partition("/")[0]
            workers.setdefault(recipe, set()).add(line.partition("]")[0])
    found = by_recipe(shop)
    assert 0 == done.ret, shop.text()
    assert {"ghost": 1, "zombie": 1} == {name: len(used) for name, used in workers.items()}
    assert ["ghost", "zombie"] == sorted(found)
    assert all(result["complete"] and result["promoted"] for result in found.values())
    assert 1 == len({result["session"] for result in found.values()})
    assert "warmci ghost" in shop.text()
    assert "warmci zombie" in shop.text()


def test_a_dead_worker_is_not_evaluated(shop: Shop) -> None:
    """Its recipe is not resumed by another one; the rest of the session goes on."""
    two_recipes(shop)
    shop.seed()
    shop.tests("import os\ndef test_own(app): os._exit(3)\ndef test_more(app): pass\n")
    record = shop.pytester.path / "session.json"

    done = shop.run_outside("recipe_tests", "-n2", "-v", "--quick", f"--warmci-json={record}")

    written = json.loads(record.read_text())
    assert 75 == done.ret, shop.text()
    assert ["zombie"] == list(by_recipe(shop))
    assert "passed" == by_recipe(shop)["zombie"]["verdict"]
    assert (75, ["ghost"]) == (written["exit_status"], written["without_result"])
    assert "the worker died; the rest of its recipe was not run" in shop.text()
    assert not [line for line in shop.lines() if "test_more" in line and "PASSED" in line]
    assert 2 == len([call for call in shop.calls("deploy") if "warm-ghost" in call])
    assert any("was cut short: restored the known-good" in line for line in done.errlines)
    shop.check_restored()
    (shop.recipe / "test_own.py").unlink()
    again = shop.run("--quick")
    assert 0 == again.ret, shop.text()
    assert [] == shop.results()[-1]["notes"]


def test_collecting_only_works_with_workers(shop: Shop) -> None:
    """Nothing is deployed and nothing written."""
    done = shop.run_outside("--co", "-q", "-n2")

    assert 0 == done.ret
    assert [] == shop.calls()
    assert [] == shop.results()


def test_an_early_stop_under_workers_is_one_failure(shop: Shop) -> None:
    """xdist turns --maxfail into an interruption; it is exit 1 all the same, and rolled back."""
    shop.seed()
    shop.tests("def test_a(app): assert False\ndef test_b(app): pass\n")

    done = shop.run_outside("--quick", "-n1", "-x")

    assert 1 == done.ret
    assert "failed" == shop.result()["verdict"]
    shop.check_restored()


def test_unrelated_suites_keep_their_distribution(shop: Shop) -> None:
    """xdist's own scheduler, not ours."""
    shop.pytester.makepyfile(test_other="def test_it(): pass\n")

    done = shop.pytester.runpytest_subprocess("-n1", "-v", "test_other.py", timeout=60)

    assert 0 == done.ret
    done.stdout.fnmatch_lines(["scheduling tests via LoadScheduling"])


def test_a_worker_that_dies_in_the_first_deploy_is_not_evaluated(shop: Shop) -> None:
    """Before any report about the recipe came out of it."""
    shop.trouble("def die(engine, app):\n    os._exit(3)\nTROUBLE = {'wait_converged': die}\n")

    done = shop.run_outside("-n1", "-v")

    assert 75 == done.ret, shop.text()
    assert [] == shop.results()


def test_a_recipe_deep_below_the_argument_stays_whole(shop: Shop) -> None:
    """The controller does not know it from the arguments."""
    deep = shop.pytester.path / "a" / "b" / "c"
    ghost.write_recipe(deep, "zombie", ghost.PUBLISHED, "main")

    done = shop.run_outside("-n2", "-v", ".", "--ignore=recipe_tests")

    assert 0 == done.ret
    assert 1 == len(shop.results())


HERE = (
    "import os, time\nfrom pathlib import Path\n"
    "def test_own(app):\n"
    "    Path('begun').write_text(str(os.getpid()))\n"
    "    Path('begun').rename('here')\n"  # whoever sees it may read it
    "    time.sleep(60)\n"
)


@contextmanager
def interrupted(shop: Shop, *words: str) -> Iterator[tuple[Started, int]]:
    """A distributed session in the middle of a test, and the pid of the worker that runs it."""
    shop.seed()
    shop.tests(HERE)
    here = shop.pytester.path / "here"
    with running(shop, "--quick", "-n2", *words) as session:
        session.wait_for(here)
        session.wait_for("2 workers")
        yield session, int(here.read_text())


@pytest.mark.parametrize(
    ("number", "whom"),
    [
        (signal.SIGINT, "group"),
        (signal.SIGHUP, "group"),
        (signal.SIGTERM, "controller"),
        (signal.SIGTERM, "worker"),
    ],
)
def test_whoever_is_told_the_session_is_left(
    shop: Shop, whom: str, number: signal.Signals
) -> None:
    """By all of its processes, and exit 2."""
    with interrupted(shop) as (session, worker):
        if whom == "worker":
            os.kill(worker, number)
        else:
            session.tell(number, group=whom == "group")
        code = session.wait()

    assert 2 == code
    check_interrupted(shop)
    shop.check_restored()


def test_an_interruption_under_workers_outranks_maxfail(shop: Shop) -> None:
    """2, as without workers: it was given and not reached."""
    with interrupted(shop, "--maxfail=3") as (session, _):
        session.tell(signal.SIGTERM)
        code = session.wait()

    assert 2 == code
    check_interrupted(shop)


def test_the_controller_waits_for_a_worker_that_leaves(shop: Shop) -> None:
    """It says for whom; impatience is answered by both, and does not cut the leaving short."""
    shop.trouble(
        "from pytest_warmci.clients.waiting import Look, wait_until\n"
        "def slow(engine, app):\n"
        "    Path('leaving').touch()\n"
        "    wait_until(lambda: Look(Path('go').exists(), ''), timeout=60)\n"
        "TROUBLE = {'undeploy': slow}\n"
    )
    top = shop.pytester.path

    with interrupted(shop) as (session, _):
        session.tell(signal.SIGINT, group=True)
        session.wait_for(top / "leaving")
        session.wait_for(" (ghost) to leave\n")
        assert "\nwarmci: waiting for gw" in session.stderr
        session.tell(signal.SIGINT, group=True)
        session.wait_for(" (ghost) to leave\n", times=2)
        assert "\nwarmci: told to stop, waiting for gw" in session.stderr
        session.wait_for("warmci: told to stop, still leaving ghost (stop, ")
        (top / "go").touch()
        code = session.wait()

    assert 2 == code
    check_interrupted(shop)
    shop.check_restored()


def test_a_worker_that_exits_a_test_leaves_its_recipe(shop: Shop) -> None:
    """`pytest.exit` under workers is an internal error of xdist's; the app is left all the same."""
    shop.seed()
    shop.tests("import pytest\ndef test_own(app): pytest.exit('enough', returncode=7)\n")

    done = shop.run_outside("--quick", "-n2")

    assert done.ret not in (0, 1, 5)
    assert "passed" != shop.result()["verdict"]
    shop.check_restored()
