"""The quick track: starts from known-good, keeps after a pass, restores after anything else."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest

from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.errors import (
    EngineUnavailable,
    LockBusy,
    NotEvaluated,
    Quarantined,
    RecipeFailed,
    WarmciError,
)
from pytest_warmci.protocols import AppPlace
from pytest_warmci.runs import quick
from pytest_warmci.runs.quick import QuickTrack
from pytest_warmci.store import registry, snapshots
from tests import ghost
from tests.fakes import FakeEngine
from tests.unit.haunts import Haunt, give_back
from tests.unit.test_promote import Death, Killed, recovered


def database(haunt: Haunt) -> dict[str, object]:
    path = haunt.place.folder / "volumes" / "data" / "database.json"
    found: dict[str, object] = json.loads(path.read_text())
    return found


def test_the_quick_path_holds_nothing_that_can_promote() -> None:
    """Neither the writer of the registry nor a way to take a snapshot."""
    names = vars(quick)

    assert registry.RegistryWriter not in names.values()
    assert "RegistryWriter" not in names
    assert not hasattr(registry.Registry, "put")
    source = quick.__file__
    with open(source) as file:  # noqa: PTH123 - one word of it
        text = file.read()
    assert "snapshots.take" not in text
    assert "promote" not in text.replace("promoted", "")


def test_a_pass_keeps_the_upgraded_volumes(haunt: Haunt) -> None:
    """With a mark that says whose they are; nothing is in flight."""
    lane = ghost.drive(haunt.lane("quick"))

    kept = json.loads((haunt.place.folder / "kept.json").read_text())
    assert "1.2" == database(haunt)["schema"]
    assert (lane.run.id, lane.run.plan.head.commit) == (kept["run"], kept["commit"])
    assert not (haunt.place.folder / "journal.json").exists()


def test_the_next_run_starts_from_known_good(haunt: Haunt) -> None:
    """Proven by content, not by what the mark says."""
    ghost.drive(haunt.lane("quick"))
    (haunt.place.folder / "kept.json").unlink()

    lane = haunt.lane("quick")
    lane.goto("upgrade", "base")

    assert "1.1" == database(haunt)["schema"]
    lane.close(narrowed=[], interrupted=True)
    haunt.check_known_good()


@pytest.mark.parametrize("head", ["fails-at-once", "engine-down"])
def test_a_failed_upgrade_restores(haunt: Haunt, head: str) -> None:
    """Version, data and secrets together."""
    lane = haunt.lane("quick", head)

    with pytest.raises(WarmciError):
        lane.goto("upgrade", "head")
    lane.close(narrowed=[], interrupted=False)

    haunt.check_known_good()


def test_lost_data_fail_the_upgrade(haunt: Haunt) -> None:
    """Healthy is not enough."""
    lane = haunt.lane("quick", "loses-data")
    lane.goto("upgrade", "head")

    with pytest.raises(RecipeFailed, match="data lost: the witness had 2, now it finds 0"):
        lane.run.check_witness()

    assert (2, 0) == (lane.run.before, lane.run.after)
    lane.close(narrowed=[], interrupted=True)
    haunt.check_known_good()


def test_somebody_elses_run_is_waited_for_and_named(haunt: Haunt) -> None:
    """Over the limit: not evaluated, nothing touched."""
    place = haunt.place
    lane = haunt.lane("quick")

    with (
        hold(haunt.opened.lock(place.domain), who=Holder("0the4r", "cold", "test"), limit=0),
        pytest.raises(LockBusy) as caught,
    ):
        lane.goto("upgrade", "base")

    assert "0the4r" in caught.value.why
    result = lane.close(narrowed=[], interrupted=False)
    assert "not-evaluated" == result.verdict
    assert [] == haunt.calls("deploy", "undeploy")


def test_a_known_good_that_moved_meanwhile_is_not_evaluated(haunt: Haunt) -> None:
    """The plan was made for another base."""
    lane = haunt.lane("quick")
    ghost.drive(haunt.session(head="1.0.0+1.0", allow_lower=True).lane(haunt.recipe))

    with pytest.raises(Quarantined, match="changed while this run waited"):
        lane.goto("upgrade", "base")

    lane.close(narrowed=[], interrupted=False)


def test_a_stop_that_fails_leaves_the_journal(haunt: Haunt) -> None:
    """The next run undeploys and restores before it does anything."""

    def never(_engine: FakeEngine, _app: AppPlace) -> None:
        raise NotEvaluated("does not stop")

    lane = haunt.lane("quick")
    lane.goto("upgrade", "head")
    lane.outcomes.note("test", "passed")
    haunt.trouble["settle"] = never

    with pytest.raises(NotEvaluated, match="does not stop") as caught:
        lane.leave()
    assert "undone by the next run, or now by: warmci recover" in caught.value.changed
    result = lane.close(narrowed=[], interrupted=False)

    assert "not-evaluated" == result.verdict
    assert (haunt.place.folder / "journal.json").exists()
    assert recovered(haunt) is not None
    haunt.check_known_good()


def test_a_death_at_any_write_leaves_the_known_good(haunt: Haunt) -> None:
    """The entry never moves; recovery brings the volumes back to it."""
    before = haunt.check_known_good()
    number, alive = 0, False
    while not alive:
        number += 1
        lane = haunt.lane("quick")
        with pytest.MonkeyPatch.context() as patch:
            death = Death(patch, number, Killed)
            for verb in ("deploy", "undeploy", "settle"):
                haunt.trouble[verb] = death.check
            with suppress(Killed):
                ghost.drive(lane)
            alive = not death.dead
        # Not before nobody kills any more, and not at some time of the collector's choice.
        give_back(lane)
        if not alive:
            assert before == recovered(haunt)
            snapshots.verify(haunt.place.snapshots, before.generation, before.digest)
            if not (haunt.place.folder / "kept.json").exists():
                haunt.check_known_good()
    assert number > 10
    assert before == haunt.entry()


def test_a_baseline_is_restored_once(haunt: Haunt) -> None:
    """A second failure is its own: rotten, with an alert."""
    tries: list[str] = []

    def fail(_engine: FakeEngine, _app: AppPlace) -> None:
        tries.append("x")
        raise RecipeFailed("no")

    haunt.trouble["wait_converged"] = fail
    lane = haunt.lane("quick")

    with pytest.raises(WarmciError, match="the known-good itself does not work") as caught:
        lane.goto("upgrade", "base")

    assert 2 == len(tries)
    assert "not-evaluated" == caught.value.verdict
    (alert,) = haunt.opened.alerts.glob("*.json")
    assert "baseline.rotten" in alert.name
    lane.close(narrowed=[], interrupted=False)
    haunt.check_known_good()


def test_a_baseline_whose_engine_was_away_is_not_rotten(haunt: Haunt) -> None:
    """It is not tried again, and there is no alert: the next run sees how it is."""
    tries: list[str] = []

    def fail(_engine: FakeEngine, _app: AppPlace) -> None:
        tries.append("x")
        raise RecipeFailed("no")

    def away(_engine: FakeEngine, app: AppPlace) -> None:
        assert haunt.place.domain == app.domain
        raise EngineUnavailable("the engine was away")

    haunt.trouble |= {"wait_converged": fail, "trouble": away}
    lane = haunt.lane("quick")

    with pytest.raises(EngineUnavailable, match="the engine was away"):
        lane.goto("upgrade", "base")

    assert ["x"] == tries
    assert [] == list(haunt.opened.alerts.glob("*.json"))
    assert "not-evaluated" == lane.close(narrowed=[], interrupted=False).verdict
    haunt.check_known_good()


def test_quick_does_not_restart(haunt: Haunt) -> None:
    """That is a cold run's test."""
    with pytest.raises(NotEvaluated):
        QuickTrack(haunt.lane("quick").run).restart()
