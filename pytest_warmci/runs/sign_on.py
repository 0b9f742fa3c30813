"""What one run has of the live-warm Keycloak: its hold on it, its realms, an app wired to one.

Lock order: the app's lock first, then this hold; so it is released before another app's lock is
waited for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

from pytest_warmci.api import App
from pytest_warmci.clients.locks import Holder
from pytest_warmci.clients.realm_form import new_client
from pytest_warmci.errors import InputError, KeycloakTrouble, RecipeFailed, WarmciError
from pytest_warmci.model import SsoSpec
from pytest_warmci.naming import realm_name, realm_run
from pytest_warmci.protocols import Engine, Progress
from pytest_warmci.runs import wiring
from pytest_warmci.runs.live import attached
from pytest_warmci.runs.live_keycloak import LiveKeycloak, LiveService
from pytest_warmci.runs.login_module import LoginModule
from pytest_warmci.runs.place import Place
from pytest_warmci.runs.realm import Realm
from pytest_warmci.runs.realm_owner import RealmOwner
from pytest_warmci.runs.realms import Realms
from pytest_warmci.runs.reap_realms import MOST_AT_START, reap_realms
from pytest_warmci.runs.wiring import Wiring

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,29}")


class SignOn:
    """The single sign-on of one run.

    Args:
        owner: The run, which has a lease.
        who: What others read while they wait for us.
        service: Returns what a live-warm Keycloak is made of.
        limit: Seconds to wait for the live-warm Keycloak.
        own_keys: Send each realm's keys with it.
        progress: Told about what takes long.
    """

    def __init__(
        self,
        owner: RealmOwner,
        who: Holder,
        service: Callable[[], LiveService],
        *,
        limit: float,
        own_keys: bool,
        progress: Progress,
    ) -> None:
        self._owner = owner
        self._who = who
        self._service = service
        self._limit = limit
        self._own_keys = own_keys
        self._progress = progress
        self._held = ExitStack()
        self._live: LiveKeycloak | None = None
        self._realms: Realms | None = None
        self._made = 0
        self._secrets: set[str] = set()
        self._open: list[Realm] = []
        self.wired: Wiring | None = None
        self.notes: list[str] = []

    @property
    def attached(self) -> bool:
        """Whether the run holds the live-warm Keycloak now."""
        return self._live is not None

    @property
    def live(self) -> LiveKeycloak:
        """The live-warm Keycloak; the first call attaches to it, which may start it."""
        if self._live is None:
            self._live = self._held.enter_context(
                attached(
                    self._service(), who=self._who, limit=self._limit, progress=self._progress
                )
            )
            self.notes += _reap(self._live)
        return self._live

    @property
    def realms(self) -> Realms:
        """The run's realms."""
        if self._realms is None:
            self._realms = Realms(
                self.live, self._owner, own_keys=self._own_keys, progress=self._progress
            )
        return self._realms

    @property
    def secret_values(self) -> set[str]:
        """Every password and client secret that the run's realms had."""
        for realm in self._open:
            self._secrets |= set(realm.secret_values)
        return self._secrets

    def check_out(self, name: str = "") -> Realm:
        """Return a fresh realm; `name` is put into its own, for people.

        Raises:
            InputError: It is no such name.
        """
        if name and not _NAME.fullmatch(name):
            raise InputError(
                f"{name!r} cannot name a realm",
                remedy="use at most 30 of a-z, 0-9 and -, beginning with a letter",
            )
        suffix = self._suffix(name)
        if realm_run(realm_name(self._owner.recipe, self._owner.id, suffix)) != self._owner.id:
            raise InputError(
                f"{name!r} cannot name a realm",
                why="nobody could tell by the realm's name whose it is",
                remedy="no part of it may be six of 0-9 and a-f, like the id of a run",
            )
        realm = self.realms.check_out(suffix)
        self._open.append(realm)
        return realm

    def check_in(self, realm: Realm) -> None:
        """Let nobody log in to a realm any more; the run deletes it when it ends."""
        self._secrets |= set(realm.secret_values)
        if realm in self._open:
            self._open.remove(realm)
            self.realms.check_in(realm)

    def wire(self, spec: SsoSpec, place: Place, engine: Engine) -> None:
        """Give an app a realm, a client and users, before it is deployed.

        Raises:
            KeycloakTrouble: That is not possible.
        """
        url = engine.address(place)
        client = new_client(spec.client)
        realm = self.realms.check_out(
            self._suffix(""),
            client=(client, spec.flows, [f"{url}{path}" for path in spec.redirects]),
            users=spec.users,
            app=place.domain,
        )
        self._open.append(realm)
        values = wiring.places(realm, client, url, place.domain)
        place.wire(
            wiring.fill(spec.env, values),
            wiring.fill(spec.secrets, values),
            {each.username: each.password for each in realm.users.values()},
        )
        self.wired = Wiring(realm, client, dict(realm.users))

    def unwire(self, place: Place) -> None:
        """Take it away again, after the app was undeployed.

        Raises:
            KeycloakTrouble: Keycloak does not do its part; it is done otherwise.
        """
        wired, self.wired = self.wired, None
        place.unwire()
        if wired is not None:
            self.check_in(wired.realm)

    def keep(self) -> None:
        """Leave the app's realm alone, since the app is kept to be looked at."""
        if self.wired is not None:
            self._secrets |= set(self.wired.secret_values)
            self._open.remove(self.wired.realm)
            self.wired = None

    def prove_login(self, login: LoginModule, app: App, spec: SsoSpec) -> None:
        """See that a real user logs in to the app, and as whom.

        Raises:
            RecipeFailed: They cannot, or are somebody else.
            KeycloakTrouble: The realm itself lets nobody log in.
        """
        wired = self.wired
        if wired is None:
            raise InputError("this app was given no single sign-on")
        expected = spec.identity.replace("{username}", wired.user.username)
        try:
            who = login.log_in(app, wired.user)
            if who != expected:
                raise RecipeFailed(
                    f"{wired.user.username} logged in and is {who}, not {expected}",
                    where=self._owner.recipe,
                    why="kept data knows people by what the realm says of them (the claim sub)",
                )
        except RecipeFailed:
            self.control()
            raise

    def control(self) -> None:
        """See that Keycloak and the realm work without the app.

        Raises:
            KeycloakTrouble: They do not.
        """
        trouble = self.trouble()
        if trouble is not None:
            raise trouble
        if self.wired is None:
            return
        realm = self.wired.realm
        try:
            realm.token(self.wired.user)
        except WarmciError as error:
            raise KeycloakTrouble(
                "the realm lets nobody log in, with or without the app",
                where=realm.name,
                why=str(error),
                remedy="run again; warmci live status shows how Keycloak is",
            ) from error

    def trouble(self) -> KeycloakTrouble | None:
        """Return why nothing that fails now can be held against the recipe, if so."""
        return None if self._live is None else self._live.trouble()

    def alive(self) -> list[str]:
        """Return the names of the run's realms that were not checked in."""
        return [] if self._realms is None else self._realms.alive()

    def release(self) -> list[str]:
        """Check in and delete every realm of the run, and give up the hold on Keycloak.

        The next use attaches anew. Trouble is told, and keeps nobody from the hold.

        Returns:
            What is worth telling, one sentence each: what could not be deleted, and what was that
            dead runs had left.
        """
        failed, self.notes = self.notes, []
        try:
            trouble = self.trouble()
            if trouble is not None:
                # Each request would wait for its limit; whoever reaps goes by our lease.
                left = ", ".join(self.alive())
                failed.append(trouble.summary + (f"; its realms are left: {left}" if left else ""))
            else:
                failed += self._give_back()
        except (WarmciError, OSError) as error:
            failed.append(f"realms were not deleted: {_why(error)}")
        finally:
            self._live = self._realms = self.wired = None
            self._held.close()
        return failed

    def _give_back(self) -> list[str]:
        """Check in and delete every realm; return what could not be, one sentence each."""
        failed: list[str] = []
        for realm in [*self._open]:
            try:
                self.check_in(realm)
            except (WarmciError, OSError) as error:
                failed.append(f"realm {realm.name} was not disabled: {_why(error)}")
        return failed + ([] if self._realms is None else self._realms.delete_due())

    def _suffix(self, name: str) -> str:
        self._made += 1
        count = "" if self._made == 1 else str(self._made)
        return "-".join(filter(None, [name, count]))


def _reap(live: LiveKeycloak) -> list[str]:
    """Remove some of what dead runs left; what is in the way keeps nobody from working."""
    try:
        reaped = reap_realms(live, most=MOST_AT_START)
    except (WarmciError, OSError) as error:
        return [f"dead runs' realms were not reaped: {_why(error)}"]
    return [str(each) for each in reaped if each.outcome != "kept"]


def _why(error: WarmciError | OSError) -> str:
    return error.summary if isinstance(error, WarmciError) else str(error)
