"""Signals: real ones, sent to this process; each function of the module and what it promises."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import pytest

from pytest_warmci.clients import interrupts
from pytest_warmci.clients.interrupts import Terminated

INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


def tell(number: int) -> None:
    """Send ourselves a signal; its handler runs before this returns."""
    os.kill(os.getpid(), number)


def descriptors() -> int:
    """Count our open descriptors."""
    return len(list(Path("/proc/self/fd").iterdir()))


def busy() -> str:
    return "still leaving ghost (restore, 4 s)"


@pytest.fixture(autouse=True)
def guarded() -> Iterator[None]:
    """What nobody handles must not end the tests; what is ignored here is not ignored there."""

    def unhandled(number: int, frame: object) -> None:
        raise AssertionError(f"nobody has handled {signal.Signals(number).name}")

    before = {each: signal.signal(each, unhandled) for each in interrupts.SIGNALS}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)
    assert not interrupts.told()
    assert interrupts._state.depth == 0


def test_ctrl_c_is_pythons_own_interruption() -> None:
    """Nothing that knows Ctrl-C has to know us."""
    with interrupts.listening(busy):
        with pytest.raises(KeyboardInterrupt) as caught:
            tell(INT)

        assert KeyboardInterrupt is caught.type
        assert interrupts.told()


@pytest.mark.parametrize("number", [TERM, HUP])
def test_other_signals_are_interruptions_with_a_name(number: signal.Signals) -> None:
    """Python alone would end at once, and leave everything as it is."""
    with interrupts.listening(busy):
        with pytest.raises(Terminated, match=f"^{number.name}$") as caught:
            tell(number)

        assert isinstance(caught.value, KeyboardInterrupt)
        assert interrupts.told()


def test_later_signals_are_answered_and_do_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """However many, whichever."""
    with interrupts.listening(busy):
        with pytest.raises(KeyboardInterrupt):
            tell(INT)
        assert ("", "") == capfd.readouterr()

        for number in (INT, TERM, HUP, INT):
            tell(number)

        line = "warmci: told to stop, still leaving ghost (restore, 4 s)\n"
        assert ("", 4 * line) == capfd.readouterr()


def test_answers_go_to_what_was_standard_error_when_listening_began(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Pytest puts a file in its place while it runs a test, which nobody would see."""
    with interrupts.listening(busy):
        kept = os.dup(2)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        try:
            with interrupts.finishing():
                tell(TERM)
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(null)

    assert "warmci: told to stop, still leaving" in capfd.readouterr().err


