"""Recipes, sources and names that somebody wrote to do harm: one clear error, and nothing done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.workshop import RADICALE, Outcome, Workshop
from tests.faults.aftermath import check_quiet
from tests.faults.crowd import Crowd, copy_recipe
from tests.faults.hostile.recipe import one_test

HEAD = "03-upgrade"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefg", "bcdefgh", strict=True)
)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe's folder that a test spoils."""
    return copy_recipe(RADICALE, tmp_path / "recipe_tests")


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """What a command that got through would make."""
    return tmp_path / "canary"


def run(recipe: Path, *words: str) -> tuple[Path, Outcome]:
    """Run a session on a state directory of its own."""
    folder = recipe.parents[1]
    with Crowd(folder / "crowd") as crowd:
        outcome = crowd.start(folder / "state", *(words or ("--quick",)), recipe).end()
    return folder / "state", outcome


def check_refused(state: Path, outcome: Outcome, *expected: str) -> None:
    """There is one error, for people, and nothing was begun."""
    text = " ".join(outcome.text.split())
    for words in expected:
        assert words in text, outcome.text
    assert outcome.status in (2, 4, 75), outcome.text
    for sign in ("Traceback", "INTERNALERROR", "error: cannot collect"):
        assert sign not in outcome.text
    assert 1 == outcome.text.count("ERROR collecting"), outcome.text
    assert [] == outcome.results
    assert [] == [*state.glob("apps/*/*"), *state.glob("runs/*")]
    check_quiet(Workshop(state))


def rewrite(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def spoil_name(recipe: Path) -> None:
    rewrite(recipe / "recipe.yml", "recipe: radicale", "recipe: ../radicale")


def spoil_with_bomb(recipe: Path) -> None:
    rewrite(recipe / "recipe.yml", "format: 1", f"format: 1\n{BOMB}")


def spoil_with_depth(recipe: Path) -> None:
    rewrite(recipe / "recipe.yml", "format: 1", f"format: 1\nx: {'[' * 5000}{']' * 5000}")


def spoil_with_size(recipe: Path) -> None:
    rewrite(recipe / "recipe.yml", "format: 1", "format: 1\n" + "# x\n" * 100_000)


def spoil_with_tag(recipe: Path) -> None:
    rewrite(recipe / "recipe.yml", "source: source", "source: !!python/object/apply:os.getcwd []")


def spoil_compose_with_bomb(recipe: Path) -> None:
    rewrite(recipe / "source" / HEAD / "compose.yml", "---\n", f"---\n{BOMB}")


def spoil_compose_with_path(recipe: Path) -> None:
    rewrite(recipe / "source" / HEAD / "compose.yml", "file: radicale.conf", "file: /etc/passwd")


def spoil_compose_with_climb(recipe: Path) -> None:
    text = "file: ../../../../../../etc/passwd"
    rewrite(recipe / "source" / HEAD / "compose.yml", "file: radicale.conf", text)


def spoil_step_with_link(recipe: Path) -> None:
    (recipe / "source" / HEAD / "abra.sh").symlink_to("/etc/passwd")


def spoil_launcher(recipe: Path) -> None:
    rewrite(recipe / "process.yml", ": process/python", ": ../../../bin/sh")


@pytest.mark.cost(2)
@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        pytest.param(spoil_name, "'../radicale' is not the folder's name", marks=pytest.mark.core),
        pytest.param(
            spoil_with_bomb, "anchors and aliases are not allowed", marks=pytest.mark.core
        ),
        (spoil_with_depth, "nested deeper than 40"),
        (spoil_with_size, "larger than 256 KiB"),
        (spoil_with_tag, "the tag 'tag:yaml.org,2002:python/object/apply:os.getcwd'"),
        (spoil_compose_with_bomb, "aliases unfold into too much"),
        (spoil_compose_with_path, "'/etc/passwd' is outside of the recipe"),
        (spoil_compose_with_climb, "etc/passwd' is outside of the recipe"),
        (spoil_step_with_link, "'abra.sh' of step '03-upgrade' is not a regular file"),
        (spoil_launcher, "is no file of this recipe's folder"),
    ],
)
def test_a_file_that_would_do_harm_is_refused(
    recipe: Path, spoil: Callable[[Path], None], expected: str
) -> None:
    """With the file, before anything is made."""
    spoil(recipe)

    state, outcome = run(recipe)

    check_refused(state, outcome, expected)


