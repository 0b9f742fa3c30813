"""Interruptions: exit 2, rolled back, removed, not evaluated, never promoted."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.plugin.conftest import Shop
from tests.started import Started, started

INTERRUPT = "def test_own(app): raise KeyboardInterrupt\n"


def check_interrupted(shop: Shop) -> None:
    result = shop.result()
    assert ("not-evaluated", "interrupted") == (result["verdict"], result["reason"])
    assert (False, False, False) == (
        result["complete"],
        result["authority"],
        result["promoted"],
    )
    assert [] == shop.cold_apps()


def test_ctrl_c_in_a_cold_test_removes_the_app(shop: Shop) -> None:
    """No promotion, also of a published version."""
    shop.tests(INTERRUPT)

    done = shop.run("--warmci-head", "published")

    assert 2 == done.ret
    check_interrupted(shop)
    assert shop.entry() is None


def test_ctrl_c_in_a_quick_test_restores(shop: Shop) -> None:
    """Half a test suite says nothing about the volumes."""
    shop.seed()
    shop.tests(INTERRUPT)

    done = shop.run("--quick")

    assert 2 == done.ret
    check_interrupted(shop)
    shop.check_restored()


@pytest.mark.parametrize("words", [("--quick",), ()], ids=["quick", "cold"])
def test_ctrl_c_in_a_deploy_leaves_nothing(shop: Shop, words: tuple[str, ...]) -> None:
    """The app was begun but never came up: it is undeployed all the same."""
    shop.seed()

    done = shop.run(*words, "--warmci-head", "interrupts")

    assert 2 == done.ret
    check_interrupted(shop)
    shop.check_restored()


def test_ctrl_c_in_a_fixtures_end_restores(shop: Shop) -> None:
    """Between a test and the undeploy."""
    shop.seed()
    shop.tests(
        "import pytest\n@pytest.fixture(scope='session')\ndef own(app):\n    yield\n"
        "    raise KeyboardInterrupt\n"
        "def test_own(own): pass\n"
    )

    done = shop.run("--quick")

    assert 2 == done.ret
    check_interrupted(shop)
    shop.check_restored()


def test_wide_fixtures_end_before_the_undeploy_of_an_interruption(shop: Shop) -> None:
    """They may need the app to clean up."""
    shop.seed()
    shop.tests(
        "import pytest, requests\nfrom pathlib import Path\n"
        "@pytest.fixture(scope='session')\ndef own(app):\n    yield\n"
        "    Path('ended').write_text(requests.get(app.url + '/health', timeout=5).text)\n"
        "def test_own(own): raise KeyboardInterrupt\n"
    )

    done = shop.run("--quick")

    assert 2 == done.ret
    assert "up, schema 1.2" == (shop.pytester.path / "ended").read_text()


def test_ctrl_c_in_a_promotion_keeps_the_old_known_good(shop: Shop) -> None:
    """The entry is the old one and the canonical is put back."""
    shop.seed()
    before = shop.entry()
    shop.trouble(
        "def cut(engine, app):\n"
        "    if app.domain.startswith('warm-'):\n"
        "        raise KeyboardInterrupt\n"
        "TROUBLE = {'wait_converged': cut}\n"
    )

    done = shop.run("--warmci-head", "published")

    assert 2 == done.ret
    assert before == shop.entry()
    assert not shop.result()["promoted"]
    shop.check_restored()


SLOW = (
    "import time\nfrom pathlib import Path\n"
    "def test_own(app):\n    Path('here').touch()\n    time.sleep(60)\n"
)


@contextmanager
def running(shop: Shop, *words: str) -> Iterator[Started]:
    """A session in a process of its own."""
    argv = [sys.executable, "-m", "pytest", *shop.arguments(*words)]
    with started(argv, shop.calls_file.parent, cwd=shop.pytester.path) as session:
        yield session


def test_ctrl_c_between_two_lines_is_an_interruption_too(shop: Shop) -> None:
    """Python knows no line for it; pytest alone ends with a TypeError and exit code 1."""
    shop.tests(
        "def interrupted(): raise KeyboardInterrupt\n"
        "interrupted.__code__ = interrupted.__code__.replace(co_linetable=b'')\n"
        "def test_own(app): interrupted()\n"
    )

    with running(shop, "--warmci-head", "published") as session:
        code = session.wait()

    assert 2 == code
    check_interrupted(shop)
    assert "py:3: KeyboardInterrupt" in session.stdout


@pytest.mark.parametrize(
    ("number", "words"),
    [(signal.SIGINT, ["--quick"]), (signal.SIGTERM, []), (signal.SIGHUP, ["--quick"])],
)
def test_a_real_signal_is_answered_by_leaving(
    shop: Shop, number: signal.Signals, words: list[str]
) -> None:
    """In the middle of a test."""
    shop.seed()
    shop.tests(SLOW)

    with running(shop, *words) as session:
        session.wait_for(shop.pytester.path / "here")
        session.tell(number)
        code = session.wait()

    assert 2 == code
    check_interrupted(shop)
    shop.check_restored()


def test_impatience_does_not_tear_the_leaving(shop: Shop) -> None:
    """Each further signal is answered, with what goes on."""
    shop.seed()
    shop.tests(SLOW)
    shop.trouble(
        "from pytest_warmci.clients.waiting import Look, wait_until\n"
        "def slow(engine, app):\n"
        "    Path('leaving').touch()\n"
        "    wait_until(lambda: Look(Path('go').exists(), ''), timeout=60)\n"
        "TROUBLE = {'undeploy': slow}\n"
    )
    top = shop.pytester.path

    with running(shop, "--quick") as session:
        session.wait_for(top / "here")
        session.tell(signal.SIGINT)
        session.wait_for(top / "leaving")
        for times, number in enumerate((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), 1):
            session.tell(number)
            session.wait_for("warmci: told to stop, still leaving ghost (stop, 0 s)", times)
        (top / "go").touch()
        code = session.wait()
        answers = session.stderr.count("warmci: told to stop")

    assert (2, 3) == (code, answers)
    check_interrupted(shop)
    shop.check_restored()


def test_a_test_that_takes_an_interruption_for_its_own_stops_the_session(shop: Shop) -> None:
    """It passes, and nothing else does."""
    shop.seed()
    shop.tests(
        "import os, signal\n"
        "def test_a(app):\n"
        "    try:\n        os.kill(os.getpid(), signal.SIGTERM)\n"
        "    except BaseException:\n        pass\n"
        "def test_b(app): open('reached', 'w')\n"
    )

    done = shop.run_outside("--quick")

    assert 2 == done.ret
    assert not (shop.pytester.path / "reached").exists()
    check_interrupted(shop)
    shop.check_restored()


def test_the_last_test_may_swallow_the_interruption(shop: Shop) -> None:
    """All of the recipe is green then; its volumes are put back all the same."""
    shop.seed()
    shop.tests(
        "import os, signal\n"
        "import pytest\n"
        "@pytest.fixture\ndef late(app):\n    yield\n"
        "    try:\n        os.kill(os.getpid(), signal.SIGTERM)\n"
        "    except BaseException:\n        pass\n"
        "def test_z(late): pass\n"
    )

    done = shop.run_outside("--quick", "recipe_tests/ghost/test_own.py")

    assert 2 == done.ret
    check_interrupted(shop)
    shop.check_restored()


def test_a_neighbour_of_a_recipe_cannot_swallow_an_interruption(shop: Shop) -> None:
    """A test that is no recipe's, in the same session."""
    shop.pytester.makepyfile(
        test_other="import os, signal\n"
        "def test_a():\n"
        "    try:\n        os.kill(os.getpid(), signal.SIGTERM)\n"
        "    except BaseException:\n        pass\n"
        "def test_b(): open('reached', 'w')\n"
    )

    done = shop.run_outside("test_other.py", "recipe_tests/ghost")

    assert 2 == done.ret
    assert not (shop.pytester.path / "reached").exists()
    assert [] == shop.results()


