"""The history of recipe_tests/keycloak is append only: known-goods name its commits."""

from __future__ import annotations

from pathlib import Path

from pytest_warmci.recipes.history import history_ids

SOURCE = Path(__file__).parents[2] / "recipe_tests" / "keycloak" / "source"

IDS = {
    "01-10.5.0+26.4.7": "fe27b36087b4d9a0ac9ff53eb84ea10a6d5cfe09",
    "02-10.6.0+26.5.6": "03658a6eff2f6c71319fe8e2996c4916b018246e",
    "03-10.7.0+26.6.4": "1c8cfe8e0259d7dc17fe3594bef62811225782b1",
    "04-upgrade": "51c0ffc78167d86e2c97099ec788b4ebe3c10030",
    "05-fails-at-once": "e1f23de87b87a8bd7ba345469fd5ef3608958b7a",
    "06-fails-late": "33b4ac8700fd85688db511d19a2ea5c441b96616",
    "07-fails-on-data": "dca1cd486e6b362644af6bb98ff06c05233f8862",
    "08-empty-database": "32ef1927211fc3ee8cca541a82b96b27c5a2c45e",
    "09-damaged-data": "b2c8d51a5148fe7004066d4ca5c275743906501d",
    "10-no-change": "3261e7713e13e054ccbe982048efb1b206d74d91",
    "11-ignored-key": "513f14d707a72f88a7bbea898cc237d431a5efc8",
}


def test_published_steps_never_change() -> None:
    """A step that was once here has its id for good; new steps come behind."""
    found = history_ids(SOURCE)

    assert list(IDS.items()) == list(found.items())[: len(IDS)]
