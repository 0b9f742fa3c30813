"""`warmci seed`: what is run, what is said, and what the command ends with."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pytest_warmci.cli import main
from pytest_warmci.clients import command
from pytest_warmci.errors import RecipeFailed
from pytest_warmci.recipes.source import open_source
from pytest_warmci.runs import choosing, seed
from pytest_warmci.runs.session import SessionRuns
from pytest_warmci.store.results import TestedVersion
from pytest_warmci.store.state import StateDirectory, open_state
from tests.unit.warm_state import parsed, put_known_good, put_result, write_recipe


class World:
    """The state directory, and what pytest and training are to do."""

    def __init__(self, root: Path) -> None:
        self.state: StateDirectory = open_state(root / "state")
        self.recipe = write_recipe(root / "recipe_tests")
        self.code = 0
        self.promotes = True
        self.ran: list[Sequence[str]] = []
        self.trained: list[str] = []
        self.training_error: Exception | None = None
        self.training_signal = 0

    def stream(self, argv: Sequence[str], *, env: object = None) -> int:
        assert env is None
        self.ran.append(argv)
        os.write(1, b"pytest says hello\n")
        named = argv[argv.index("--warmci-head") + 1]
        version = "1.1.0+1.1" if named == "published" else named
        published = open_source(str(self.recipe / "source"), self.state.cache).published()
        (commit,) = [each.commit for each in published if each.version == version]
        facts = {"version": version, "commit": commit}
        if self.promotes:
            put_known_good(self.state.root, promoted_by="abcdef", **facts)
        put_result(
            self.state,
            "abcdef",
            head=TestedVersion(**facts),
            promoted=self.promotes,
            promotion_reason="" if self.promotes else "1.0.0+1.0 is older than the known-good",
        )
        return self.code

    def train(self, runs: SessionRuns, folder: Path) -> str:
        if self.training_error:
            raise self.training_error
        os.kill(os.getpid(), self.training_signal)
        self.trained.append(folder.name)
        return "miniapp boots faster now"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A recipe in this folder, and no canonical."""
    world = World(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WARMCI_STATE", str(world.state.root))
    monkeypatch.setattr(command, "stream", world.stream)
    monkeypatch.setattr(seed, "train_canonical", world.train)
    return world


def warmci(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["seed", *map(str, arguments)])


def test_a_first_known_good(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    """The run's output is seen; then the facts of the entry; then its boots are trained."""
    done = warmci("miniapp")

    assert 0 == done.exit_code, done.output
    assert "pytest says hello\n" == capfd.readouterr().out
    known_good, trained = done.stdout.splitlines()
    assert known_good.startswith("miniapp: known-good is now 1.1.0+1.1 (")
    assert ", sha256:" in known_good
    assert " KiB, " in known_good
    assert known_good.endswith(" old")
    assert "miniapp boots faster now" == trained
    assert ["miniapp"] == world.trained
    assert "a cold run, which takes minutes" in done.stderr


def test_no_train(world: World) -> None:
    """Only the run."""
    assert 0 == warmci("miniapp", "--no-train").exit_code
    assert [] == world.trained


def test_auto_is_decided_once_and_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run is told `auto`, too: it finds the same."""
    monkeypatch.setattr(choosing, "PREFERRED", ("process",))

    done = warmci("miniapp", "--engine", "auto")

    assert 0 == done.exit_code, done.output
    assert "on process (auto: it answers): a cold run" in done.stderr
    assert "auto" == world.ran[0][world.ran[0].index("--warmci-engine") + 1]
    assert "known-good is now 1.1.0+1.1" in done.stdout


def test_engine_options_reach_the_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, in their order, a file by its whole path."""
    monkeypatch.setattr(choosing, "PREFERRED", ("process",))
    words = ("domain=ci.example.org", "override=a.yml", "proxy=https://10.0.0.5")
    told = [word for each in words for word in ("--engine-option", each)]

    done = warmci("miniapp", "--engine", "auto", *told)

    assert 0 == done.exit_code, done.output
    assert "on process (auto: it answers; ignored: domain, override, proxy): a cold" in done.stderr
    assert [
        "--warmci-engine-option=domain=ci.example.org",
        f"--warmci-engine-option=override={Path.cwd() / 'a.yml'}",
        "--warmci-engine-option=proxy=https://10.0.0.5",
    ] == [word for word in world.ran[0] if word.startswith("--warmci-engine-option")]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--engine-option", "proxy"), "--engine-option: 'proxy' is not NAME=VALUE"),
        (("--engine-option", "proxy=x"), "engine process has no option 'proxy'"),
        (("--engine", "auto", "--engine-option", "p=x"), "no engine has an option 'p'"),
        (("--engine", "swarm", "--engine-option", "p=x"), "engine swarm has no option 'p'"),
    ],
)
def test_an_engine_option_that_is_none_is_refused_before_anything_runs(
    world: World, words: tuple[str, ...], what: str
) -> None:
    done = warmci("miniapp", *words)

    assert 2 == done.exit_code
    assert f"warmci: {what}" in done.stderr
    assert [] == world.ran


