"""Which engine is meant, where that was said, and which engines have apps here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_warmci.engines.process.engine import ProcessEngine
from pytest_warmci.errors import EngineUnavailable, UsageError
from pytest_warmci.protocols import Progress
from pytest_warmci.runs.engines import (
    ENGINES,
    choose_engine,
    keeper,
    keepers,
    open_engine,
    read_options,
    strange_engines,
    used_engines,
)
from pytest_warmci.runs.live_keycloak import LivePlace
from pytest_warmci.settings import EngineOptions, Setting
from pytest_warmci.store.state import StateDirectory, open_state
from tests.far_engine import FarEngine


@pytest.fixture(autouse=True)
def _far(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A second engine, and nothing said of which to take."""
    monkeypatch.delenv("WARMCI_ENGINE", raising=False)

    def far(
        recipe_folder: Path, state: StateDirectory, progress: Progress, options: EngineOptions
    ) -> FarEngine:
        assert recipe_folder.is_dir()
        assert () == options
        assert state.uuid
        progress("far is opened")
        return FarEngine(tmp_path / "calls")

    monkeypatch.delitem(ENGINES, "swarm")
    monkeypatch.setitem(ENGINES, "far", far)


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return open_state(tmp_path / "state")


def silent(text: str) -> None:
    assert text == "far is opened"


def test_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Option, variable, ini, default; each says where it came from."""
    assert Setting("process", "default") == choose_engine(None, "--x")
    assert Setting("far", "ini warmci_engine") == choose_engine(None, "--x", "far")

    monkeypatch.setenv("WARMCI_ENGINE", "far")
    assert Setting("far", "WARMCI_ENGINE") == choose_engine(None, "--x", "process")
    assert Setting("process", "--x") == choose_engine("process", "--x", "far")


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a shell leaves one."""
    monkeypatch.setenv("WARMCI_ENGINE", "")

    assert Setting("far", "ini warmci_engine") == choose_engine(None, "--x", "far")


@pytest.mark.parametrize("place", ["--x", "WARMCI_ENGINE", "ini warmci_engine"])
@pytest.mark.parametrize("name", ["procces", "Process", " ", "../process"])
def test_an_engine_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, place: str, name: str
) -> None:
    """Whoever said it is named, and all that there are."""
    if place == "WARMCI_ENGINE":
        monkeypatch.setenv(place, name)

    with pytest.raises(UsageError, match="there is no engine") as caught:
        choose_engine(
            name if place == "--x" else None, "--x", name if place.startswith("ini") else ""
        )

    assert (place, "there is: process, far") == (caught.value.where, caught.value.why)


def test_an_empty_option_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no engine ''"):
        choose_engine("", "--x")


def test_an_engine_is_opened_by_its_name(state: StateDirectory, tmp_path: Path) -> None:
    """For a recipe's folder; for keeping apps nothing of a recipe is needed."""
    assert isinstance(open_engine("process", tmp_path, state, silent), ProcessEngine)
    assert isinstance(open_engine("far", tmp_path, state, silent), FarEngine)
    assert ["process", "far"] == [keeper(name, state, silent).name for name in ENGINES]
    with pytest.raises(UsageError, match="there is no engine 'near'"):
        open_engine("near", tmp_path, state, silent)
    with pytest.raises(UsageError, match="there is no engine 'near'"):
        keepers(state, silent, "near")


@pytest.mark.parametrize(
    ("folders", "names"),
    [
        ((), ["process"]),
        (("apps/far",), ["process", "far"]),
        (("canonicals/far", "apps/process"), ["process", "far"]),
        (("apps/.far", "apps/process"), ["process"]),
        (("apps/near/x", "apps/far"), ["process", "far"]),
    ],
)
def test_who_may_have_apps_here_is_kept(
    state: StateDirectory, folders: tuple[str, ...], names: list[str]
) -> None:
    """In the order of the engines, the default one always; a hidden folder is nobody's."""
    for each in folders:
        (state.root / each).mkdir(parents=True)

    assert names == [each.name for each in keepers(state, silent)]
    assert ["far"] == [each.name for each in keepers(state, silent, "far")]


def test_engines_that_are_not_known_here_are_named(state: StateDirectory) -> None:
    """If they have apps: those will be left alone."""
    (state.apps("near") / "x").mkdir(parents=True)
    state.apps("nothing").mkdir()
    state.canonicals("gone").mkdir()
    (state.apps("process") / "x").mkdir(parents=True)

    assert ["near"] == strange_engines(state)
    assert ["gone", "near", "nothing", "process"] == used_engines(state)


def test_each_engine_has_its_own_live_keycloak(state: StateDirectory) -> None:
    """One that starts does not take the other's place."""
    places = [LivePlace(state, keeper(name, state, silent)) for name in ENGINES]

    assert ["live/keycloak", "live/keycloak.far"] == [
        str(each.folder.relative_to(state.root)) for each in places
    ]
    assert 2 == len({each.place.folder for each in places})


def test_options_of_an_engine_are_read(tmp_path: Path) -> None:
    """The path of an override is seen from where it was written; a value may hold a `=`."""
    texts = ["override=a.yml", " proxy=https://10.0.0.5/?a=b ", "override=/b.yml"]

    assert (
        ("override", str(tmp_path / "a.yml")),
        ("proxy", "https://10.0.0.5/?a=b"),
        ("override", "/b.yml"),
    ) == read_options(texts, tmp_path, "--x")


@pytest.mark.parametrize("text", ["proxy", "proxy=", "=x", ""])
def test_an_option_without_name_or_value_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not NAME=VALUE") as caught:
        read_options(["proxy=x", text], tmp_path, "ini")

    assert "ini" == caught.value.where


def test_an_option_that_the_engine_has_not_is_refused(
    state: StateDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    for name in ("process", "swarm"):
        with pytest.raises(UsageError, match=f"engine {name} has no option 'proxi'"):
            open_engine(name, tmp_path, state, silent, (("proxi", "x"),))


def test_an_engine_that_is_not_installed_keeps_nobody_from_the_others(
    state: StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told; who names it is refused."""

    def broken(*_: object) -> FarEngine:
        raise EngineUnavailable("its library is not installed", remedy="install it")

    monkeypatch.setitem(ENGINES, "far", broken)
    (state.apps("far") / "x").mkdir(parents=True)
    said: list[str] = []

    def tell(text: str) -> None:
        said.append(text)

    assert ["process"] == [each.name for each in keepers(state, tell)]
    assert ["warning: apps of engine 'far' are left alone: its library is not installed"] == said
    with pytest.raises(EngineUnavailable):
        keepers(state, tell, "far")


def test_without_the_client_of_docker_swarm_says_what_to_install(
    state: StateDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    for name in [each for each in sys.modules if each.partition(".")[0] == "docker"]:
        monkeypatch.delitem(sys.modules, name)
    for name in [each for each in sys.modules if "warmci.engines.swarm" in each]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "pytest_warmci.clients.docker", raising=False)
    monkeypatch.setitem(sys.modules, "docker", None)

    with pytest.raises(EngineUnavailable, match="is not installed") as caught:
        open_engine("swarm", tmp_path, state, silent)

    assert "pytest-warmci[swarm]" in caught.value.remedy
