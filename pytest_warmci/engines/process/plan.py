"""From a rendered stack to what has to run: one plan a service. Starts and writes nothing."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_warmci.engines.process.config import HttpCheck, ProcessConfig, ServiceConfig
from pytest_warmci.engines.process.paths import Replacements
from pytest_warmci.engines.secrets import secret_path
from pytest_warmci.errors import EngineCannotSee, InputError
from pytest_warmci.model import Address, ConfigMount, Healthcheck, Service, Stack

UNPRIVILEGED = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")
"""Prefix that runs a program under another uid without giving its files away (util-linux)."""

_NO_CHECK = 5.0


@dataclass(frozen=True, slots=True)
class HealthPlan:
    """How to see that a service is healthy: a GET, or a program that must end with 0.

    `grace` is the time in seconds that Swarm would give it: start period, then every retry.
    """

    url: str
    status: int
    argv: tuple[str, ...]
    timeout: float
    grace: float


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """One service as a process.

    `files` are config files to write (path → content and mode), `links` what to link into the
    install (relative path → target). `key` names everything that shapes the process.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    scratch: Path
    files: Mapping[Path, tuple[bytes, int]]
    links: Mapping[str, Path]
    depends_on: tuple[str, ...]
    stop_grace: float
    stop_signal: str
    health: HealthPlan | None
    port: int | None
    key: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a plan needs to know of the app and the machine.

    `installs` maps a service to the key of its prepared install, `launchers` is the digest of
    the recipe's launchers, `runtimes` maps a runtime's name to what it adds to the environment,
    `as_root` tells whether we are uid 0.
    """

    folder: Path
    recipe_folder: Path
    address: Address
    installs: Mapping[str, str]
    launchers: str
    runtimes: Mapping[str, Mapping[str, str]]
    as_root: bool


def check(stack: Stack, config: ProcessConfig) -> None:
    """Raise when this stack is not what process.yml describes.

    Raises:
        EngineCannotSee: A service, a text or a kind of mount that it does not describe.
    """
    for name, service in stack.services.items():
        described = config.services.get(name)
        if described is None:
            raise EngineCannotSee(
                f"service '{name}' is not described in process.yml",
                remedy=f"describe it under services.{name}, or use another engine",
            )
        _check_stand_ins(service, described)
    if config.served.service not in stack.services:
        raise EngineCannotSee(
            f"the served service '{config.served.service}' is not in the compose file",
            remedy="correct served.service in process.yml",
        )


def _check_stand_ins(service: Service, config: ServiceConfig) -> None:
    for variable, stand_in in config.stand_ins.environment.items():
        text = service.environment_text.get(variable)
        if text != stand_in.text:
            raise EngineCannotSee(
                f"services.{service.name}.environment.{variable} is {_quoted(text)},"
                f" the stand-in in process.yml is for {_quoted(stand_in.text)}",
                remedy="write a stand-in for the new text, or use another engine",
            )
    words = _words(service, config)
    for word in config.stand_ins.arguments:
        if word not in words:
            raise EngineCannotSee(
                f"services.{service.name} runs {' '.join(words)!r},"
                f" the stand-in in process.yml is for its argument {word!r}",
                remedy="write a stand-in for the new text, or use another engine",
            )
    wanted = config.stand_ins.healthcheck
    if wanted is not None:
        text = service.healthcheck.text if service.healthcheck else None
        if text != wanted.text:
            raise EngineCannotSee(
                f"services.{service.name}.healthcheck.test is {_quoted(text)},"
                f" the stand-in in process.yml is for {_quoted(wanted.text)}",
                remedy="write a stand-in for the new text, or use another engine",
            )


def _quoted(text: str | None) -> str:
    return "absent" if text is None else repr(text)


def plan(stack: Stack, config: ProcessConfig, around: Surroundings) -> dict[str, ServicePlan]:
    """Plan every service of a stack, in the order in which they can start."""
    plans = {
        name: _plan_service(stack, service, config, around)
        for name, service in stack.services.items()
    }
    ordered: dict[str, ServicePlan] = {}
    while len(ordered) < len(plans):
        ready = [
            name
            for name, one in plans.items()
            if name not in ordered and all(needed in ordered for needed in one.depends_on)
        ]
        if not ready:
            circle = ", ".join(sorted(set(plans) - set(ordered)))
            raise InputError(f"depends_on goes round in a circle or names nothing: {circle}")
        ordered.update({name: plans[name] for name in ready})
    return ordered


def service_environment(service: Service, config: ServiceConfig) -> dict[str, str]:
    """Return what the image and the compose file set, without what a stand-in replaces.

    This is what a prepare step may choose from: it holds nothing of one app.
    """
    merged = {**config.environment, **service.environment}
    return {k: v for k, v in merged.items() if k not in config.stand_ins.environment}


def bin_folder(folder: Path, service: str) -> Path:
    """Return where the programs that a service's image brings are linked for one app."""
    return folder / "run" / service / "bin"


def base_environment(runtime: Mapping[str, str], programs: Path) -> dict[str, str]:
    """Return what every process gets besides its service's own environment."""
    return {"PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", **runtime}


def service_address(stack: Stack, name: str, config: ProcessConfig, address: Address) -> str:
    """Return the address that a service listens on: its own, or 127.0.0.1 for the served one."""
    if name == config.served.service:
        return "127.0.0.1"
    return inner_address(stack, name, address)


def inner_address(stack: Stack, name: str, address: Address) -> str:
    """Return the loopback address that belongs to one service of one app."""
    return f"{address.subnet}.{sorted(stack.services).index(name) + 2}"


