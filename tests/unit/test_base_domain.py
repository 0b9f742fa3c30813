"""Another base domain: what is made has it, what is there keeps its own, and everybody finds it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_warmci.errors import EngineUnavailable, KeycloakTrouble
from pytest_warmci.model import Mode
from pytest_warmci.runs import seed
from pytest_warmci.runs.lane import Lane
from pytest_warmci.runs.reap import reap
from pytest_warmci.runs.recovering import Recovered, recover_all
from pytest_warmci.runs.status import look
from pytest_warmci.settings import Setting
from pytest_warmci.store.journal import Journal
from pytest_warmci.store.registry import RegistryWriter
from pytest_warmci.store.results import Result
from tests import ghost
from tests.fakes import FakeEngine
from tests.unit.haunts import Haunt, SsoHaunt
from tests.unit.warm_state import fingerprint

BASE = "ci.example.org"
THERE = f"warm-ghost.{BASE}"
DEFAULT = "warm-ghost.warmci.localhost"

Tell = Callable[[str], None]


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch) -> Tell:
    """Tell the engines of all sessions from now on a base domain."""
    return lambda base: monkeypatch.setattr(FakeEngine, "base_domain", base)


@pytest.fixture
def moved(fresh: Haunt, tell: Tell) -> Haunt:
    """A known-good at a base domain of its own; the next session is told of none."""
    tell(BASE)
    lane = ghost.drive(fresh.lane("cold", "published"))
    assert lane.result is not None
    assert lane.result.promoted, lane.result
    tell("warmci.localhost")
    fresh.calls_file.unlink()
    return fresh


def ended(lane: Lane) -> Result:
    ghost.drive(lane)
    assert lane.result is not None
    return lane.result


def recovered(haunt: Haunt, app: str | None = None) -> list[tuple[str, str]]:
    found: list[Recovered] = [*recover_all(haunt.opened, [haunt.engine()], app, limit=0)]
    return [(each.domain, each.outcome) for each in found]


def test_what_is_made_has_it(fresh: Haunt, tell: Tell) -> None:
    """Throw-away apps, the canonical, its entry and the result."""
    tell(BASE)

    result = ended(fresh.lane("cold", "published"))

    made = {each.domain for each in result.held}
    assert {f"ghos-{result.run_id}.{BASE}", THERE} == made
    assert (True, THERE) == (result.promoted, result.canonical_domain)
    entry = fresh.entry()
    assert entry is not None
    assert THERE == entry.domain


@pytest.mark.parametrize("mode", ["cold", "quick"])
@pytest.mark.parametrize("base", ["warmci.localhost", "other.example.org"])
def test_a_session_of_another_base_does_not_touch_a_canonical(
    moved: Haunt, tell: Tell, mode: Mode, base: str
) -> None:
    """Not evaluated: what to do is said, and nothing has changed."""
    before = fingerprint(moved.state)
    tell(base)

    with pytest.raises(EngineUnavailable) as caught:
        moved.lane(mode, "published" if mode == "cold" else "HEAD")

    base_now = f"and this session's base domain is {base}"
    assert f"the canonical is at {THERE}, {base_now}" == caught.value.what
    assert f"give the engine option domain={BASE}" in caught.value.remedy
    assert "seed anew" in caught.value.remedy
    assert before == fingerprint(moved.state)
    assert [] == moved.calls("deploy", "undeploy", "remove")


def test_a_session_of_the_same_base_upgrades_it(moved: Haunt, tell: Tell) -> None:
    tell(BASE)

    result = ended(moved.lane("quick"))

    assert ("quick", "passed", THERE) == (result.mode, result.verdict, result.canonical_domain)
    assert {THERE} == {each.domain for each in result.held}


def test_a_canonical_that_another_session_made_meanwhile_stays(fresh: Haunt, tell: Tell) -> None:
    """The promotion is refused under the lock; the other one's known-good is what it was."""
    lane = fresh.lane("cold", "published")
    tell(BASE)
    other = ended(fresh.lane("cold", "published"))
    tell("warmci.localhost")
    entry = fresh.entry()

    result = ended(lane)

    assert other.promoted
    assert not result.promoted
    assert f"the canonical is at {THERE}, and this" in result.promotion_reason
    assert entry == fresh.entry()


# -- who is told of no base domain -----------------------------------------------------------


