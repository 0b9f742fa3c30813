"""What is missing here for a Swarm: from Docker's own programs to what one recipe uses of others.

Nothing is pulled or deployed. A check that needs an earlier one ends with it.
"""

from __future__ import annotations

import getpass
import gzip
import importlib.metadata
import importlib.util
import os
import platform
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_warmci.clients import command, http
from pytest_warmci.engines.swarm.options import SwarmOptions
from pytest_warmci.model import Stack
from pytest_warmci.naming import BASE_DOMAIN
from pytest_warmci.runs.doctor import Check, install_command, made
from pytest_warmci.settings import EngineOptions

if TYPE_CHECKING:
    from pytest_warmci.clients.docker import Docker, Endpoint, Facts

_EXTRA: Final = "pytest-warmci[swarm]"
_PROXY_NETWORK: Final = "proxy"
_UNIX: Final = "unix://"
_SECONDS: Final = 5.0
_HOW_TO: Final = "docs/how-to/run-on-a-swarm.md"

_IPVS: Final = Path("/proc/net/ip_vs")
_CONFIGS: Final = (Path("/proc/config.gz"), Path(f"/boot/config-{platform.release()}"))
_MODULES: Final = Path("/lib/modules") / platform.release()


def check_swarm_place(options: EngineOptions) -> Iterator[Check]:
    """Look at what the swarm engine needs of this machine and of its Swarm."""
    library = made("docker library", _library)
    yield library
    yield made("docker command", _command)
    told = made("engine options", partial(_options, options))
    yield told
    if library.outcome == "missing":
        return
    from pytest_warmci.clients.docker import Docker, find_endpoint

    found = made("docker endpoint", lambda: _endpoint(find_endpoint()))
    yield found
    if found.outcome == "missing":
        return
    endpoint = find_endpoint()
    answered: list[tuple[Docker, Facts]] = []

    def engine() -> Check:
        docker = Docker(endpoint)
        answered.append((docker, docker.info()))
        return Check("docker engine", "ok", f"version {answered[0][1].get('ServerVersion')}")

    yield made("docker engine", engine)
    for docker, info in answered:
        manager = made("swarm", partial(_manager, docker, info))
        yield manager
        yield made("volumes", partial(_volumes, info, endpoint.url, _way(options)))
        if endpoint.url.startswith(_UNIX):
            yield made("ipvs", _ipvs)
        if manager.outcome != "missing":
            yield made("swarm nodes", partial(_nodes, info))
            yield made(f"network {_PROXY_NETWORK}", partial(_network, docker))
    if told.outcome != "missing":
        yield made("proxy", partial(_proxy, SwarmOptions.read(options)))


def check_stacks(name: str, stacks: list[Stack], given: frozenset[str]) -> Iterator[Check]:
    """Look at what the stacks of one recipe use that they do not bring along.

    Args:
        name: How the checks are called, like `wiki: HEAD`.
        stacks: What would be deployed.
        given: The secrets that a run gives to every app, by their names in the compose file.
    """
    from pytest_warmci.clients.docker import Docker, find_endpoint
    from pytest_warmci.engines.swarm.checks import check_networks, missing_images

    yield made(f"{name} secrets", partial(_secrets, f"{name} secrets", stacks, given))
    opened: list[Docker] = []

    def images() -> Check:
        opened.append(Docker(find_endpoint()))
        missing = {each: None for stack in stacks for each in missing_images(opened[0], stack)}
        text = f"to be pulled: {', '.join(missing)}" if missing else "all are here"
        return Check(f"{name} images", "ok", text)

    def networks() -> Check:
        for stack in stacks:
            check_networks(opened[0], stack)
        used = {full for stack in stacks for full in stack.shared.networks.values()}
        return Check(f"{name} networks", "ok", ", ".join(sorted(used)) or "only its own")

    found = made(f"{name} images", images)
    if opened:  # else it has been said that no engine answers
        yield found
        yield made(f"{name} networks", networks)


def _library() -> Check:
    if importlib.util.find_spec("docker") is None:
        remedy = f"{shlex.quote(sys.executable)} -m pip install '{_EXTRA}'"
        return Check("docker library", "missing", "docker is not installed", remedy)
    return Check("docker library", "ok", f"docker {importlib.metadata.version('docker')}")


def _command() -> Check:
    remedy = install_command("docker.io")
    if shutil.which("docker") is None:
        return Check("docker command", "missing", "there is no program docker", remedy)
    text = command.run(["docker", "--version"], timeout=30, remedy=remedy).text.strip()
    return Check("docker command", "ok", text)


def _options(options: EngineOptions) -> Check:
    told = SwarmOptions.read(options)
    told.check()
    return Check("engine options", "ok", ", ".join(told.words()) or "none")