def test_going_back(world: World) -> None:
    """An older version by name: pytest is told that it may be lower."""
    done = warmci("miniapp", "--version", "1.0.0+1.0")

    assert 0 == done.exit_code
    assert "known-good is now 1.0.0+1.0" in done.stdout
    assert "--warmci-seed" in world.ran[0]


def test_green_but_not_promoted(world: World) -> None:
    """75, why, and what there is; nothing is trained."""
    world.promotes = False

    done = warmci("miniapp")

    assert (75, "") == (done.exit_code, done.stdout)
    assert "no new known-good: 1.0.0+1.0 is older than the known-good\n" in done.stderr
    assert "now: there is none" in done.stderr
    assert [] == world.trained


@pytest.mark.parametrize("code", [1, 2, 75])
def test_the_exit_status_is_the_runs(world: World, code: int) -> None:
    """Whatever it was."""
    world.promotes, world.code = False, code

    assert code == warmci("miniapp").exit_code


def test_failed_training_is_a_warning(world: World) -> None:
    """The seed stands: 0."""
    world.training_error = RecipeFailed("no", why="because")

    done = warmci("miniapp")

    assert 0 == done.exit_code
    assert "warning: boots stay slow, the known-good is fine: no: because" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_training_can_be_told_to_stop(world: World, number: int) -> None:
    """2, as everything that is; there is a known-good all the same."""
    world.training_signal = number
    with unhandled(number):
        done = warmci("miniapp")

    assert 2 == done.exit_code
    assert "known-good is now 1.1.0+1.1" in done.stdout
    assert "warmci: interrupted" in done.stderr
    assert [] == world.trained


@contextmanager
def unhandled(number: int) -> Iterator[None]:
    """A signal that nobody handles must not end the tests."""
    before = signal.signal(number, lambda *_: pytest.fail("nobody has handled it"))
    try:
        yield
    finally:
        signal.signal(number, before)


def test_if_missing_and_there_is_one(world: World) -> None:
    """One line, and nothing is run."""
    put_known_good(world.state.root)

    done = warmci("miniapp", "--if-missing")

    assert (0, "", 1) == (done.exit_code, done.stderr, len(done.stdout.splitlines()))
    assert done.stdout.startswith("miniapp: nothing to do, known-good is 1.1.0+1.1 (cccccccc), ")
    assert [] == world.ran
    assert "leave out --if-missing" not in done.stdout


def test_if_missing_and_another_version_is_asked_for(world: World) -> None:
    """Still nothing, and the way to it."""
    put_known_good(world.state.root)

    done = warmci("miniapp", "--if-missing", "--version", "1.0.0+1.0")

    assert 0 == done.exit_code
    assert done.stdout.endswith("; to make it 1.0.0+1.0, leave out --if-missing\n")


