"""Interruptions: exit 2, rolled back, removed, not evaluated, never promoted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.plugin.conftest import Shop

# A shell may have given us an ignored SIGINT, which children inherit.
PYTEST = """\
import signal, sys, pytest
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(pytest.main())
"""

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


@pytest.mark.parametrize("words", [("--quick",), ()], ids=["quick", "cold"])
def test_a_real_sigint_is_answered_by_leaving(shop: Shop, words: tuple[str, ...]) -> None:
    """A process of its own gets the signal in the middle of a test."""
    shop.seed()
    shop.tests(
        "import time\nfrom pathlib import Path\n"
        "def test_own(app):\n    Path('here').touch()\n    time.sleep(60)\n"
    )
    here = shop.pytester.path / "here"

    code = run_and_signal(shop, here, signal.SIGINT, *words)

    assert 2 == code
    check_interrupted(shop)
    shop.check_restored()


def run_and_signal(shop: Shop, here: Path, number: signal.Signals, *words: str) -> int:
    """Run pytest outside, send it a signal when the file `here` appears, return its exit code."""
    argv = [sys.executable, "-c", PYTEST, "-q", *shop.arguments(*words)]
    with (shop.pytester.path / "output").open("w") as output:
        process = subprocess.Popen(
            argv,
            cwd=shop.pytester.path,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            end = time.monotonic() + 30
            while not here.exists() and process.poll() is None and time.monotonic() < end:
                time.sleep(0.02)
            os.kill(process.pid, number)
            return process.wait(30)
        finally:
            process.kill()
            process.wait()


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
