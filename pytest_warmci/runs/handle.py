"""The app as tests and witnesses get it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pytest_warmci.api import Sso
from pytest_warmci.errors import InputError, WarmciError
from pytest_warmci.masking import blotted
from pytest_warmci.model import Stack
from pytest_warmci.protocols import Engine
from pytest_warmci.runs.place import Place
from pytest_warmci.runs.wiring import Wiring


class AppHandle:
    """One deployed app (see `pytest_warmci.api.App`)."""

    def __init__(
        self, engine: Engine, place: Place, stack: Stack, sso: Wiring | None = None
    ) -> None:
        self._engine = engine
        self._place = place
        self._stack = stack
        self._sso = sso

    def __repr__(self) -> str:
        return f"<app {self.domain} {self._stack.revision}>"

    @property
    def url(self) -> str:
        """Base URL, without a final slash."""
        return self._engine.address(self._place)

    @property
    def domain(self) -> str:
        """The app's domain."""
        return self._place.domain

    @property
    def version(self) -> str:
        """The version that runs now."""
        return self._stack.revision.version

    @property
    def env(self) -> Mapping[str, str]:
        """The app's `.env`."""
        return self._place.env()

    def secret(self, name: str) -> str:
        """Return the value of a secret, by its name in the compose file."""
        return self._engine.secret(self._place, self._stack, name)

    def logs(self, service: str) -> str:
        """Return a service's output so far, secrets blotted out."""
        found = self._engine.logs(self._place)
        if service not in found:
            raise InputError(
                f"there is no service '{service}' with a log",
                where=self.domain,
                remedy=f"name one of: {', '.join(sorted(found))}",
            )
        return self.masked(found[service].read_text("utf-8", "replace"))

    @property
    def sso(self) -> Sso:
        """What the app was given to log people in with."""
        if self._sso is None:
            raise InputError(
                "this app was given no single sign-on",
                where=self.domain,
                why="its recipe.yml has no `sso`",
                remedy="write `requires: [keycloak]` and `sso` into it, see its reference",
            )
        return self._sso

    def masked(self, text: str) -> str:
        """Return `text` with every secret of the app blotted out."""
        known = set(self._engine.secret_values(self._place))
        return blotted(text, known | set(self._sso.secret_values if self._sso else ()))


@contextmanager
def without_secrets(app: AppHandle) -> Iterator[None]:
    """Blot the app's secrets out of what an error says that is raised inside.

    It may quote the app, and ends up in logs, reports and alerts.
    """
    try:
        yield
    except WarmciError as error:
        for name in ("what", "where", "why", "remedy", "changed"):
            setattr(error, name, app.masked(getattr(error, name)))
        error.args = (error.what,)
        raise
