"""Single sign-on through the live-warm Keycloak, as a recipe's author and its tests meet it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.workshop import RADICALE_SSO, Outcome
from tests.signed_on import SignedOn, copy_beside_keycloak

SCOPES = """
import base64, json
import pytest
import requests
from pytest_warmci.errors import LoginStopped

seen = {}

def test_one(realm, module_realm, session_realm):
    seen["one"] = (realm.name, module_realm.name, session_realm.name)

def test_another(realm, module_realm, session_realm):
    assert realm.name != seen["one"][0]
    assert (module_realm.name, session_realm.name) == seen["one"][1:]

class TestTogether:
    def test_first(self, class_realm):
        seen["class"] = class_realm.name

    def test_second(self, class_realm):
        assert class_realm.name == seen["class"]

def test_several(realms, run):
    a, b = realms("a"), realms("b")
    assert realms("a") is a
    assert a.name != b.name
    assert all(run.id in each.name for each in (a, b))

def keys(realm):
    return {key["n"] for key in realm.jwks["keys"] if key["kty"] == "RSA"}

def test_a_token_is_worth_nothing_in_another_realm(realms):
    a, b = realms("a"), realms("b")
    assert keys(a) and keys(b)
    assert not keys(a) & keys(b)
    token = a.token(a.user("ana"))["access_token"]
    def who(realm):
        bearer = {"Authorization": f"Bearer {token}"}
        return requests.get(realm.discovery["userinfo_endpoint"], headers=bearer, timeout=30)
    assert who(a).json()["sub"] == "ana"
    assert who(b).status_code == 401

def test_all_that_a_realm_offers(realm, live_keycloak):
    assert realm.issuer == f"{live_keycloak.url}/realms/{realm.name}"
    assert realm.discovery["issuer"] == realm.issuer
    ana = realm.user("ana")
    robot = realm.client("robot", redirectUris=["http://localhost:9/*"])
    assert realm.token(ana, robot)["token_type"] == "Bearer"
    assert "access_token" in realm.client_credentials(robot)
    assert realm.admin.get_user_id("ana")
    page = (
        f"{realm.discovery['authorization_endpoint']}?client_id=robot&response_type=code"
        "&redirect_uri=http://localhost:9/back&scope=openid"
    )
    led = realm.login(ana, page, until="http://localhost:9/back")
    assert "code=" in led.headers["Location"]
    realm.admin.update_user(realm.admin.get_user_id("ana"), {"enabled": False})
    with pytest.raises(LoginStopped, match="refused|disabled"):
        realm.login(ana, page, until="http://localhost:9/back")

def test_a_bad_name_is_refused(realms):
    with pytest.raises(Exception, match="cannot name a realm"):
        realms("../master")
"""


@pytest.mark.core
@pytest.mark.cost(60)
def test_the_first_run_starts_keycloak_and_promotes(signed_on: tuple[SignedOn, Outcome]) -> None:
    """It stays up afterwards; of the realms nothing stays, in Keycloak or on disk."""
    workshop, seeding = signed_on

    assert seeding.result["promoted"], seeding.text
    assert "sso" in {each["name"] for each in seeding.result["phases"]}
    assert [] == [each for each in workshop.apps() if not each.startswith(("live-", "warm-"))]
    place = workshop.place.folder
    assert not (place / "run.env").exists()
    assert not (place / "run.secrets").exists()
    assert [] == list((place / "secrets").iterdir())
    workshop.check_no_realms()


@pytest.mark.core
@pytest.mark.cost(20)
def test_a_good_head_passes_on_kept_data_and_a_fresh_realm(
    signed_on: tuple[SignedOn, Outcome],
) -> None:
    """Twice, on the same Keycloak: the same person finds their data in a realm of another name."""
    workshop, _ = signed_on
    before, pids = workshop.known_good, workshop.pids()

    for _ in range(2):
        outcome = workshop.pytest("--quick", "-v")

        assert outcome.status == 0, outcome.text
        assert {"before": 2, "after": 2} == outcome.result["witness"]
        assert "test_logs_in[upgrade] PASSED" in outcome.text
    assert before == workshop.known_good
    assert pids == workshop.pids()
    workshop.check_no_realms()


@pytest.mark.core
@pytest.mark.cost(12)
def test_damaged_data_are_found_and_put_back(signed_on: tuple[SignedOn, Outcome]) -> None:
    """The login works all the while."""
    workshop, _ = signed_on
    before = workshop.known_good

    outcome = workshop.pytest("--quick", "--warmci-head", "damaged-data")

    assert outcome.status == 1, outcome.text
    assert "data lost: the witness had 2, now it finds 1" in outcome.result["reason"]
    assert "test_logs_in" not in outcome.result["reason"]
    assert before == workshop.known_good
    assert before.digest == workshop.volumes_digest()
    workshop.check_no_realms()


@pytest.mark.cost(12)
def test_a_head_that_lets_nobody_in_fails_though_it_is_healthy(
    signed_on: tuple[SignedOn, Outcome],
) -> None:
    """Its own health says nothing of that; Keycloak works, so it is the recipe's fault."""
    workshop, _ = signed_on

    outcome = workshop.pytest(
        "--quick", "--warmci-head", "nobody-logs-in", "-k", "serves or logs_in"
    )

    assert outcome.status == 1, outcome.text
    assert "1 failed, 1 passed" in outcome.text
    assert "ana could not log in" in outcome.text
    assert "HTTP 401" in outcome.text
    assert before_is_after(outcome)
    workshop.check_no_realms()


