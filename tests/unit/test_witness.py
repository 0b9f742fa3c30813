"""A recipe's witness.py: what it must offer, and whose fault what is."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from pytest_warmci.api import App
from pytest_warmci.errors import InputError, RecipeFailed
from pytest_warmci.runs.witness import WitnessModule, find_witness

GOOD = (
    "def plant(app): return {'ids': (1, 2)}\ndef check(app, planted): return len(planted['ids'])\n"
)
APP = cast("App", None)


def witness(folder: Path, text: str) -> WitnessModule:
    (folder / "witness.py").write_text(text)
    found = find_witness(folder)
    assert found is not None
    return found


def test_no_file_is_no_witness(tmp_path: Path) -> None:
    """It is not demanded."""
    assert find_witness(tmp_path) is None


def test_what_was_planted_comes_back_as_json(tmp_path: Path) -> None:
    """As it would out of the registry entry."""
    made = witness(tmp_path, GOOD)

    planted = made.plant(APP)

    assert {"ids": [1, 2]} == planted
    assert 2 == made.check(APP, planted)


def test_the_checker_cannot_change_what_was_planted(tmp_path: Path) -> None:
    """It is asked twice with the same."""
    made = witness(
        tmp_path, GOOD + "def check(app, planted):\n    planted.clear()\n    return 1\n"
    )
    planted: dict[str, Any] = {"a": 1}

    made.check(APP, planted)

    assert {"a": 1} == planted


@pytest.mark.parametrize(
    "text",
    [
        "def plant(app): return {}\n",
        "check = 3\ndef plant(app): return {}\n",
        "def broken(:\n",
        "import no_such_module_here\n",
        "raise OSError('x')\n",
    ],
    ids=["no check", "check is a number", "syntax", "import", "raises"],
)
def test_a_file_that_is_no_witness_is_named(tmp_path: Path, text: str) -> None:
    """With its place."""
    with pytest.raises(InputError) as caught:
        witness(tmp_path, text)

    assert str(tmp_path / "witness.py") == caught.value.where


@pytest.mark.parametrize("answer", ["None", "[1]", "'text'", "{'a': object()}", "{'a': {1}}"])
def test_what_cannot_be_kept_is_the_authors_mistake(tmp_path: Path, answer: str) -> None:
    """Not the recipe's failure."""
    made = witness(
        tmp_path, f"def plant(app): return {answer}\ndef check(app, planted): return 1\n"
    )

    with pytest.raises(InputError, match=r"plant\(\) returned no"):
        made.plant(APP)


@pytest.mark.parametrize("answer", ["None", "True", "-1", "1.5", "'2'"])
def test_what_is_no_count_is_the_authors_mistake(tmp_path: Path, answer: str) -> None:
    """True is no count."""
    made = witness(
        tmp_path, f"def plant(app): return {{}}\ndef check(app, planted): return {answer}\n"
    )

    with pytest.raises(InputError, match="not a count"):
        made.check(APP, {})


def test_what_raises_is_the_recipes_failure(tmp_path: Path) -> None:
    """The app did not do what it should."""
    made = witness(
        tmp_path,
        "def plant(app): raise ConnectionError('refused')\n"
        "def check(app, planted): assert False, 'no login'\n",
    )

    with pytest.raises(RecipeFailed, match="the witness cannot plant its data") as planting:
        made.plant(APP)
    with pytest.raises(RecipeFailed, match="the witness cannot look for its data") as looking:
        made.check(APP, {})
    assert "ConnectionError: refused" == planting.value.why
    assert "AssertionError: no login" == looking.value.why


def test_two_recipes_have_two_witnesses(tmp_path: Path) -> None:
    """Their modules do not get in each other's way."""
    for name, count in (("a", 1), ("b", 2)):
        (tmp_path / name).mkdir()
        text = f"def plant(app): return {{}}\ndef check(app, planted): return {count}\n"
        (tmp_path / name / "witness.py").write_text(text)

    counts = [cast("WitnessModule", find_witness(tmp_path / name)).check(APP, {}) for name in "ab"]

    assert [1, 2] == counts
