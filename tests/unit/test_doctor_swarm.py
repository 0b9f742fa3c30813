"""What a Swarm lacks: one line for each thing, with the command that mends it."""

from __future__ import annotations

import gzip
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_warmci.clients import docker, http
from pytest_warmci.clients.docker import Endpoint
from pytest_warmci.errors import EngineUnavailable
from pytest_warmci.runs import doctor
from pytest_warmci.runs.doctor import Check, check_place
from tests.fake_docker import NODE, FakeDocker
from tests.unit.swarm_machine import PROXY, Machine
from tests.unit.warm_state import setting

NAMES = [
    *("docker library", "docker command", "engine options", "docker endpoint", "docker engine"),
    *("swarm", "volumes", "ipvs", "swarm nodes", "network proxy", "proxy"),
]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_a_healthy_machine(machine: Machine) -> None:
    """Everything is looked at, and nothing has to be done."""
    found = machine.checks()

    assert NAMES == [*found]
    assert {("ok", "")} == {(each.outcome, each.remedy) for each in found.values()}, found
    assert "Docker version 28.2.2" == found["docker command"].found
    assert f"unix://{machine.socket} (DOCKER_HOST)" == found["docker endpoint"].found
    assert "proxy=https://10.0.0.5" == found["engine options"].found
    assert ["https://warmci-doctor.warmci.localhost/"] == machine.asked


def test_without_the_library_nothing_can_be_asked(machine: Machine) -> None:
    machine.patch.setattr(importlib.util, "find_spec", lambda _: None)

    check = machine.only("docker library")

    assert "missing" == check.outcome
    assert "-m pip install 'pytest-warmci[swarm]'" in check.remedy
    assert ["docker library", "docker command", "engine options"] == [*machine.checks()]


def test_without_the_command_line(machine: Machine) -> None:
    machine.has_command = False

    check = machine.only("docker command")

    assert ("missing", "there is no program docker") == (check.outcome, check.found)
    assert "docker.io" in check.remedy


def no_socket(machine: Machine) -> None:
    machine.socket.unlink()


def not_allowed(machine: Machine) -> None:
    access = os.access
    machine.patch.setattr(
        os, "access", lambda path, mode: path != machine.socket and access(path, mode)
    )


@pytest.mark.parametrize(
    ("trouble", "found", "remedy"),
    [
        (no_socket, "there is no such socket", "systemctl start docker"),
        (not_allowed, "you may not use the socket", "usermod -aG docker"),
    ],
)
def test_an_endpoint_that_cannot_be_used(
    machine: Machine, trouble: Callable[[Machine], None], found: str, remedy: str
) -> None:
    """Where it comes from is said; nobody is asked there."""
    trouble(machine)

    check = machine.only("docker endpoint")

    assert f"unix://{machine.socket} (DOCKER_HOST): {found}" == check.found
    assert remedy in check.remedy
    assert "docker engine" not in machine.checks()


def test_a_context_that_is_not_there(machine: Machine) -> None:
    def none() -> Endpoint:
        raise EngineUnavailable("there is no Docker context 'x'", remedy="docker context ls")

    machine.patch.setattr(docker, "find_endpoint", none)

    check = machine.only("docker endpoint")

    assert "there is no Docker context 'x'" == check.found
    assert "docker context ls" == check.remedy


def test_an_engine_that_does_not_answer(machine: Machine) -> None:
    """Nothing is said of its Swarm; the proxy can be asked all the same."""

    def silent(_: Endpoint) -> FakeDocker:
        raise EngineUnavailable("no Docker engine answers", remedy="start it")

    machine.patch.setattr(docker, "Docker", silent)

    assert "start it" == machine.only("docker engine").remedy
    assert ["docker engine", "proxy"] == [*machine.checks()][-2:]


@pytest.mark.parametrize(
    ("state", "found", "remedy"),
    [
        ({"LocalNodeState": "inactive"}, "is in no Swarm", "docker swarm init"),
        ({"ControlAvailable": False}, "is a worker of its Swarm", "docker node promote"),
    ],
)
def test_no_manager_of_a_swarm(
    machine: Machine, state: dict[str, object], found: str, remedy: str
) -> None:
    machine.docker.state |= state

    check = machine.only("swarm")

    assert found in check.found
    assert remedy in check.remedy
    assert not {"swarm nodes", "network proxy"} & machine.checks().keys()


def test_several_nodes(machine: Machine) -> None:
    """Is a warning: volumes of the others are not kept."""
    machine.docker.state["Nodes"] = 3

    check = machine.only("swarm nodes")

    assert ("warn", True) == (check.outcome, check.found.startswith("3: "))
    assert f"node.id == {NODE}" in check.remedy


def test_volumes_that_cannot_be_reached_go_through_the_engine(machine: Machine) -> None:
    """Unless that was ruled out."""
    (machine.docker.root / "volumes").rmdir()

    check = machine.checks()["volumes"]
    ruled_out = machine.only("volumes", (*PROXY, ("volumes", "mount")))

    for each in (check, ruled_out):
        assert f"user {os.geteuid()} cannot go into {machine.docker.root}/volumes" in each.found
    assert ("ok", True) == (check.outcome, "through the engine" in check.found)
    assert ("missing", True) == (ruled_out.outcome, "run as root" in ruled_out.remedy)


