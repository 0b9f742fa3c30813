"""A sign-on of a run for tests, on a live-warm Keycloak in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from pytest_warmci.clients.locks import Holder
from pytest_warmci.errors import (
    KeycloakTrouble,
)
from pytest_warmci.model import SsoSpec
from pytest_warmci.protocols import Engine
from pytest_warmci.runs import realms, sign_on as module
from pytest_warmci.runs.live_keycloak import LiveService
from pytest_warmci.runs.place import Place
from pytest_warmci.runs.realm_owner import RealmOwner
from pytest_warmci.runs.sign_on import SignOn
from tests.unit.live_fakes import FakeLive

SPEC = SsoSpec(
    client="blog",
    flows=("code",),
    redirects=("/back",),
    users=("ana", "bea"),
    identity="@{username}",
    env={"OIDC_ISSUER": "{issuer}", "OIDC_CLIENT": "{client_id}"},
    secrets={"oidc_secret": "{client_secret}"},
)
WHO = Holder("1a2b3c", "quick", "blog: uses Keycloak")


class AtAddress:
    """An engine that knows where an app is, and nothing else."""

    name = "process"
    told: Sequence[str] = ()

    def address(self, _place: object) -> str:
        return "http://localhost:20001"


ENGINE = cast("Engine", AtAddress())


@dataclass
class Signing:
    """A sign-on of the run 1a2b3c, and what became of its holds."""

    on: SignOn
    live: FakeLive
    holds: list[str]
    place: Place
    said: list[str] = field(default_factory=list)

    def wire(self) -> None:
        self.on.wire(SPEC, self.place, ENGINE)


def signing_for(live: FakeLive, run: RealmOwner, monkeypatch: pytest.MonkeyPatch) -> Signing:
    """Return the sign-on of a run, which attaches to `live`."""
    holds: list[str] = []
    monkeypatch.setattr(realms, "MUTEX_SECONDS", 0.0)

    @contextmanager
    def attached(
        service: object, *, who: Holder, limit: float, progress: Any
    ) -> Iterator[FakeLive]:
        assert (live, WHO, 7.0) == (service, who, limit)
        holds.append("attached")
        try:
            yield live
        finally:
            holds.append("gone")

    monkeypatch.setattr(module, "attached", attached)
    domain = "warm-blog.warmci.localhost"
    place = Place("blog", domain, run.state.app("process", domain))
    place.folder.mkdir(parents=True)
    (place.folder / "env").write_text("OIDC_ISSUER=old\n")
    said: list[str] = []

    def progress(text: str) -> None:
        said.append(text)

    on = SignOn(
        run,
        WHO,
        lambda: cast("LiveService", live),
        limit=7.0,
        own_keys=False,
        progress=progress,
    )
    return Signing(on, live, holds, place, said)


def broken(_name: str) -> None:
    """Be a trouble of an administrator."""
    raise KeycloakTrouble("no", where="here")