@pytest.mark.core
@pytest.mark.cost(25)
def test_realms_of_every_scope(signed_on: tuple[SignedOn, Outcome], tmp_path: Path) -> None:
    """Fresh for each test, class, file or session; several by name; all gone at the end."""
    workshop, _ = signed_on
    folder = copy_beside_keycloak(RADICALE_SSO, tmp_path / "recipe_tests", SCOPES)

    outcome = SignedOn(workshop.root, folder).pytest("--quick")

    assert outcome.status == 0, outcome.text
    workshop.check_no_realms()


@pytest.mark.cost(12)
def test_keycloak_makes_the_keys_when_it_is_asked_to(
    signed_on: tuple[SignedOn, Outcome],
) -> None:
    """Nothing of the stock is used."""
    workshop, _ = signed_on
    keys = workshop.root / "live" / "keycloak" / "keys" / "stock"
    before = sorted(path.stat().st_ino for path in keys.iterdir())

    outcome = workshop.pytest("--quick", "--warmci-server-keys", "-k", "logs_in")

    assert outcome.status == 0, outcome.text
    assert before == sorted(path.stat().st_ino for path in keys.iterdir())
    workshop.check_no_realms()


@pytest.mark.core
@pytest.mark.cost(8)
def test_the_commands_say_how_it_is(signed_on: tuple[SignedOn, Outcome]) -> None:
    """Status, realms, reap and its self-test, as JSON for scripts."""
    workshop, _ = signed_on

    status, said = workshop.cli("live", "status")
    assert (0, "works") == (status, said["keycloak"]["condition"])
    assert workshop.live.url == said["keycloak"]["url"]
    assert (0, []) == (workshop.cli("realms")[0], workshop.cli("realms")[1]["realms"])

    status, said = workshop.cli("reap", "--self-test")

    assert status == 0, said
    outcomes = {each["realm"].rpartition("-")[2]: each["outcome"] for each in said["realms"]}
    assert {"dead": "removed", "live": "kept"} == outcomes
    workshop.check_no_realms()


@pytest.mark.nightly
def test_every_recipe_on_a_worker_of_its_own(
    signed_on: tuple[SignedOn, Outcome], tmp_path: Path
) -> None:
    """With -n 4: one live Keycloak for all of them, and each removes its own realms. The others
    need another engine."""
    workshop, _ = signed_on
    first, *more = sorted(path.parent for path in RADICALE_SSO.parent.glob("*/process.yml"))
    pids = workshop.pids()

    outcome = SignedOn(workshop.root, first).pytest(
        "-n", "4", "--import-mode=importlib", *map(str, more)
    )

    assert outcome.status == 0, outcome.text
    assert len(outcome.results) == len([first, *more])
    assert {"passed"} == {each["verdict"] for each in outcome.results}
    assert pids == workshop.pids()
    workshop.check_no_realms()


def before_is_after(outcome: Outcome) -> bool:
    found = outcome.result["known_good"]
    return bool(found["before"] == found["after"])
