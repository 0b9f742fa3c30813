"""A disk that is full or read-only at any write: one error, nothing lost, not evaluated."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pytest_warmci.clients import command
from pytest_warmci.model import KnownGood
from pytest_warmci.store.results import read_result
from pytest_warmci.store.sessions import read_session
from tests.e2e.workshop import ROOT, Outcome, Workshop, clean_environment, copy_state
from tests.faults import disks
from tests.faults.aftermath import check_known_good, check_quiet
from tests.faults.disks import RealDisk, SmallDisk
from tests.faults.striking import struck

QUICK = ("--quick",)
COLD = ("--warmci-head", "published")

FULL = r"(?:do: |to promote:) free some space there"
BROKEN = "do:  see why it is"
"""What is told once, though one broken write seldom comes alone."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk of 1.4 GB, which is mounted at `state`."""
    made = SmallDisk(tmp_path / "state")
    try:
        made.mount()
    except OSError as error:
        pytest.skip(f"mounting a small disk needs root: {error}")
    yield made
    made.unmount()


@pytest.fixture
def small(radicale_warmed: Workshop, disk: SmallDisk) -> Workshop:
    """A copy of the seeded state on it, the cache elsewhere."""
    copy_state(radicale_warmed.root, disk.folder)
    return Workshop(disk.folder, radicale_warmed.recipe)


@pytest.fixture
def real_disk(tmp_path: Path) -> Iterator[RealDisk]:
    """An ext4, which is mounted at `state`."""
    made = RealDisk(tmp_path / "state")
    try:
        made.mount()
    except OSError as error:
        pytest.skip(f"mounting an ext4 from a file needs root and mkfs.ext4: {error}")
    yield made
    made.unmount()


def strike(workshop: Workshop, at: str, what: str, *words: str) -> Outcome:
    """Run a session during which the disk gets full, or breaks, at one point."""
    program = Path(disks.__file__)
    return struck(workshop, at, f"run:{sys.executable} {program} {what} {workshop.root}", *words)


def check_told(outcome: Outcome, told: str) -> None:
    """Not evaluated, and one error says what, where and what to do, without other noise."""
    assert outcome.status == 75, outcome.text
    assert "Traceback" not in outcome.text
    assert "INTERNALERROR" not in outcome.text
    assert 1 == len(re.findall(told, outcome.text)), outcome.text


def check_next(workshop: Workshop, entry: KnownGood) -> None:
    """When there is room again, the next run passes on the same known-good, and nothing is left."""
    again = workshop.pytest(*QUICK)
    assert again.status == 0, again.text
    assert again.result["known_good"] == {"before": entry.digest, "after": entry.digest}
    check_known_good(workshop, entry)
    check_quiet(workshop)


def check_full(disk: SmallDisk, workshop: Workshop, outcome: Outcome, old: KnownGood) -> None:
    """One error and nothing lost; or what was deleted made room for all that had to be written."""
    assert disk.is_full()
    if outcome.status == 0:
        check_written(workshop)
    else:
        check_told(outcome, FULL)
    entry = check_known_good(workshop, *([] if was_promoted(workshop, old) else [old]))
    disk.empty()
    check_next(workshop, entry)


def was_promoted(workshop: Workshop, old: KnownGood) -> bool:
    """Tell whether the entry has moved, to the version that was to be promoted."""
    entry = workshop.known_good
    return entry.generation != old.generation and entry.version == old.version


def check_written(workshop: Workshop) -> None:
    """Who says "passed" has written all that says so."""
    (path,) = workshop.state.sessions.glob("*.json")
    session = read_session(path)
    (run,) = session.runs
    assert "passed" == read_result(workshop.state.run(run)).verdict
    assert 0 == session.exit_status


def points(
    *,
    core: Sequence[tuple[str, str]] = (),
    sampled: Sequence[tuple[str, str]] = (),
    nightly: Sequence[tuple[str, str]] = (),
    seconds: float,
) -> pytest.MarkDecorator:
    """Run a test at each point: where a session is, and what its disk runs out of there."""
    cost = pytest.mark.cost(seconds)
    tiers = ((core, [pytest.mark.core, cost]), (sampled, [cost]), (nightly, [pytest.mark.nightly]))
    return pytest.mark.parametrize(
        ("at", "short_of"),
        [pytest.param(*point, marks=marks) for each, marks in tiers for point in each],
    )


@points(
    seconds=12,
    core=[("restore#1+20", "no-names"), ("upgrade#1", "full")],
    sampled=[
        ("recover#1+1", "full"),
        ("deploy#1+1", "no-names"),
        ("test#3", "full"),
        ("stop#1", "full"),
        ("test#13+1", "full"),
    ],
    nightly=[
        ("prepare#1+3", "full"),
        ("restore#1+100", "full"),
        ("deploy#1+2500", "full"),
        ("deploy#1+4710", "full"),
        ("witness#1", "no-names"),
        ("upgrade#1+4750", "full"),
        ("stop#1+3", "no-names"),
        ("test#13+10", "no-names"),
        ("test#13+15", "full"),
    ],
)
def test_a_quick_run_on_a_disk_that_gets_full_is_not_evaluated(
    disk: SmallDisk, small: Workshop, at: str, short_of: str
) -> None:
    """At any of its writes; never the recipe's fault, and never a pass that left no record."""
    old = small.known_good

    outcome = strike(small, at, short_of, *QUICK)

    check_full(disk, small, outcome, old)


