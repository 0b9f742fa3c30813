"""The volumes of an app: where they lie, made, dropped, and never somebody else's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_warmci.engines.swarm.data import Volumes
from pytest_warmci.engines.swarm.far import FarVolume
from pytest_warmci.errors import EngineUnavailable, NotEvaluated
from tests.fake_docker import NAMESPACE, NODE, pem
from tests.unit.compose_stack import STACK
from tests.unit.swarm_app import OURS, SwarmApp, swarm_app


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SwarmApp:
    return swarm_app(tmp_path, monkeypatch)


def volumes(app: SwarmApp, way: str = "") -> Volumes:
    return Volumes(app.belongings, app.docker.info(), way)


def names(app: SwarmApp) -> list[str]:
    return [str(each["Name"]) for each in app.docker.things["volume"]]


def certificate(app: SwarmApp) -> Path:
    return app.docker.root / "swarm" / "certificates" / "swarm-node.crt"


def test_volumes_are_roots_by_their_names_in_the_compose_file(app: SwarmApp) -> None:
    """Only ours; of another app, or of nobody, they are not even looked at."""
    app.docker.add("volume", f"{STACK}_data", OURS)
    app.docker.add("volume", f"{STACK}_data_more", OURS)
    app.docker.add("volume", "other_data", {**OURS, NAMESPACE: "other"})
    app.docker.add("volume", f"{STACK}_foreign", {NAMESPACE: STACK})

    top = app.docker.root / "volumes"
    assert {
        "volume:data": top / f"{STACK}_data" / "_data",
        "volume:data_more": top / f"{STACK}_data_more" / "_data",
    } == volumes(app).places()


def test_an_app_without_volumes_has_no_place(app: SwarmApp) -> None:
    """Wherever the engine is: there is nothing to reach."""
    certificate(app).unlink()

    assert {} == volumes(app).places()


def test_what_is_missing_is_made(app: SwarmApp) -> None:
    """Where there is a volume it stays as it is."""
    place = Path(app.docker.add("volume", f"{STACK}_data", OURS)["Mountpoint"])
    (place / "file").touch()

    found = volumes(app).make({"volume:data", "volume:files"})

    assert {"volume:data", "volume:files"} == found.keys()
    assert all(isinstance(path, Path) and path.is_dir() for path in found.values())
    assert (place / "file").exists()
    assert [OURS, OURS] == [each["Labels"] for each in app.docker.things["volume"]]
    assert [f"{STACK}_data", f"{STACK}_files"] == names(app)


def test_a_volume_of_somebody_else_is_never_taken(app: SwarmApp) -> None:
    """Docker would hand it out without a word."""
    app.docker.add("volume", f"{STACK}_data", {NAMESPACE: STACK})

    with pytest.raises(NotEvaluated) as caught:
        volumes(app).make({"volume:data"})

    assert f"the volume {STACK}_data is not ours" == caught.value.what


def test_all_but_some_are_dropped(app: SwarmApp) -> None:
    for name in ("data", "files", "more"):
        app.docker.add("volume", f"{STACK}_{name}", OURS)
    app.docker.add("volume", "other_data", {**OURS, NAMESPACE: "other"})

    volumes(app).drop({"volume:files"})

    assert [f"{STACK}_files", "other_data"] == names(app)


def test_a_volume_with_a_name_of_its_own_is_dropped_by_it(app: SwarmApp) -> None:
    app.docker.add("volume", "own-name", OURS)

    volumes(app).drop(())

    assert [] == names(app)


def test_one_that_is_used_is_not_dropped(app: SwarmApp) -> None:
    app.docker.add("volume", f"{STACK}_data", OURS)
    app.docker.held.add(f"{STACK}_data")

    with pytest.raises(NotEvaluated) as caught:
        volumes(app).drop(())

    assert f"the volume {STACK}_data is in use" == caught.value.what
    assert f"docker ps --all --filter volume={STACK}_data shows by what" == caught.value.remedy


def test_dropping_needs_no_way_to_the_data(app: SwarmApp) -> None:
    """An app on a far engine is removed, too."""
    app.docker.add("volume", f"{STACK}_data", OURS)
    certificate(app).unlink()

    volumes(app).drop(())

    assert [] == names(app)


# -- where the engine is ---------------------------------------------------------------------


def unreachable(app: SwarmApp) -> EngineUnavailable:
    app.docker.add("volume", f"{STACK}_data", OURS)
    with pytest.raises(EngineUnavailable) as caught:
        volumes(app, "mount").places()
    assert isinstance(volumes(app).places()["volume:data"], FarVolume)
    return caught.value


@pytest.mark.parametrize("content", [None, "", "rubbish", pem("another-node"), NODE])
def test_an_engine_that_is_not_on_this_machine(content: str | None, app: SwarmApp) -> None:
    """Its node's certificate says whose data root that is."""
    certificate(app).unlink()
    if content is not None:
        certificate(app).write_text(content)

    error = unreachable(app)

    assert "the volumes cannot be read from here" == error.what
    assert f"of node {NODE} is not on this machine" in error.why


