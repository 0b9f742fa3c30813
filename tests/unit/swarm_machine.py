"""A machine with a manager of a Swarm, as a doctor sees it."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_warmci.clients import command, docker, http
from pytest_warmci.clients.docker import Endpoint
from pytest_warmci.runs import doctor_swarm
from pytest_warmci.runs.doctor import Check
from pytest_warmci.runs.doctor_swarm import check_swarm_place
from pytest_warmci.settings import EngineOptions
from tests.fake_docker import FakeDocker

PROXY = (("proxy", "https://10.0.0.5"),)


class Machine:
    """A machine with a manager of a Swarm, where nothing is missing."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch
        self.docker = FakeDocker(folder)
        self.docker.add("network", "proxy", {})
        self.docker.state["Nodes"] = 1
        (self.docker.root / "volumes").mkdir()
        self.ipvs = folder / "ip_vs"
        self.ipvs.touch()
        self.config = folder / "config.gz"
        self.asked: list[str] = []
        self.answer = http.Answer(404, "404 page not found\n")
        self.socket = folder / "docker.sock"
        with socket.socket(socket.AF_UNIX) as own:
            own.bind(str(self.socket))
        self.endpoint = Endpoint(f"unix://{self.socket}", "DOCKER_HOST", ())
        patch.setattr(docker, "find_endpoint", lambda: self.endpoint)
        patch.setattr(docker, "Docker", lambda _: self.docker)
        self._which = shutil.which
        self.has_command = True
        patch.setattr(shutil, "which", self._find_program)
        self._others = command.run
        patch.setattr(command, "run", self._run)
        patch.setattr(http, "get", self._get)
        patch.setattr(doctor_swarm, "_IPVS", self.ipvs)
        patch.setattr(doctor_swarm, "_CONFIGS", (self.config,))
        patch.setattr(doctor_swarm, "_MODULES", folder)

    def _find_program(self, name: str, **rest: Any) -> str | None:
        if name == "docker":
            return "/usr/bin/docker" if self.has_command else None
        return self._which(name, **rest)

    def _run(self, argv: Sequence[str], **rest: Any) -> command.Completed:
        if argv[0] != "docker":
            return self._others(argv, **rest)
        assert ["docker", "--version"] == argv
        return command.Completed(0, b"Docker version 28.2.2\n", b"")

    def _get(self, url: str, *, timeout: float) -> http.Answer:
        assert timeout > 0
        self.asked.append(url)
        return self.answer

    def checks(self, options: EngineOptions = PROXY) -> dict[str, Check]:
        return {check.name: check for check in check_swarm_place(options)}

    def outcomes(self, options: EngineOptions = PROXY) -> dict[str, str]:
        return {name: check.outcome for name, check in self.checks(options).items()}

    def only(self, name: str, options: EngineOptions = PROXY) -> Check:
        """Return the one check that is not ok."""
        found = self.checks(options)
        assert {name} == {each.name for each in found.values() if each.outcome != "ok"}
        return found[name]