def test_a_standard_error_that_is_closed_changes_nothing() -> None:
    """Nor does one whose reader has gone."""
    code = (
        "import os, signal\n"
        "from pytest_warmci.clients import interrupts\n"
        "os.close(2)\n"
        "with interrupts.listening(lambda: 'busy'), interrupts.finishing():\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print('alive')\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)

    assert (0, b"alive\n") == (done.returncode, done.stdout)


def test_an_ignored_signal_stays_ignored() -> None:
    """`nohup` means it; so does a shell that starts us in the background."""
    signal.signal(HUP, signal.SIG_IGN)

    with interrupts.listening(busy):
        tell(HUP)

        assert not interrupts.told()
    assert signal.SIG_IGN == signal.getsignal(HUP)


def test_afterwards_signals_are_whose_they_were() -> None:
    """Also after an interruption; what was told is forgotten."""
    before = [signal.getsignal(each) for each in interrupts.SIGNALS]
    opened = descriptors()

    with pytest.raises(Terminated), interrupts.listening(busy):
        tell(TERM)

    assert before == [signal.getsignal(each) for each in interrupts.SIGNALS]
    assert not interrupts.told()
    assert opened == descriptors()


def test_listening_within_itself_does_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """The outer one answers, and still listens when the inner one has ended."""
    with interrupts.listening(busy):
        with interrupts.listening(lambda: "somebody else"), pytest.raises(KeyboardInterrupt):
            tell(INT)

        tell(INT)

        assert interrupts.told()
    assert "still leaving ghost" in capfd.readouterr().err


def test_a_shielded_block_comes_to_its_end() -> None:
    """Then what was told is raised: the first of it."""
    done = []

    def restore() -> None:
        with interrupts.shielded():
            tell(HUP)
            tell(INT)
            done.append("restored")

    with interrupts.listening(busy), pytest.raises(Terminated, match="SIGHUP"):
        restore()

    assert ["restored"] == done


def test_the_outermost_shield_counts() -> None:
    """A step of a step is not the place to stop either."""
    done = []

    def restore() -> None:
        with interrupts.shielded():
            with interrupts.shielded():
                tell(INT)
            done.append("outer")

    with interrupts.listening(busy), pytest.raises(KeyboardInterrupt):
        restore()

    assert ["outer"] == done


def test_what_went_wrong_in_a_shielded_block_is_told_first() -> None:
    """A restore that failed matters more; who drives us asks."""

    def restore() -> None:
        with interrupts.shielded():
            tell(INT)
            raise ValueError("damaged")

    with interrupts.listening(busy):
        with pytest.raises(ValueError, match="damaged"):
            restore()

        assert interrupts.told()


def test_a_shield_without_signals_does_nothing() -> None:
    """And lets the next signal through."""
    with interrupts.listening(busy):
        with interrupts.shielded():
            pass
        with pytest.raises(KeyboardInterrupt):
            tell(INT)


def test_where_nothing_is_left_to_stop_nothing_is_raised() -> None:
    """Neither in the block nor at its end, nor by shields in it or after it."""
    with interrupts.listening(busy):
        with interrupts.finishing(), interrupts.shielded():
            tell(TERM)
        with interrupts.shielded():
            pass

        assert interrupts.told()


def test_a_shield_can_be_opened() -> None:
    """For what takes long and can be undone."""
    done = []

    def promote() -> None:
        with interrupts.shielded():
            with interrupts.interruptible():
                tell(INT)
            done.append("not reached")

    with interrupts.listening(busy), pytest.raises(KeyboardInterrupt):
        promote()

    assert [] == done


def test_an_opened_shield_lets_in_what_waits() -> None:
    """The block does not even begin."""
    done = []

    def promote() -> None:
        with interrupts.shielded():
            tell(TERM)
            with interrupts.interruptible():
                done.append("begun although we were told to stop")

    with interrupts.listening(busy), pytest.raises(Terminated):
        promote()

    assert [] == done


@pytest.mark.parametrize("error", [ValueError, None])
def test_a_shield_holds_after_it_was_opened(error: type[Exception] | None) -> None:
    """An error in the opened block does not leave it open."""
    done = []

    def promote() -> None:
        with interrupts.shielded():
            with suppress(ValueError), interrupts.interruptible():
                if error:
                    raise error
            tell(INT)
            done.append("still shielded")

    with interrupts.listening(busy), pytest.raises(KeyboardInterrupt):
        promote()

    assert ["still shielded"] == done


def test_a_debuggers_prompt_has_its_ctrl_c() -> None:
    """As often as it wants, and nobody was told to stop; afterwards it is ours."""
    with interrupts.listening(busy):
        with interrupts.prompting(leave_prompt):
            for _ in range(2):
                with pytest.raises(KeyboardInterrupt):
                    tell(INT)
        assert not interrupts.told()

        with pytest.raises(KeyboardInterrupt):
            tell(INT)

        assert interrupts.told()


@pytest.mark.parametrize("number", [TERM, HUP])
def test_other_signals_end_a_debuggers_prompt(number: signal.Signals) -> None:
    """By what the debugger lets through: it would take an interruption for a Ctrl-C."""
    with interrupts.listening(busy), interrupts.prompting(leave_prompt):
        with pytest.raises(Left, match=f"^{number.name}$"):
            tell(number)

        assert interrupts.told()


def test_a_prompt_that_an_interruption_has_opened_can_be_ended_too() -> None:
    """Under `--pdb` the first Ctrl-C leads there."""
    with interrupts.listening(busy):
        with pytest.raises(KeyboardInterrupt):
            tell(INT)
        with interrupts.prompting(leave_prompt), pytest.raises(Left):
            tell(HUP)


def test_shielded_blocks_stay_shielded_at_a_prompt() -> None:
    """A restore is no place for a debugger's Ctrl-C."""
    done = []

    def restore() -> None:
        with interrupts.shielded():
            tell(INT)
            done.append("restored")

    with interrupts.listening(busy), interrupts.prompting(leave_prompt):
        with pytest.raises(KeyboardInterrupt):
            restore()

        assert interrupts.told()
    assert ["restored"] == done


def test_signals_are_ours_again_when_a_debugger_goes_on() -> None:
    """Which then has a handler of its own in place."""
    with interrupts.listening(busy):
        with interrupts.prompting(leave_prompt):
            signal.signal(INT, lambda *_: None)
        with pytest.raises(KeyboardInterrupt):
            tell(INT)

        assert interrupts.told()


class Left(Exception):
    """What ends a prompt."""


def leave_prompt(name: str) -> NoReturn:
    raise Left(name)


def test_what_has_no_line_is_taken_out_of_a_traceback() -> None:
    """Wherever it stands; what called it, and what it called, is still told."""

    def innermost() -> None:
        raise KeyboardInterrupt

    def nowhere(rest: int) -> None:
        if rest:
            nowhere(rest - 1)
        else:
            innermost()

    nowhere.__code__ = nowhere.__code__.replace(co_linetable=b"")

    with pytest.raises(KeyboardInterrupt) as caught:
        nowhere(2)
    before = [line for _, line in traceback.walk_tb(caught.tb)]
    interrupts.drop_placeless(caught.tb)

    assert [None] * 3 == before[1:-1]
    assert [before[0], before[-1]] == [line for _, line in traceback.walk_tb(caught.tb)]
    assert "innermost" in str(caught.getrepr())
