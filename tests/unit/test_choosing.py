"""Engine `auto`: where a recipe runs when nobody names an engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_warmci.engines.swarm.options import SwarmOptions
from pytest_warmci.errors import (
    EngineUnavailable,
    InputError,
    NotEvaluated,
    StateDamaged,
    UsageError,
)
from pytest_warmci.protocols import Progress
from pytest_warmci.runs.choosing import choose, home_of, live_home
from pytest_warmci.runs.engines import ENGINES, options_of
from pytest_warmci.settings import EngineOptions
from pytest_warmci.store.live_records import LiveRecord, drop_live, write_live
from pytest_warmci.store.registry import RegistryWriter
from pytest_warmci.store.state import StateDirectory, open_state
from tests.fakes import FakeEngine
from tests.unit.warm_state import put_known_good

OLD, NEW = "2026-01-31T12:00:03Z", "2026-02-01T12:00:03Z"
PROXY = (("proxy", "https://10.0.0.5"),)


class Town:
    """A state directory, a recipe's folder, and two engines that are up."""

    def __init__(self, root: Path) -> None:
        self.state = open_state(root / "state")
        self.folder = root / "miniapp"
        self.folder.mkdir()
        (self.folder / "process.yml").write_text("format: 1\n")
        self.calls = root / "calls"
        self.down: dict[str, Exception] = {}
        self.opened: list[tuple[str, EngineOptions]] = []
        self.entry = put_known_good(self.state.root)
        (self.state.canonicals("process") / "miniapp.yml").unlink()
        self.place = self.state.app("process", self.entry.domain)
        self.place.rename(root / "set-aside")

    def open(self, name: str, options: EngineOptions) -> FakeEngine:
        self.opened.append((name, options))

        def check(*_: object) -> None:
            if name in self.down:
                raise self.down[name]

        engine = FakeEngine(self.calls, {"check": check})
        engine.name = name
        return engine

    def enter(self, engine: str, promoted_at: str = OLD) -> None:
        """Let the recipe have a known-good there."""
        RegistryWriter(self.state).put(replace(self.entry, engine=engine, promoted_at=promoted_at))

    def choose(self, options: EngineOptions = ()) -> tuple[str, str]:
        chosen = choose(self.folder, self.state, silent, options)
        assert [chosen.engine.name] == [name for name, _ in self.opened][-1:]
        return chosen.engine.name, chosen.reason


def silent(text: str) -> None:
    raise AssertionError(text)


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Town:
    town = Town(tmp_path)
    for name in ("process", "swarm"):

        def opener(
            folder: Path,
            _: StateDirectory,
            __: Progress,
            options: EngineOptions,
            name: str = name,
        ) -> FakeEngine:
            assert folder == town.folder
            return town.open(name, options)

        monkeypatch.setitem(ENGINES, name, opener)
    return town


def down(what: str) -> EngineUnavailable:
    return EngineUnavailable(what, why="it sleeps", remedy="wake it up")


# -- without a canonical ---------------------------------------------------------------------


def test_a_swarm_that_answers_is_taken(town: Town) -> None:
    """The other engine is not even opened."""
    assert ("swarm", "auto: it answers") == town.choose()
    assert ["swarm"] == [name for name, _ in town.opened]


@pytest.mark.parametrize("error", [down("no Docker engine answers"), NotEvaluated("it hangs")])
def test_without_a_swarm_it_is_the_process_engine(town: Town, error: NotEvaluated) -> None:
    """And the reason says what the Swarm lacks."""
    town.down["swarm"] = error

    assert ("process", f"auto: not on swarm: {error.summary}") == town.choose()


def test_without_a_process_yml_there_is_only_a_swarm(town: Town) -> None:
    (town.folder / "process.yml").unlink()

    assert ("swarm", "auto: it answers") == town.choose()

    town.down["swarm"] = down("no Docker engine answers")
    with pytest.raises(EngineUnavailable, match="no engine can run it here") as caught:
        town.choose()
    assert (
        "not on swarm: no Docker engine answers: it sleeps\nnot on process: there is no process.yml"
        == caught.value.why
    )
    assert "warmci doctor --engine auto" in caught.value.remedy


def test_where_both_are_down_each_says_why(town: Town) -> None:
    town.down = {"swarm": down("no Docker engine answers"), "process": down("no Linux")}

    with pytest.raises(EngineUnavailable) as caught:
        town.choose()

    assert "not on swarm: no Docker engine answers: it sleeps" in caught.value.why
    assert "not on process: no Linux: it sleeps" in caught.value.why


def test_what_a_person_wrote_wrong_is_not_taken_for_an_engine_that_is_down(town: Town) -> None:
    """An override file that is no YAML would silently cost the Swarm."""
    town.down["swarm"] = InputError("not valid YAML")

    with pytest.raises(InputError):
        town.choose()


# -- with one --------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["process", "swarm"])
def test_a_recipe_stays_where_its_canonical_is(town: Town, engine: str) -> None:
    """Also where the other one would be taken, and where the app's folder is on the other one."""
    town.enter(engine)
    town.state.app("swarm" if engine == "process" else "process", town.entry.domain).mkdir(
        parents=True
    )

    assert (engine, "auto: the canonical is there") == town.choose()


