"""Why a machine cannot have a private Docker engine: the reason that tests are skipped with."""

from __future__ import annotations

import os

import pytest

from pytest_warmci.clients import command
from pytest_warmci.clients.command import Completed
from tests.swarm import room


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    """We seem to be root, and to have all programs."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda program: f"/bin/{program}")


def test_a_normal_user_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert "a private Docker engine needs root" == room.why_not()


def test_what_is_missing_is_named_with_its_packages(
    root: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = {"docker", "dockerd", "busybox"}
    monkeypatch.setattr(
        "shutil.which", lambda program: None if program in missing else f"/bin/{program}"
    )

    assert (
        "a private Docker engine needs busybox, docker, dockerd: apt-get install"
        " --no-install-recommends busybox-static docker.io"
    ) == room.why_not()


def test_root_without_namespaces_cannot(root: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in most containers."""
    refused = Completed(1, b"", b"unshare: unshare failed: Operation not permitted")
    monkeypatch.setattr(command, "run", lambda argv, **_: refused)

    assert room.why_not().startswith("no namespaces for a private Docker engine: unshare:")


def test_others_can(root: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "run", lambda argv, **_: Completed(0, b"", b""))

    assert "" == room.why_not()