def _endpoint(endpoint: Endpoint) -> Check:
    """See that the socket is there and may be used, as far as that can be seen."""
    name, text = "docker endpoint", f"{endpoint.url} ({endpoint.origin})"
    if not endpoint.url.startswith(_UNIX):
        return Check(name, "ok", text)
    socket = Path(endpoint.url.removeprefix(_UNIX))
    if not os.path.lexists(socket):
        remedy = "start Docker: systemctl start docker; or name another engine in DOCKER_HOST"
        return Check(name, "missing", f"{text}: there is no such socket", remedy)
    if not os.access(socket, os.R_OK | os.W_OK):
        remedy = f"usermod -aG docker {getpass.getuser()}, then log in again"
        return Check(name, "missing", f"{text}: you may not use the socket", remedy)
    return Check(name, "ok", text)


def _manager(docker: Docker, info: Facts) -> Check:
    from pytest_warmci.engines.swarm.checks import check_manager

    check_manager(docker, info)
    return Check("swarm", "ok", f"active, and this node ({info['Swarm']['NodeID']}) is a manager")


def _nodes(info: Facts) -> Check:
    count, own = info["Swarm"].get("Nodes"), info["Swarm"]["NodeID"]
    if count == 1:
        return Check("swarm nodes", "ok", "1")
    why = f"{count}: what is kept of an app are the volumes of this node only"
    remedy = (
        "pin services with volumes to it in an override file:"
        f" deploy: {{placement: {{constraints: [node.id == {own}]}}}} ({_HOW_TO})"
    )
    return Check("swarm nodes", "warn", why, remedy)


def _way(options: EngineOptions) -> str:
    """Return what the option `volumes` says, whatever is wrong with the others."""
    return dict(options).get("volumes", "")


def _volumes(info: Facts, url: str, way: str) -> Check:
    from pytest_warmci.engines.swarm.data import why_hidden

    folder = Path(str(info["DockerRootDir"])) / "volumes"
    if way == "engine":
        return Check("volumes", "ok", "through the engine, as volumes=engine says")
    hidden = why_hidden(info, url, [folder])
    if hidden is None:
        return Check("volumes", "ok", f"{folder} can be read and written")
    if way == "mount":
        raise hidden
    return Check("volumes", "ok", f"through the engine, which keeps less of a file: {hidden.why}")


def _network(docker: Docker) -> Check:
    name = f"network {_PROXY_NETWORK}"
    if _PROXY_NETWORK in docker.network_names():
        return Check(name, "ok", "it is there")
    why = "there is none: recipes that are reached through a proxy share it with the proxy"
    remedy = f"docker network create --driver overlay --attachable {_PROXY_NETWORK}"
    return Check(name, "warn", why, remedy)


def _proxy(told: SwarmOptions) -> Check:
    """Ask where apps would be for one that is not there: a proxy says so."""
    base = told.domain or BASE_DOMAIN
    if not told.proxy and not told.domain:
        why = f"none is named, and apps below {base} are in no name server"
        return Check("proxy", "warn", why, "--engine-option proxy=URL, or domain=BASE")
    url = told.url(f"warmci-doctor.{base}")
    answer = http.get(f"{url}/", timeout=_SECONDS)
    if answer.status:
        return Check("proxy", "ok", f"GET {url}/: HTTP {answer.status}")
    where = told.proxy or f"the name server's answer for *.{base}"
    remedy = f"see that the proxy answers at {where}; its authority goes into REQUESTS_CA_BUNDLE"
    return Check("proxy", "missing", f"GET {url}/: {answer.text[:200]}", remedy)


def _ipvs() -> Check:
    """Say whether services may have a virtual address, which is how names lead to them."""
    if _IPVS.exists():
        return Check("ipvs", "ok", "the kernel has it")
    for path in _CONFIGS:
        with suppress(OSError):
            data = path.read_bytes()
            text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
            if "\nCONFIG_IP_VS=" in text:
                return Check("ipvs", "ok", f"the kernel can have it ({path})")
            why = f"the kernel has it not ({path}): services find nobody by a virtual address"
            remedy = f"give services `endpoint_mode: dnsrr` in an override file ({_HOW_TO})"
            return Check("ipvs", "warn", why, remedy)
    for name in ("modules.dep", "modules.builtin"):
        with suppress(OSError):
            if "/ip_vs.ko" in (_MODULES / name).read_text("utf-8"):
                return Check("ipvs", "ok", f"the kernel can have it ({_MODULES / name})")
    return Check("ipvs", "ok", "it cannot be told from here whether the kernel has it")


def _secrets(name: str, stacks: list[Stack], given: frozenset[str]) -> Check:
    external = {
        secret.name: secret
        for stack in stacks
        for secret in stack.secrets.values()
        if secret.server_name
    }
    yours = sorted(
        each.name for each in external.values() if not each.generate and each.name not in given
    )
    if yours:
        why = f"marked generate=false, so no fresh app can have them: {', '.join(yours)}"
        remedy = "take the mark away in .env.sample, if a made-up value would do"
        return Check(name, "missing", why, remedy)
    made_up = len(external) - len(given & external.keys())
    return Check(name, "ok", f"{made_up} generated" if external else "none")
