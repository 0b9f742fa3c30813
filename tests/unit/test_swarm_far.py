"""A volume through the engine: by a container that never runs, and never an empty one by mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_warmci.clients.docker import Facts
from pytest_warmci.engines.swarm.far import IMAGE, FarVolume
from pytest_warmci.errors import CommandFailed, NotEvaluated
from pytest_warmci.store import snapshots
from tests.fake_docker import NAMESPACE, FakeDocker, labels_of
from tests.unit.compose_stack import STACK
from tests.unit.swarm_app import OURS, SwarmApp, swarm_app

NAME = f"{STACK}_data"
HELPER = "pytest-warmci.helper"


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SwarmApp:
    made = swarm_app(tmp_path, monkeypatch)
    place = Path(made.docker.add("volume", NAME, {**OURS, "own": "label"})["Mountpoint"])
    (place / "file").write_text("old")
    return made


def content(docker: FakeDocker) -> dict[str, str]:
    place = Path(volume(docker)["Mountpoint"])
    return {path.name: path.read_text() for path in place.iterdir()}


def volume(docker: FakeDocker) -> Facts:
    [found] = docker.things["volume"]
    return found


def far(app: SwarmApp) -> FarVolume:
    return FarVolume(app.belongings, NAME)


def test_it_is_read_and_filled(app: SwarmApp, tmp_path: Path) -> None:
    """Made anew: nothing can be deleted in there. Its labels stay; of the helper nothing does."""
    taken = snapshots.take(tmp_path / "kept", "one", {"data": far(app)}).digest
    place = Path(volume(app.docker)["Mountpoint"])
    (place / "file").write_text("new")
    (place / "more").write_text("new")

    snapshots.restore(tmp_path / "kept", "one", taken, lambda _: {"data": far(app)})

    assert {"file": "old"} == content(app.docker)
    assert {**OURS, "own": "label"} == volume(app.docker)["Labels"]
    asked = [*["read"] * 2, "write", "read"]
    assert [f"{verb} {NAME}" for verb in asked] == app.docker.asked
    assert {} == app.docker.helpers
    assert [] == app.belongings.left(volumes=False)


def test_a_helper_is_ours_and_cannot_write_when_it_reads(app: SwarmApp) -> None:
    """Whoever recovers finds it by its labels."""
    with far(app).read():
        [container] = app.docker.all_containers
        [mount] = app.docker.helpers.values()

    assert OURS.items() <= container["Labels"].items()
    assert container["Labels"][HELPER]
    assert (NAME, "/volume", True) == (mount.volume, mount.target, mount.read_only)


def test_its_image_is_made_once(app: SwarmApp) -> None:
    """No registry is asked: images of the app may be gone when its volumes are not."""
    app.docker.images.clear()

    for _ in range(2):  # the fake does not let it be made twice
        with far(app).read():
            pass

    assert [IMAGE] == list(app.docker.images)


def test_a_volume_that_a_killed_run_had_by_mistake_is_removed(app: SwarmApp) -> None:
    """It would be somebody else's for ever: it has not the label of the app's things. One of
    another state directory stays."""
    for state in (OURS["pytest-warmci.state"], "another"):
        labels = {NAMESPACE: STACK, "pytest-warmci.mistake": state}
        app.docker.add("volume", f"{STACK}_{state}", labels)

    app.engine.undeploy(app.spot)

    assert [NAME, f"{STACK}_another"] == [each["Name"] for each in app.docker.things["volume"]]


def test_what_a_killed_run_left_is_removed(app: SwarmApp) -> None:
    """By the next one that looks, and by whoever ends the app."""
    for end in (lambda: far(app).read().__enter__(), lambda: app.engine.undeploy(app.spot)):
        reading = far(app).read()
        reading.__enter__()
        [left] = app.docker.helpers
        assert [f"container {left[:12]}"] == app.belongings.left(volumes=False)

        end()

        assert left not in app.docker.helpers
        app.belongings.remove_helpers()


@pytest.mark.parametrize("verb", ["read", "fill"])
@pytest.mark.parametrize("labels", [None, {}, {NAMESPACE: STACK}])
def test_a_volume_that_is_not_there_or_not_ours_is_refused(
    app: SwarmApp, verb: str, labels: dict[str, str] | None
) -> None:
    """Nothing is made, nothing is removed."""
    found = far(app)
    app.docker.things["volume"].clear()
    if labels is not None:
        app.docker.add("volume", "x", {})
        volume(app.docker).update({"Name": NAME, "Labels": labels})
    before = list(app.docker.things["volume"])

    def go() -> None:
        if verb == "fill":
            found.fill([])
        else:
            found.read().__enter__()

    with pytest.raises(NotEvaluated, match=f"the volume {NAME} went away"):
        go()

    assert before == app.docker.things["volume"]
    assert {} == app.docker.helpers


def test_one_that_went_away_just_now_is_not_made_by_mistake(
    app: SwarmApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker makes it for the container, empty. It has not our label, and goes at once."""
    create = app.docker.create_container
    made: list[Facts] = []

    def late(*args: object) -> str:
        app.docker.remove("volume", NAME)
        container = create(*args)  # type: ignore[arg-type]
        made.append(volume(app.docker))
        return container

    monkeypatch.setattr(app.docker, "create_container", late)
    with pytest.raises(NotEvaluated, match=f"the volume {NAME} went away"):
        far(app).read().__enter__()

    [empty] = made
    assert "pytest-warmci.state" not in labels_of(empty)
    assert STACK == labels_of(empty)[NAMESPACE]  # so a deployment would refuse to use it
    assert [] == app.docker.things["volume"]
    assert {} == app.docker.helpers


def test_a_volume_that_is_used_is_not_touched(app: SwarmApp) -> None:
    app.docker.held.add(NAME)

    with pytest.raises(NotEvaluated, match=f"the volume {NAME} is in use"):
        far(app).fill([])

    assert {"file": "old"} == content(app.docker)


def test_a_disk_that_gets_full_is_no_success(
    app: SwarmApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The volume is empty then, the snapshot is whole; the helper is gone."""
    taken = snapshots.take(tmp_path / "kept", "one", {"data": far(app)}).digest

    def full(*_: object) -> None:
        raise CommandFailed("Docker refused", why="no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(app.docker, "write_archive", full)
        with pytest.raises(CommandFailed):
            snapshots.restore(tmp_path / "kept", "one", taken, lambda _: {"data": far(app)})

    assert {} == app.docker.helpers
    assert {} == content(app.docker)
    snapshots.restore(tmp_path / "kept", "one", taken, lambda _: {"data": far(app)})
    assert {"file": "old"} == content(app.docker)
