"""Secrets on a Swarm: made of the app's files, ours only, anew when nobody uses them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_warmci.engines.swarm.secrets import create_secrets
from pytest_warmci.errors import InputError, NotEvaluated
from pytest_warmci.model import RUN_SECRETS
from tests.fake_docker import NAMESPACE
from tests.unit.compose_stack import stack
from tests.unit.swarm_app import OURS, PASSWORD, STATE, SwarmApp, swarm_app

FILES = "services: {app: {image: x:1}}\nsecrets: {words: {file: words.txt}}"


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SwarmApp:
    return swarm_app(tmp_path, monkeypatch)


def create(app: SwarmApp, compose: str | None = None) -> None:
    wanted = app.stack(compose) if compose else app.stack()
    create_secrets(app.belongings, app.spot.folder, wanted)


def kept(app: SwarmApp) -> Path:
    return app.spot.folder / "secrets" / "password_v1"


def test_a_secret_is_generated_kept_and_made(app: SwarmApp) -> None:
    create(app)

    assert {PASSWORD: kept(app).read_bytes()} == app.docker.values
    assert 0o600 == kept(app).stat().st_mode & 0o777
    assert [OURS] == [each["Spec"]["Labels"] for each in app.docker.things["secret"]]


def test_a_kept_one_is_made_without_what_an_editor_adds(app: SwarmApp) -> None:
    """As it is read everywhere else."""
    kept(app).parent.mkdir()
    kept(app).write_text("by hand\n")

    create(app)

    assert {PASSWORD: b"by hand"} == app.docker.values


def test_one_of_an_undeployed_app_is_made_anew(app: SwarmApp) -> None:
    """Nobody knows what is in it."""
    app.docker.add("secret", PASSWORD, OURS)

    create(app)

    assert kept(app).read_bytes() == app.docker.values[PASSWORD]
    assert 1 == len(app.docker.things["secret"])


def test_one_that_is_used_is_kept(app: SwarmApp) -> None:
    """A new version is a new secret; under the same name Docker would not change it."""
    app.up()
    before = list(app.docker.things["secret"])
    (app.spot.folder / "secrets" / "password_v1").write_text("changed")

    create(app)

    assert before == app.docker.things["secret"]


def test_a_secret_for_this_run_stands_before_the_kept_one(app: SwarmApp) -> None:
    given = app.spot.folder / RUN_SECRETS / "password"
    given.parent.mkdir()
    given.write_text("for one run")

    create(app)

    assert {PASSWORD: b"for one run"} == app.docker.values
    assert not kept(app).exists()


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {NAMESPACE: OURS[NAMESPACE]},
        {**OURS, "pytest-warmci.state": "another"},
        {**OURS, NAMESPACE: "another_app"},
    ],
)
def test_one_of_somebody_else_is_refused(labels: dict[str, str], app: SwarmApp) -> None:
    """Another app of ours is somebody else, too."""
    app.docker.add("secret", PASSWORD, labels)

    with pytest.raises(NotEvaluated) as caught:
        create(app)

    assert f"the secret {PASSWORD} is not ours" == caught.value.what
    assert app.docker.endpoint.url == caught.value.where
    assert [labels] == [each["Spec"]["Labels"] for each in app.docker.things["secret"]]


def test_one_that_cannot_be_made_anew_is_said(app: SwarmApp) -> None:
    app.docker.add("secret", PASSWORD, OURS)
    app.docker.held.add(PASSWORD)

    with pytest.raises(NotEvaluated) as caught:
        create(app)

    assert f"the secret {PASSWORD} is in use" == caught.value.what


def test_one_that_must_be_given(app: SwarmApp) -> None:
    """Before anything is made."""
    sample = "SECRET_PASSWORD_VERSION=v1 # generate=false"
    compose = (
        "services: {app: {image: x:1}}\n"
        "secrets: {password: {external: true, name: '${STACK_NAME}_password_$SECRET_PASSWORD_VERSION'}}"
    )
    wanted = stack(compose, {"SECRET_PASSWORD_VERSION": "v1"}, {".env.sample": sample})

    with pytest.raises(InputError, match="marked generate=false"):
        create_secrets(app.belongings, app.spot.folder, wanted)

    assert {} == app.docker.values


def test_one_whose_content_is_in_the_recipe_is_dockers_to_make(app: SwarmApp) -> None:
    create(app, FILES)

    assert [] == app.docker.things["secret"]
    assert [] == list((app.spot.folder / "secrets").iterdir())
    assert STATE not in str(app.docker.values)
