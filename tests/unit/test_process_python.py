"""process.yml for a Python server: its pins, its interpreter, its arguments."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import pytest

from pytest_warmci.engines.process.config import ServiceConfig, read_config, read_constraints
from pytest_warmci.engines.process.provision import Provision
from pytest_warmci.engines.process.runtimes import find_runtime
from pytest_warmci.errors import EngineCannotSee, InputError
from tests.unit.process_app import TinyApp

REPOSITORY = Path(__file__).parents[2]

PROCESS_YML = """\
format: 1
served: {service: app, port: 5232}
services:
  app:
    image: example.org/server
    artifact: "pypi:server[more]=={tag}"
    constraints: process/pins.txt
    install: /app
    runtime: python
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A recipe's folder with a valid process.yml of a Python server."""
    (tmp_path / "process").mkdir()
    (tmp_path / "process" / "pins.txt").write_text("Some.Lib==2.0\n")
    (tmp_path / "process.yml").write_text(PROCESS_YML)
    return tmp_path


def app(folder: Path, old: str = "", new: str = "") -> ServiceConfig:
    path = folder / "process.yml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1) if old else path.read_text())
    return read_config(folder).services["app"]


def test_a_valid_file(folder: Path) -> None:
    """The pins are read with it."""
    assert {"some-lib": "2.0"} == read_constraints(folder, app(folder))


def test_radicales_own_file_is_valid() -> None:
    """The one that ships."""
    recipe = REPOSITORY / "recipe_tests" / "radicale"

    assert "vobject" in read_constraints(recipe, read_config(recipe).services["app"])


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("    constraints: process/pins.txt\n", "", "a pypi: artifact needs `constraints`"),
        ("pins.txt", "none.txt", "'process/none.txt' is no file of this recipe's folder"),
        ("process/pins.txt", "../outside", "'../outside' is no file of this recipe's folder"),
        ("process/pins.txt", "process", "'process' is no file of this recipe's folder"),
        ("install: /app", "install: /app\n    strip: 1", "`member` and `strip` are for archives"),
        ("install: /app", "install: /app\n    member: a", "`member` and `strip` are for archives"),
        (
            "pypi:server[more]=={tag}",
            "maven:g:a:{tag}:jar",
            "`constraints` is for pypi: artifacts",
        ),
        ("pypi:server[more]=={tag}", "pypi:server>={tag}", "artifact"),
        ("pypi:server[more]=={tag}", "pypi:server", "artifact"),
        ("pypi:server[more]=={tag}", "pypi:--pre ser==1", "artifact"),
        ("runtime: python", "runtime: ruby", "runtime"),
    ],
)
def test_what_is_wrong_is_named(folder: Path, old: str, new: str, what: str) -> None:
    """Before anything is fetched."""
    (folder.parent / "outside").touch()

    with pytest.raises(InputError) as caught:
        app(folder, old, new)

    assert what in caught.value.what
    assert caught.value.where.startswith(f"{folder}/process.yml:")


def test_a_line_that_is_no_pin_is_found_with_the_file(folder: Path) -> None:
    """Not in the middle of a run."""
    (folder / "process" / "pins.txt").write_text("some-lib>=2\n")

    with pytest.raises(InputError, match="is no exact pin"):
        app(folder)


def test_the_interpreter_is_of_no_virtual_environment() -> None:
    """It has our version, and the packages beside us are not its."""
    runtime = find_runtime("python")

    code = "import platform, sys; print(platform.python_version(), sys.prefix == sys.base_prefix)"
    ran = subprocess.run(
        [runtime.environment["WARMCI_PYTHON"], "-c", code],
        env={},
        capture_output=True,
        text=True,
        check=True,
    )

    assert f"{platform.python_version()} True\n" == ran.stdout
    assert f"{platform.python_implementation()} {platform.python_version()}" == runtime.version


def test_the_interpreters_version_shapes_an_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another Python may have other results."""

    def launchers() -> str:
        return Provision(folder, folder / "cache", lambda text: None).launchers

    before = launchers()
    monkeypatch.setattr(platform, "python_version", lambda: "3.99.0")

    assert before != launchers()


def with_argument(tiny: TinyApp, runs: str, stand_in: str) -> TinyApp:
    """Let `app` run more arguments, and process.yml stand in for one."""
    tiny.files["compose.yml"] = tiny.files["compose.yml"].replace(
        "    image: example.org/web:1.0\n",
        f"    image: example.org/web:1.0\n    command: {runs}\n",
    )
    path = tiny.recipe / "process.yml"
    line = f'    stand_ins:\n      arguments: {{"{stand_in}": "127.0.0.1:{{port}}"}}\n'
    path.write_text(path.read_text().replace("    stand_ins:\n", line, 1))
    return tiny


def test_a_stand_in_takes_the_place_of_an_argument(tmp_path: Path) -> None:
    """Of exactly this word; the others are the recipe's."""
    tiny = with_argument(TinyApp(tmp_path), "--hosts 0.0.0.0:80 x0.0.0.0:80", "0.0.0.0:80")
    provision = Provision(tiny.recipe, tiny.cache / "process", lambda text: None)

    provision.examine(tiny.stack())
    planned = provision.plans(tiny.spot, tiny.stack())["app"]

    assert ("--hosts", f"127.0.0.1:{planned.port}", "x0.0.0.0:80") == planned.argv[1:]


def test_a_stand_in_holds_for_its_argument_only(tmp_path: Path) -> None:
    """A recipe that now listens elsewhere must not be hidden."""
    tiny = with_argument(TinyApp(tmp_path), "--hosts 0.0.0.0:90", "0.0.0.0:80")
    provision = Provision(tiny.recipe, tiny.cache / "process", lambda text: None)

    with pytest.raises(EngineCannotSee) as caught:
        provision.examine(tiny.stack())

    assert "runs '/opt/web/bin/web --hosts 0.0.0.0:90'" in caught.value.what
    assert "its argument '0.0.0.0:80'" in caught.value.what
