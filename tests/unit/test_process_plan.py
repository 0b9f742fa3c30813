"""From a rendered stack to processes: argv, environment, order, and what makes a restart due."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_warmci.engines.process.config import ProcessConfig, read_config
from pytest_warmci.engines.process.plan import (
    ServicePlan,
    Surroundings,
    check,
    inner_address,
    plan,
)
from pytest_warmci.errors import EngineCannotSee, InputError
from pytest_warmci.model import RUN_SECRETS, Address, Stack
from tests.unit.process_app import TinyApp

ADDRESS = Address(12345, "127.20.30")


@pytest.fixture
def tiny(tmp_path: Path) -> TinyApp:
    return TinyApp(tmp_path)


def around(tiny: TinyApp, **more: object) -> Surroundings:
    known: dict[str, object] = {
        "folder": tiny.spot.folder,
        "recipe_folder": tiny.recipe,
        "address": ADDRESS,
        "installs": {"app": "key-a", "db": "key-d"},
        "launchers": "launchers",
        "runtimes": {},
        "as_root": False,
    }
    return Surroundings(**{**known, **more})  # type: ignore[arg-type]


def config(tiny: TinyApp, change: Callable[[str], str] = lambda text: text) -> ProcessConfig:
    path = tiny.recipe / "process.yml"
    path.write_text(change(path.read_text()))
    return read_config(tiny.recipe)


def planned(tiny: TinyApp, stack: Stack | None = None, **more: object) -> dict[str, ServicePlan]:
    return plan(stack or tiny.stack(), config(tiny), around(tiny, **more))


def test_services_come_in_the_order_of_their_needs(tiny: TinyApp) -> None:
    """What is depended on first."""
    assert ["db", "app"] == list(planned(tiny))


@pytest.mark.parametrize("needed", ["app", "nobody"])
def test_a_circle_or_an_unknown_need_is_refused(tiny: TinyApp, needed: str) -> None:
    """Nothing could ever start."""
    tiny.files["compose.yml"] = tiny.files["compose.yml"].replace(
        "    image: db:2.0\n", f"    image: db:2.0\n    depends_on: [{needed}]\n"
    )

    with pytest.raises(InputError, match=r"depends_on|nobody"):
        planned(tiny)


def test_container_paths_are_the_apps(tiny: TinyApp) -> None:
    """In argv and environment: install, secrets, volumes."""
    app = planned(tiny)["app"]

    folder = tiny.spot.folder
    assert (f"{folder}/run/app/install/bin/web",) == app.argv
    assert f"{folder}/volumes/web" == app.environment["DATA"]
    assert app.environment["PASSWORD_FILE"].startswith(f"{folder}/secrets/")
    assert ("1", "12345") == (app.environment["FROM_IMAGE"], app.environment["PORT"])
    assert ("127.0.0.1", 12345) == (app.environment["WARMCI_ADDRESS"], app.port)
    assert 0.3 == app.stop_grace


def test_a_secret_for_one_run_stands_in_the_place_of_the_kept_one(tiny: TinyApp) -> None:
    """A service that has read the other one is started anew."""
    kept = planned(tiny)["app"]
    own = tiny.spot.folder / RUN_SECRETS / "password"
    own.parent.mkdir(parents=True)
    own.write_text("for one run")

    app = planned(tiny)["app"]

    assert str(own) == app.environment["PASSWORD_FILE"]
    assert kept.key != app.key


def test_nothing_of_our_environment_gets_in(
    tiny: TinyApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What runs is what the recipe says."""
    monkeypatch.setenv("OWN_SECRET", "x")

    assert all("OWN_SECRET" not in each.environment for each in planned(tiny).values())


def test_inner_services_have_addresses_of_their_own(tiny: TinyApp) -> None:
    """One for each name, so that ports keep their meaning."""
    plans = planned(tiny)
    hosts = plans["app"].files[plans["app"].scratch / "hosts"][0].decode().splitlines()

    assert "127.20.30.3" == inner_address(tiny.stack(), "db", ADDRESS)
    assert "127.20.30.3" == plans["db"].environment["WARMCI_ADDRESS"]
    assert plans["db"].port is None
    assert "127.0.0.1 localhost" == hosts[0]
    assert ["127.0.0.1 app", "127.20.30.3 db"] == hosts[-2:]


def test_the_healthcheck_of_the_recipe_is_what_is_run(tiny: TinyApp) -> None:
    """A stand-in's GET for the served one, the program for the other."""
    plans = planned(tiny)
    app, db = plans["app"].health, plans["db"].health

    assert app is not None
    assert db is not None
    assert ("http://localhost:12345/health", 200, ()) == (app.url, app.status, app.argv)
    assert ("", ("ready",), 2.0) == (db.url, db.argv, db.timeout)
    assert 20 + 1 + 5 == app.grace