def test_volumes_that_are_to_go_through_the_engine(machine: Machine) -> None:
    check = machine.checks((*PROXY, ("volumes", "engine")))["volumes"]

    assert ("ok", "through the engine, as volumes=engine says") == (check.outcome, check.found)


def test_no_network_of_the_proxy(machine: Machine) -> None:
    machine.docker.things["network"].clear()

    check = machine.only("network proxy")

    assert "warn" == check.outcome
    assert "docker network create --driver overlay --attachable proxy" == check.remedy


def test_a_proxy_that_does_not_answer(machine: Machine) -> None:
    machine.answer = http.Answer(0, "certificate verify failed")

    check = machine.only("proxy", (*PROXY, ("domain", "ci.example.org")))

    assert "missing" == check.outcome
    assert "GET https://warmci-doctor.ci.example.org/: certificate verify failed" == check.found
    assert "see that the proxy answers at https://10.0.0.5" in check.remedy
    assert "REQUESTS_CA_BUNDLE" in check.remedy


def test_a_name_server_may_do_without_a_proxy_option(machine: Machine) -> None:
    """But not for domains that nobody has."""
    assert {"ok"} == {*machine.outcomes((("domain", "ci.example.org"),)).values()}

    check = machine.only("proxy", ())

    assert "warn" == check.outcome
    assert "--engine-option proxy=URL, or domain=BASE" == check.remedy


@pytest.mark.parametrize("option", [("proxi", "x"), ("proxy", "x"), ("domain", "X")])
def test_options_that_are_wrong(machine: Machine, option: tuple[str, str]) -> None:
    """The rest is looked at all the same."""
    found = machine.outcomes((option,))

    assert "missing" == found.pop("engine options")
    assert {"ok"} == {*found.values()}
    assert "swarm" in found


# -- the kernel ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "outcome"),
    [
        (b"# IPVS\nCONFIG_IP_VS=m\n", "ok"),
        (b"# IPVS\nCONFIG_IP_VS=y\n", "ok"),
        (b"# IPVS\n# CONFIG_IP_VS is not set\nCONFIG_IP_VS_NFCT=y\n", "warn"),
    ],
)
def test_ipvs_by_the_kernels_configuration(machine: Machine, config: bytes, outcome: str) -> None:
    machine.ipvs.unlink()
    machine.config.write_bytes(gzip.compress(config))

    check = machine.checks()["ipvs"]

    assert outcome == check.outcome
    assert str(machine.config) in check.found
    assert ("endpoint_mode: dnsrr" in check.remedy) == (outcome == "warn")


@pytest.mark.parametrize(
    ("modules", "found"),
    [
        ("kernel/net/netfilter/ipvs/ip_vs.ko.xz: x\n", "the kernel can have it"),
        ("kernel/net/ipv4/ip_gre.ko: x\n", "it cannot be told from here"),
    ],
)
def test_ipvs_by_the_modules(machine: Machine, modules: str, found: str) -> None:
    """What cannot be told is no warning."""
    machine.ipvs.unlink()
    (machine.config.parent / "modules.dep").write_text(modules)

    check = machine.checks()["ipvs"]

    assert "ok" == check.outcome
    assert check.found.startswith(found)


def test_the_kernel_of_another_machine_is_not_looked_at(machine: Machine) -> None:
    machine.endpoint = Endpoint("ssh://far", "DOCKER_HOST", ())

    assert "ipvs" not in machine.checks()


# -- with `auto` -----------------------------------------------------------------------------


def place(machine: Machine, root: Path) -> dict[str, Check]:
    found = check_place(setting(root), "auto", PROXY)
    return {check.name: check for check in found}


def process(machine: Machine, *lacks: str) -> None:
    """Let the process engine lack these things, and no other."""
    for name in sorted(doctor._PROCESS_ONLY):
        check = Check(name, "missing" if name in lacks else "ok", "x")
        probe = f"_{name.split()[-1] if name != 'maven client' else 'maven'}"
        machine.patch.setattr(doctor, probe, lambda check=check: check)


def test_one_engine_is_enough_for_auto(machine: Machine, tmp_path: Path) -> None:
    """What the other one lacks is a warning; without any it is missing."""
    process(machine)
    found = place(machine, tmp_path / "state")
    assert "swarm and process can be used here" == found["engine auto"].found

    process(machine, "maven client")
    found = place(machine, tmp_path / "state")
    assert ("warn", "swarm can be used here") == (
        found["maven client"].outcome,
        found["engine auto"].found,
    )

    machine.socket.unlink()
    found = place(machine, tmp_path / "state")
    missing = {name for name, check in found.items() if check.outcome == "missing"}
    assert {"maven client", "docker endpoint", "engine auto"} == missing
