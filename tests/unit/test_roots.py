"""All roots of an app: where its engine has its data, and what is in its folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.errors import SnapshotDamaged, WarmciError
from pytest_warmci.runs import recover
from pytest_warmci.runs.place import Place
from pytest_warmci.runs.roots import clear_roots, restore_roots, roots_of
from pytest_warmci.store import snapshots
from pytest_warmci.store.journal import Journal
from pytest_warmci.store.state import StateDirectory, open_state
from pytest_warmci.store.streams import apart
from tests import crash, ghost
from tests.fakes import hurry
from tests.far_engine import FarEngine, StreamEngine, far
from tests.unit.haunts import FarHaunt, Haunt, StreamHaunt
from tests.unit.test_crash_points import deaths
from tests.unit.test_recover import rot

NEXT = Holder("next", "quick", "test")


def add_volume(place: Place, name: str) -> Path:
    """Let an app have one more volume, and a file in it."""
    data = far(place) / name / "_data"
    data.mkdir(parents=True)
    (data / "file").write_text("x")
    return data


def again(haunt: FarHaunt) -> list[str]:
    with hold(haunt.opened.lock(haunt.place.domain), who=NEXT, limit=0):
        return recover.recover_canonical(haunt.opened, haunt.engine(), haunt.place, "s")


def test_data_are_in_the_folder_where_the_engine_keeps_them_there(haunt: Haunt) -> None:
    """With all else that a snapshot covers, nothing twice and no snapshot."""
    roots = roots_of(haunt.engine(), haunt.place)

    folder = haunt.place.folder
    names = ("volumes", "env", "secrets", "recipe", "deployed.json")
    assert {name: folder / name for name in names} == roots


def test_a_known_good_is_made_of_data_elsewhere_too(far_haunt: FarHaunt) -> None:
    """Its snapshot has each root by the engine's name, and is where all snapshots are."""
    entry = far_haunt.check_known_good()

    assert "far" == entry.engine
    assert {"volumes/data"} == roots_of(far_haunt.engine(), far_haunt.place).keys() - {
        *far_haunt.place.roots
    }
    assert not (far_haunt.place.folder / "volumes").exists()


def test_a_cold_app_takes_its_data_with_it(far_haunt: FarHaunt) -> None:
    """The engine's own folder too has only the canonical's."""
    ghost.drive(far_haunt.lane("cold"))

    assert [far_haunt.place.domain] == [
        each.name for each in far(far_haunt.place).parent.iterdir()
    ]


@pytest.mark.parametrize("head", ["fails-at-once", "renamed-volume"])
def test_a_failed_upgrade_is_undone_elsewhere_too(far_haunt: FarHaunt, head: str) -> None:
    """What an upgrade has added goes, not only what it has changed."""
    lane = far_haunt.lane("quick", head)

    def upgrade() -> None:
        lane.goto("upgrade", "head")
        lane.run.check_witness()

    with pytest.raises(WarmciError):
        upgrade()
    lane.outcomes.note("item", "failed", "because")
    lane.close(narrowed=[], interrupted=False)

    far_haunt.check_known_good()
    assert ["data"] == far_haunt.engine().volumes(far_haunt.place)


def test_kept_volumes_are_restored_first(far_haunt: FarHaunt) -> None:
    """An upgrade that passed left one more."""
    add_volume(far_haunt.place, "more")

    lane = far_haunt.lane("quick")
    lane.goto("upgrade", "base")

    assert ["data"] == far_haunt.engine().volumes(far_haunt.place)
    assert any("restored to known-good first" in note for note in lane.run.notes)
    lane.close(narrowed=[], interrupted=True)
    far_haunt.check_known_good()


def test_a_damaged_snapshot_heals_from_data_elsewhere(far_haunt: FarHaunt) -> None:
    """Its digest is of all of them."""
    entry = far_haunt.check_known_good()
    rot(far_haunt)

    recover.ensure_known_good(far_haunt.opened, far_haunt.engine(), far_haunt.place, entry)

    assert entry.digest == far_haunt.check_known_good().digest


def test_where_the_snapshot_is_damaged_no_room_is_made(far_haunt: FarHaunt) -> None:
    """It changes nothing at all, nor is anything deleted."""
    Journal(far_haunt.place.folder).begin("quick", run="dead00", session="s")
    shutil.rmtree(far(far_haunt.place) / "data")
    add_volume(far_haunt.place, "more")
    rot(far_haunt)

    with pytest.raises(SnapshotDamaged):
        again(far_haunt)

    assert ["more"] == far_haunt.engine().volumes(far_haunt.place)


def test_without_a_known_good_all_data_go(far_haunt: FarHaunt) -> None:
    """A first promotion was cut short."""
    (far_haunt.opened.canonicals("far") / "ghost.yml").unlink()
    Journal(far_haunt.place.folder).begin("promote", run="dead00", session="s")

    again(far_haunt)

    assert [] == far_haunt.engine().volumes(far_haunt.place)
    assert not (far_haunt.place.folder / "env").exists()


def test_clearing_leaves_no_root(far_haunt: FarHaunt) -> None:
    """Snapshots stay; a second time is fine."""
    engine, place = far_haunt.engine(), far_haunt.place
    for _ in range(2):
        with hold(far_haunt.opened.lock(place.domain), who=NEXT, limit=0):
            clear_roots(engine, place)

        near, _ = apart(roots_of(engine, place))
        assert [] == [str(path) for path in near.values() if path.exists()]
        assert [] == engine.volumes(place)
        assert place.snapshots.is_dir()