@points(
    seconds=20,
    core=[("promote#1+2300", "full")],
    sampled=[
        ("deploy#1+100", "full"),
        ("upgrade#1+10", "no-names"),
        ("promote#1", "no-names"),
        ("test#28+40", "full"),
    ],
    nightly=[
        ("recover#1", "no-names"),
        ("test#5", "full"),
        ("remove#1+1000", "full"),
        ("restart#1+2500", "full"),
        ("promote#1+4800", "full"),
        ("test#28+10", "full"),
    ],
)
def test_a_cold_run_on_a_disk_that_gets_full_is_not_evaluated(
    disk: SmallDisk, small: Workshop, at: str, short_of: str
) -> None:
    """Nor is what it was to promote: the old known-good stands, or the new one is complete."""
    old = small.known_good

    outcome = strike(small, at, short_of, *COLD)

    check_full(disk, small, outcome, old)


@points(
    seconds=16,
    sampled=[("recover#1", "full"), ("recover#1+150", "full")],
    nightly=[("recover#1+2", "no-names"), ("recover#1+60", "no-names")],
)
def test_a_recovery_on_a_disk_that_gets_full_is_done_by_the_next_run(
    disk: SmallDisk, small: Workshop, at: str, short_of: str
) -> None:
    """The killed run's servers are ended all the same."""
    old = small.known_good
    assert -9 == struck(small, "upgrade#1+3000", "kill", *QUICK).status

    outcome = strike(small, at, short_of, *QUICK)

    assert [] == small.processes()
    check_full(disk, small, outcome, old)


@pytest.mark.core
@pytest.mark.cost(14)
def test_recovery_by_hand_on_a_full_disk_says_so(disk: SmallDisk, small: Workshop) -> None:
    """It ends the servers, changes nothing else, and works when there is room again."""
    old = small.known_good
    assert -9 == struck(small, "upgrade#1", "kill", *QUICK).status
    disk.fill("full")

    refused = warmci(small, "recover")

    check_told(refused, FULL)
    assert [] == small.processes()
    check_known_good(small, old)
    disk.empty()
    assert 0 == warmci(small, "recover").status
    check_quiet(small)
    assert old.digest == small.volumes_digest()


@pytest.mark.core
@pytest.mark.cost(4)
@pytest.mark.parametrize(
    ("words", "left", "numbers"),
    [
        pytest.param(
            QUICK, 100, r"needs 25\d\.\d MiB, available (9\d\.\d|100\.0) MiB", id="quick"
        ),
        pytest.param(COLD, 500, r"needs 1\.0 GiB, available (49\d\.\d|500\.0) MiB", id="cold"),
    ],
)
def test_too_little_room_is_refused_before_anything_is_changed(
    disk: SmallDisk, small: Workshop, words: Sequence[str], left: int, numbers: str
) -> None:
    """With both numbers."""
    before = small.entry_bytes(), small.volumes_digest()
    disk.leave(left * 1024 * 1024)

    outcome = small.pytest(*words)

    check_told(outcome, FULL)
    assert re.search(numbers, outcome.text)
    assert before == (small.entry_bytes(), small.volumes_digest())
    check_quiet(small)


@points(
    seconds=14,
    core=[("upgrade#1+3000", "broken")],
    sampled=[("restore#1+100", "broken"), ("test#3", "broken"), ("test#13+1", "broken")],
    nightly=[("recover#1+1", "broken"), ("deploy#1+100", "broken"), ("stop#1+1", "broken")],
)
def test_a_quick_run_on_a_disk_that_breaks_is_not_evaluated(
    radicale_warmed: Workshop, real_disk: RealDisk, at: str, short_of: str
) -> None:
    """The disk is read-only from there on, and has forgotten what was not durable."""
    copy_state(radicale_warmed.root, real_disk.folder)
    real_disk.sync()
    workshop = Workshop(real_disk.folder, radicale_warmed.recipe)
    old = workshop.known_good

    outcome = strike(workshop, at, short_of, *QUICK)

    assert real_disk.is_broken()
    check_told(outcome, BROKEN)
    assert [] == workshop.processes()
    check_known_good(workshop, old)
    real_disk.mend()
    check_known_good(workshop, old)
    check_next(workshop, old)


def warmci(workshop: Workshop, *words: str) -> Outcome:
    """Run the command."""
    done = command.run(
        [
            sys.executable,
            "-c",
            "from pytest_warmci.cli import main; main()",
            *words,
            "--state",
            workshop.root,
        ],
        timeout=120,
        cwd=ROOT,
        env=clean_environment(),
        check=False,
    )
    text = done.text + done.stderr.decode()
    print(text)  # noqa: T201 - shown by pytest when the test fails
    return Outcome(done.code, text)
