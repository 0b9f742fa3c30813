"""The cold track: fresh apps on fresh domains, always removed, dead runs' apps reaped."""

from __future__ import annotations

import pytest

from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.errors import BaselineRotten, EngineUnavailable, NotEvaluated, RecipeFailed
from pytest_warmci.naming import cold_domain
from pytest_warmci.protocols import AppPlace
from pytest_warmci.runs.place import Place
from pytest_warmci.runs.reap import reap_apps
from pytest_warmci.store.journal import Journal
from tests import ghost
from tests.fakes import FakeEngine, stop_all
from tests.unit.haunts import Haunt


def test_each_stage_has_an_app_of_its_own(fresh: Haunt) -> None:
    """The install begins with nothing, the upgrade with what the base made."""
    lane = ghost.drive(fresh.lane())

    domain = cold_domain("ghost", lane.run.id).partition(".")[0]
    assert [f"{domain} 1.2", f"{domain} 1.1", f"{domain} 1.2"] == [
        call.partition(" ")[2] for call in fresh.calls("deploy")
    ]
    assert 2 == len(fresh.calls("remove"))
    assert [] == fresh.cold_apps()
    assert lane.result is not None
    assert (2, 2) == (lane.run.before, lane.run.after)
    assert () == lane.result.leftovers


def test_a_cold_run_leaves_the_canonical_alone(haunt: Haunt) -> None:
    """Unless it promotes."""
    before = haunt.check_known_good()

    lane = ghost.drive(haunt.lane())

    assert before == haunt.check_known_good()
    assert lane.result is not None
    assert (before.digest, before.digest) == (
        lane.result.known_good.before,
        lane.result.known_good.after,
    )


def test_a_base_that_does_not_work_is_not_the_heads_failure(fresh: Haunt) -> None:
    """It is published already."""

    def fail(_engine: FakeEngine, _app: AppPlace) -> None:
        if fresh.calls("deploy")[-1].endswith(" 1.1"):
            raise RecipeFailed("bad")

    fresh.trouble["wait_converged"] = fail
    lane = fresh.lane()

    with pytest.raises(BaselineRotten, match=r"the base 1\.1\.0"):
        lane.goto("upgrade", "base")

    assert "not-evaluated" == lane.close(narrowed=[], interrupted=False).verdict
    assert [] == fresh.cold_apps()


def test_a_base_whose_engine_was_away_is_not_rotten(fresh: Haunt) -> None:
    """It does not ask anybody to look for what is wrong with it."""

    def fail(_engine: FakeEngine, _app: AppPlace) -> None:
        raise RecipeFailed("bad")

    def away(_engine: FakeEngine, app: AppPlace) -> None:
        assert app.domain.startswith("ghos-")
        raise EngineUnavailable("the engine was away")

    fresh.trouble |= {"wait_converged": fail, "trouble": away}
    lane = fresh.lane()

    with pytest.raises(EngineUnavailable, match="the engine was away"):
        lane.goto("upgrade", "base")

    assert "not-evaluated" == lane.close(narrowed=[], interrupted=False).verdict
    assert [] == fresh.cold_apps()


def test_a_restart_keeps_the_data(fresh: Haunt) -> None:
    """In the install stage a witness is planted for it."""
    lane = fresh.lane()
    lane.goto("install", "head")

    lane.restart()

    assert (2, 2) == (lane.run.before, lane.run.after)
    assert ["1.2", "1.2"] == [call.split()[2] for call in fresh.calls("deploy")]
    lane.close(narrowed=[], interrupted=False)


def test_a_restart_needs_an_app(fresh: Haunt) -> None:
    """None runs before the first stage."""
    with pytest.raises(NotEvaluated, match="nothing runs"):
        fresh.lane().restart()


def test_rubbish_is_reported(fresh: Haunt) -> None:
    """What the engine still knows of after the removal."""
    lane = fresh.lane(head="leaves-rubbish")
    lane.goto("install", "gone")

    assert ["a network"] == lane.run.leftovers
    assert ("a network",) == lane.close(narrowed=[], interrupted=False).leftovers


def leave_behind(haunt: Haunt, run_id: str) -> Place:
    """A run that died in the middle: its app, its journal, its record of what runs."""
    lane = haunt.lane()
    lane.goto("install", "head")
    place = lane.run.place
    assert place is not None
    stop_all()
    lane._track.release()  # the kernel does that
    return place


def test_what_dead_runs_left_is_reaped(fresh: Haunt) -> None:
    """By the next cold run, before it begins, with a note."""
    left = leave_behind(fresh, "dead00")

    lane = ghost.drive(fresh.lane())

    assert not left.folder.exists()
    (note,) = lane.run.notes
    assert note.startswith(f"removed {left.domain}: run ")
    assert " died, it had begun " in note


def test_a_live_runs_app_is_never_reaped(fresh: Haunt) -> None:
    """Alive is whoever holds the lock, however old its app is."""
    left = leave_behind(fresh, "live00")

    with hold(fresh.opened.lock(left.domain), who=Holder("live00", "cold", "test"), limit=0):
        assert [] == reap_apps(fresh.opened, fresh.engine())

    assert left.folder.exists()
    assert 1 == len(reap_apps(fresh.opened, fresh.engine()))


def test_unfinished_files_of_dead_runs_go_with_their_apps(fresh: Haunt) -> None:
    """Also in the folder of a run that was killed after it had written its result."""
    run = fresh.opened.run("dead00")
    (run / "logs").mkdir(parents=True)
    left = [folder / ".tmp-1-1-dead" for folder in (fresh.opened.locks, run, run / "logs")]
    for path in (*left, run / "result.json"):
        path.touch()

    reap_apps(fresh.opened, fresh.engine())

    assert [] == [path for path in left if path.exists()]
    assert (run / "result.json").exists()


@pytest.mark.parametrize("name", ["warm-other.warmci.localhost", "live-keycloak.warmci.localhost"])
def test_what_is_warm_is_never_reaped(haunt: Haunt, name: str) -> None:
    """Canonicals and live services have no dead run."""
    folder = haunt.opened.app("process", name)
    folder.mkdir()
    Journal(folder).begin("quick", run="dead00", session="s")

    assert [] == reap_apps(haunt.opened, haunt.engine())
    assert folder.exists()


def test_unfinished_files_of_dead_runs_are_swept(haunt: Haunt) -> None:
    """Of a run with a result too: it gives its lease back, and keeps logs, besides."""
    (folder,) = haunt.opened.runs.iterdir()
    (folder / "logs").mkdir(exist_ok=True)
    unfinished = [folder / ".tmp-1-2-abc", folder / "logs" / ".tmp-1-2-abc"]
    for path in unfinished:
        path.touch()

    reap_apps(haunt.opened, haunt.engine())

    assert [] == [path for path in unfinished if path.exists()]
