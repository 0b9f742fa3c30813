"""Filling in what recipe.yml says an app needs for its single sign-on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_warmci.model import RealmClient
from pytest_warmci.recipes.enrolment import PLACES
from pytest_warmci.runs.realm_owner import RealmOwner
from pytest_warmci.runs.realms import Realms
from pytest_warmci.runs.wiring import Wiring, fill, places, sample_env
from tests.unit.live_fakes import FakeLive
from tests.unit.signing import SPEC

APP = RealmClient("app", "s3cret")


def test_every_place_has_its_value(live: FakeLive, run: RealmOwner) -> None:
    """Those that recipe.yml may name, and the one that only secrets may."""
    realm = Realms(live, run, own_keys=False).check_out()

    found = places(realm, APP, "http://localhost:2", "warm-blog.x")

    assert {
        "issuer": "http://127.0.0.1:1/realms/blog-1a2b3c",
        "realm": "blog-1a2b3c",
        "server": "http://127.0.0.1:1",
        "client_id": "app",
        "client_secret": "s3cret",
        "url": "http://localhost:2",
        "domain": "warm-blog.x",
    } == found
    assert {*PLACES, "client_secret"} == found.keys()


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{issuer}", "I"),
        ("{issuer}/auth?c={client_id}&c={client_id}", "I/auth?c=C&c=C"),
        ("plain", "plain"),
        ("", ""),
        ("{other} {} {{", "{other} {} {{"),
        ("{{issuer}}", "{I}"),
    ],
)
def test_places_are_filled_and_other_braces_stay(text: str, filled: str) -> None:
    assert {"A": filled} == fill({"A": text}, {"issuer": "I", "client_id": "C"})


def test_what_a_value_says_is_not_filled_again() -> None:
    """However it looks."""
    values = {"issuer": "{client_secret}", "client_secret": "{issuer}"}

    assert {"A": "{client_secret} {issuer}"} == fill({"A": "{issuer} {client_secret}"}, values)


def test_a_sample_is_whole_and_the_same_each_time() -> None:
    """It is compared between two revisions, and holds no secret."""
    first = sample_env(SPEC, "warm-blog.x")

    assert first == sample_env(SPEC, "warm-blog.x")
    assert {"OIDC_ISSUER": "http://localhost/realms/sample", "OIDC_CLIENT": "blog"} == first
    assert {} == sample_env(None, "warm-blog.x")


def test_a_sample_fills_every_place() -> None:
    spec = replace(SPEC, env={name.upper(): f"{{{name}}}" for name in PLACES})

    assert not [value for value in sample_env(spec, "warm-blog.x").values() if "{" in value]


def test_what_an_app_was_given_knows_its_secrets(live: FakeLive, run: RealmOwner) -> None:
    realm = Realms(live, run, own_keys=False).check_out(
        client=(APP, ("code",), ()), users=("ana", "bea")
    )

    wired = Wiring(realm, APP, realm.users)

    assert realm.users["ana"] == wired.user
    assert {
        "s3cret",
        realm.control.secret,
        *(each.password for each in realm.users.values()),
    } == set(wired.secret_values)