def test_it_is_recovered_by_its_name_and_its_domain(moved: Haunt) -> None:
    """Whatever base the recovering session has."""
    folder = moved.opened.app("process", THERE)
    for app in ("ghost", THERE, None):
        Journal(folder).begin("quick", run="dead00", session="s")
        shutil.rmtree(folder / "volumes")

        assert [(THERE, "recovered")] == recovered(moved, app)

        assert (folder / "volumes").is_dir()
        assert not (folder / "journal.json").exists()


def test_a_session_recovers_what_its_runs_left_of_it(moved: Haunt) -> None:
    Journal(moved.opened.app("process", THERE)).begin("quick", run="dead00", session="5e5510")

    assert [THERE] == [text.partition(": ")[0] for text in moved.session().recover()]


def test_throw_away_apps_of_every_base_are_reaped(moved: Haunt) -> None:
    """Canonicals and live-warm apps of none."""
    for name in (f"ghos-dead00.{BASE}", f"live-ghost.{BASE}", f"warm-other.{BASE}"):
        moved.opened.app("process", name).mkdir()

    reaped = [each.domain for each in reap(moved.opened, moved.engine())]

    assert [f"ghos-dead00.{BASE}"] == reaped


def test_status_and_seed_find_it(moved: Haunt) -> None:
    state = Setting(moved.state, "--state")
    (thing,) = look(state).things

    assert (THERE, {"known-good": ""}) == (thing.domain, thing.states)
    there = seed.existing(state, Setting("process", "default"), "ghost")
    assert there is not None
    assert there.size_bytes > 0


def test_status_shows_what_no_entry_names(moved: Haunt) -> None:
    """As a first promotion that was killed leaves it."""
    (moved.opened.canonicals("process") / "ghost.yml").unlink()

    (thing,) = look(Setting(moved.state, "--state")).things

    assert (THERE, {"none": ""}) == (thing.domain, thing.states)


# -- an app that the entry does not name -----------------------------------------------------


def test_what_a_dead_promotion_left_elsewhere_is_removed(moved: Haunt) -> None:
    """The known-good is never written into an app that it does not belong to."""
    entry = moved.entry()
    here = moved.place
    (here.folder / "volumes" / "data").mkdir(parents=True)
    Journal(here.folder).begin(
        "promote", run="dead00", session="s", generation="gen-000001-dead00"
    )

    assert [(THERE, "nothing to do"), (DEFAULT, "recovered")] == recovered(moved)

    assert not (here.folder / "volumes").exists()
    assert entry == moved.entry()
    assert [(THERE, "nothing to do")] == [each for each in recovered(moved) if each[0] == THERE]


def test_a_snapshot_that_an_entry_names_is_kept_whatever_its_domain(haunt: Haunt) -> None:
    """Somebody has edited the entry: the data are still there to be put right by hand."""
    entry = haunt.check_known_good()
    RegistryWriter(haunt.opened).put(replace(entry, domain=THERE))

    assert [(DEFAULT, "nothing to do")] == recovered(haunt)

    assert entry.generation in {path.name for path in haunt.place.snapshots.iterdir()}


# -- the live-warm Keycloak ------------------------------------------------------------------


def test_the_live_keycloak_has_it_and_keeps_it(bare: SsoHaunt, tell: Tell) -> None:
    """It is found and stopped by who is told of no base; nobody of another base uses it."""
    tell(BASE)
    there = bare.start_keycloak().record.domain
    tell("warmci.localhost")

    assert f"live-keycloak.{BASE}" == there == bare.live_place.domain
    with pytest.raises(KeycloakTrouble, match=f"is at live-keycloak.{BASE}, and would") as caught:
        bare.start_keycloak()
    assert f"give the engine option domain={BASE}" in caught.value.remedy
    assert bare.stop_keycloak()
    assert not bare.stop_keycloak()


def test_nothing_of_it_is_taken_from_another_folder(bare: SsoHaunt, tell: Tell) -> None:
    """One at the session's own base is the one that is meant."""
    bare.opened.app("process", "live-keycloak.aaa.example.org").mkdir(parents=True)
    bare.opened.app("process", f"live-keycloak.{BASE}").mkdir()
    tell(BASE)

    assert f"live-keycloak.{BASE}" == bare.live_place.domain
    assert not Path(bare.live_place.folder).exists()
