"""Two engines in one state directory: each has its apps, and verbs for all act on both."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pytest_warmci.cli import main
from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.errors import LockBusy
from pytest_warmci.runs import past
from pytest_warmci.runs.engines import ENGINES
from pytest_warmci.store.journal import Journal
from tests import ghost
from tests.fakes import broken_rules, stop_all
from tests.unit.haunts import FarHaunt, Haunt
from tests.unit.warm_state import parsed

COLD = "ghos-dead00.warmci.localhost"
CANONICAL = "warm-ghost.warmci.localhost"


class Both:
    """One recipe with a known-good on each of two engines."""

    def __init__(self, process: Haunt) -> None:
        self.process = process
        self.far = FarHaunt(process.recipe, process.state, process.calls_file, process.trouble)
        self.each = (self.process, self.far)

    def die(self, session: str = "5e5510") -> None:
        """Let runs die on both: in the middle of an upgrade, and with a cold app."""
        for haunt in self.each:
            Journal(haunt.place.folder).begin("quick", run="dead00", session=session)
            (haunt.place.folder / "env").write_text("A=1\n")
            left = haunt.opened.app(haunt.engine().name, COLD)
            left.mkdir()
            Journal(left).begin("cold", run="dead00", session=session)

    def dead(self) -> list[str]:
        """What is not recovered."""
        journals = self.process.state.glob("apps/*/*/journal.json")
        return sorted(f"{path.parts[-3]} {path.parts[-2].partition('.')[0]}" for path in journals)


@pytest.fixture
def both(haunt: Haunt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Both]:
    found = Both(haunt)
    lane = ghost.drive(found.far.lane("cold", "published"))
    assert lane.result is not None
    assert lane.result.promoted, lane.result
    monkeypatch.delitem(ENGINES, "swarm")
    monkeypatch.setitem(ENGINES, "process", lambda *_: found.process.engine())
    monkeypatch.setitem(ENGINES, "far", lambda *_: found.far.engine())
    monkeypatch.setenv("WARMCI_STATE", str(haunt.state))
    monkeypatch.delenv("WARMCI_ENGINE", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe_tests").symlink_to(haunt.recipe.parent)
    haunt.calls_file.unlink()
    yield found
    stop_all()
    assert [] == broken_rules(haunt.calls_file)


def warmci(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def listed(done: Result) -> list[tuple[str, str, str]]:
    """What became of which app of which engine."""
    apps: list[dict[str, Any]] = parsed(done.stdout)["apps"]
    return [(each["engine"], each["domain"].partition(".")[0], each["outcome"]) for each in apps]


# -- runs ------------------------------------------------------------------------------------


def test_each_has_its_own_known_good(both: Both) -> None:
    """A run upgrades and restores that of its engine, and the other one's is as it was."""
    for haunt in both.each:
        lane = haunt.lane("quick", "fails-at-once")
        with pytest.raises(Exception, match="ended with code 1"):
            lane.goto("upgrade", "head")
        lane.close(narrowed=[], interrupted=False)

        assert haunt.engine().name == (lane.result.engine if lane.result else None)
        assert ["process", "far"] == [each.check_known_good().engine for each in both.each]


def test_who_runs_on_one_keeps_the_other_waiting(both: Both) -> None:
    """Their canonicals have the same domain."""
    lane = both.far.lane("quick")

    with (
        hold(both.process.opened.lock(CANONICAL), who=Holder("0the4r", "quick", "t"), limit=0),
        pytest.raises(LockBusy),
    ):
        lane.goto("upgrade", "base")
    lane.close(narrowed=[], interrupted=False)


def test_a_session_recovers_its_runs_on_both(both: Both) -> None:
    """Its workers may have used either."""
    both.die()

    done = both.process.session("quick").recover()

    assert [COLD, CANONICAL] * 2 == [text.partition(": ")[0] for text in done]
    assert [] == both.dead()


def test_what_another_session_left_on_the_other_is_its_own(both: Both) -> None:
    both.die("other")

    assert [] == both.far.session("quick").recover()
    assert 4 == len(both.dead())


def test_times_of_one_say_nothing_of_the_other(both: Both) -> None:
    """The last passed runs that are compared are of one engine."""
    ghost.drive(both.far.lane("quick"))
    state = both.process.opened

    def engines(engine: str | None) -> list[str | None]:
        (found,) = past.compare(state, ["ghost"], engine)
        return [each.engine if each else None for each in (found.quick, found.cold)]

    assert ["far", "far"] == engines(None)
    assert ["far", "far"] == engines("far")
    assert [None, "process"] == engines("process")