def test_a_signal_while_collecting_ends_the_session(shop: Shop) -> None:
    """Before anything has begun: there is no run, so there is no result."""
    shop.tests("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n")

    done = shop.run_outside()

    assert 2 == done.ret
    assert [] == shop.calls("deploy")
    assert [] == shop.results()


@pytest.mark.parametrize("blow", ["os.kill(os.getpid(), signal.SIGTERM)", "sys.exit(9)"])
def test_a_fixtures_end_cannot_keep_the_app_from_being_left(shop: Shop, blow: str) -> None:
    """Also when the session ends early and pytest takes it for done."""
    shop.seed()
    shop.tests(
        "import os, signal, sys\nimport pytest\n"
        f"@pytest.fixture(scope='session')\ndef own(app):\n    yield\n    {blow}\n"
        "@pytest.fixture(scope='session')\ndef other(own):\n    yield\n    open('ended', 'w')\n"
        "def test_own(other): pytest.exit('enough', returncode=7)\n"
    )

    done = shop.run_outside("--quick")

    assert 7 == done.ret
    assert (shop.pytester.path / "ended").exists()
    check_interrupted(shop)
    shop.check_restored()


def test_a_signal_while_the_summary_is_written_is_not_lost(shop: Shop) -> None:
    """The run has passed and says so; the session does not."""
    shop.seed()
    shop.trouble(
        "import signal\ndef pytest_terminal_summary():\n    os.kill(os.getpid(), signal.SIGINT)\n"
    )

    with running(shop, "--quick") as session:
        code = session.wait()
        shown = session.stdout

    assert 2 == code
    assert "passed" == shop.result()["verdict"]
    assert "quick on process: passed" in shown


def test_pytest_exit_restores(shop: Shop) -> None:
    """Whatever code an author ends the session with, it was ended early."""
    shop.seed()
    shop.tests("import pytest\ndef test_own(app): pytest.exit('enough', returncode=7)\n")

    done = shop.run("--quick")

    assert 7 == done.ret
    assert not shop.result()["complete"]
    assert "passed" != shop.result()["verdict"]
    shop.check_restored()


def test_an_interruption_outranks_a_failure_under_maxfail(shop: Shop) -> None:
    """2 is kept also when --maxfail was given and not reached."""
    shop.tests("def test_a(app): assert False\ndef test_b(app): raise KeyboardInterrupt\n")

    assert 2 == shop.run("--maxfail=5").ret