def test_a_worker_of_the_same_swarm_is_another_machine(app: SwarmApp) -> None:
    """It knows the managers, too: of them it keeps a list."""
    certificate(app).write_text(pem("id-of-a-worker-node"))
    (app.docker.root / "swarm" / "state.json").write_text(f'[{{"node_id":"{NODE}"}}]')

    assert "the volumes cannot be read from here" == unreachable(app).what


def test_a_renewed_certificate_has_its_issuer_behind_it(app: SwarmApp) -> None:
    certificate(app).write_text(pem(NODE) + pem("issuer"))
    app.docker.add("volume", f"{STACK}_data", OURS)

    assert {"volume:data"} == volumes(app).places().keys()


def test_volumes_that_we_may_not_write(app: SwarmApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK | os.X_OK)

    error = unreachable(app)

    assert "the volumes cannot be written from here" == error.what
    assert app.docker.endpoint.url == error.where
    assert f"cannot go into {app.docker.root / 'volumes' / f'{STACK}_data'}, or" in error.why
    assert f"user {os.geteuid()}" in error.why
    assert error.remedy.startswith("run as root; without the engine option volumes=mount")


def test_the_way_through_the_engine_can_be_asked_for(app: SwarmApp) -> None:
    """Also where the other one is possible."""
    app.docker.add("volume", f"{STACK}_data", OURS)

    assert isinstance(volumes(app).places()["volume:data"], Path)
    assert isinstance(volumes(app, "mount").places()["volume:data"], Path)
    assert isinstance(volumes(app, "engine").places()["volume:data"], FarVolume)


@pytest.mark.parametrize(
    "more",
    [
        {"Driver": "nfs"},
        {"Driver": "rclone:latest", "Mountpoint": ""},
        {"Options": {"type": "nfs", "device": ":/x", "o": "addr=10.0.0.9"}},
        {"Options": {"type": "tmpfs", "device": "tmpfs"}},
        {"Options": {"device": "/srv/data", "o": "bind"}},
    ],
)
def test_data_that_is_only_there_while_it_is_used(more: dict[str, object], app: SwarmApp) -> None:
    """The folder of an undeployed one is empty: it would be kept, and put back, as nothing."""
    app.docker.add("volume", f"{STACK}_data", OURS, **more)

    with pytest.raises(EngineUnavailable) as caught:
        volumes(app).places()

    assert f"the volume {STACK}_data cannot be kept" == caught.value.what


@pytest.mark.parametrize("options", [None, {}, {"o": "size=1G"}])
def test_an_ordinary_volume_with_a_limit(options: object, app: SwarmApp) -> None:
    app.docker.add("volume", f"{STACK}_data", OURS, Options=options)

    assert {"volume:data"} == volumes(app).places().keys()
