"""What a recipe's tests and its `witness.py` may rely on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class App(Protocol):
    """The app under test, as fixtures and `witness.py` get it."""

    @property
    def url(self) -> str:
        """Base URL, without a final slash."""
        ...

    @property
    def domain(self) -> str:
        """The app's domain (on the process engine a name only)."""
        ...

    @property
    def version(self) -> str:
        """The version that runs now: a tag, or the version label of an unpublished commit."""
        ...

    @property
    def env(self) -> Mapping[str, str]:
        """The app's `.env`."""
        ...

    def secret(self, name: str) -> str:
        """Return the value of a secret, by its name in the compose file."""
        ...

    def logs(self, service: str) -> str:
        """Return a service's output so far, secrets blotted out."""
        ...


class Http(Protocol):
    """A `requests.Session` bound to the app: a URL that is only a path is the app's."""

    auth: Any
    """Who asks: a pair of user name and password, or what else `requests` takes."""

    def request(self, method: str, url: str, **kwargs: Any) -> Any:
        """Send a request of any kind."""
        ...

    def get(self, url: str, **kwargs: Any) -> Any:
        """Send a GET."""
        ...

    def post(self, url: str, data: Any = None, json: Any = None, **kwargs: Any) -> Any:
        """Send a POST."""
        ...

    def put(self, url: str, data: Any = None, **kwargs: Any) -> Any:
        """Send a PUT."""
        ...

    def delete(self, url: str, **kwargs: Any) -> Any:
        """Send a DELETE."""
        ...


class Witness(Protocol):
    """What a recipe's `witness.py` offers."""

    def plant(self, app: App) -> dict[str, Any]:
        """Plant data (repeatable); the answer, JSON, is kept with the data."""
        ...

    def check(self, app: App, planted: dict[str, Any]) -> int:
        """Return how much of the planted data is there, found by the same identity."""
        ...


class Canonical(Protocol):
    """The canonical as fixtures see it: facts only, nothing that could change it."""

    @property
    def version(self) -> str:
        """The known-good's version."""
        ...

    @property
    def commit(self) -> str:
        """The known-good's commit."""
        ...

    @property
    def digest(self) -> str:
        """The known-good's digest."""
        ...
