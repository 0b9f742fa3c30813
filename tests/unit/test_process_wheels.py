"""Artifacts of Python distributions: fetched once, checked, one tree whoever is first."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from pytest_warmci.engines.process.artifacts import Artifact, coordinate_for, label, provide
from pytest_warmci.engines.process.wheels import Wheels
from pytest_warmci.errors import DigestMismatch
from tests.unit.process_app import put_artifact
from tests.unit.wheelhouse import close_network, put_wheel

PINS = {"some-lib": "2.0"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels of `server`, which needs `some-lib`."""
    folder = tmp_path_factory.mktemp("wheels") / "house"
    put_wheel(folder, "server", "1.0", ("some-lib",))
    put_wheel(folder, "some-lib", "2.0")
    return folder


@pytest.fixture(scope="module")
def filled(house: Path) -> tuple[Path, list[str]]:
    """A cache that has the artifact, and what was said on the way."""
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        close_network(patch, house)
        get(house.parent / "process", said)
    return house.parent / "process", said


@pytest.fixture
def cache(filled: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, and no index."""
    close_network(monkeypatch, tmp_path)
    copy = tmp_path / "process"
    shutil.copytree(filled[0], copy)
    return copy


def get(cache: Path, said: list[str] | None = None) -> Artifact:
    told = said if said is not None else []

    def progress(text: str) -> None:
        told.append(text)

    return provide("pypi:server==1.0", pins=PINS, cache=cache, progress=progress)


def test_a_distribution_is_fetched_and_unpacked_once(
    filled: tuple[Path, list[str]], cache: Path
) -> None:
    """With what it needs; later runs need neither the network nor pip."""
    said: list[str] = []

    found = get(cache, said)

    assert {"server.py", "some_lib.py"} <= {path.name for path in found.tree.iterdir()}
    assert ["fetching", "fetched", "unpacked"] == [text.split()[0] for text in filled[1]]
    assert [] == said


def test_a_tree_that_is_gone_is_unpacked_without_the_network(cache: Path) -> None:
    """Out of the wheels that lie in the cache."""
    shutil.rmtree(cache / "trees")

    assert (get(cache).tree / "server.py").is_file()


def test_other_pins_are_another_artifact(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so is another Python: wheels are built for one. The order of pins is nothing."""
    first = Wheels("server==1.0", {"a": "1", "b": "2"})
    same = Wheels("server==1.0", {"b": "2", "a": "1"})
    others = [Wheels("server==1.0", {"a": "1"}), Wheels("server==1.1", first.pins)]
    names = [each.name for each in (first, *others)]
    assert first.name == same.name
    monkeypatch.setattr(sys.implementation, "cache_tag", "cpython-399")
    names.append(first.name)

    assert 4 == len(set(names))


@pytest.mark.parametrize("change", ["changed", "gone", "more"])
def test_a_cached_wheel_that_changed_is_refused(cache: Path, change: str) -> None:
    """By name, with the command that fetches them again."""
    shutil.rmtree(cache / "trees")
    [folder] = [path for path in (cache / "artifacts").iterdir() if path.is_dir()]
    wheel = folder / "some_lib-2.0-py3-none-any.whl"
    if change == "changed":
        wheel.write_bytes(wheel.read_bytes() + b"x")
    elif change == "gone":
        wheel.unlink()
    else:
        wheel = folder / "zzz.whl"
        wheel.touch()

    with pytest.raises(DigestMismatch, match="is not what was fetched") as caught:
        get(cache)

    assert str(wheel) == caught.value.where
    assert f"rm -r {folder} " in caught.value.remedy


def tree_at_once(cache: Path) -> tuple[int, str]:
    """Provide it in another process; return the inode of its tree, and what lies in it."""
    tree = get(cache).tree
    return tree.stat().st_ino, (tree / "server.py").read_text()


def archive_at_once(cache: Path) -> tuple[int, str]:
    """The same of a Maven artifact that has been fetched."""
    found = provide("maven:org.example:web:1.0:tar.gz", cache=cache, progress=lambda text: None)
    return found.tree.stat().st_ino, (found.tree / "bin" / "web").read_text()


@pytest.mark.parametrize("provider", [tree_at_once, archive_at_once])
def test_several_processes_at_once_get_one_tree(
    house: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    provider: Callable[[Path], tuple[int, str]],
) -> None:
    """Nobody takes away what somebody else uses; nothing half made stays."""
    close_network(monkeypatch, house)
    put_artifact(tmp_path, "web:1.0", {"bin/web": "#!", **{f"lib/{n}": "x" for n in range(300)}})
    cache = tmp_path / "process"

    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(provider, [cache] * 2))

    assert 1 == len(set(found))
    assert [] == list(cache.rglob(".*"))


@pytest.mark.parametrize(
    ("coordinate", "expected"),
    [
        ("maven:org.keycloak:keycloak-quarkus-dist:26.7.3:tar.gz", "keycloak-quarkus-dist:26.7.3"),
        ("pypi:radicale==3.9.0", "radicale:3.9.0"),
        ("pypi:radicale[bcrypt]==3.9.0", "radicale:3.9.0"),
    ],
)
def test_people_name_an_artifact_and_its_version(coordinate: str, expected: str) -> None:
    """As it stands in a proof."""
    assert expected == label(coordinate)


def test_the_tag_chooses_the_distribution() -> None:
    """As it does for an archive."""
    found = coordinate_for("pypi:radicale[bcrypt]=={tag}", "a/radicale", "a/radicale:3.9.0")

    assert "pypi:radicale[bcrypt]==3.9.0" == found