def furnished(state: StateDirectory, engine: FarEngine) -> tuple[Place, str]:
    """Return an app with two volumes, and the digest of its only generation, `gen-1`."""
    place = Place("ghost", "warm-ghost.warmci.localhost", state.app("far", "warm-ghost"))
    place.folder.mkdir(parents=True)
    (place.folder / "env").write_text("A=1")
    for name in ("data", "second"):
        add_volume(place, name)
    return place, snapshots.take(place.snapshots, "gen-1", roots_of(engine, place)).digest


@pytest.mark.timeout(90)  # a hundred and more forks
def test_a_restore_that_dies_anywhere_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One volume has changed, one is gone, one is new: each change of the disk is the last one."""
    hurry(monkeypatch)
    state, engine = open_state(tmp_path / "state"), FarEngine(tmp_path / "calls")
    place, digest = furnished(state, engine)
    new = contents(engine, place)
    shutil.rmtree(far(place) / "second")
    (far(place) / "data" / "_data" / "file").write_text("y")
    add_volume(place, "third")
    old = contents(engine, place)

    def restore() -> None:
        restore_roots(engine, place, "gen-1", digest)

    with hold(state.lock(place.domain), who=NEXT, limit=0):
        for where, ended in deaths(restore, state.apps("far")):
            left = contents(engine, place)
            if ended:
                assert new == left, where
            for name, found in left.items():
                assert found in (None, {}, old.get(name), new.get(name)), where
            restore()
            assert new == contents(engine, place), where
            assert digest == snapshots.measure(roots_of(engine, place)).digest, where
            assert [] == unfinished(far(place)) == unfinished(place.folder), where


@pytest.mark.timeout(90)
def test_a_restore_through_an_engine_that_dies_anywhere_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A volume may be half filled then; while one may be, the app has nothing else."""
    hurry(monkeypatch)
    state, engine = open_state(tmp_path / "state"), StreamEngine(tmp_path / "calls")
    place, digest = furnished(state, engine)
    new = contents(engine, place)
    (far(place) / "data" / "_data" / "file").write_text("y")
    (far(place) / "data" / "_data" / "more").write_text("z")
    shutil.rmtree(far(place) / "second")
    add_volume(place, "third")
    old = contents(engine, place)
    top = state.apps("far")
    shutil.copytree(top, tmp_path / "spare")
    halves = 0

    def reset() -> None:
        shutil.rmtree(top)
        shutil.copytree(tmp_path / "spare", top)

    def restore() -> None:
        restore_roots(engine, place, "gen-1", digest)

    with hold(state.lock(place.domain), who=NEXT, limit=0):
        for number, ending in crash.endings(restore, top, reset):
            left = contents(engine, place)
            half = {name for name in left if left[name] not in (old.get(name), new.get(name))}
            if half - {"second"}:
                halves += 1
                assert not (place.folder / "env").exists(), number
            if ending.struck:
                restore()
            assert new == contents(engine, place), number
            assert digest == snapshots.measure(roots_of(engine, place)).digest, number
            assert [] == unfinished(place.folder), number
    assert halves > 0


@pytest.fixture
def moved(far_haunt: FarHaunt) -> StreamHaunt:
    """A known-good that was taken where its data lie; now they are reached as streams only."""
    return StreamHaunt(far_haunt.recipe, far_haunt.state, far_haunt.calls_file)


@pytest.mark.parametrize("far_haunt", [FarHaunt], indirect=True)
def test_a_known_good_that_could_not_be_put_back_is_not_touched(moved: StreamHaunt) -> None:
    """It is seen before anything begins; a quick run is not evaluated."""
    before = contents(moved.engine(), moved.place)
    lane = moved.lane("quick")

    with pytest.raises(snapshots.NotCarried):
        lane.goto("upgrade", "base")
    result = lane.close(narrowed=[], interrupted=False)

    assert "not-evaluated" == result.verdict
    assert "cannot be put back through the engine" in result.reason
    assert before == contents(moved.engine(), moved.place)
    assert not (moved.place.folder / "journal.json").exists()


@pytest.mark.parametrize("far_haunt", [FarHaunt], indirect=True)
@pytest.mark.parametrize("begun", [False, True])
def test_it_is_replaced_by_the_next_green_cold_run(moved: StreamHaunt, begun: bool) -> None:
    """Also where somebody has begun what cannot be undone here."""
    if begun:
        Journal(moved.place.folder).begin("quick", run="dead00", session="s")
        with pytest.raises(snapshots.NotCarried):
            again(moved)
        assert (moved.place.folder / "journal.json").exists()

    lane = ghost.drive(moved.lane("cold", "published"))

    assert lane.result is not None
    assert lane.result.promoted, lane.result
    moved.check_known_good()
    again(moved)


def contents(engine: FarEngine, place: Place) -> dict[str, dict[str, str] | None]:
    """What each volume holds; None for one whose data are missing."""
    found: dict[str, dict[str, str] | None] = {}
    for name in engine.volumes(place):
        data = far(place) / name / "_data"
        found[name] = None
        if data.is_dir():
            found[name] = {path.name: path.read_text() for path in sorted(data.iterdir())}
    return found


def unfinished(top: Path) -> list[str]:
    """What is left of moving and building."""
    return sorted(
        path.name
        for path in top.rglob(".*")
        if path.name.startswith((".garbage-", ".tmp-")) or path.name.endswith(".restoring")
    )
