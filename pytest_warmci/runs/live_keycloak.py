"""What the live-warm Keycloak is: where it lives, what it is made of, how it is used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_warmci.clients import http
from pytest_warmci.clients.usage import entries
from pytest_warmci.errors import InputError, KeycloakTrouble
from pytest_warmci.model import Enrolment, RunningService
from pytest_warmci.naming import live_domain
from pytest_warmci.protocols import Engine
from pytest_warmci.recipes.enrolment import RECIPE_FILE, read_enrolment
from pytest_warmci.recipes.source import Source, open_source
from pytest_warmci.runs.place import Place
from pytest_warmci.store.key_stock import KeyStock
from pytest_warmci.store.live_records import LiveRecord
from pytest_warmci.store.state import StateDirectory

if TYPE_CHECKING:
    from pytest_warmci.clients.keycloak import Administrator

KEYCLOAK: Final = "keycloak"
ADMIN_NAME: Final = "ADMIN_USERNAME"
ADMIN_PASSWORD: Final = "admin_password"  # noqa: S105 - the secret's name
"""Variable of `.env` and secret of the compose file, as the Co-op Cloud recipe calls them."""

_LOOK_SECONDS: Final = 10.0


@dataclass(frozen=True)
class LivePlace:
    """Where the live-warm Keycloak is, and an engine that can look at it and stop it."""

    state: StateDirectory
    engine: Engine

    @property
    def place(self) -> Place:
        """Where it lives."""
        return Place(KEYCLOAK, self.domain, self.state.app(self.engine.name, self.domain))

    @property
    def domain(self) -> str:
        """Its domain: the one that it was made at, which its data contain."""
        own = live_domain(KEYCLOAK, self.engine.base_domain)
        names = {entry.name for entry in entries(self.state.apps(self.engine.name))}
        others = sorted(name for name in names if name.startswith(f"{live_domain(KEYCLOAK, '')}"))
        return others[0] if others and own not in names else own

    @property
    def lock(self) -> Path:
        """Its lock."""
        return self.state.lock(self.domain)

    @property
    def folder(self) -> Path:
        """The folder of its record."""
        return self.state.live(KEYCLOAK, self.engine.name)


@dataclass(frozen=True)
class LiveService(LivePlace):
    """What a live-warm Keycloak is made of too: a recipe, and an engine for it."""

    enrolment: Enrolment

    def source(self) -> Source:
        """Open the recipe's source."""
        return open_source(self.enrolment.source, self.state.cache)

    def check_base(self) -> None:
        """See that it is where this session's apps are.

        Raises:
            KeycloakTrouble: It was made at another base domain.
        """
        own = live_domain(KEYCLOAK, self.engine.base_domain)
        if self.domain != own:
            base = self.domain.partition(".")[2]
            raise KeycloakTrouble(
                f"the live-warm Keycloak is at {self.domain}, and would be at {own}",
                where=str(self.place.folder),
                why="its data contain its address",
                remedy=f"give the engine option domain={base}; or stop it, and remove its folder"
                " (docs/how-to/free-disk-or-move-state.md)",
            )


class LiveKeycloak:
    """A live-warm Keycloak that somebody holds and that has answered.

    Args:
        service: What it is made of.
        record: What runs.
        instances: What tells these starts of its services from later ones.
    """

    def __init__(self, service: LivePlace, record: LiveRecord, instances: tuple[str, ...]) -> None:
        self.service = service
        self.record = record
        self._instances = instances

    @property
    def url(self) -> str:
        """Base URL, without a final slash."""
        return self.record.url

    @property
    def version(self) -> str:
        """The recipe's version that runs."""
        return self.record.version

    @property
    def keys(self) -> KeyStock:
        """Key pairs for its realms."""
        return KeyStock(self.service.folder)

    @cached_property
    def administrator(self) -> Administrator:
        """Its administrator."""
        return administrator(self.service, self.record.url)

    def trouble(self) -> KeycloakTrouble | None:
        """Return why nothing that fails now may be blamed on who uses it, if so.

        A server that was started anew in between counts: what failed may have met the old one.
        """
        where = self.record.domain
        now = instances_of(self.service.engine.running(self.service.place))
        if now != self._instances:
            what = "was started anew" if len(now) == len(self._instances) else "has ended"
            return KeycloakTrouble(
                f"the live-warm Keycloak {what} while it was used",
                where=where,
                remedy="run again; warmci live status shows how it is",
            )
        answer = http.get(f"{self.url}/realms/master", timeout=_LOOK_SECONDS)
        if answer.status != 200:
            return KeycloakTrouble(
                "the live-warm Keycloak does not answer",
                where=where,
                why=str(answer),
                remedy=f"warmci live stop, then run again; logs: {self.service.place.folder / 'logs'}",
            )
        return None


def keycloak_beside(folder: Path) -> Path:
    """Return the folder of the Keycloak that the recipe in `folder` requires: the one beside it.

    Raises:
        InputError: There is none.
    """
    found = folder.parent / KEYCLOAK
    if not (found / RECIPE_FILE).is_file():
        raise InputError(
            "there is no Keycloak to require",
            where=str(found),
            why="a live-warm Keycloak is made of the recipe beside the one that requires it",
            remedy="enrol one: warmci new keycloak --source URL",
        )
    return found


def open_service(folder: Path, state: StateDirectory, engine: Engine) -> LiveService:
    """Return what a live-warm Keycloak is made of.

    Args:
        folder: The folder of Keycloak's recipe.
        state: The state directory.
        engine: The engine for that folder.

    Raises:
        InputError: Its recipe.yml is not valid.
    """
    return LiveService(state, engine, read_enrolment(folder))


def administrator(service: LivePlace, url: str) -> Administrator:
    """Return the administrator of the server at `url`."""
    from pytest_warmci.clients.keycloak import Administrator

    place = service.place
    stack = place.deployed_stack()
    name = place.env().get(ADMIN_NAME)
    if not name:
        raise InputError(
            f"there is no {ADMIN_NAME} in the .env of the live-warm Keycloak",
            where=str(place.folder / "env"),
            remedy=f"the recipe's .env.sample must set {ADMIN_NAME}",
        )
    return Administrator(url, name, service.engine.secret(place, stack, ADMIN_PASSWORD))


def instances_of(running: Iterable[RunningService]) -> tuple[str, ...]:
    """Return what tells these starts of services from later ones."""
    return tuple(f"{each.name}:{each.instance}" for each in running)
