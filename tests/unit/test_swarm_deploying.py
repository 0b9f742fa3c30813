"""`docker stack deploy`: exactly what is run, with which environment, and whose fault an error is."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_warmci.clients import command
from pytest_warmci.clients.docker import Endpoint
from pytest_warmci.engines.swarm import deploying
from pytest_warmci.engines.swarm.deploying import check_variables, stack_deploy
from pytest_warmci.errors import CommandFailed, InputError, NotEvaluated, RecipeFailed
from pytest_warmci.model import Rendering, Stack
from tests.unit.compose_stack import STACK, stack

HERE = Endpoint("unix:///run/engine.sock", "DOCKER_HOST", ("--host", "unix:///run/engine.sock"))


class Client:
    """Docker's command line of a version; it says what it was told to."""

    def __init__(self, version: str = "28.2.2") -> None:
        self.version = version
        self.code, self.said = 0, b""
        self.asked_version: list[list[str]] = []
        self.deployed: list[tuple[list[str], dict[str, Any]]] = []

    def run(self, argv: Sequence[str | Path], **more: Any) -> command.Completed:
        words = [os.fspath(word) for word in argv]
        if "version" in words:
            self.asked_version.append(words)
            assert {"timeout"} == more.keys()
            return command.Completed(0, f"{self.version}\n".encode(), b"")
        assert "deploy" in words, words
        self.deployed.append((words, more))
        return command.Completed(self.code, b"", self.said)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    made = Client()
    monkeypatch.setattr(command, "run", made.run)
    deploying._detaches.cache_clear()
    return made


def recipe(folder: Path, *names: str) -> Path:
    for name in names or ("compose.yml",):
        (folder / name).write_text("services: {}\n")
    return folder


def given(stack: Stack, variables: Mapping[str, str] | None = None, *files: str) -> Stack:
    """Return the stack rendered from these variables and files."""
    return replace(stack, rendering=Rendering(files or ("compose.yml",), "3.8", variables or {}))


BASE = [
    "docker", "--host", "unix:///run/engine.sock", "stack", "deploy", "--resolve-image", "never",
]  # fmt: skip


@pytest.mark.parametrize(
    ("version", "detaching"),
    [
        ("20.10.24", []),
        ("20.10.24+dfsg1", []),
        ("25.0.5", []),
        ("26.0.0", ["--detach=true"]),
        ("28.2.2", ["--detach=true"]),
        ("", []),
        ("dev", []),
    ],
)
def test_exactly_what_is_run(
    version: str, detaching: list[str], client: Client, tmp_path: Path
) -> None:
    """All of the recipe's files in their order, then ours; nothing waits, nothing is resolved."""
    client.version = version
    recipe(tmp_path, "compose.yml", "compose.db.yml")
    wanted = given(stack(), {}, "compose.yml", "compose.db.yml")

    stack_deploy(HERE, wanted, tmp_path, [Path("/more.yml"), Path("/app/override.yml")])

    files: list[str] = []
    for name in ("compose.yml", "compose.db.yml", "/more.yml", "/app/override.yml"):
        files += ["--compose-file", name]
    [(argv, more)] = client.deployed
    assert [*BASE, *detaching, *files, STACK] == argv
    assert (tmp_path, False, 120.0) == (more["cwd"], more["check"], more["timeout"])
    asked = ["docker", *HERE.arguments, "version", "--format", "{{.Client.Version}}"]
    assert [asked] == client.asked_version


def test_an_override_file_is_found_from_where_we_are(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client is started in the recipe's folder, where there may be one of that name."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "recipe"
    folder.mkdir()
    recipe(folder, "compose.yml", "more.yml")

    stack_deploy(HERE, given(stack()), folder, [Path("more.yml")])

    [(argv, _)] = client.deployed
    assert ["compose.yml", "--compose-file", str(tmp_path / "more.yml")] == argv[-4:-1]


def test_the_client_is_asked_for_its_version_once(client: Client, tmp_path: Path) -> None:
    for _ in range(3):
        stack_deploy(HERE, given(stack()), recipe(tmp_path), [])

    assert (1, 3) == (len(client.asked_version), len(client.deployed))


def test_the_environment(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipe's variables, and of ours what the client needs: it wins over theirs."""
    for name in [name for name in os.environ if name.startswith("DOCKER_")]:
        monkeypatch.delenv(name)
    ours = {
        "PATH": "/bin",
        "HOME": "/root",
        "SSH_AUTH_SOCK": "/agent",
        "XDG_RUNTIME_DIR": "/run/user/0",
        "DOCKER_CONFIG": "/ours",
        "DOCKER_TLS_VERIFY": "1",
    }
    for name, text in {**ours, "SECRET_OF_CI": "x", "DOMAIN": "ours"}.items():
        monkeypatch.setenv(name, text)
    theirs = {"DOMAIN": "theirs", "STACK_NAME": STACK, "VERSION": "v1"}
    bad = {"PATH": "/evil", "HOME": "/evil", "DOCKER_CONFIG": "/evil", "DOCKER_TLS_VERIFY": ""}

    stack_deploy(HERE, given(stack(), {**theirs, **bad}), recipe(tmp_path), [])

    [(_, more)] = client.deployed
    assert {**theirs, **ours} == more["env"]


# -- what is refused before anything runs ----------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "PATH", "HOME", "TMPDIR", "SHELL", "SSH_AUTH_SOCK", "XDG_CONFIG_HOME", "LD_PRELOAD",
        "GODEBUG", "SSL_CERT_FILE", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG",
        "DOCKER_CERT_PATH", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_API_VERSION",
        "DOCKER_CONTENT_TRUST", "DOCKER_CONTENT_TRUST_SERVER", "DOCKER_CLI_HINTS",
        "DOCKER_CUSTOM_HEADERS", "DOCKER_AUTH_CONFIG", "HTTP_PROXY", "https_proxy", "no_proxy",
        "ALL_PROXY",
    ],
)  # fmt: skip
def test_a_variable_that_would_steer_the_client(name: str) -> None:
    with pytest.raises(InputError) as caught:
        check_variables(given(stack(), {"DOMAIN": "x", name: "y"}))

    assert f"the variable {name} cannot be used" == caught.value.what
    assert caught.value.where.endswith(": .env")


