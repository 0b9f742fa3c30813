"""Where a command finds things: the state directory, and a recipe's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_warmci.errors import InputError, UsageError
from pytest_warmci.recipes.enrolment import RECIPE_FILE
from pytest_warmci.runs import location
from pytest_warmci.runs.location import choose_state, enrolled_names, find_recipe
from pytest_warmci.store.state import default_root

BASE = Path("/base")


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """No WARMCI_STATE, and a home of our own."""
    monkeypatch.delenv("WARMCI_STATE", raising=False)
    monkeypatch.setenv("HOME", "/home/me")


@pytest.fixture
def tests(tmp_path: Path) -> Path:
    """Two recipes, a folder that is none, and a recipe elsewhere."""
    for name in ("recipe_tests/b-app", "recipe_tests/a-app", "elsewhere/c-app"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "recipe.yml").write_text("")
    (tmp_path / "recipe_tests" / "none").mkdir()
    return tmp_path


def test_precedence(unset: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Option, variable, ini, default; each says where it came from."""
    ini = Path("/ini")
    assert "default" == choose_state(None, "--state", BASE).origin
    assert default_root() == choose_state(None, "--state", BASE).value
    assert "/ini (ini warmci_state)" == str(choose_state(None, "--state", BASE, ini))

    monkeypatch.setenv("WARMCI_STATE", "/variable")
    assert "/variable (WARMCI_STATE)" == str(choose_state(None, "--state", BASE, ini))
    assert "/base/option (--state)" == str(choose_state("option", "--state", BASE, ini))


def test_an_empty_variable_is_none(unset: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a shell leaves one."""
    monkeypatch.setenv("WARMCI_STATE", "")

    assert "default" == choose_state(None, "--state", BASE).origin


@pytest.mark.parametrize(
    ("given", "path"), [("~/s", "/home/me/s"), ("/s", "/s"), ("s/t", "/base/s/t")]
)
def test_paths(unset: None, given: str, path: str) -> None:
    """Home, absolute, from the base."""
    assert Path(path) == choose_state(given, "--state", BASE).value


@pytest.mark.parametrize("given", ["", "  "])
def test_an_empty_option_is_refused(given: str) -> None:
    """It would be the base itself."""
    with pytest.raises(UsageError, match="--x is empty"):
        choose_state(given, "--x", BASE)


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("a-app", "recipe_tests/a-app"),
        ("recipe_tests/a-app", "recipe_tests/a-app"),
        ("elsewhere/c-app/", "elsewhere/c-app"),
        ("elsewhere/../elsewhere/c-app", "elsewhere/c-app"),
    ],
)
def test_a_recipe(tests: Path, text: str, folder: str) -> None:
    """By name or by path."""
    assert tests / folder == find_recipe(text, tests)


def test_a_recipe_in_another_place(tests: Path) -> None:
    """`--tests`, relative or absolute; and a name that is a folder right here."""
    assert tests / "elsewhere/c-app" == find_recipe("c-app", tests, "elsewhere")
    assert tests / "elsewhere/c-app" == find_recipe("c-app", Path("/"), str(tests / "elsewhere"))
    assert tests / "elsewhere/c-app" == find_recipe("c-app", tests / "elsewhere")


def test_the_enrolled_folder_wins_over_one_right_here(tests: Path) -> None:
    """A name means the enrolled recipe."""
    (tests / "a-app").mkdir()
    (tests / "a-app" / "recipe.yml").write_text("")

    assert tests / "recipe_tests/a-app" == find_recipe("a-app", tests)


def test_no_such_recipe(tests: Path) -> None:
    """Where it was looked for, what is wrong there, and what there is."""
    with pytest.raises(InputError, match="there is no recipe 'none'") as caught:
        find_recipe("none", tests)
    assert (str(tests / "recipe_tests/none"), "it has no recipe.yml") == (
        caught.value.where,
        caught.value.why,
    )
    assert "name one of a-app, b-app, or" in caught.value.remedy

    with pytest.raises(InputError) as caught:
        find_recipe("x", tests / "elsewhere")
    assert "there is no such folder" == caught.value.why
    assert "--tests DIR" in caught.value.remedy


def test_enrolled_names(tests: Path) -> None:
    """Sorted; folders without a recipe.yml are none."""
    assert ["a-app", "b-app"] == enrolled_names(tests / "recipe_tests")
    assert [] == enrolled_names(tests / "nowhere")


def test_the_files_name_is_that_of_the_enrolment() -> None:
    """It is written twice because importing the other is slow."""
    assert location._RECIPE_FILE == RECIPE_FILE
