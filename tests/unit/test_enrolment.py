"""`recipe.yml`: what makes a recipe enrolled."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_warmci.errors import InputError
from pytest_warmci.model import Enrolment, ProbeSpec
from pytest_warmci.recipes import enrolment

VALID = """\
format: 1
recipe: blog
source: source
probe: {path: /health, status: [200]}
"""


def enrol(folder: Path, text: str = VALID, name: str = "blog") -> Path:
    recipe = folder / name
    recipe.mkdir(parents=True)
    (recipe / "recipe.yml").write_text(text)
    return recipe


def test_reads_a_short_file(tmp_path: Path) -> None:
    """What is left out has its default; a relative source is seen from the file."""
    folder = enrol(tmp_path)

    assert Enrolment(
        recipe="blog",
        folder=folder,
        source=str(folder / "source"),
        probe=ProbeSpec("/health", (200,), ""),
        deploy_timeout=300.0,
        stop_timeout=120.0,
        requires=(),
    ) == enrolment.read_enrolment(folder)


def test_reads_every_key(tmp_path: Path) -> None:
    """All that can be said is kept."""
    text = VALID.replace("[200]", "[200, 302], contains: hello")
    folder = enrol(tmp_path, text + "timeouts: {deploy: 60, stop: 5.5}\nrequires: [keycloak]\n")

    read = enrolment.read_enrolment(folder)

    assert ProbeSpec("/health", (200, 302), "hello") == read.probe
    assert (60.0, 5.5, ("keycloak",)) == (read.deploy_timeout, read.stop_timeout, read.requires)


@pytest.mark.parametrize(
    ("old", "new", "line", "what", "remedy"),
    [
        ("recipe: blog", "recipe: blg", 2, "recipe: 'blg' is not the folder's name", "write 'recipe: blog' or rename the folder"),
        ("/health", "health", 4, "probe.path: 'health' is not a URL path that starts with /", ""),
        ("[200]", "[]", 4, "probe.status: must not be empty", ""),
        ("[200]", "[20]", 4, "probe.status.0: 20 is refused: it should be greater than or equal to 100", ""),
        ("[200]", "[200, 404]", 4, "probe.status.1: 404 is what a proxy answers while the app is not there: choose a path that the app serves", ""),
        ("[200]", "[502]", 4, "probe.status.0: 502 is what a proxy answers while the app is not there: choose a path that the app serves", ""),
        ("[200]", "[503]", 4, "probe.status.0: 503 is what a proxy answers while the app is not there: choose a path that the app serves", ""),
        ("[200]", "[504]", 4, "probe.status.0: 504 is what a proxy answers while the app is not there: choose a path that the app serves", ""),
        ("format: 1", "format: 1\ntimeouts: {deploy: 0}", 2, "timeouts.deploy: 0 is refused: it should be greater than 0", ""),
        ("format: 1", "format: 1\ntimeouts: {deploi: 5}", 2, "unknown key 'deploi'", "did you mean 'deploy'? known keys: deploy, stop"),
        ("format: 1", "format: 1\nrequires: [ldap]", 2, "requires.0: 'ldap' is not 'keycloak'", ""),
        ("format: 1", "format: 1\nrequires: [keycloak, keycloak]", 2, "requires: the same name is listed twice", ""),
        ("source: source", "source: ''", 3, "source: must not be empty", ""),
        ("source: source", "source: http://x/y", 3, "'http' is no kind of URL that is read", "use https://, ssh://, file://, git@host:path or a path"),
        ("source: source", "source: 'ext::sh -c id'", 3, "'ext' is no kind of URL that is read", "use https://, ssh://, file://, git@host:path or a path"),
        ("source: source", "source: https://me:secret@x/y", 3, "a URL with credentials in it is refused", "leave them out; put them into ~/.netrc, or use an ssh:// URL and a key"),
        ("source: source", "source: ssh://me:secret@x/y", 3, "a URL with credentials in it is refused", "leave them out; put them into ~/.netrc, or use an ssh:// URL and a key"),
    ],
)  # fmt: skip
def test_refuses_with_line_and_remedy(
    tmp_path: Path, old: str, new: str, line: int, what: str, remedy: str
) -> None:
    """Every mistake names its line and the way out."""
    folder = enrol(tmp_path, VALID.replace(old, new))

    with pytest.raises(InputError) as caught:
        enrolment.read_enrolment(folder)

    assert f"{folder}/recipe.yml:{line}" == caught.value.where
    assert (what, remedy) == (caught.value.what, caught.value.remedy)
    assert "secret" not in str(caught.value)


def test_a_folder_name_that_cannot_be_in_a_domain(tmp_path: Path) -> None:
    """The name is part of domains and folders, so it must be a DNS label."""
    folder = enrol(tmp_path, VALID.replace("recipe: blog", "recipe: My_Blog"), "My_Blog")

    with pytest.raises(InputError, match="recipe: 'My_Blog' cannot name a recipe"):
        enrolment.read_enrolment(folder)


def test_keycloak_cannot_require_itself(tmp_path: Path) -> None:
    """A recipe that waits for itself would wait for ever."""
    text = VALID.replace("blog", "keycloak") + "requires: [keycloak]\n"

    with pytest.raises(InputError, match="a recipe cannot require itself"):
        enrolment.read_enrolment(enrol(tmp_path, text, "keycloak"))


@pytest.mark.parametrize(
    ("location", "absolute"),
    [
        ("source", "/base/source"),
        ("../clone", "/clone"),
        ("/abs/./clone", "/abs/clone"),
        ("~/clone", "/home/me/clone"),
        ("-x", "/base/-x"),
        ("https://host/a.git", "https://host/a.git"),
        ("ssh://git@host/a.git", "ssh://git@host/a.git"),
        ("git@host:a/b.git", "git@host:a/b.git"),
        ("file:///a", "file:///a"),
    ],
)
def test_paths_become_absolute_and_urls_stay(
    location: str, absolute: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path is seen from the recipe's folder, whatever the working directory is."""
    monkeypatch.setenv("HOME", "/home/me")

    assert absolute == enrolment.absolute_source(location, Path("/base"), "here")
