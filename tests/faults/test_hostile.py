"""Apps and neighbours that misbehave: ended, contained or named, and never taken for a result."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pytest_warmci.clients import processes
from pytest_warmci.clients.waiting import Look, wait_until
from tests.e2e.workshop import RADICALE, Workshop
from tests.faults.aftermath import check_known_good, check_quiet, leftovers
from tests.faults.crowd import Crowd
from tests.faults.hostile.recipe import hostile_recipe, one_test

MIB = 1024 * 1024
MOST = 64 * MIB

WAITS = """
from pathlib import Path
from pytest_warmci.clients.waiting import Look, wait_until

def test_it_writes(app):
    def look():
        megabytes = int(Path("{pids}").read_text() or 0)
        return Look(megabytes >= 200, f"{{megabytes}} MB were written")

    wait_until(look, timeout=60)
"""


@pytest.fixture
def fresh(radicale_warmed: Workshop, tmp_path: Path) -> Iterator[Path]:
    """An empty state directory that shares what was downloaded; nothing outlives a failed test."""
    root = tmp_path / "state"
    root.mkdir(mode=0o700)
    (root / "cache").symlink_to(radicale_warmed.root / "cache")
    yield root
    for process in processes.living_in(root / "apps"):
        processes.signal_process(process, signal.SIGKILL)


@pytest.fixture
def pids(tmp_path: Path) -> Iterator[Path]:
    """A file for the pids of what an app leaves; it is ended when it should still be there."""
    file = tmp_path / "pids"
    yield file
    for process in left(file):
        processes.signal_process(process, signal.SIGKILL)


def left(pids: Path) -> list[processes.ProcessId]:
    """Return what was left and lives; nothing else is a `sleep` without an environment."""
    found = []
    for line in pids.read_text().split() if pids.exists() else ():
        process = processes.identify(int(line))
        if process is not None and processes.is_alive(process):
            found.append(process)
    return found


@pytest.mark.core
@pytest.mark.cost(9)
def test_a_foreign_program_on_the_canonicals_port_is_named_and_left_alone(
    radicale: Workshop,
) -> None:
    """Nothing is lost meanwhile, and the next run passes when it is gone."""
    before = radicale.known_good
    port = int(before.url.rpartition(":")[2])
    script = (
        f"import signal, socket; s = socket.create_server(('127.0.0.1', {port})); signal.pause()"
    )
    foreign = subprocess.Popen([sys.executable, "-SEc", script])
    try:
        wait_until(lambda: Look(bool(processes.listeners("127.0.0.1", port)), ""), timeout=20)

        outcome = radicale.pytest("--quick")

        assert foreign.poll() is None
    finally:
        foreign.kill()
        foreign.wait()
    assert outcome.status == 75, outcome.text
    assert f"port {port} is taken by another program" in outcome.result["reason"]
    assert f"({foreign.pid})" in outcome.result["reason"]
    assert outcome.result["tests"]["failed"] == 0
    check_known_good(radicale, before)
    check_quiet(radicale)
    again = radicale.pytest("--quick")
    assert again.status == 0, again.text
    check_known_good(radicale, before)
    check_quiet(radicale)


@pytest.mark.core
@pytest.mark.cost(7)
def test_an_app_that_ignores_its_stop_signal_is_killed(
    fresh: Path, tmp_path: Path, pids: Path
) -> None:
    """When its grace is over, although the recipe would wait less than that."""
    recipe = hostile_recipe(tmp_path / "recipe_tests", "deaf", pids, grace="2s")
    file = recipe / "recipe.yml"
    file.write_text(file.read_text().replace("stop: 10", "stop: 1"))

    outcome = Workshop(fresh, recipe).pytest(one_test(recipe))

    assert outcome.status == 0, outcome.text
    [took] = [each["seconds"] for each in outcome.result["phases"] if each["name"] == "remove"]
    assert 2 <= took < 6
    check_quiet(Workshop(fresh))


@pytest.mark.core
@pytest.mark.cost(5)
def test_what_has_left_its_group_parent_and_environment_is_ended(
    fresh: Path, tmp_path: Path, pids: Path
) -> None:
    """It lives in the volume, which a container would have taken away from under it."""
    recipe = hostile_recipe(tmp_path / "recipe_tests", "lives", pids)

    outcome = Workshop(fresh, recipe).pytest(one_test(recipe))

    assert outcome.status == 0, outcome.text
    assert 1 == len(pids.read_text().split())
    assert [] == left(pids)
    check_quiet(Workshop(fresh))


@pytest.mark.cost(10)
def test_what_only_reads_in_a_volume_is_refused_by_name(
    fresh: Path, tmp_path: Path, pids: Path
) -> None:
    """It may be a backup: it is not ours to end. When it is gone, the next run removes the app."""
    recipe = hostile_recipe(tmp_path / "recipe_tests", "reads", pids)

    outcome = Workshop(fresh, recipe).pytest(one_test(recipe))

    [reader] = left(pids)
    assert outcome.status == 75, outcome.text
    assert "another program uses the app's volumes" in outcome.text
    assert f"sleep ({reader.pid})" in outcome.text
    assert any(each.startswith("journal of radi-") for each in leftovers(Workshop(fresh)))
    processes.signal_process(reader, signal.SIGKILL)
    again = Workshop(fresh, RADICALE).pytest(one_test(RADICALE))
    assert again.status == 0, again.text
    assert "removed radi-" in again.result["notes"][0]
    check_quiet(Workshop(fresh))


@pytest.mark.core
@pytest.mark.cost(8)
def test_an_app_that_fills_its_log_is_contained(fresh: Path, tmp_path: Path, pids: Path) -> None:
    """The disk keeps its room, and the kept log says that its beginning is not there."""
    recipe = hostile_recipe(tmp_path / "recipe_tests", "chatty", pids)
    (recipe / "test_own.py").write_text(WAITS.format(pids=pids))
    largest = 0

    with Crowd(tmp_path / "crowd") as crowd:
        session = crowd.start(fresh, f"{recipe}/test_own.py::test_it_writes[install]")
        while session.process.poll() is None:
            for log in fresh.glob("apps/*/*/logs/app.log"):
                with suppress(FileNotFoundError):
                    largest = max(largest, log.stat().st_size)
            with suppress(subprocess.TimeoutExpired):
                session.process.wait(0.02)
        outcome = session.end()

    assert outcome.status == 0, outcome.text
    written = int(pids.read_text()) * MIB
    assert written > 2 * MOST, "it did not write enough to prove anything"
    assert MOST / 2 < largest < MOST + 64 * MIB
    [kept] = fresh.glob("runs/*/logs/install-app.log")
    first, second, *_ = kept.read_text().splitlines()
    assert first.startswith("warmci: ")
    assert "were not kept" in first or "its beginning was dropped" in first
    assert second == "all is well, nothing to see here, carry on"
    assert kept.stat().st_size < 4 * MIB
    check_quiet(Workshop(fresh))


@pytest.mark.cost(20)
def test_links_out_of_a_volume_stay_links(fresh: Path, tmp_path: Path) -> None:
    """A snapshot keeps them, a restore puts them back, and neither touches what they lead to."""
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o750)
    (victim / "file").write_text("mine")
    recipe = hostile_recipe(tmp_path / "recipe_tests", "links", victim)
    workshop = Workshop(fresh, recipe)

    def state_of(path: Path) -> tuple[float, int, int]:
        found = path.stat()
        return (found.st_mtime, found.st_mode, found.st_ino)

    before = [state_of(path) for path in (victim, victim / "file")]
    seeded = workshop.pytest("--warmci-head", "published")
    assert seeded.result["promoted"], seeded.text
    known = workshop.known_good
    failed = workshop.pytest("--quick", "--warmci-head", "fails-late")

    assert failed.status == 1, failed.text
    assert "restore" in [each["name"] for each in failed.result["phases"]]
    volume = workshop.place.folder / "volumes" / "data"
    assert victim == (volume / "link-to-folder").readlink()
    assert victim / "file" == (volume / "link-to-file").readlink()
    assert known.digest == workshop.volumes_digest()
    assert before == [state_of(path) for path in (victim, victim / "file")]
    assert "mine" == (victim / "file").read_text()
    assert [victim / "file"] == list(victim.iterdir())
    check_known_good(workshop, known)
    check_quiet(workshop)