@pytest.mark.parametrize(
    "name",
    [
        "DOMAIN", "STACK_NAME", "PATHS", "MY_PATH", "APP_HOME", "DOCKER_SOCK", "DOCKER_HOST_IP",
        "PROXY", "MY_HTTP_PROXY", "GO_VERSION", "SHELLS",
    ],
)  # fmt: skip
def test_other_variables_are_the_recipes_own(name: str) -> None:
    check_variables(given(stack(), {name: "y"}))


OUTSIDE = ["../other.yml", "/etc/passwd", "a/../../b", "sub/../../x"]


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_compose_file_outside_of_the_recipe(name: str, client: Client, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        stack_deploy(HERE, given(stack(), {}, "compose.yml", name), recipe(tmp_path), [])

    assert f"'{name}' leads out of the recipe" == caught.value.what
    assert [] == client.deployed


def test_a_symlink_out_of_the_recipe(client: Client, tmp_path: Path) -> None:
    """One within it is fine."""
    folder = tmp_path / "recipe"
    folder.mkdir()
    recipe(folder)
    (tmp_path / "outside.yml").touch()
    (folder / "inner.yml").symlink_to("compose.yml")
    (folder / "outer.yml").symlink_to("../outside.yml")
    stack_deploy(HERE, given(stack(), {}, "inner.yml"), folder, [])

    with pytest.raises(InputError, match=r"'outer\.yml' leads out of the recipe"):
        stack_deploy(HERE, given(stack(), {}, "outer.yml"), folder, [])
    assert 1 == len(client.deployed)


def naming(name: str) -> list[Stack]:
    """Return recipes that name a file in each way that Docker's command line reads."""
    files = {name: "", "inside.env": ""}
    app = {"image": "x:1"}
    return [
        stack({"services": {"app": {**app, "env_file": name}}}, None, files),
        stack({"services": {"app": {**app, "env_file": ["inside.env", name]}}}, None, files),
        stack({"services": {"app": app}, "secrets": {"s": {"file": name}}}, None, files),
    ]


@pytest.mark.parametrize("way", range(3))
def test_a_symlink_that_the_compose_file_names(way: int, client: Client, tmp_path: Path) -> None:
    """Seen where the files lie."""
    folder = tmp_path / "recipe"
    folder.mkdir()
    recipe(folder)
    (folder / "inside.env").touch()
    (folder / "x.env").symlink_to("/etc/passwd")

    with pytest.raises(InputError, match=r"'x\.env' leads out of the recipe"):
        stack_deploy(HERE, naming("x.env")[way], folder, [])
    assert [] == client.deployed


# -- whose fault it is -----------------------------------------------------------------------

RECIPES = [
    "invalid image reference for service app: invalid reference format",
    "services.app Additional property imag is not allowed",
    "services.app.deploy.replicas must be a integer",
    "services.app.healthcheck.interval '5' is not a valid duration",
    'service "app" refers to undefined network',
    'required variable VERSION is missing a value: "say which"',
]
PLACES = [
    "service app: secret not found: shop_password_v1",
    'network "proxy" is declared as external, but could not be found. You need to create a swarm-scoped network',
    "unsupported Compose file version: 1.0",
    "Cannot connect to the Docker daemon at unix:///run/engine.sock. Is the docker daemon running?",
    "this node is not a swarm manager",
    "the network proxy must be attachable",
    "",
]


@pytest.mark.parametrize("said", RECIPES)
def test_compose_files_that_no_place_could_deploy(
    said: str, client: Client, tmp_path: Path
) -> None:
    client.code, client.said = 1, f"{said}\n".encode()

    with pytest.raises(RecipeFailed) as caught:
        stack_deploy(HERE, given(stack()), recipe(tmp_path), [])

    assert ("Docker refuses the compose files", said) == (caught.value.what, caught.value.why)
    assert "nothing" == caught.value.changed


@pytest.mark.parametrize("said", PLACES)
def test_anything_else_may_be_trouble_of_the_place(
    said: str, client: Client, tmp_path: Path
) -> None:
    """Part of the stack may be there already: its network is, when a secret is missing."""
    client.code, client.said = 1, said.encode()

    with pytest.raises(NotEvaluated) as caught:
        stack_deploy(HERE, given(stack()), recipe(tmp_path), [])

    assert isinstance(caught.value, CommandFailed)
    assert ("docker stack deploy failed", said) == (caught.value.what, caught.value.why)
    assert "part of the stack may have been deployed" == caught.value.changed


def test_a_config_that_was_changed_under_its_name(client: Client, tmp_path: Path) -> None:
    """The commonest fault of a recipe, with the way out."""
    client.code = 1
    client.said = b"failed to update config x: rpc error: only updates to Labels are allowed"

    with pytest.raises(RecipeFailed) as caught:
        stack_deploy(HERE, given(stack()), recipe(tmp_path), [])

    assert "a config was changed and kept its name" == caught.value.what
    assert "count its version up in abra.sh" in caught.value.remedy
