"""The history of recipe_tests/radicale is append only: known-goods name its commits."""

from __future__ import annotations

from pathlib import Path

from pytest_warmci.recipes.history import history_ids

SOURCE = Path(__file__).parents[2] / "recipe_tests" / "radicale" / "source"

IDS = {
    "01-1.0.0+3.8.2": "c13d407e1c5cdeea31446e4cfe51e2cc147e5bbf",
    "02-1.1.0+3.8.3": "4efffbf2cb5006b8be293856c4883d88cf31a5c3",
    "03-upgrade": "51382f115e47e8143181b1d0a7019296042614d3",
    "04-fails-at-once": "0fb7091e9bc1869ad462c8baec35101445394b93",
    "05-fails-late": "765736be3d5f686a9bd42b32fc3863697f1acfc4",
    "06-damaged-data": "1ce6b8497050d8721d02a1496239efe2a58b0a75",
    "07-empty-volume": "79789c88a3f098f5d9bfd615e37cd4d371e8dc68",
    "08-no-change": "5fdc15e5fcbaf35e1eadb610001f1f866fcc13f3",
    "09-ignored-key": "d208ff97f44d9494337207f70fb09a1ec9ee7d07",
}


def test_published_steps_never_change() -> None:
    """A step that was once here has its id for good; new steps come behind."""
    found = history_ids(SOURCE)

    assert list(IDS.items()) == list(found.items())[: len(IDS)]