@pytest.mark.parametrize("engine", ["process", "swarm"])
def test_it_stays_there_while_that_is_down(town: Town, engine: str) -> None:
    """Not evaluated, and the error says why it was not run on the one that is up."""
    town.enter(engine)
    town.down[engine] = down("it does not answer")

    with pytest.raises(EngineUnavailable, match="it does not answer") as caught:
        town.choose()

    stays = f"auto stays on engine {engine}: the canonical is there"
    assert f"it sleeps\n{stays}" == caught.value.why
    assert "wake it up" == caught.value.remedy


@pytest.mark.parametrize("newer", ["process", "swarm"])
def test_of_two_canonicals_the_newer_one_is_taken(town: Town, newer: str) -> None:
    for engine in ("process", "swarm"):
        town.enter(engine, NEW if engine == newer else OLD)

    why = "auto: there are canonicals on process and swarm, this is the newest"
    assert (newer, why) == town.choose()


def test_another_recipes_canonical_is_not_its_own(town: Town) -> None:
    """Nor one whose name begins the same, nor a throw-away app."""
    RegistryWriter(town.state).put(replace(town.entry, recipe="mini", engine="process"))
    for name in ("warm-mini", "warm-miniapps", "mini-dead00", "live-miniapp"):
        town.state.app("process", f"{name}.warmci.localhost").mkdir(parents=True)

    assert home_of(town.state, "miniapp") is None
    assert "swarm" == town.choose()[0]


def test_an_app_of_a_canonical_is_enough(town: Town) -> None:
    """A first promotion that was killed left it; on two engines neither is the recipe's home."""
    town.place.mkdir(parents=True)

    assert ("process", "auto: an app of the canonical is there") == town.choose()

    town.state.app("swarm", town.entry.domain).mkdir(parents=True)
    assert home_of(town.state, "miniapp") is None


def test_an_entry_that_cannot_be_read_does_not_mean_none(town: Town) -> None:
    town.enter("process")
    (town.state.canonicals("process") / "miniapp.yml").write_text("format: 1\n")

    with pytest.raises(StateDamaged):
        town.choose()


def test_a_canonical_on_an_engine_that_is_not_known_is_not_left(town: Town) -> None:
    """A newer version of ours has it."""
    town.enter("abra")

    with pytest.raises(EngineUnavailable, match="engine abra is not known here") as caught:
        town.choose()

    assert "auto stays on it: the canonical is there" == caught.value.why
    assert [] == town.opened


def test_looking_for_the_home_of_a_recipe_makes_nothing(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "none", uuid="")

    assert home_of(state, "miniapp") is None
    assert not state.root.exists()


# -- options ---------------------------------------------------------------------------------


def test_options_of_the_swarm_reach_it(town: Town) -> None:
    assert "auto: it answers" == town.choose(PROXY)[1]
    assert [("swarm", PROXY)] == town.opened


def test_options_of_the_swarm_are_left_out_elsewhere_and_that_is_said(town: Town) -> None:
    town.enter("process")
    options = (*PROXY, ("override", "/a.yml"), ("override", "/b.yml"))

    said = "auto: the canonical is there; ignored: proxy, override"
    assert ("process", said) == town.choose(options)
    assert [("process", ())] == town.opened


@pytest.mark.parametrize("home", ["process", "swarm"])
def test_an_option_that_nobody_has_is_refused(town: Town, home: str) -> None:
    """Whichever engine it would be."""
    town.enter(home)

    with pytest.raises(UsageError, match="no engine has an option 'proxi'") as caught:
        town.choose((("proxi", "x"),))

    assert "there is: domain, override, proxy, volumes" == caught.value.remedy


def test_the_options_that_are_said_to_be_there_are() -> None:
    """The Swarm takes every one of them."""
    assert ["swarm"] == [name for name in ENGINES if options_of(name)]
    for name in options_of("swarm"):
        assert SwarmOptions() != SwarmOptions.read([(name, "x.example.org")])


# -- the live-warm Keycloak ------------------------------------------------------------------


def raise_live(town: Town, engine: str) -> None:
    domain = "live-keycloak.warmci.localhost"
    record = LiveRecord("keycloak", engine, domain, "http://x", "1.0.0+1", "c" * 40, "f", OLD)
    write_live(town.state.live("keycloak", engine), record)


def test_the_keycloak_that_is_up_is_the_one_that_is_meant(town: Town) -> None:
    """None, one, two; one that was stopped is none."""
    assert live_home(town.state, "auto") is None
    raise_live(town, "swarm")
    assert "swarm" == live_home(town.state, "auto")
    raise_live(town, "process")

    with pytest.raises(UsageError, match="a live-warm Keycloak on process and on swarm"):
        live_home(town.state, "auto")

    assert "swarm" == live_home(town.state, "swarm")
    drop_live(town.state.live("keycloak", "swarm"))
    assert "process" == live_home(town.state, "auto")
