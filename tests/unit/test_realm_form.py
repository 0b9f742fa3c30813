"""What Keycloak is sent to make a realm with all that is in it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_warmci.clients.realm_form import (
    client_form,
    new_client,
    new_user,
    realm_form,
    user_form,
)
from pytest_warmci.clients.rsa import KeyPair
from pytest_warmci.model import RealmClient, RealmUser

APP = RealmClient("app", "s3cret")
PUBLIC = RealmClient("app", "")
ANA = RealmUser("ana", "pw", "ana@example.org", "Ana", "Tester")


def realm(keys: KeyPair | None = None) -> dict[str, Any]:
    return realm_form(
        "radicale-1a2b3c",
        title="radicale, run 1a2b3c",
        attributes={"warmci.token": "t"},
        keys=keys,
        clients=[client_form(APP)],
        users=[user_form(ANA)],
    )


def test_a_realm_is_one_request_with_all_that_is_in_it() -> None:
    """And plain data."""
    made = realm()

    assert json.loads(json.dumps(made)) == made
    assert ("radicale-1a2b3c", True, "none") == (
        made["realm"],
        made["enabled"],
        made["sslRequired"],
    )
    assert ({"warmci.token": "t"}, [client_form(APP)], [user_form(ANA)]) == (
        made["attributes"],
        made["clients"],
        made["users"],
    )


def test_passwords_that_live_for_minutes_are_hashed_cheaply() -> None:
    assert "hashAlgorithm(pbkdf2-sha256) and hashIterations(1)" == realm()["passwordPolicy"]


def test_a_realm_signs_with_the_pair_that_is_sent() -> None:
    """The other two keys are cheap, and must be named as soon as one is."""
    made = realm(KeyPair("private", "certificate"))

    (kind,) = made["components"]
    assert "org.keycloak.keys.KeyProvider" == kind
    assert {
        "rsa": {"priority": ["100"], "privateKey": ["private"], "certificate": ["certificate"]},
        "hmac-generated": {"priority": ["100"], "algorithm": ["HS512"]},
        "aes-generated": {"priority": ["100"]},
    } == {each["providerId"]: each["config"] for each in made["components"][kind]}


def test_without_a_pair_the_server_makes_its_own() -> None:
    assert "components" not in realm()


@pytest.mark.parametrize(
    ("flows", "allowed"),
    [
        (("code",), (True, False, False)),
        (("password",), (False, True, False)),
        (("service",), (False, False, True)),
        ((), (False, False, False)),
        (("code", "password", "service"), (True, True, True)),
    ],
)
def test_a_client_may_do_what_its_flows_say(
    flows: tuple[str, ...], allowed: tuple[bool, bool, bool]
) -> None:
    made = client_form(APP, flows=flows)

    assert allowed == (
        made["standardFlowEnabled"],
        made["directAccessGrantsEnabled"],
        made["serviceAccountsEnabled"],
    )


def test_a_client_with_a_secret_is_confidential() -> None:
    made = client_form(APP, redirects=["http://localhost:1/back"])

    assert ("app", "s3cret", False) == (made["clientId"], made["secret"], made["publicClient"])
    assert (["http://localhost:1/back"], ["+"]) == (made["redirectUris"], made["webOrigins"])


def test_a_client_without_a_secret_is_public() -> None:
    """It has no account of its own either: Keycloak refuses that."""
    made = client_form(PUBLIC)

    assert (True, False) == (made["publicClient"], made["serviceAccountsEnabled"])
    assert "secret" not in made


def test_people_are_known_by_their_name_in_every_realm() -> None:
    """Each realm would give them another `sub`, and kept data know them by it."""
    (mapper,) = client_form(APP)["protocolMappers"]

    assert ("oidc-usermodel-attribute-mapper", "username", "sub") == (
        mapper["protocolMapper"],
        mapper["config"]["user.attribute"],
        mapper["config"]["claim.name"],
    )
    assert {"true"} == {
        value for key, value in mapper["config"].items() if key.endswith("token.claim")
    }


def test_more_fields_win() -> None:
    assert client_form(APP, more={"webOrigins": []})["webOrigins"] == []
    assert user_form(ANA, {"enabled": False})["enabled"] is False


def test_a_user_can_log_in_at_once() -> None:
    """A realm asks for what is missing of mail and names, and stops the login for it."""
    made = user_form(ANA)

    assert {
        "username": "ana",
        "email": "ana@example.org",
        "emailVerified": True,
        "firstName": "Ana",
        "lastName": "Tester",
        "enabled": True,
        "requiredActions": [],
        "credentials": [{"type": "password", "value": "pw", "temporary": False}],
    } == made


def test_new_ones_have_secrets_of_their_own() -> None:
    """Which nobody reads by chance."""
    users, clients = [new_user("ana"), new_user("ana")], [new_client("app"), new_client("app")]

    assert users[0].password != users[1].password
    assert clients[0].secret != clients[1].secret
    assert "" == new_client("app", public=True).secret
    assert users[0].password not in repr(users)
    assert clients[0].secret not in repr(clients)
    assert ("ana@example.org", "Ana") == (users[0].email, users[0].first_name)
