"""Outside programs: what an error says, and what a server is started with."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_warmci.clients import command, interrupts
from pytest_warmci.errors import CommandFailed


def test_outputs_come_back(tmp_path: Path) -> None:
    """Both, and the exit code; the working directory and standard input are ours to give."""
    done = command.run(["sh", "-c", "cat; pwd; echo b >&2"], timeout=5, cwd=tmp_path, stdin=b"a\n")

    assert (0, f"a\n{tmp_path}\n", b"b\n") == (done.code, done.text, done.stderr)


def test_a_failure_carries_the_end_of_the_output() -> None:
    """Where says the command, why what it said last."""
    with pytest.raises(CommandFailed) as caught:
        command.run(["sh", "-c", "seq 9999; echo last >&2; exit 3"], timeout=5, remedy="try")

    error = caught.value
    assert ("exit code 3", "try") == (error.what, error.remedy)
    assert error.where.startswith("sh -c 'seq 9999;")
    assert error.why.endswith("last")
    assert len(error.why) <= 4000


def test_a_failure_may_be_an_answer() -> None:
    """With check off the code is for the caller."""
    assert 3 == command.run(["sh", "-c", "exit 3"], timeout=5, check=False).code


def test_a_program_that_is_not_there_names_itself() -> None:
    """And what to do."""
    with pytest.raises(CommandFailed) as caught:
        command.run(["no-such-program-here"], timeout=5)

    assert "cannot start no-such-program-here" == caught.value.what
    assert "install no-such-program-here" == caught.value.remedy


def test_a_program_that_does_not_end_is_killed() -> None:
    """After the timeout, not later."""
    begun = time.monotonic()

    with pytest.raises(CommandFailed, match="no end after"):
        command.run(["sleep", "60"], timeout=0.1)

    assert time.monotonic() - begun < 5


def test_the_environment_is_all_there_is() -> None:
    """Ours is passed on only when none is given."""
    done = command.run(
        [sys.executable, "-c", "import os; print(dict(os.environ))"], timeout=9, env={"A": "1"}
    )

    assert "'A': '1'" in done.text
    assert "'HOME'" not in done.text


def test_a_server_is_detached_and_appends_to_its_log(tmp_path: Path) -> None:
    """Session and group of its own, nothing on standard input, a log that only we can read."""
    log = tmp_path / "log"
    log.write_text("before\n")

    pid = command.spawn(
        ["/bin/sh", "-c", "cat; echo $A; echo err >&2; exec sleep 60"],
        env={"A": "x", "PATH": os.environ["PATH"]},
        cwd=tmp_path,
        log=log,
    )

    try:
        assert (pid, pid) == (os.getsid(pid), os.getpgid(pid))
        assert command.exit_code(pid) is None
        wait_for(lambda: log.read_text() == "before\nx\nerr\n")
    finally:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: command.exit_code(pid) == -signal.SIGKILL)


def test_a_new_log_is_private(tmp_path: Path) -> None:
    """Servers print secrets."""
    pid = command.spawn(["/bin/true"], env={}, cwd=tmp_path, log=tmp_path / "log")

    assert 0o600 == (tmp_path / "log").stat().st_mode & 0o777
    wait_for(lambda: command.exit_code(pid) == 0)


def test_a_server_that_cannot_start_says_so(tmp_path: Path) -> None:
    """And leaves no descriptor open."""
    before = len(list(Path("/proc/self/fd").iterdir()))

    with pytest.raises(CommandFailed, match="cannot start /no/such"):
        command.spawn(["/no/such"], env={}, cwd=tmp_path, log=tmp_path / "log")

    assert before == len(list(Path("/proc/self/fd").iterdir()))


def test_the_exit_code_of_somebody_elses_process_is_not_known() -> None:
    """Only a parent can know it."""
    assert command.exit_code(1) is None


@pytest.fixture
def guarded() -> Iterator[list[int]]:
    """Signals that come to us and not to the program that runs."""
    came: list[int] = []
    before = {
        each: signal.signal(each, lambda number, _: came.append(number))
        for each in interrupts.SIGNALS
    }
    yield came
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
def test_a_program_in_the_foreground_is_told_what_we_are_told(
    guarded: list[int], tmp_path: Path, name: str
) -> None:
    """Each time, also the second; and it is waited for, however it takes it."""
    wait = "i=0; while [ $n -lt {} ] && [ $i -lt 200 ]; do sleep 0.02; i=$((i+1)); done"
    script = (
        f"n=0; trap 'n=$((n+1))' {name}; kill -{name} $PPID; {wait.format(1)};"
        f" kill -{name} $PPID; {wait.format(2)}; echo $n > told; exit 7"
    )

    assert 7 == command.stream(["sh", "-c", f"cd {tmp_path}; {script}"])

    assert "2\n" == (tmp_path / "told").read_text()
    assert [] == guarded


def test_a_program_that_dies_of_what_we_are_told_says_so(guarded: list[int]) -> None:
    """As a negative exit code."""
    assert -signal.SIGTERM == command.stream(["sh", "-c", "kill -TERM $PPID; sleep 20"])


def test_after_a_program_signals_are_whose_they_were(guarded: list[int]) -> None:
    """And while it runs, one that is ignored stays ignored, in the program too."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    before = [signal.getsignal(each) for each in interrupts.SIGNALS]

    assert 3 == command.stream(["sh", "-c", "kill -HUP $PPID; kill -HUP $$; exit 3"])

    assert before == [signal.getsignal(each) for each in interrupts.SIGNALS]
    assert [] == guarded


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
