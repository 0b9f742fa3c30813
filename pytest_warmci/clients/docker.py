"""Docker's API: the only place that talks to an engine. Looks, and makes and removes single things.

What is asked for is returned as Docker's own plain data (the API's JSON), because most of it only
passes through; the names are those of version 1.41 of the API.
"""

from __future__ import annotations

import os
import socket
import weakref
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import docker
import docker.errors
from docker.context import ContextAPI
from docker.utils import kwargs_from_env

from pytest_warmci.clients import command
from pytest_warmci.errors import CommandFailed, EngineUnavailable, FetchFailed

_SECONDS: Final = 60
"""How long one answer may take; a hung engine must not hang a run."""

_PULL_SECONDS: Final = 1800

_CHUNK: Final = 1 << 20

_NOTHING: Final = bytes(1024)
"""A tar archive with nothing in it."""

Facts = dict[str, Any]
"""One thing as Docker describes it."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Which engine is meant: its URL, what chose it, and how its command line finds it."""

    url: str
    origin: str
    arguments: tuple[str, ...]
    tls: Any = None


def find_endpoint() -> Endpoint:
    """Return the engine that the `docker` command would use: DOCKER_HOST, or a context.

    Raises:
        EngineUnavailable: The context is not there or cannot be read, or certificates are missing.
    """
    given = os.environ.get("DOCKER_HOST", "")
    if given:
        with _explained(given):
            found = kwargs_from_env()
        url = str(found.get("base_url") or given)
        return Endpoint(url, "DOCKER_HOST", ("--host", given), found.get("tls"))
    named = os.environ.get("DOCKER_CONTEXT", "")
    try:
        context = ContextAPI.get_context(named) if named else ContextAPI.get_current_context()
    except Exception as error:  # noqa: BLE001 - the library raises bare ones, too
        raise EngineUnavailable(
            "the Docker context cannot be read",
            where=named,
            why=_last_line(error),
            remedy="docker context inspect shows it",
        ) from None
    if context is None:
        raise EngineUnavailable(
            f"there is no Docker context '{named}'"
            if named
            else "Docker's current context is not there",
            why="DOCKER_CONTEXT names it" if named else "its configuration names another one",
            remedy="docker context ls shows them all",
        )
    origin = f"context {context.Name}"
    return Endpoint(str(context.Host), origin, ("--context", str(context.Name)), context.TLSConfig)


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume in a container.

    Args:
        volume: Its name.
        target: Where in the container.
        read_only: Whether the container may only read it.
        labels: Labels that it gets if it is not there: Docker makes it then.
    """

    volume: str
    target: str
    read_only: bool
    labels: Mapping[str, str]


class Docker:
    """One Docker engine.

    Every method raises `EngineUnavailable` when it does not answer (any more), and `CommandFailed`
    when it refuses.

    Args:
        endpoint: Which one.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        with _explained(endpoint.url):
            _knock(endpoint.url)
            self._api = docker.APIClient(
                base_url=endpoint.url,
                version="auto",
                timeout=_SECONDS,
                tls=False if endpoint.tls is None else endpoint.tls,
                use_ssh_client=endpoint.url.startswith("ssh://"),
            )
        weakref.finalize(self, self._api.close)

    def info(self) -> Facts:
        """Return what the engine says of itself and its Swarm."""
        return dict(self._asked("info"))

    def services(self, labels: Mapping[str, str]) -> list[Facts]:
        """Return all services with these labels."""
        return list(self._asked("services", filters=_filters(labels)))

    def tasks(self, labels: Mapping[str, str]) -> list[Facts]:
        """Return all tasks of services with these labels, also of services that are gone."""
        return list(self._asked("tasks", filters=_filters(labels)))

    def containers(self, labels: Mapping[str, str]) -> list[Facts]:
        """Return all containers of this node with these labels, stopped ones too."""
        return list(self._asked("containers", all=True, filters=_filters(labels)))

    def networks(self, labels: Mapping[str, str]) -> list[Facts]:
        """Return all networks with these labels."""
        return list(self._asked("networks", filters=_filters(labels)))

    def network_names(self) -> set[str]:
        """Return the names of all networks."""
        return {str(each["Name"]) for each in self._asked("networks")}

    def secrets(self, labels: Mapping[str, str]) -> list[Facts]:
        """Return all secrets with these labels (never their values: Docker tells nobody)."""
        return list(self._asked("secrets", filters=_filters(labels)))

    def configs(self, labels: Mapping[str, str]) -> list[Facts]:
        """Return all configs with these labels."""
        return list(self._asked("configs", filters=_filters(labels)))

    def volumes(self, labels: Mapping[str, str]) -> list[Facts]:
        """Return all volumes of this node with these labels."""
        return list(self._asked("volumes", filters=_filters(labels))["Volumes"] or [])

    def find_network(self, name: str) -> Facts | None:
        """Return the network of exactly that name."""
        return self._found("inspect_network", name)

    def find_secret(self, name: str) -> Facts | None:
        """Return the secret of exactly that name."""
        found = self._asked("secrets", filters={"name": name})
        return next((each for each in found if each["Spec"]["Name"] == name), None)

    def find_volume(self, name: str) -> Facts | None:
        """Return the volume of exactly that name on this node."""
        return self._found("inspect_volume", name)

    def find_container(self, container: str) -> Facts | None:
        """Return a container of this node by its id."""
        return self._found("inspect_container", container)

    def find_image(self, name: str) -> Facts | None:
        """Return an image of this node by its name."""
        return self._found("inspect_image", name)

    def pull(self, name: str) -> None:
        """Fetch an image from its registry.

        By the command line: the API's client reads without any limit while a registry is silent.

        Raises:
            FetchFailed: It cannot be had.
        """
        argv = ["docker", *self.endpoint.arguments, "pull", "--quiet", "--", name]
        try:
            command.run(argv, timeout=_PULL_SECONDS)
        except CommandFailed as error:
            raise FetchFailed(
                f"the image {name} could not be pulled",
                why=error.why or error.what,
                remedy=f"docker pull {name} shows what its registry says",
            ) from None

    def create_secret(self, name: str, value: bytes, labels: Mapping[str, str]) -> None:
        """Create a secret."""
        self._asked("create_secret", name, value, labels=dict(labels))

    def create_volume(self, name: str, labels: Mapping[str, str]) -> Facts:
        """Create a volume on this node; the one that is there when there is one."""
        return dict(self._asked("create_volume", name, labels=dict(labels)))

    def create_image(self, name: str, labels: Mapping[str, str]) -> None:
        """Make an image with nothing in it, without a registry.

        Args:
            name: With its tag.
            labels: What is written on it; neither names nor values may have blanks.
        """
        repository, _, tag = name.rpartition(":")
        changes = [f"LABEL {key}={value}" for key, value in labels.items()]
        self._asked(
            "import_image_from_data", _NOTHING, repository=repository, tag=tag, changes=changes
        )

    def create_container(
        self, name: str, image: str, labels: Mapping[str, str], mount: Mount
    ) -> str:
        """Create a container that never runs, but has a volume; return its id."""
        mounts = [
            docker.types.Mount(
                mount.target,
                mount.volume,
                read_only=mount.read_only,
                no_copy=True,
                labels=dict(mount.labels),
            )
        ]
        made = self._asked(
            "create_container",
            image,
            ["never-run"],  # Docker refuses a container without a command
            name=name,
            labels=dict(labels),
            host_config={"Mounts": mounts, "NetworkMode": "none"},
        )
        return str(made["Id"])

    def read_archive(self, container: str, path: str) -> Generator[bytes, None, None]:
        """Yield a folder of a container, its volumes too, as a tar stream in pieces.

        The library's own way to ask would wait for ever for an engine that hangs.
        """
        api = self._api
        url = f"{api.base_url}/v{api.api_version}/containers/{container}/archive"
        with (
            self._talking(),
            api.get(
                url,
                params={"path": path},
                headers={"Accept-Encoding": "identity"},  # else Docker compresses it, slowly
                stream=True,
                timeout=_SECONDS,
            ) as answer,
        ):
            if not answer.ok:
                raise _refusal(self.endpoint.url, answer.text)
            yield from answer.iter_content(_CHUNK)

    def write_archive(self, container: str, path: str, content: Iterable[bytes]) -> None:
        """Unpack a tar stream in a folder of a container, its volumes too."""
        self._asked("put_archive", container, path, content)

    def remove(self, kind: str, name: str) -> bool:
        """Remove a service, network, secret, config, volume or container; fine when there is none.

        Returns:
            False while something still uses it.
        """
        with self._talking():
            try:
                getattr(self._api, f"remove_{kind}")(name)
            except docker.errors.NotFound:
                return True
            except docker.errors.APIError as error:
                if error.status_code in (400, 403, 409) and _in_use(str(error.explanation)):
                    return False
                raise
        return True

    def service_logs(self, service: str, lines: int) -> Iterator[bytes]:
        """Yield the end of what the tasks of a service have written, both outputs in pieces."""
        with self._talking():
            yield from self._api.service_logs(service, stdout=True, stderr=True, tail=str(lines))

    @contextmanager
    def _talking(self) -> Iterator[None]:
        with _explained(self.endpoint.url):
            _knock(self.endpoint.url)
            yield

    def _asked(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        with self._talking():
            return getattr(self._api, verb)(*args, **kwargs)

    def _found(self, verb: str, name: str) -> Facts | None:
        with self._talking():
            try:
                return dict(getattr(self._api, verb)(name))
            except docker.errors.NotFound:
                return None


def _filters(labels: Mapping[str, str]) -> dict[str, Sequence[str]]:
    return {"label": [f"{name}={value}" for name, value in labels.items()]}


def _in_use(text: str) -> bool:
    """Tell whether a refusal to remove something says that it is still used."""
    return any(words in text for words in ("in use", "is being used", "has active endpoints"))


def _knock(url: str) -> None:
    """See that somebody listens on a Unix socket: where nobody does, the library forgets to close
    its own end, and Python warns of that in somebody else's tests.

    Raises:
        OSError: Nobody does.
    """
    if url.startswith("unix://"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as own:
            own.settimeout(_SECONDS)
            own.connect(url.removeprefix("unix://"))


@contextmanager
def _explained(where: str) -> Iterator[None]:
    """Turn errors of the library into ours."""
    try:
        yield
    except docker.errors.APIError as error:
        raise _refusal(where, str(error.explanation or error)) from None
    except (docker.errors.DockerException, OSError) as error:
        raise EngineUnavailable(
            "no Docker engine answers",
            where=where,
            why=_last_line(error),
            remedy="start it, or name another one in DOCKER_HOST",
        ) from None


def _refusal(where: str, said: str) -> CommandFailed:
    remedy = "mend what Docker says (its own log may say more), and run again"
    return CommandFailed("Docker refused", where=where, why=said, remedy=remedy)


def _last_line(error: BaseException) -> str:
    """Return what an error says, of errors within errors the innermost one."""
    while error.args and isinstance(error.args[-1], BaseException):
        error = error.args[-1]
    text = str(error).strip()
    return text.splitlines()[-1][:300] if text else type(error).__name__
