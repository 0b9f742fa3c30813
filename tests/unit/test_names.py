"""Names that this process finds where it was told, and all others as ever."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from pytest_warmci.clients import names

NAME = "blog.example.test"
Asked = list[tuple[Any, ...]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Let nothing reach a name server: what would is noted."""
    seen: Asked = []

    def ask(host: Any, *args: Any, **more: Any) -> str:
        seen.append((host, args, more))
        return "found"

    monkeypatch.setattr(socket, "getaddrinfo", socket.getaddrinfo)
    monkeypatch.setattr(names, "_ask", ask)
    monkeypatch.setattr(names, "_answers", {})
    names.answer_for(NAME, "10.0.0.5")
    return seen


@pytest.mark.parametrize(
    "host",
    [
        NAME,
        f"{NAME}.",
        "Blog.EXAMPLE.test",
        NAME.encode(),
        f"{NAME}.".encode(),
        b"BLOG.example.test",
    ],
)
def test_a_name_is_found_however_it_is_written(host: str | bytes, asked: Asked) -> None:
    assert "found" == socket.getaddrinfo(host, 80)  # type: ignore[comparison-overlap]
    assert [("10.0.0.5", (80,), {})] == asked


@pytest.mark.parametrize(
    "host",
    [
        "example.test",
        f"x.{NAME}",
        f"{NAME}x",
        f"{NAME}..",
        b"other.test",
        b"\xff",
        "",
        None,
        "10.0.0.9",
        "::1",
    ],
)
def test_any_other_is_asked_for_as_it_is(host: Any, asked: Asked) -> None:
    """No domain below it either: each app is named on its own."""
    socket.getaddrinfo(host, 80)

    assert [(host, (80,), {})] == asked


def test_everything_else_that_is_asked_is_passed_on(asked: Asked) -> None:
    """By position and by name."""
    socket.getaddrinfo(NAME, "http", socket.AF_INET, type=socket.SOCK_STREAM)
    socket.getaddrinfo(host=NAME, port=80, flags=3)

    assert [
        ("10.0.0.5", ("http", socket.AF_INET), {"type": socket.SOCK_STREAM}),
        ("10.0.0.5", (), {"port": 80, "flags": 3}),
    ] == asked


@pytest.mark.parametrize("told", ["App.example.TEST", "app.example.test."])
def test_a_name_may_be_given_in_any_form(told: str, asked: Asked) -> None:
    names.answer_for(told, "10.0.0.6")
    socket.getaddrinfo("app.example.test", 1)

    assert [("10.0.0.6", (1,), {})] == asked


def test_the_last_answer_counts(asked: Asked) -> None:
    """The others stay."""
    names.answer_for("other.test", "10.0.0.7")
    names.answer_for(NAME, "10.0.0.6")
    socket.getaddrinfo(NAME, 1)
    socket.getaddrinfo("other.test", 3)

    assert [("10.0.0.6", (1,), {}), ("10.0.0.7", (3,), {})] == asked
