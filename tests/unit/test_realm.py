"""A realm as tests and witnesses get it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pytest_warmci.clients.keycloak import Administrator
from pytest_warmci.errors import LoginStopped
from pytest_warmci.model import RealmClient, RealmUser
from pytest_warmci.runs.realm import Realm
from pytest_warmci.runs.realm_owner import RealmOwner
from pytest_warmci.runs.realms import Realms
from tests.fake_keycloak import ADMIN, FakeKeycloak, serving
from tests.unit.live_fakes import FakeLive


@pytest.fixture
def fake() -> Iterator[FakeKeycloak]:
    with serving(FakeKeycloak()) as found:
        yield found


@pytest.fixture
def realm(fake: FakeKeycloak, live: FakeLive, run: RealmOwner) -> Realm:
    """A realm with the user ana on a server that can be asked."""
    live.record = replace(live.record, url=fake.url)
    live.__dict__["administrator"] = Administrator(fake.url, ADMIN, fake.password)
    return Realms(live, run, own_keys=False).check_out(users=("ana",))


def test_it_knows_itself(fake: FakeKeycloak, realm: Realm) -> None:
    issuer = f"{fake.url}/realms/blog-1a2b3c"

    assert ("blog-1a2b3c", issuer, "<realm blog-1a2b3c>") == (
        realm.name,
        realm.issuer,
        repr(realm),
    )
    assert issuer == realm.discovery["issuer"]


def test_its_administrator_is_bound_to_it(realm: Realm) -> None:
    assert "blog-1a2b3c" == realm.admin.get_current_realm()
    assert realm.admin is realm.admin


def test_a_user_gets_a_token_for_a_password(realm: Realm) -> None:
    """By a client of ours, or one that is named."""
    ana, app = realm.users["ana"], realm.client("app")

    assert {"access_token": "of ana"} == realm.token(ana) == realm.token(ana, app)
    with pytest.raises(LoginStopped):
        realm.token(replace(ana, password="wrong"))


def test_a_new_user_can_log_in_at_once(realm: Realm) -> None:
    bea = realm.user("bea")

    assert {"access_token": "of bea"} == realm.token(bea)
    assert bea == realm.users["bea"]


def test_a_new_client_is_what_was_asked_for(fake: FakeKeycloak, realm: Realm) -> None:
    """It is the secret that was sent that comes back."""
    own = realm.client("own", secret="my own", redirectUris=["http://x/*"])
    public = realm.client("public", publicClient=True)

    sent = {each["clientId"]: each for each in fake.realms[realm.name]["clients"]}
    assert (RealmClient("own", "my own"), ["http://x/*"]) == (own, sent["own"]["redirectUris"])
    assert (RealmClient("public", ""), True) == (public, sent["public"]["publicClient"])
    assert {"access_token": "of ana"} == realm.token(realm.users["ana"], own)


def test_a_new_user_is_who_was_asked_for(realm: Realm) -> None:
    """It is the password that was sent that comes back, and the name."""
    bea = realm.user(
        "bea",
        email="b@x.org",
        lastName="B",
        credentials=[{"type": "password", "value": "my own", "temporary": False}],
    )

    assert RealmUser("bea", "my own", "b@x.org", "Bea", "B") == bea
    assert {"access_token": "of bea"} == realm.token(bea)


def test_a_user_without_a_password_has_none(realm: Realm) -> None:
    assert "" == realm.user("bea", credentials=[]).password


def test_every_secret_that_was_given_here_is_known(realm: Realm) -> None:
    client = realm.client("own", secret="my own")
    user = realm.user("bea", credentials=[{"type": "password", "value": "her own"}])
    realm.client("public", publicClient=True)

    assert {
        "my own",
        "her own",
        realm.control.secret,
        realm.users["ana"].password,
    } == set(realm.secret_values)
    assert ("my own", "her own") == (client.secret, user.password)