# -- verbs for all ---------------------------------------------------------------------------


def test_recover_acts_on_both(both: Both) -> None:
    both.die()

    done = warmci("recover", "--json")

    assert 0 == done.exit_code, done.output
    assert [
        *(("process", "ghos-dead00", "recovered"), ("process", "warm-ghost", "recovered")),
        *(("far", "ghos-dead00", "recovered"), ("far", "warm-ghost", "recovered")),
    ] == listed(done)
    assert [] == both.dead()
    for haunt in both.each:
        haunt.check_known_good()


def test_recover_says_of_which_engine_an_app_is(both: Both) -> None:
    """Unless it is the one that is taken where none is named."""
    both.die()

    done = warmci("recover", "ghost")

    lines = [line for line in done.stdout.splitlines() if line.endswith("recovered")]
    assert [f"{CANONICAL}: recovered", f"{CANONICAL} on far: recovered"] == lines
    assert ["far ghos-dead00", "process ghos-dead00"] == both.dead()


@pytest.mark.parametrize(("name", "other"), [("far", "process"), ("process", "far")])
def test_only_one_is_recovered_when_it_is_named(both: Both, name: str, other: str) -> None:
    both.die()

    assert 0 == warmci("recover", "--engine", name).exit_code

    assert [f"{other} ghos-dead00", f"{other} warm-ghost"] == both.dead()


