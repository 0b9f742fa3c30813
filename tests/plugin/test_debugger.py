"""`--pdb`: the app stays up while somebody looks, and is left whatever they do then."""

from __future__ import annotations

import signal

import pytest

from tests.plugin.conftest import Shop
from tests.plugin.test_interrupted import SLOW, check_interrupted, running

PROMPT = "(Pdb) "

FAILS = "def test_own(app): assert app.url == 'not this'\n"
BREAKS = "def test_own(app):\n    breakpoint()\n    assert app.url\n"


@pytest.fixture
def seeded(shop: Shop) -> Shop:
    """With a known-good, and a test that fails."""
    shop.seed()
    shop.tests(FAILS)
    return shop


@pytest.mark.parametrize("text", [FAILS, BREAKS], ids=["failure", "breakpoint"])
def test_who_has_seen_the_app_and_quits_interrupts(seeded: Shop, text: str) -> None:
    """At the prompt it is up; afterwards it is restored."""
    seeded.tests(text)

    with running(seeded, "--quick", "--pdb") as session:
        session.wait_for(PROMPT)
        session.type("import requests\n")
        session.type("requests.get(app.url + '/health', timeout=5).text\n")
        session.wait_for("up, schema 1.2")
        session.type("q\n")
        code = session.wait()

    assert 2 == code
    check_interrupted(seeded)
    seeded.check_restored()


def test_an_end_of_input_quits(seeded: Shop) -> None:
    """Whoever sat there has gone."""
    with running(seeded, "--quick", "--pdb") as session:
        session.wait_for(PROMPT)
        assert session.process.stdin
        session.process.stdin.close()
        code = session.wait()

    assert 2 == code
    check_interrupted(seeded)
    seeded.check_restored()


def test_who_continues_gets_the_failure(seeded: Shop) -> None:
    """And the rest of the session."""
    with running(seeded, "--quick", "--pdb") as session:
        session.wait_for(PROMPT)
        session.type("c\n")
        code = session.wait()

    assert 1 == code
    assert "failed" == seeded.result()["verdict"]
    seeded.check_restored()


def test_ctrl_c_at_the_prompt_is_the_debuggers(seeded: Shop) -> None:
    """It ends a line there, not the session."""
    with running(seeded, "--quick", "--pdb") as session:
        session.wait_for(PROMPT)
        for times in (1, 2):
            session.tell(signal.SIGINT)
            session.wait_for("--KeyboardInterrupt--", times)
        session.type("c\n")
        code = session.wait()

    assert 1 == code
    assert "failed" == seeded.result()["verdict"]
    seeded.check_restored()


@pytest.mark.parametrize(
    ("text", "number"), [(FAILS, signal.SIGTERM), (BREAKS, signal.SIGHUP)], ids=["TERM", "HUP"]
)
def test_other_signals_end_the_prompt(seeded: Shop, text: str, number: signal.Signals) -> None:
    """A closed terminal, a machine that shuts down: the app is left."""
    seeded.tests(text)

    with running(seeded, "--quick", "--pdb") as session:
        session.wait_for(PROMPT)
        session.tell(number)
        code = session.wait()

    assert 2 == code
    check_interrupted(seeded)
    seeded.check_restored()


def test_ctrl_c_in_a_test_opens_the_prompt_and_then_stops(seeded: Shop) -> None:
    """That is what `--pdb` is for; going on from there ends the session."""
    seeded.tests(SLOW + "def test_more(app): open('reached', 'w')\n")

    with running(seeded, "--quick", "--pdb") as session:
        session.wait_for(seeded.pytester.path / "here")
        session.tell(signal.SIGINT)
        session.wait_for(PROMPT)
        session.type("c\n")
        code = session.wait()

    assert 2 == code
    assert not (seeded.pytester.path / "reached").exists()
    check_interrupted(seeded)
    seeded.check_restored()


@pytest.mark.parametrize("answer", ["q\n", "c\n"], ids=["quit", "continue"])
def test_ctrl_c_after_the_prompt_does_not_tear_the_leaving(seeded: Shop, answer: str) -> None:
    """From there on it is ours again, whichever way the prompt was left."""
    seeded.trouble(
        "from pytest_warmci.clients.waiting import Look, wait_until\n"
        "def slow(engine, app):\n"
        "    Path('leaving').touch()\n"
        "    wait_until(lambda: Look(Path('go').exists(), ''), timeout=60)\n"
        "TROUBLE = {'undeploy': slow}\n"
    )
    top = seeded.pytester.path

    with running(seeded, "--quick", "--pdb") as session:
        session.wait_for(PROMPT)
        session.type(answer)
        session.wait_for(top / "leaving")
        session.tell(signal.SIGINT)
        session.wait_for("warmci: told to stop, still leaving ghost (stop, 0 s)")
        (top / "go").touch()
        if answer == "c\n":  # under --pdb an interruption leads to the prompt
            session.wait_for(PROMPT, times=2)
            session.type("c\n")
        code = session.wait()

    assert 2 == code
    check_interrupted(seeded)
    seeded.check_restored()
