"""Seeding: the cold run is somebody else's; what it was told and what it changed is ours."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_warmci.clients import command
from pytest_warmci.errors import CommandFailed, FetchFailed, InputError, StateDamaged
from pytest_warmci.runs import recover, seed
from pytest_warmci.runs.place import Place
from pytest_warmci.runs.seed import Seeding
from pytest_warmci.runs.session import SessionRuns
from pytest_warmci.settings import Setting
from pytest_warmci.store import snapshots
from pytest_warmci.store.quarantine import clear_quarantine
from pytest_warmci.store.registry import Registry, RegistryWriter
from pytest_warmci.store.results import TestedVersion
from pytest_warmci.store.state import StateDirectory, open_state
from tests.unit.warm_state import DOMAIN, put_known_good, put_result, setting, write_recipe

PROCESS = Setting("process", "default")


def silent(text: str) -> None:
    raise AssertionError(text)


class Pytest:
    """A strict fake of `command.stream`: one call, with a whole cold run's effects."""

    def __init__(self) -> None:
        self.argv: list[str] = []
        self.effects: Callable[[], object] = lambda: None
        self.code = 0

    def __call__(self, argv: Sequence[str], *, env: object = None) -> int:
        assert self.argv == [], "started twice"
        assert env is None
        self.argv = list(argv)
        self.effects()
        return self.code


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Pytest:
    """What runs in pytest's place."""
    fake = Pytest()
    monkeypatch.setattr(command, "stream", fake)
    return fake


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    """A state directory with nothing in it."""
    return open_state(tmp_path / "state")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe with two published versions."""
    return write_recipe(tmp_path / "recipe_tests")


@pytest.fixture
def newest(state: StateDirectory, recipe: Path) -> Seeding:
    """A seed of the newest version."""
    return seed.prepare(setting(state.root), PROCESS, recipe, None, silent)


def promote(state: StateDirectory, seeding: Seeding, run_id: str = "abcdef") -> None:
    """Do what a green cold run does."""
    revision = seeding.revision
    put_known_good(
        state.root, version=revision.version, commit=revision.commit, promoted_by=run_id
    )
    put_result(state, run_id, head=TestedVersion(revision.version, revision.commit))


# -- what is refused before minutes are spent ------------------------------------------------


def test_the_newest_published_version(newest: Seeding) -> None:
    """Without a version: the newest, by what pytest itself takes for it, nothing lower allowed."""
    assert "1.1.0+1.1" == newest.revision.version
    assert not newest.explicit
    assert [
        *(sys.executable, "-m", "pytest", str(newest.folder)),
        *("--warmci-head", "published", "--warmci-state", str(newest.state.value)),
        *("--warmci-engine", "process"),
    ] == newest.argv()


def test_a_version_by_name(state: StateDirectory, recipe: Path) -> None:
    """It may be lower than the known-good, and pytest is told so."""
    seeding = seed.prepare(setting(state.root), PROCESS, recipe, "1.0.0+1.0", silent)

    assert [
        *("--warmci-head", "1.0.0+1.0", "--warmci-state", str(state.root)),
        *("--warmci-engine", "process", "--warmci-seed"),
    ] == seeding.argv()[4:]


@pytest.mark.parametrize("version", ["HEAD", "main", "published", "1.0.0", "9.9.9+9"])
def test_only_published_versions(state: StateDirectory, recipe: Path, version: str) -> None:
    """What could never promote is refused at once, with what there is."""
    with pytest.raises(InputError, match="is not a published version") as caught:
        seed.prepare(setting(state.root), PROCESS, recipe, version, silent)

    assert "published: 1.1.0+1.1, 1.0.0+1.0" == caught.value.why


def test_a_recipe_without_a_witness(state: StateDirectory, recipe: Path) -> None:
    """Its run could be green for minutes and still not promote."""
    (recipe / "witness.py").unlink()

    with pytest.raises(InputError, match=r"there is no witness\.py"):
        seed.prepare(setting(state.root), PROCESS, recipe, None, silent)


def test_a_broken_recipe(state: StateDirectory, recipe: Path) -> None:
    """The file's own error, with its place."""
    (recipe / "recipe.yml").write_text("format: 1\nrecipee: miniapp\n")

    with pytest.raises(InputError, match=r"recipe\.yml"):
        seed.prepare(setting(state.root), PROCESS, recipe, None, silent)


# -- what there is already -------------------------------------------------------------------


