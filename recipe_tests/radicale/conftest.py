"""What the tests of this recipe share."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_warmci.api import App, Http


@pytest.fixture
def dav(app: App, http: Http) -> Http:
    """The app under test as its user sees it, logged in."""
    http.auth = (app.env["RADICALE_USER"], app.secret("password"))
    return http


@pytest.fixture
def collection(app: App, dav: Http) -> Iterator[str]:
    """The path of a collection that is not there yet; what a test makes there is deleted."""
    path = f"/{app.env['RADICALE_USER']}/test-{secrets.token_hex(3)}/"
    yield path
    dav.delete(path)