def test_the_variable_is_for_runs_and_hides_no_app(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who recovers everything means everything."""
    both.die()
    monkeypatch.setenv("WARMCI_ENGINE", "far")

    warmci("recover")

    assert [] == both.dead()


def test_a_name_that_neither_has(both: Both) -> None:
    """One error, which names what there is once."""
    done = warmci("recover", "zombie")

    assert 2 == done.exit_code
    assert "there is no app 'zombie'" in done.stderr
    assert 1 == done.stderr.count(CANONICAL)
    assert str(both.process.state / "apps") in done.stderr


def test_reap_acts_on_both(both: Both) -> None:
    """A dry run says the same."""
    both.die()

    dry, done = warmci("reap", "--dry-run", "--json"), warmci("reap", "--json")

    removed = [(name, "ghos-dead00", "removed") for name in ("process", "far")]
    assert removed == listed(done) == listed(dry)
    assert ["far warm-ghost", "process warm-ghost"] == both.dead()


def test_only_one_is_reaped_when_it_is_named(both: Both) -> None:
    both.die()

    done = warmci("reap", "--engine", "far")

    assert f"{COLD} on far: removed" == done.stdout.splitlines()[0]
    assert "process ghos-dead00" in both.dead()


@pytest.mark.parametrize("verb", ["recover", "reap"])
def test_apps_of_an_engine_that_is_not_known_are_left_alone(both: Both, verb: str) -> None:
    """A newer version's: the person is told."""
    strange = both.process.opened.app("near", COLD)
    strange.mkdir(parents=True)
    Journal(strange).begin("cold", run="dead00", session="s")

    done = warmci(verb)

    assert 0 == done.exit_code
    assert "warning: apps of engine 'near' are left alone: it is not known here" in done.stderr
    assert ["near ghos-dead00"] == both.dead()


@pytest.mark.parametrize(
    ("words", "engines"),
    [((), ["far", "process"]), (("--engine", "far"), ["far"])],
)
def test_status_shows_both(both: Both, words: tuple[str, ...], engines: list[str]) -> None:
    found = parsed(warmci("status", "--json", *words).stdout)["canonicals"]

    assert engines == [each["engine"] for each in found]


# -- verbs for one ---------------------------------------------------------------------------


def test_plan_is_of_the_engine_that_is_named(both: Both) -> None:
    """Its known-good is what a quick run starts from."""
    shutil.rmtree(both.process.opened.canonicals("process"))

    assert "cold (quick asked) on process" in warmci("plan", "ghost", "--quick").stdout
    assert "quick on far\n" in warmci("plan", "ghost", "--quick", "--engine", "far").stdout


def test_plan_says_what_auto_would_choose(both: Both) -> None:
    """And why, for people and for machines."""
    why = "auto: there are canonicals on far and process, this is the newest"

    assert (
        f"quick on far ({why})\n" in warmci("plan", "ghost", "--quick", "--engine", "auto").stdout
    )
    found = parsed(warmci("plan", "ghost", "--json", "--engine", "auto").stdout)
    assert ("far", why) == (found["engine"], found["engine_reason"])


@pytest.mark.parametrize(
    "words", [("plan", "ghost"), ("seed", "ghost"), ("live", "start")], ids=" ".join
)
def test_an_option_that_the_engine_has_not_is_refused(
    both: Both, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Before anything is done."""
    monkeypatch.undo()
    monkeypatch.setenv("WARMCI_STATE", str(both.process.state))
    tests = str(
        Path(__file__).parents[2] / "recipe_tests"
        if words[0] == "live"
        else both.process.recipe.parent
    )

    done = warmci(*words, "--tests", tests, "--engine-option", "proxi=x")

    assert 2 == done.exit_code
    assert "engine process has no option 'proxi'" in done.stderr


def test_plan_tells_the_engine(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the run would be told."""
    told = []

    def far(*arguments: Any) -> Any:
        told.append(arguments[-1])
        return both.far.engine()

    monkeypatch.setitem(ENGINES, "far", far)
    done = warmci("plan", "ghost", "--engine", "far", "--engine-option", "a=b")

    assert 0 == done.exit_code, done.output
    assert [(("a", "b"),)] == told


def test_seeding_if_missing_finds_the_known_good_where_it_is(both: Both) -> None:
    """With `auto` on whichever engine, also while that is down."""
    shutil.rmtree(both.process.opened.canonicals("process"))
    both.far.trouble["check"] = lambda *_: pytest.fail("asked")

    done = warmci("seed", "ghost", "--if-missing", "--engine", "auto")

    assert 0 == done.exit_code, done.output
    assert "ghost: nothing to do, known-good is 1.1.0+1.1" in done.stdout


@pytest.mark.parametrize("verb", ["recover", "reap", "status"])
def test_verbs_for_all_have_nothing_to_choose(both: Both, verb: str) -> None:
    """Where no engine is named they act on all."""
    done = warmci(verb, "--engine", "auto")

    assert 2 == done.exit_code
    assert "there is no engine 'auto'" in done.stderr
    assert "name an engine that there is, or none" in done.stderr


def test_plan_takes_the_variable(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARMCI_ENGINE", "far")

    assert "far" == parsed(warmci("plan", "ghost", "--json").stdout)["engine"]


def test_doctor_looks_at_what_the_named_engine_needs(both: Both) -> None:
    """Neither Java nor a process.yml is another one's business."""
    done = warmci("doctor", "ghost", "--engine", "far", "--json")

    checks = {each["name"]: each["outcome"] for each in parsed(done.stdout)["checks"]}
    assert "ok" == checks["engine far"]
    assert "ok" == checks["ghost: published"]
    assert {"git", "state directory", "disk", "locks", "memory"} <= checks.keys()
    assert not {"java", "maven client", "pip", "ports", "ghost: process.yml"} & checks.keys()


def test_doctor_says_when_the_named_engine_cannot_be_used(both: Both) -> None:
    def down(*_: object) -> None:
        raise LockBusy("the engine does not answer", remedy="start it")

    both.far.trouble["check"] = down

    done = warmci("doctor", "ghost", "--engine", "far")

    assert 75 == done.exit_code
    assert "engine far" in done.stdout
    assert "the engine does not answer" in done.stdout
    assert "do: start it" in done.stdout


def test_seeding_if_missing_looks_at_the_named_engine(both: Both) -> None:
    shutil.rmtree(both.process.opened.canonicals("process"))

    done = warmci("seed", "ghost", "--if-missing", "--engine", "far")

    assert 0 == done.exit_code, done.output
    assert "ghost: nothing to do, known-good is 1.1.0+1.1" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("seed", "ghost"),
        ("plan", "ghost"),
        ("doctor",),
        ("live", "start"),
        ("live", "status"),
        ("live", "stop"),
        ("realms",),
        ("recover",),
        ("reap",),
        ("status",),
    ],
    ids=" ".join,
)
def test_an_engine_that_is_none_is_one_clear_error(both: Both, words: tuple[str, ...]) -> None:
    """Before anything is done, whether or not there is a state directory."""
    for more in ((), ("--state", "none")):
        done = warmci(*words, *more, "--engine", "procces")

        assert 2 == done.exit_code
        assert done.stderr.startswith("warmci: --engine: there is no engine 'procces'\n")
        assert "there is: process, far" in done.stderr
        assert "" == done.stdout
    assert [] == both.process.calls()
    assert not Path("none").exists()
