"""Where the process engine has an app's data."""

from __future__ import annotations

from pathlib import Path

from tests.unit.process_app import TinyApp


def test_all_volumes_are_one_root_of_the_data(tmp_path: Path) -> None:
    """It has a place whether or not it is there, and goes unless it is kept; twice is fine."""
    tiny = TinyApp(tmp_path)
    volumes = tiny.spot.folder / "volumes"
    assert {"volumes": volumes} == tiny.engine.data(tiny.spot)
    assert {"volumes": volumes} == tiny.engine.make_data(tiny.spot, {"volumes"})
    assert not volumes.exists()
    (volumes / "db").mkdir(parents=True)

    tiny.engine.drop_data(tiny.spot, {"env", "volumes"})
    assert (volumes / "db").is_dir()

    tiny.engine.drop_data(tiny.spot, {"env"})
    tiny.engine.drop_data(tiny.spot, ())
    assert [] == list(tiny.spot.folder.iterdir())
