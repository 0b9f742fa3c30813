"""Filling in what recipe.yml says an app needs for its single sign-on."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from pytest_warmci.model import RealmClient, RealmUser, SsoSpec
from pytest_warmci.runs.realm import Realm

_SAMPLE: Final = "http://localhost"
_PLACE: Final = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Wiring:
    """What an app was given before it was deployed (see `pytest_warmci.api.Sso`)."""

    realm: Realm
    client: RealmClient
    users: Mapping[str, RealmUser]

    @property
    def user(self) -> RealmUser:
        """The first of the users."""
        return next(iter(self.users.values()))

    @property
    def secret_values(self) -> Collection[str]:
        """Every password and client secret of it."""
        return self.realm.secret_values


def places(realm: Realm, client: RealmClient, url: str, domain: str) -> dict[str, str]:
    """Return what `{...}` stands for in `sso.env` and `sso.secrets`."""
    return {
        "issuer": realm.issuer,
        "realm": realm.name,
        "server": realm.live.url,
        "client_id": client.id,
        "client_secret": client.secret,
        "url": url,
        "domain": domain,
    }


def fill(texts: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """Return `texts` with every `{name}` of `values` in them replaced; other braces stay."""
    return {
        key: _PLACE.sub(lambda found: values.get(found[1], found[0]), text)
        for key, text in texts.items()
    }


def sample_env(spec: SsoSpec | None, domain: str) -> dict[str, str]:
    """Return `sso.env` as it would be filled in for some run, for looking at what is deployed."""
    if spec is None:
        return {}
    values = {
        "issuer": f"{_SAMPLE}/realms/sample",
        "realm": "sample",
        "server": _SAMPLE,
        "client_id": spec.client,
        "url": _SAMPLE,
        "domain": domain,
    }
    return fill(spec.env, values)
