"""Docker's library for Python, strict: it answers what it was told to, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import docker
import pytest
from docker.errors import APIError
from requests import Response

from pytest_warmci.clients import docker as client
from pytest_warmci.clients.docker import Endpoint

LOCAL = Endpoint("unix:///run/engine.sock", "DOCKER_HOST", ("--host", "unix:///run/engine.sock"))


class Api:
    """Docker's library: answers what it was told to, and nothing else."""

    def __init__(self) -> None:
        self.made: dict[str, Any] = {}
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.answers: dict[str, Any] = {}

    def __call__(self, **options: Any) -> Api:
        self.made = options
        if "APIClient" in self.answers:
            raise self.answers["APIClient"]
        return self

    def close(self) -> None:
        """End the connections, as the client does when nobody has it any more."""

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        assert verb in self.answers, f"nobody expects {verb}"
        answer = self.answers[verb]

        def answered(*args: Any, **more: Any) -> Any:
            self.calls.append((verb, args, more))
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return answered


def library(patch: pytest.MonkeyPatch) -> Api:
    """Return what stands for the library in this test."""
    made = Api()
    patch.setattr(docker, "APIClient", made)
    patch.setattr(client, "_knock", lambda url: None)
    return made


def refused(status: int, text: str, kind: type[APIError] = APIError) -> APIError:
    response = Response()
    response.status_code = status
    return kind("refused", response=response, explanation=text)
