"""process.yml: read strictly, errors with file, line and a suggestion."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_warmci.engines.process.config import read_config
from pytest_warmci.errors import EngineUnavailable, InputError
from tests.unit.process_app import PROCESS_YML, READY

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A recipe's folder with a valid process.yml."""
    (tmp_path / "process").mkdir()
    (tmp_path / "process" / "ready").write_text(READY)
    (tmp_path / "process" / "ready").chmod(0o755)
    (tmp_path / "process.yml").write_text(PROCESS_YML)
    return tmp_path


def change(folder: Path, old: str, new: str) -> None:
    path = folder / "process.yml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


def test_a_valid_file(folder: Path) -> None:
    """What is not written has the documented default."""
    config = read_config(folder)

    app, db = config.services["app"], config.services["db"]
    assert ("app", 8080) == (config.served.service, config.served.port)
    assert ("SIGTERM", "caller", 0, False) == (
        app.stop_signal,
        app.run_as,
        app.strip,
        app.boot_cache,
    )
    assert {"ready": "process/ready"} == db.programs
    assert db.stand_ins.healthcheck is None


def test_keycloaks_own_file_is_valid() -> None:
    """The one that ships."""
    assert "app" == read_config(REPOSITORY / "recipe_tests" / "keycloak").served.service


def test_without_a_file_the_engine_cannot_run_the_recipe(tmp_path: Path) -> None:
    """Not the author's mistake: other engines need none."""
    with pytest.raises(EngineUnavailable, match=r"there is no process\.yml") as caught:
        read_config(tmp_path)

    assert "not-evaluated" == caught.value.verdict
    assert "use engine swarm, or write one" in caught.value.remedy


def test_a_recipe_for_a_swarm_alone_ships() -> None:
    """Who goes through all recipes on this engine meets it."""
    with pytest.raises(EngineUnavailable, match="the engine process cannot run this recipe"):
        read_config(REPOSITORY / "recipe_tests" / "traefik")


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("format: 1", "format: 2", 1, "newer version"),
        ("served:", "serves:", 2, "unknown key 'serves'"),
        ("install: /opt/web", "install: opt/web", 7, "install"),
        ("maven:org.example:web", "docker:web", 6, "artifact"),
        ("port: 8080}", "port: 80800}", 2, "port"),
        ("port: 8080}", 'port: "8080"}', 2, "port"),
        ('FROM_IMAGE: "1"', "FROM_IMAGE: 1", 9, "environment"),
        ("path: /health", "path: health", 15, "path"),
        ("entrypoint: [/opt/db", "run_as: root\n    entrypoint: [/opt/db", 20, "run_as"),
        (
            "entrypoint: [/opt/db",
            "stop_signal: SIGKILL\n    entrypoint: [/opt/db",
            20,
            "stop_signal",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    folder: Path, old: str, new: str, line: int, what: str
) -> None:
    """Types are strict: no number becomes text by itself."""
    change(folder, old, new)

    with pytest.raises(InputError) as caught:
        read_config(folder)

    assert f"{folder}/process.yml:{line}" == caught.value.where
    assert what in caught.value.what


def test_the_served_service_must_be_described(folder: Path) -> None:
    """With those that are."""
    change(folder, "service: app", "service: web")

    with pytest.raises(InputError, match=r"served\.service 'web'") as caught:
        read_config(folder)

    assert "name one of: app, db" == caught.value.remedy


@pytest.mark.parametrize("launcher", ["process/none", "../outside", "/bin/sh", "process"])
def test_a_launcher_is_a_file_of_the_recipes_folder(folder: Path, launcher: str) -> None:
    """Not one of the machine, not a folder, not one that is missing."""
    (folder.parent / "outside").touch()
    change(folder, "ready: process/ready", f"ready: {launcher}")

    with pytest.raises(InputError, match="is no file of this recipe's folder"):
        read_config(folder)


def test_a_launcher_must_be_executable(folder: Path) -> None:
    """With the command that makes it so."""
    (folder / "process" / "ready").chmod(0o644)

    with pytest.raises(InputError, match="is not executable") as caught:
        read_config(folder)

    assert f"chmod +x {folder}/process/ready" == caught.value.remedy