def test_if_missing_and_there_is_none(world: World) -> None:
    """It is seeded."""
    assert 0 == warmci("miniapp", "--if-missing").exit_code
    assert 1 == len(world.ran)


def test_json(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    """pytest's output goes to standard error; afterwards the two are as they were."""
    done = warmci("miniapp", "--json")

    captured = capfd.readouterr()
    assert ("", "pytest says hello\n") == (captured.out, captured.err)
    facts = parsed(done.stdout)
    assert (0, True, False) == (facts["exit_status"], facts["promoted"], facts["already"])
    assert "1.1.0+1.1" == facts["known_good"]["version"]
    assert {"done": "miniapp boots faster now", "warning": ""} == facts["training"]
    os.write(1, b"again\n")
    assert "again\n" == capfd.readouterr().out


def test_json_of_nothing_to_do(world: World) -> None:
    """The same keys."""
    put_known_good(world.state.root)

    facts = parsed(warmci("miniapp", "--if-missing", "--json").stdout)

    assert (0, False, True) == (facts["exit_status"], facts["promoted"], facts["already"])
    assert facts["result"] is None


def test_json_of_no_promotion(world: World) -> None:
    """Its reason, and the same exit status inside and out."""
    world.promotes = False

    done = warmci("miniapp", "--json")

    facts = parsed(done.stdout)
    assert (75, 75, None) == (done.exit_code, facts["exit_status"], facts["known_good"])
    assert facts["reason"].endswith("is older than the known-good")


@pytest.mark.parametrize("text", ["recipe_tests/miniapp", "./recipe_tests/miniapp/"])
def test_a_path(world: World, text: str) -> None:
    """Of the recipe's folder, from here."""
    assert 0 == warmci(text).exit_code
    assert str(world.recipe) == world.ran[0][3]


def test_names_elsewhere(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--tests` says where the folders are; inside one it is `.`."""
    monkeypatch.chdir("/")
    assert 0 == warmci("miniapp", "--tests", tmp_path / "recipe_tests").exit_code

    monkeypatch.chdir(world.recipe)
    done = warmci(".", "--if-missing")
    assert done.stdout.startswith("miniapp: nothing to do")


@pytest.mark.parametrize("text", ["other", "recipe_tests/other", "recipe_tests", ".."])
def test_no_such_recipe(world: World, text: str) -> None:
    """2, with the names that there are."""
    done = warmci(text)

    assert (2, []) == (done.exit_code, world.ran)
    assert f"there is no recipe '{text}'" in done.stderr
    assert "name one of miniapp, or the path" in done.stderr


def test_bad_input_runs_nothing(world: World) -> None:
    """A version that is not published."""
    done = warmci("miniapp", "--version", "7")

    assert (2, []) == (done.exit_code, world.ran)
    assert "'7' is not a published version" in done.stderr


def test_pytest_takes_our_options(world: World) -> None:
    """The real option parser knows every option that a seed passes."""
    import pytest_warmci.plugin.options as plugin_options

    class Group:
        def __init__(self) -> None:
            self.names: list[str] = []

        def addoption(self, *names: str, **_: object) -> None:
            self.names += names

    class Parser:
        def __init__(self) -> None:
            self.group = Group()

        def getgroup(self, *_: object) -> Group:
            return self.group

        def addini(self, *_: object, **__: object) -> None:
            pass

    parser = Parser()
    plugin_options.add(parser)  # type: ignore[arg-type]
    warmci("miniapp", "--version", "1.0.0+1.0")

    passed = {word for word in world.ran[0] if str(word).startswith("--")}
    wanted = {"--warmci-engine", "--warmci-head", "--warmci-seed", "--warmci-state"}
    assert wanted == passed
    assert passed <= set(parser.group.names)
