"""The history of recipe_tests/traefik is append only: who runs it names its commits."""

from __future__ import annotations

from pathlib import Path

from pytest_warmci.recipes.history import history_ids

SOURCE = Path(__file__).parents[2] / "recipe_tests" / "traefik" / "source"

IDS = {
    "01-1.0.0+v3.7.13": "0bb9506636d2be6833735b8160b5ecbd005abdeb",
    "02-1.1.0+v3.7.15": "a488ac0445a302c30fabf99fbfcedddb5e671833",
    "03-access-log": "d87868d129e3aeb37a8ffe90c045e425e49b16ea",
    "04-lost-apps": "541cebee0c074e4d9f3f65b148fec0fac5c6230d",
}


def test_published_steps_never_change() -> None:
    """A step that was once here has its id for good; new steps come behind."""
    found = history_ids(SOURCE)

    assert list(IDS.items()) == list(found.items())[: len(IDS)]
