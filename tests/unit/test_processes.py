"""Processes: known by pid, start and boot; found by token, session, folder and socket."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_warmci.clients import command, processes
from pytest_warmci.clients.processes import ProcessId

Spawn = Callable[..., ProcessId]


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Start a detached program; what is left of it goes in the end."""
    started: list[int] = []

    def start(*argv: str, **env: str) -> ProcessId:
        pid = command.spawn(
            argv, env={"PATH": os.environ["PATH"], **env}, cwd=tmp_path, log=tmp_path / "log"
        )
        started.append(pid)
        found = processes.identify(pid)
        assert found is not None
        return found

    yield start
    for pid in started:
        for member in processes.group_members(pid):
            os.kill(member.pid, signal.SIGKILL)
        wait_for(lambda pid=pid: command.exit_code(pid) is not None)  # type: ignore[misc]


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_process_is_alive_until_it_ends(spawn: Spawn) -> None:
    """A zombie, which nobody has reaped yet, is not."""
    process = spawn("sleep", "60")
    assert processes.is_alive(process)

    os.kill(process.pid, signal.SIGKILL)

    wait_for(lambda: not processes.is_alive(process))
    assert Path(f"/proc/{process.pid}").exists()  # a zombie still


@pytest.mark.parametrize("change", [{"started": 1}, {"boot": "another"}, {"pid": 2**22 + 1}])
def test_another_start_or_boot_is_another_process(spawn: Spawn, change: dict[str, str]) -> None:
    """A pid that came round again is neither alive nor signalled."""
    process = spawn("sleep", "60")

    stranger = replace(process, **change)  # type: ignore[arg-type]

    assert not processes.is_alive(stranger)
    assert not processes.signal_process(stranger, signal.SIGKILL)
    assert processes.is_alive(process)


def test_what_is_gone_has_no_identity() -> None:
    """No pid is that high."""
    assert processes.identify(2**22 + 1) is None


def test_a_session_is_found_without_its_leader(spawn: Spawn) -> None:
    """What a dead service left behind."""
    leader = spawn("sh", "-c", "sleep 60 & exec sleep 61")
    wait_for(lambda: len(processes.group_members(leader.pid)) == 2)

    processes.signal_process(leader, signal.SIGKILL)

    wait_for(lambda: not processes.is_alive(leader))
    (left,) = processes.group_members(leader.pid)
    assert left.pid != leader.pid


def test_a_group_gets_a_signal_together(spawn: Spawn) -> None:
    """The leader and its children."""
    leader = spawn("sh", "-c", "sleep 60 & sleep 61")
    wait_for(lambda: len(processes.group_members(leader.pid)) == 3)

    assert processes.signal_process(leader, signal.SIGKILL, group=True)

    wait_for(lambda: processes.group_members(leader.pid) == [])


def test_a_token_finds_whoever_carries_it(spawn: Spawn) -> None:
    """Also children that were started later; nobody with another value."""
    leader = spawn("sh", "-c", "sleep 60; true", OWN_TOKEN="abc")
    spawn("sleep", "60", OWN_TOKEN="abcd")
    wait_for(lambda: len(processes.carrying("OWN_TOKEN", "abc")) == 2)

    assert leader in processes.carrying("OWN_TOKEN", "abc")
    assert "abc" == processes.environment(leader)["OWN_TOKEN"]


def test_a_folder_in_use_names_its_users(spawn: Spawn, tmp_path: Path) -> None:
    """By working directory or open file; a folder with a similar name is another one."""
    inside = tmp_path / "data"
    inside.mkdir()
    (tmp_path / "data-2").mkdir()
    (tmp_path / "data-2" / "f").touch()
    cwd = spawn("sh", "-c", f"cd {inside} && exec sleep 60")
    file = spawn("sh", "-c", f"exec sleep 60 > {inside}/f")
    spawn("sh", "-c", f"exec sleep 60 > {tmp_path}/data-2/f")

    wait_for(lambda: {cwd.pid, file.pid} == {each.pid for each in processes.using(inside)})


def test_this_process_is_not_reported_as_a_user(tmp_path: Path) -> None:
    """Who looks is not in the way."""
    with (tmp_path / "f").open("w"):
        assert [] == processes.using(tmp_path)


def test_the_program_of_a_process(spawn: Spawn) -> None:
    """What really runs, links followed."""
    process = spawn(sys.executable, "-c", "import time; time.sleep(60)")

    wait_for(lambda: processes.executable(process) == os.path.realpath(sys.executable))


def test_who_listens_on_a_port() -> None:
    """At the address or at all of them; connections are no listeners."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            assert [os.getpid()] == processes.listeners("127.0.0.1", port)
            assert [] == processes.listeners("127.0.0.2", port)
    with socket.create_server(("0.0.0.0", 0)) as server:  # noqa: S104 - what is tested
        port = server.getsockname()[1]
        assert [os.getpid()] == processes.listeners("127.0.0.1", port)
    assert [] == processes.listeners("127.0.0.1", port)


def test_descriptions_name_programs() -> None:
    """As far as they can be seen."""
    text = processes.describe([os.getpid(), None, 2**22 + 1])

    assert f"({os.getpid()}), another user's, pid {2**22 + 1}" in text


def test_the_environment_of_what_is_gone_is_empty() -> None:
    """And so is its program."""
    gone = ProcessId(2**22 + 1, 1, "boot")

    assert ({}, "") == (processes.environment(gone), processes.executable(gone))