def test_nothing_exists(tmp_path: Path, state: StateDirectory) -> None:
    """Neither without a state directory, which is not made, nor without an entry."""
    assert seed.existing(setting(tmp_path / "none"), PROCESS, "miniapp") is None
    assert seed.existing(setting(state.root), PROCESS, "miniapp") is None
    assert not (tmp_path / "none").exists()


def test_a_valid_known_good_exists(state: StateDirectory) -> None:
    """With what it takes on disk."""
    entry = put_known_good(state.root)

    there = seed.existing(setting(state.root), PROCESS, "miniapp")

    assert there is not None
    assert (entry, 0, "") == (there.entry, there.exit_status, there.reason)
    assert there.size_bytes > 200_000


def test_what_is_set_aside_or_damaged_is_missing(state: StateDirectory) -> None:
    """Quarantined; a snapshot with another digest; none at all: a seed is due."""
    entry = put_known_good(state.root)
    place = Place("miniapp", DOMAIN, state.app("process", DOMAIN))

    recover.quarantine(state, place, "rotten")
    assert seed.existing(setting(state.root), PROCESS, "miniapp") is None

    clear_quarantine(place.folder)
    assert seed.existing(setting(state.root), PROCESS, "miniapp") is not None

    RegistryWriter(state).put(replace(entry, digest="sha256:" + "0" * 64))
    assert seed.existing(setting(state.root), PROCESS, "miniapp") is None

    RegistryWriter(state).put(entry)
    snapshots.remove(place.snapshots, entry.generation)
    assert seed.existing(setting(state.root), PROCESS, "miniapp") is None


def test_an_unreadable_entry_is_not_missing(state: StateDirectory) -> None:
    """It is an error: a seed could not read it either."""
    put_known_good(state.root)
    (state.canonicals("process") / "miniapp.yml").write_text("{")

    with pytest.raises(StateDamaged):
        seed.existing(setting(state.root), PROCESS, "miniapp")


# -- what has come of a run ------------------------------------------------------------------


def test_promoted(state: StateDirectory, newest: Seeding, fake: Pytest) -> None:
    """The entry is the wanted version, made by that run."""
    fake.effects = lambda: promote(state, newest)

    seeded = seed.run(newest)

    assert newest.argv() == fake.argv
    assert (0, "") == (seeded.exit_status, seeded.reason)
    assert Registry(state).find("process", "miniapp") == seeded.entry
    assert seeded.result is not None
    assert "abcdef" == seeded.result.run_id
    assert seeded.size_bytes > 200_000


def test_red(state: StateDirectory, newest: Seeding, fake: Pytest) -> None:
    """The run's own exit status and reason; the old known-good is still there to be told."""
    old = put_known_good(state.root)
    head = TestedVersion("1.1.0+1.1", newest.revision.commit)
    fake.code = 1
    fake.effects = lambda: put_result(
        state,
        "abcdef",
        verdict="failed",
        reason="does not serve",
        promoted=False,
        authority=False,
        promotion_reason="not complete",
        head=head,
    )

    seeded = seed.run(newest)

    assert (1, "the cold run failed: does not serve") == (seeded.exit_status, seeded.reason)
    assert old == seeded.entry


def test_green_but_not_promoted(state: StateDirectory, newest: Seeding, fake: Pytest) -> None:
    """Even where the entry happens to be that version already: 75, and why."""
    put_known_good(state.root, commit=newest.revision.commit)
    fake.effects = lambda: put_result(
        state,
        "abcdef",
        promoted=False,
        authority=False,
        complete=False,
        promotion_reason="not complete",
        incomplete_because=("2 skipped", "-k given"),
        head=TestedVersion("1.1.0+1.1", newest.revision.commit),
    )

    seeded = seed.run(newest)

    assert (75, "not complete: 2 skipped; -k given") == (seeded.exit_status, seeded.reason)


def test_the_promotion_failed(state: StateDirectory, newest: Seeding, fake: Pytest) -> None:
    """pytest's 75 stays, with the reason of the promotion and not that of the verdict."""
    fake.code = 75
    fake.effects = lambda: put_result(
        state,
        "abcdef",
        promoted=False,
        promotion_reason="the promotion failed: the disk is full",
        head=TestedVersion("1.1.0+1.1", newest.revision.commit),
    )

    seeded = seed.run(newest)

    assert (75, "the promotion failed: the disk is full") == (seeded.exit_status, seeded.reason)


