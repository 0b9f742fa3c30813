"""A lane moves through stages and phases, each step once, and always leaves."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

from pytest_warmci.clients.locks import holder
from pytest_warmci.errors import (
    BaselineRotten,
    CommandFailed,
    DiskTooSmall,
    EngineUnavailable,
    NotEvaluated,
    RecipeFailed,
    StateDamaged,
)
from pytest_warmci.model import STAGES, Phase, Stage
from pytest_warmci.protocols import AppPlace
from pytest_warmci.runs import lane as lanes
from pytest_warmci.runs.lane import Blocked
from pytest_warmci.store.results import read_result
from tests import ghost
from tests.fakes import FakeEngine
from tests.unit.haunts import Haunt


def test_every_step_is_done_once(haunt: Haunt) -> None:
    """However often the lane is told to go there."""
    lane = haunt.lane("quick")
    for _ in range(3):
        lane.goto("upgrade", "base")
    lane.goto("upgrade", "head")
    lane.goto("upgrade", "head")

    assert ["warm-ghost 1.1", "warm-ghost 1.2"] == [
        call.partition(" ")[2] for call in haunt.calls("deploy")
    ]
    lane.close(narrowed=[], interrupted=True)


def test_a_later_phase_brings_the_steps_before_it(haunt: Haunt) -> None:
    """Whoever asks for `gone` first gets the whole way."""
    lane = haunt.lane()

    lane.goto("install", "gone")

    assert ["deploy", "wait_converged", "undeploy", "settle", "remove"] == [
        call.split()[0] for call in haunt.calls() if not call.startswith("prepare")
    ]
    lane.close(narrowed=[], interrupted=False)


def test_another_stage_leaves_the_first(haunt: Haunt) -> None:
    """One app at a time."""
    lane = haunt.lane()
    lane.goto("install", "head")

    lane.goto("upgrade", "base")

    assert 1 == len(haunt.calls("remove"))
    assert 1 == len(FakeEngine.servers)
    lane.close(narrowed=[], interrupted=False)
    assert {} == FakeEngine.servers


@pytest.mark.parametrize("back", [("install", "head"), ("upgrade", "head")])
def test_there_is_no_way_back(haunt: Haunt, back: tuple[Stage, Phase]) -> None:
    """To a stage that was left: its app is gone."""
    lane = haunt.lane()
    lane.goto("upgrade", "head")
    lane.leave()

    with pytest.raises(StateDamaged, match="cannot go back"):
        lane.goto(*back)
    lane.close(narrowed=[], interrupted=False)


def test_a_failed_step_is_tried_once(haunt: Haunt) -> None:
    """The first call raises, later ones are blocked with its reason; the stage is left as ever."""
    lane = haunt.lane(head="fails-at-once")
    with pytest.raises(RecipeFailed):
        lane.goto("install", "head")

    with pytest.raises(Blocked, match="service 'app' ended with code 1"):
        lane.goto("install", "head")

    assert 1 == len(haunt.calls("deploy"))
    result = lane.close(narrowed=[], interrupted=False)
    assert ("failed", True) == (result.verdict, "service 'app'" in result.reason)
    assert [] == haunt.cold_apps()


def test_stages_fail_for_themselves(haunt: Haunt) -> None:
    """An install that failed does not block the upgrade."""
    lane = haunt.lane(head="fails-at-once")
    with pytest.raises(RecipeFailed):
        lane.goto("install", "head")

    lane.goto("upgrade", "base")

    assert lane.entered
    lane.close(narrowed=[], interrupted=False)


def test_a_failed_beginning_blocks_everything(haunt: Haunt) -> None:
    """Nothing could be prepared: not evaluated, and nothing to leave."""

    def down(_engine: FakeEngine, _app: AppPlace) -> None:
        raise EngineUnavailable("the engine is down")

    haunt.trouble["prepare"] = down
    lane = haunt.lane()
    with pytest.raises(EngineUnavailable):
        lane.goto("install", "head")

    for stage in STAGES:
        with pytest.raises(Blocked, match="the engine is down"):
            lane.goto(stage, "head")

    result = lane.close(narrowed=[], interrupted=False)
    assert ("not-evaluated", "the engine is down") == (result.verdict, result.reason)
    assert [] == haunt.calls("deploy")


def test_a_skipped_upgrade_is_blocked_and_deploys_nothing(haunt: Haunt) -> None:
    """With the plan's reason."""
    lane = haunt.lane("quick", "no-change")

    with pytest.raises(Blocked, match="nothing to upgrade"):
        lane.goto("upgrade", "head")

    result = lane.close(narrowed=[], interrupted=False)
    assert "skipped" == result.verdict
    assert [] == haunt.calls("deploy")


