"""The history of recipe_tests/matrix-synapse is append only: known-goods name its commits."""

from __future__ import annotations

from pathlib import Path

from pytest_warmci.recipes.history import history_ids

SOURCE = Path(__file__).parents[2] / "recipe_tests" / "matrix-synapse" / "source"

IDS = {
    "01-1.0.0+v1.150.0": "2eaf221b3cf77c2f002dbcb9f4bb9449a02e902d",
    "02-upgrade": "45cff9b58466220847f1d7b69fa9764cc8dd2108",
    "03-fails-at-once": "dbd31447004914987a76013168699bcc8bfdbf34",
    "04-fails-late": "c2fef39be29a07addecb57cc77c776f12c9b1981",
    "05-damaged-data": "b37b0ef94d3ae19ec44e81a5aca687d9408f2a5b",
    "06-wal-lost": "bb1d8081781880c562510da17e055bd7d744ef49",
    "07-renamed-provider": "89bbf742037bad2035556de071a11790d1b91e57",
    "08-no-change": "fca6195dcc07002e212633c4786265b813b20eb6",
    "09-1.0.1+v1.150.0": "b6cd23322df6ea177f5729610bff8624d69d607c",
    "10-upgrade": "4b750b23aaa9ec79068db489873580acc5efd3ba",
    "11-fails-at-once": "08dc3c853b27cd9b3d5a7930c879251f49e4988b",
    "12-fails-late": "28c1316c1229f9b440f571418c7d02dfeb21aeb1",
    "13-damaged-data": "57940949f554530001bb6a2e7543ed43e3f4350b",
    "14-wal-lost": "e08a5982839c00d848d023cff0ec57111203b6de",
    "15-renamed-provider": "70d8e7bd4ff1fff38851cb416b762f814c1f3256",
    "16-no-change": "bf446144a1815e11f335f20bcc64633b08b94264",
}


def test_published_steps_never_change() -> None:
    """A step that was once here has its id for good; new steps come behind."""
    found = history_ids(SOURCE)

    assert list(IDS.items()) == list(found.items())[: len(IDS)]
