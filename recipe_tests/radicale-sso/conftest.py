"""What the tests of this recipe share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_warmci.api import Http, Sso


@pytest.fixture
def dav(sso: Sso, http: Http) -> Http:
    """The app under test as its first user sees it, logged in."""
    http.auth = (sso.user.username, sso.user.password)
    return http