@pytest.mark.cost(2)
def test_a_recipe_with_a_space_in_its_name_is_refused(tmp_path: Path) -> None:
    """Its name goes into domains, file names and scripts."""
    folder = copy_recipe(RADICALE, tmp_path / "recipe_tests", "my recipe")

    state, outcome = run(folder)

    check_refused(state, outcome, "'my recipe' cannot name a recipe", "use at most 40 of a-z")


@pytest.mark.cost(2)
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(
            "ext::sh -c touch% {canary}", "'ext' is no kind of URL", marks=pytest.mark.core
        ),
        ("--upload-pack=touch {canary}", "is not there"),
        ("file:///--upload-pack=touch {canary}", "cannot be fetched"),
        ("ssh://-oProxyCommand=touch%20{canary}/x", "cannot be fetched"),
        ("-oProxyCommand=touch {canary}@x:y", "is not there"),
        ("git@-oProxyCommand=touch:{canary}", "is not there"),
        ("git@-oPermitLocalCommand:{canary}", "cannot be fetched"),
        ("https://ana:Hunter2@localhost/x.git", "a URL with credentials in it is refused"),
        ("ssh://ana:Hunter2@localhost/x.git", "a URL with credentials in it is refused"),
        ("http://localhost/x.git", "'http' is no kind of URL that is read"),
    ],
)
@pytest.mark.parametrize("way", ["option", "file"])
def test_a_source_that_would_do_harm_is_refused(
    recipe: Path, canary: Path, source: str, expected: str, way: str
) -> None:
    """Whether it comes from the command line or from recipe.yml."""
    location = source.format(canary=canary)
    words = []
    if way == "option":
        words = [f"--warmci-source={location}"]
    else:
        rewrite(recipe / "recipe.yml", "source: source", f'source: "{location}"')

    state, outcome = run(recipe, "--quick", *words)

    check_refused(state, outcome, expected)
    assert not canary.exists()
    assert "Hunter2" not in outcome.text


@pytest.mark.cost(2)
@pytest.mark.parametrize(
    "head",
    [
        pytest.param("--output={canary}", marks=pytest.mark.core),
        "-x",
        "HEAD:compose.yml",
        "main..upgrade",
        "@{{-1}}",
        "refs/heads/../../HEAD",
        "main ",
    ],
)
def test_a_head_that_is_no_name_is_refused(recipe: Path, canary: Path, head: str) -> None:
    """git would take it for an option, or for something else than a commit."""
    name = head.format(canary=canary)

    state, outcome = run(recipe, f"--warmci-head={name}")

    check_refused(state, outcome, f"no commit is called '{name}'", "branches: damaged-data")
    assert not canary.exists()


@pytest.mark.cost(5)
def test_a_linked_recipe_folder_is_that_recipe(radicale_warmed: Workshop, tmp_path: Path) -> None:
    """It runs, on the canonical of its name, and nothing is left."""
    link = tmp_path / "elsewhere" / "radicale"
    link.parent.mkdir()
    link.symlink_to(copy_recipe(RADICALE, tmp_path / "recipe_tests"))
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "cache").symlink_to(radicale_warmed.root / "cache")

    outcome = Workshop(state, link).pytest(one_test(link))

    assert outcome.status == 0, outcome.text
    assert ("radicale", "passed") == (outcome.result["recipe"], outcome.result["verdict"])
    check_quiet(Workshop(state))
