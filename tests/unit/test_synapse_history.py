"""The history of recipe_tests/matrix-synapse is append only: known-goods name its commits."""

from __future__ import annotations

from pathlib import Path

from pytest_warmci.recipes.history import history_ids

SOURCE = Path(__file__).parents[2] / "recipe_tests" / "matrix-synapse" / "source"

IDS = {
    "01-1.0.0+v1.150.0": "77825963f487a6d3c41e5d231557550a0eeed392",
    "02-upgrade": "36931e8315e730160564707e458bea9504b9ffff",
    "03-fails-at-once": "857ed10797386292aa08769ccb202142404fb8aa",
    "04-fails-late": "1d9101b628380b73d7e15c2e8adad9291819b75f",
    "05-damaged-data": "e5d3f1152c278c45fb39c24d34682c6faae02ef1",
    "06-wal-lost": "6c3f569f6c3dd9d2b15c99837c9f63be2ca4de41",
    "07-renamed-provider": "cff7db9985da05adce6b4bfe612772e6422acae2",
    "08-no-change": "29ae11b4b1b3717bc38a7374aa61fc088bc933d1",
}


def test_published_steps_never_change() -> None:
    """A step that was once here has its id for good; new steps come behind."""
    found = history_ids(SOURCE)

    assert list(IDS.items()) == list(found.items())[: len(IDS)]