@pytest.mark.parametrize(
    ("test", "argv"),
    [
        ("[CMD-SHELL, 'test -f /var/db/x && true']", ("/bin/sh", "-c", "test -f DIR/x && true")),
        ("[CMD, test, -f, /var/db/x]", ("test", "-f", "DIR/x")),
        ("test -f /var/db/x", ("/bin/sh", "-c", "test -f DIR/x")),
    ],
)
def test_healthchecks_of_all_forms(tiny: TinyApp, test: str, argv: tuple[str, ...]) -> None:
    """With paths replaced in the shell's line too."""
    tiny.files["compose.yml"] = tiny.files["compose.yml"].replace("[CMD, ready]", test)

    health = planned(tiny)["db"].health

    assert health is not None
    data = str(tiny.spot.folder / "volumes" / "db")
    assert tuple(word.replace("DIR", data) for word in argv) == health.argv


def test_a_recipes_entrypoint_drops_the_images_command(tiny: TinyApp) -> None:
    """As in Docker; a command alone keeps the image's entrypoint."""
    text = tiny.files["compose.yml"]
    (tiny.recipe / "process.yml").write_text(
        (tiny.recipe / "process.yml")
        .read_text()
        .replace(
            "    entrypoint: [/opt/db/bin/db]\n",
            "    entrypoint: [/opt/db/bin/db]\n    command: [serve]\n",
        )
    )

    def argv(extra: str) -> list[str]:
        tiny.files["compose.yml"] = text.replace("image: db:2.0\n", f"image: db:2.0\n{extra}")
        return [word.rpartition("/")[2] for word in planned(tiny)["db"].argv]

    assert ["db", "serve"] == argv("")
    assert ["db", "other"] == argv("    command: other\n")
    assert ["sh"] == argv("    entrypoint: /bin/sh\n")
    assert ["sh", "-x"] == argv("    entrypoint: /bin/sh\n    command: -x\n")


def test_root_gives_up_its_uid_where_asked(tiny: TinyApp) -> None:
    """Only as root, only for the service that asks, also for its healthcheck."""
    path = tiny.recipe / "process.yml"
    path.write_text(
        path.read_text().replace(
            "    install: /opt/db\n", "    install: /opt/db\n    run_as: unprivileged\n"
        )
    )

    root, user = planned(tiny, as_root=True), planned(tiny)

    assert "unshare" == root["db"].argv[0]
    assert root["db"].health is not None
    assert "unshare" == root["db"].health.argv[0]
    assert "unshare" not in (*root["app"].argv, *user["db"].argv)


@pytest.mark.parametrize(
    "change",
    [
        ("web:1.0", "web:1.0", {"installs": {"app": "other", "db": "key-d"}}),
        ('MODE: "${MODE:-}"', "MODE: changed", {}),
        ("stop_grace_period: 300ms", "stop_grace_period: 400ms", {}),
        ("", "", {"launchers": "other"}),
        ("", "", {"address": Address(54321, "127.20.30")}),
    ],
    ids=["install", "environment", "grace", "launchers", "address"],
)
def test_what_shapes_a_process_makes_a_restart_due(
    tiny: TinyApp, change: tuple[str, str, dict[str, object]]
) -> None:
    """Its key differs; so does it after a change of a config's content."""
    before = planned(tiny)["app"].key
    old, new, more = change
    tiny.files["compose.yml"] = (
        tiny.files["compose.yml"].replace(old, new) if old else tiny.files["compose.yml"]
    )

    assert before != planned(tiny, None, **more)["app"].key


def test_a_configs_content_makes_a_restart_due(tiny: TinyApp) -> None:
    """But only of the service that mounts it."""
    before = planned(tiny)
    tiny.files["settings"] = "new"

    after = planned(tiny)

    assert (False, True) == (
        before["app"].key == after["app"].key,
        before["db"].key == after["db"].key,
    )


def test_another_commit_alone_is_no_reason_to_restart(tiny: TinyApp) -> None:
    """Nothing that runs has changed."""
    assert planned(tiny)["app"].key == planned(tiny, tiny.stack("b"))["app"].key


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (
            "curl localhost",
            "curl -f localhost",
            "the stand-in in process.yml is for 'curl localhost'",
        ),
        ("DATA: /data\n", "DATA: /data\n      PORT: '80'\n", "environment.PORT is '80'"),
        (
            "  db:\n    image",
            "  cache: {image: 'redis:1'}\n  db:\n    image",
            "service 'cache' is not described",
        ),
    ],
)
def test_what_process_yml_does_not_describe_is_not_evaluated(
    tiny: TinyApp, old: str, new: str, what: str
) -> None:
    """A stand-in stands for exactly one text."""
    tiny.files["compose.yml"] = tiny.files["compose.yml"].replace(old, new, 1)

    with pytest.raises(EngineCannotSee) as caught:
        check(tiny.stack(), config(tiny))

    assert what in caught.value.what


def test_the_served_service_must_be_in_the_recipe(tiny: TinyApp) -> None:
    """A recipe may have lost it."""
    described = config(
        tiny,
        lambda text: text.replace(
            "  db:", "  web:\n    image: x\n    artifact: 'maven:a'\n    install: /x\n  db:"
        ).replace("service: app", "service: web"),
    )

    with pytest.raises(EngineCannotSee, match="the served service 'web'"):
        check(tiny.stack(), described)


def test_a_described_recipe_is_fine(tiny: TinyApp) -> None:
    """Nothing to say."""
    check(tiny.stack(), config(tiny))