@pytest.mark.parametrize(("code", "status"), [(2, 2), (4, 4), (0, 75), (-9, 137)])
def test_no_result(newest: Seeding, fake: Pytest, code: int, status: int) -> None:
    """Never a success: pytest could not collect, did nothing or was killed."""
    fake.code = code

    seeded = seed.run(newest)

    assert status == seeded.exit_status
    assert seeded.reason.startswith("the run left no result (pytest ended with ")
    assert seeded.entry is None


def test_results_of_others_are_not_ours(
    state: StateDirectory, newest: Seeding, fake: Pytest
) -> None:
    """Older runs, quick runs, other recipes and other heads say nothing about this seed."""
    ours = TestedVersion("1.1.0+1.1", newest.revision.commit)
    put_result(state, "000001", head=ours)

    def others() -> None:
        put_result(state, "000002", head=ours, recipe="other")
        put_result(
            state,
            "000003",
            head=ours,
            requested_mode="quick",
            promoted=False,
            authority=False,
        )
        put_result(state, "000004")
        state.run("000005").mkdir()
        (state.runs / "stray").write_text("")

    fake.effects = others

    assert seed.run(newest).result is None


def test_two_at_once(state: StateDirectory, newest: Seeding, fake: Pytest) -> None:
    """Of two cold runs of the same version, the one that made the entry is told about."""

    def both() -> None:
        promote(state, newest, "aaaaaa")
        put_result(
            state,
            "bbbbbb",
            promoted=False,
            started="2026-02-01T00:00:00Z",
            head=TestedVersion("1.1.0+1.1", newest.revision.commit),
        )

    fake.effects = both

    seeded = seed.run(newest)

    assert seeded.result is not None
    assert ("aaaaaa", "") == (seeded.result.run_id, seeded.reason)


def test_moved_on_by_another_run(state: StateDirectory, newest: Seeding, fake: Pytest) -> None:
    """Promoted, but the registry says another version now: not what was wanted."""

    def moved() -> None:
        promote(state, newest)
        entry = Registry(state).find("process", "miniapp")
        assert entry is not None
        RegistryWriter(state).put(replace(entry, version="2.0.0+2", commit="d" * 40))

    fake.effects = moved

    seeded = seed.run(newest)

    assert 75 == seeded.exit_status
    assert "another run has moved the known-good" in seeded.reason


def test_pytest_cannot_be_started(newest: Seeding, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of the command goes through."""

    def refuse(argv: Sequence[str], *, env: object = None) -> int:
        raise CommandFailed("cannot start python")

    monkeypatch.setattr(command, "stream", refuse)

    with pytest.raises(CommandFailed):
        seed.run(newest)


def test_plain_data(state: StateDirectory, newest: Seeding, fake: Pytest) -> None:
    """The result and the entry for programs, without what the witness keeps."""
    fake.effects = lambda: promote(state, newest)

    facts = seed.run(newest).to_json()

    assert (True, "") == (facts["promoted"], facts["reason"])
    assert "1.1.0+1.1" == facts["known_good"]["version"]
    assert "abcdef" == facts["result"]["run_id"]
    assert "hunter2" not in str(facts)


# -- training ----------------------------------------------------------------------------------


def test_training_gets_a_session(newest: Seeding, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same state, the recipe's folder, and an engine for it."""

    def train(runs: SessionRuns, folder: Path) -> str:
        assert newest.folder == folder
        assert newest.state.value == runs.state.root
        assert "process" == runs.engine(folder).name
        assert "miniapp" == runs.enrolment(folder).recipe
        return "boots faster"

    monkeypatch.setattr(seed, "train_canonical", train)

    assert ("boots faster", "") == seed.train(newest, lambda text: None)


@pytest.mark.parametrize(
    ("error", "said"),
    [(FetchFailed("no network", why="offline"), "no network: offline"), (OSError("full"), "full")],
)
def test_training_that_fails_is_told(
    newest: Seeding, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    """A warning for the caller to show: nothing that was seeded changes."""

    def train(runs: SessionRuns, folder: Path) -> str:
        raise error

    monkeypatch.setattr(seed, "train_canonical", train)

    assert ("", said) == seed.train(newest, lambda text: None)


def test_real_training_without_a_known_good_does_nothing(newest: Seeding) -> None:
    """The real function, as it is called: there is nothing to train for."""
    assert ("", "") == seed.train(newest, lambda text: None)