def test_the_app_is_there_only_while_it_runs(haunt: Haunt) -> None:
    """A handle to nothing would be a riddle in an author's test."""
    lane = haunt.lane("quick")
    with pytest.raises(NotEvaluated, match="no app runs now"):
        _ = lane.app

    lane.goto("upgrade", "head")

    assert "warm-ghost.warmci.localhost" == lane.app.domain
    lane.leave()
    with pytest.raises(NotEvaluated, match="no app runs now"):
        _ = lane.app
    lane.close(narrowed=[], interrupted=False)


def test_a_run_without_a_test_is_no_pass(haunt: Haunt) -> None:
    """Nothing green that did not run; and its volumes are put back."""
    lane = haunt.lane("quick")
    lane.goto("upgrade", "head")

    result = lane.close(narrowed=[], interrupted=False)

    assert ("skipped", "no test ran", False) == (result.verdict, result.reason, result.complete)
    haunt.check_known_good()


def test_the_result_is_on_disk_and_the_lock_is_free(haunt: Haunt) -> None:
    """What a lane hands back is what lies in its run's folder."""
    lane = ghost.drive(haunt.lane("quick"))

    assert lane.result == read_result(haunt.opened.run(lane.run.id))
    assert holder(haunt.opened.lock("warm-ghost.warmci.localhost")) is None


@pytest.mark.parametrize(
    ("narrowed", "interrupted", "complete", "verdict"),
    [
        ([], False, True, "passed"),
        (["-k x"], False, False, "passed"),
        ([], True, False, "not-evaluated"),
    ],
)
def test_only_a_whole_run_is_complete(
    haunt: Haunt, narrowed: list[str], interrupted: bool, complete: bool, verdict: str
) -> None:
    """Complete gives a cold run its authority, and nothing else does."""
    lane = ghost.drive(haunt.lane(), close=False)

    result = lane.close(narrowed=narrowed, interrupted=interrupted)

    assert (complete, complete, verdict) == (result.complete, result.authority, result.verdict)
    assert narrowed == list(result.incomplete_because)[: len(narrowed)]


def test_an_expected_test_that_never_ran_is_missing(haunt: Haunt) -> None:
    """An early stop."""
    lane = ghost.drive(haunt.lane(), close=False)
    lane.outcomes.expect("one more")

    result = lane.close(narrowed=[], interrupted=False)

    assert ("1 not run",) == result.incomplete_because


def test_head_that_was_not_reached_is_no_pass(haunt: Haunt) -> None:
    """Tests of the base say nothing about it."""
    lane = haunt.lane("quick")
    lane.goto("upgrade", "base")
    lane.outcomes.note("test_old", "passed")

    result = lane.close(narrowed=[], interrupted=False)

    assert "passed" != result.verdict
    assert result.proved_head is None


@pytest.mark.parametrize(
    "error",
    [
        lambda: BaselineRotten("the base does not work"),
        lambda: CommandFailed("exit code 128"),
        lambda: RecipeFailed("does not serve"),
        lambda: RuntimeError("nobody has foreseen it"),
    ],
)
def test_a_full_disk_is_named_whatever_the_error_speaks_of(
    haunt: Haunt, monkeypatch: pytest.MonkeyPatch, error: Callable[[], Exception]
) -> None:
    """It says what it was, and that the disk is why nothing can be said."""
    full = DiskTooSmall("the disk is full", why="available 0 B")
    lane = haunt.lane()

    def fail(_engine: FakeEngine, _app: AppPlace) -> None:
        monkeypatch.setattr(lanes, "trouble_at", lambda _root: full)
        raise error()

    haunt.trouble["deploy"] = fail

    with pytest.raises(DiskTooSmall) as caught:
        lane.goto("install", "head")

    assert str(error()) in caught.value.why
    haunt.trouble.clear()
    assert "not-evaluated" == lane.close(narrowed=[], interrupted=False).verdict


def test_no_space_left_becomes_the_disks_own_error(haunt: Haunt) -> None:
    """Wherever in a step it was met, with the file, and what becomes of what had begun."""
    lane = haunt.lane("quick")

    def fail(_engine: FakeEngine, _app: AppPlace) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/x/y")

    haunt.trouble["deploy"] = fail

    with pytest.raises(DiskTooSmall, match="the disk is full") as caught:
        lane.goto("upgrade", "head")

    assert "/x/y" in caught.value.why
    assert "next run" in caught.value.changed
    assert str(haunt.state) == caught.value.where
    lane.close(narrowed=[], interrupted=False)
