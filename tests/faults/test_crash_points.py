"""Whole operations, killed or cut off from power before each of their changes of the disk.

No server is needed to tear a write: the engine is the strict one of the unit tests.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.runs import promote, recover
from pytest_warmci.runs.reap import reap_apps
from pytest_warmci.store import snapshots
from tests import crash, ghost
from tests.fakes import hurry
from tests.faults.aftermath import unfinished
from tests.unit.haunts import Haunt

KILL, CUT, TORN = None, 0, 1
"""A kill; a power cut that takes all that is not durable; one that takes some of it."""

CUTS = (KILL, CUT, TORN)

SOME = pytest.param(19, marks=[pytest.mark.core, pytest.mark.cost(5)], id="at some changes")
ALL = pytest.param(1, marks=pytest.mark.nightly, id="at every change")


@pytest.fixture(scope="session")
def older_top(haunted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `state`, whose known-good is the version before the newest one."""
    top = tmp_path_factory.mktemp("older")
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        lane = ghost.session(top / "state", top / "calls", head=ghost.V1).lane(
            haunted / "recipe_tests" / "ghost"
        )
        result = ghost.drive(lane).result
    assert result is not None
    assert result.promoted, result
    return top


@pytest.fixture
def older(haunt: Haunt, older_top: Path) -> Haunt:
    """A copy of it."""
    shutil.rmtree(haunt.state)
    shutil.copytree(older_top / "state", haunt.state, symlinks=True)
    return haunt


Operation = Callable[[], object]


def promotion(haunt: Haunt) -> Operation:
    """Return the promotion of the newest version, by a run that is complete and green."""
    run = haunt.session(head="published").lane(haunt.recipe).run
    return lambda: promote.promote(run, 1.0)


def cold_lane(haunt: Haunt) -> Operation:
    """Return a whole cold run of the newest version, which promotes it."""
    lane = haunt.lane(head="published")
    return lambda: ghost.drive(lane)


def failing_quick_lane(haunt: Haunt) -> Operation:
    """Return a quick run that upgrades, fails, and puts the known-good back."""
    lane = haunt.lane("quick")

    def fail() -> None:
        lane.goto("upgrade", "head")
        lane.outcomes.note("item", "failed", "because")
        lane.close(narrowed=[], interrupted=False)

    return fail


def recovery(haunt: Haunt) -> Operation:
    """Return what every run does first, and what it does next with a canonical."""
    state, place = haunt.opened, haunt.place

    def recover_all() -> None:
        engine = haunt.engine()
        reap_apps(state, engine)
        with hold(state.lock(place.domain), who=Holder("next", "quick", "test"), limit=0):
            recover.recover_canonical(state, engine, place, "next")
            entry = haunt.entry()
            assert entry is not None
            recover.ensure_known_good(state, engine, place, entry)

    return recover_all


class Scene:
    """A state directory that can be brought back to where it was."""

    def __init__(self, haunt: Haunt) -> None:
        self.haunt = haunt
        cache = haunt.state / "cache"
        if not cache.is_symlink():  # it is as large as all the rest, and nothing here changes it
            cache.rename(haunt.state.with_name("cache"))
            cache.symlink_to(haunt.state.with_name("cache"))
        self._spare = Path(tempfile.mkdtemp(dir=haunt.state.parent)) / "state"
        shutil.copytree(haunt.state, self._spare, symlinks=True)

    def reset(self) -> None:
        shutil.rmtree(self.haunt.state)
        shutil.copytree(self._spare, self.haunt.state, symlinks=True)

    def deaths(
        self,
        operation: Operation,
        every: int,
        cuts: Sequence[int | None],
        before: tuple[crash.Change, ...] = (),
    ) -> Iterator[tuple[str, bool]]:
        """Die again and again; yields where, and whether it had ended, the disk being as left.

        A power cut takes also what `before` had changed and nobody has made durable since.
        """
        for cut in cuts:
            for number, ending in crash.endings(operation, self.haunt.state, self.reset, every):
                if cut is not None:
                    crash.lose_power(replace(ending, changes=before + ending.changes), cut)
                yield f"change {number}, cut {cut}", not ending.struck


def check_entry(haunt: Haunt, versions: set[str], where: str) -> str:
    """The entry is one of those, and its snapshot is whole; return its version."""
    entry = haunt.entry()
    assert entry is not None, where
    assert entry.version in versions, where
    snapshots.verify(haunt.place.snapshots, entry.generation, entry.digest)
    return entry.version