def hosts(stack: Stack, config: ProcessConfig, address: Address) -> bytes:
    """Return the hosts file of an app: every service by its name."""
    # A server asks for the machine's own name too.
    lines = ["127.0.0.1 localhost", f"127.0.0.1 {socket.gethostname()}"]
    lines += [
        f"{service_address(stack, name, config, address)} {name}"
        for name in sorted(stack.services)
    ]
    return ("\n".join(lines) + "\n").encode()


def _plan_service(
    stack: Stack, service: Service, config: ProcessConfig, around: Surroundings
) -> ServicePlan:
    own = config.services[service.name]
    scratch = around.folder / "run" / service.name
    install = scratch / "install"
    served = service.name == config.served.service
    address = inner_address(stack, service.name, around.address)
    mounts = _mounts(stack, service, around, scratch)
    programs = {
        path: str((around.recipe_folder / launcher).resolve())
        for path, launcher in own.programs.items()
        if path.startswith("/")
    }
    replace = Replacements({**mounts, **programs, own.install: str(install)})

    def fill(text: str) -> str:
        return text.replace("{port}", str(around.address.port)).replace("{address}", address)

    stand_ins = {name: fill(each.value) for name, each in own.stand_ins.environment.items()}
    merged = {**own.environment, **service.environment}
    environment = {
        **base_environment(
            around.runtimes[own.runtime] if own.runtime else {},
            bin_folder(around.folder, service.name),
        ),
        "HOME": str(scratch / "home"),
        "TMPDIR": str(scratch / "tmp"),
        **{name: replace(value) for name, value in merged.items()},
        **stand_ins,
        "WARMCI_ADDRESS": service_address(stack, service.name, config, around.address),
        "WARMCI_HOSTS": str(scratch / "hosts"),
        "WARMCI_INSTALL": str(install),
        "WARMCI_SCRATCH": str(scratch / "tmp"),
    }
    prefix = UNPRIVILEGED if own.run_as == "unprivileged" and around.as_root else ()
    stood = {word: fill(value) for word, value in own.stand_ins.arguments.items()}
    words = (stood[word] if word in stood else replace(word) for word in _words(service, own))
    argv = (*prefix, *words)
    files = {
        _config_file(scratch, mount): (
            replace(stack.configs[mount.name][1].decode("utf-8", "surrogateescape")).encode(
                "utf-8", "surrogateescape"
            ),
            mount.mode | 0o600,
        )
        for mount in service.configs
    }
    files[scratch / "hosts"] = (hosts(stack, config, around.address), 0o600)
    links = {
        str(Path(target).relative_to(own.install)): Path(there)
        for target, there in mounts.items()
        if target.startswith(own.install.rstrip("/") + "/")
    }
    health = _health(service, own, config, around, address, prefix, replace)
    shaped = [
        argv,
        sorted(environment.items()),
        [
            [str(path), hashlib.sha256(data).hexdigest(), mode]
            for path, (data, mode) in files.items()
        ],
        sorted((key, str(value)) for key, value in links.items()),
        around.installs[service.name],
        around.launchers,
        service.stop_grace,
    ]
    return ServicePlan(
        name=service.name,
        argv=argv,
        environment=environment,
        scratch=scratch,
        files=files,
        links=links,
        depends_on=service.depends_on,
        stop_grace=service.stop_grace,
        stop_signal=own.stop_signal,
        health=health,
        port=around.address.port if served else None,
        key=hashlib.sha256(json.dumps(shaped).encode()).hexdigest()[:20],
    )


def _words(service: Service, own: ServiceConfig) -> tuple[str, ...]:
    """Return the entrypoint and the command that a container would run."""
    entrypoint = service.entrypoint if service.entrypoint is not None else tuple(own.entrypoint)
    # As in Docker, an entrypoint of the compose file drops the image's own command.
    default = tuple(own.command) if service.entrypoint is None else ()
    return (*entrypoint, *(service.command if service.command is not None else default))


def _mounts(stack: Stack, service: Service, around: Surroundings, scratch: Path) -> dict[str, str]:
    table = {
        mount.target: str(secret_path(around.folder, stack.secrets[mount.name]))
        for mount in service.secrets
    }
    table |= {
        mount.target: str(around.folder / "volumes" / mount.name) for mount in service.volumes
    }
    table |= {mount.target: str(_config_file(scratch, mount)) for mount in service.configs}
    return table


def _config_file(scratch: Path, mount: ConfigMount) -> Path:
    return scratch / "configs" / mount.name


def _health(
    service: Service,
    own: ServiceConfig,
    config: ProcessConfig,
    around: Surroundings,
    address: str,
    prefix: tuple[str, ...],
    replace: Replacements,
) -> HealthPlan | None:
    check = service.healthcheck
    if check is None:
        return None
    grace = check.start_period + check.retries * (check.interval + _NO_CHECK)
    stand_in = own.stand_ins.healthcheck
    if stand_in is not None:
        return HealthPlan(
            url=_check_url(stand_in.http, config, service, around, address),
            status=stand_in.http.status,
            argv=(),
            timeout=check.timeout,
            grace=grace,
        )
    return HealthPlan("", 0, (*prefix, *_check_argv(check, replace)), check.timeout, grace)


def _check_url(
    check: HttpCheck, config: ProcessConfig, service: Service, around: Surroundings, address: str
) -> str:
    if service.name == config.served.service and check.port == config.served.port:
        return f"{around.address.url}{check.path}"
    return f"http://{address}:{check.port}{check.path}"


def _check_argv(check: Healthcheck, replace: Replacements) -> tuple[str, ...]:
    kind, *words = check.test
    if kind == "CMD-SHELL":
        return ("/bin/sh", "-c", replace(" ".join(words)))
    return tuple(replace(word) for word in words)


def running_as_root() -> bool:
    """Tell whether we are uid 0."""
    return os.geteuid() == 0