def check_recovered(haunt: Haunt, version: str, where: str) -> None:
    """Volumes and snapshot equal the entry, and nothing is left of what died."""
    assert version == haunt.check_known_good().version, where
    assert [] == haunt.cold_apps(), where
    assert [] == unfinished(haunt.state), where


@pytest.mark.parametrize("every", [SOME, ALL])
@pytest.mark.parametrize("operation", [promotion, cold_lane])
def test_a_promotion_that_dies_leaves_the_old_known_good_or_the_new_one(
    older: Haunt, operation: Callable[[Haunt], Operation], every: int
) -> None:
    """Whole at once, and the next run brings the volumes to it."""
    scene, act = Scene(older), operation(older)
    for cut in CUTS if operation is promotion else (KILL,):
        found = []
        for where, ended in scene.deaths(act, every, [cut]):
            version = check_entry(older, {ghost.V2} if ended else {ghost.V1, ghost.V2}, where)
            recovery(older)()
            check_recovered(older, version, where)
            found.append(version)
        assert sorted(found) == found, "it moved there and back"
        assert {ghost.V1, ghost.V2} == set(found)


@pytest.mark.parametrize("every", [SOME, ALL])
def test_a_failing_quick_run_that_dies_changes_no_known_good(haunt: Haunt, every: int) -> None:
    """Nor does it when it comes to its end."""
    before = haunt.check_known_good()
    scene, act = Scene(haunt), failing_quick_lane(haunt)
    for where, ended in scene.deaths(act, every, CUTS):
        assert before == haunt.entry(), where
        check_entry(haunt, {before.version}, where)
        if not ended:
            recovery(haunt)()
        check_recovered(haunt, before.version, where)


@pytest.mark.parametrize("every", [SOME, ALL])
@pytest.mark.parametrize("operation", [promotion, failing_quick_lane])
def test_a_recovery_that_dies_is_done_by_the_next(
    older: Haunt, operation: Callable[[Haunt], Operation], every: int
) -> None:
    """After deaths early, in the middle and late, and by a kill as by a power cut."""
    scene, act = Scene(older), operation(older)
    changes = crash.run(act, older.state, 0).changes
    total = len(changes)
    moved = [n for n, each in enumerate(changes, 1) if each.name.endswith("/ghost.yml")]
    for first in (total // 4, total // 2, total * 3 // 4, *(n + 1 for n in moved)):
        scene.reset()
        died = crash.run(act, older.state, first)
        dead = Scene(older)
        for where, _ in dead.deaths(recovery(older), every, (KILL, CUT), died.changes):
            version = check_entry(older, {ghost.V1, ghost.V2}, f"change {first}, then {where}")
            recovery(older)()
            check_recovered(older, version, f"change {first}, then {where}")


@pytest.mark.core
@pytest.mark.cost(1)
def test_a_promotion_gives_each_name_only_to_what_is_durable(older: Haunt) -> None:
    """The snapshot first, then the entry, then the old one goes, then the journal."""
    old = older.check_known_good()
    ending = crash.run(promotion(older), older.state, 0)
    new = older.check_known_good()

    assert [] == crash.published_too_early(ending)
    assert [] == [
        text
        for text in crash.not_durable(ending)
        if "/volumes/" not in text and "/locks/" not in text
    ]
    steps = {(each.what, each.name): number for number, each in enumerate(ending.changes)}
    place = older.place
    entry = str(older.state / "canonicals" / "process" / "ghost.yml")
    in_order = [
        ("link", str(place.folder / "journal.json")),
        ("rename", str(place.snapshots / new.generation)),
        ("rename", entry),
        ("remove", str(place.folder / "journal.json")),
    ]
    assert in_order == sorted(in_order, key=steps.__getitem__)
    synced = [
        number
        for number, each in enumerate(ending.changes)
        if each == crash.Change("fsync", str(place.snapshots))
    ]
    assert any(steps[in_order[1]] < number < steps[in_order[2]] for number in synced)
    gone = next(
        number
        for number, each in enumerate(ending.changes)
        if each.what == "rename" and each.path == str(place.snapshots / old.generation)
    )
    folder = crash.Change("fsync", str(older.state / "canonicals" / "process"))
    assert steps["rename", entry] < ending.changes.index(folder) < gone
