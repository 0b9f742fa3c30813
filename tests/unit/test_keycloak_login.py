"""The administrator logs in: as often as it takes, and believes nobody else's answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_warmci.clients.keycloak import Administrator, Refused
from tests.fake_keycloak import ADMIN, SILENCE, FakeKeycloak, Trouble, serving
from tests.unit.test_keycloak import CHANGE, DELETE, LIST, LOGIN, LOOK, MAKE, administrator, form


@pytest.fixture
def fake() -> Iterator[FakeKeycloak]:
    with serving(FakeKeycloak()) as found:
        yield found


def test_one_login_serves_many_requests(fake: FakeKeycloak) -> None:
    admin = administrator(fake)
    admin.create(form())
    admin.delete("r-1a2b3c")
    admin.realms()

    assert 1 == fake.count(LOGIN)


def test_a_token_that_is_over_is_renewed(fake: FakeKeycloak) -> None:
    """The request is sent once more with the new one."""
    admin = administrator(fake)
    admin.realms()
    fake.forget_logins(refresh=False)

    admin.create(form())

    assert form() == fake.realms["r-1a2b3c"]
    assert (2, 2) == (fake.count(LOGIN), fake.count(MAKE))


@pytest.mark.parametrize("verb", ["read", "change"])
def test_a_server_that_knows_no_login_any_more_gets_a_new_one(
    fake: FakeKeycloak, verb: str
) -> None:
    """It was started anew with other data: refreshing is refused, the password is not."""
    admin = administrator(fake)
    admin.realms()
    fake.forget_logins()

    if verb == "read":
        admin.realms()
    else:
        admin.create(form())

    assert 3 == fake.count(LOGIN), fake.asked


def test_a_token_that_runs_out_is_renewed_before_it_is_used(fake: FakeKeycloak) -> None:
    """And a refresh token that is not taken any more does not matter."""
    fake.lifetime = 0
    admin = administrator(fake)
    admin.realms()
    fake.forget_logins()

    admin.realms()

    assert (3, 2) == (fake.count(LOGIN), fake.count(LIST))


def test_a_wrong_password_is_an_error(fake: FakeKeycloak) -> None:
    """Which does not quote it."""
    with pytest.raises(Refused) as caught:
        Administrator(fake.url, ADMIN, "wrong-password").realms()

    assert ("Keycloak refuses us", 401) == (caught.value.what, caught.value.status)
    assert "wrong-password" not in str(caught.value)
    assert 1 == fake.count(LOGIN)


def test_a_login_page_that_is_missing_does_not_mean_that_a_realm_is(fake: FakeKeycloak) -> None:
    """Another program listens there: then nothing is known of any realm."""
    fake.plan(LOGIN, *(Trouble(404, body="<html>not here"),) * 3)
    fake.realms["r-1a2b3c"] = form()
    admin = administrator(fake)

    with pytest.raises(Refused, match="Keycloak refuses us"):
        admin.find("r-1a2b3c")
    with pytest.raises(Refused, match="Keycloak refuses us"):
        admin.delete("r-1a2b3c")


@pytest.mark.parametrize("body", ["<html>hello", "[]", '{"hello": 1}', '{"access_token": "x"}'])
def test_a_login_that_gives_no_token_is_trouble(fake: FakeKeycloak, body: str) -> None:
    """Whoever answers there."""
    fake.plan(LOGIN, Trouble(200, body=body))

    with pytest.raises(Refused, match="Keycloak refuses us"):
        administrator(fake).realms()


@pytest.mark.parametrize("body", ["<html>hello", "{}", "[1]", '[{"name": "x"}]', "null"])
def test_a_list_that_is_none_is_trouble(fake: FakeKeycloak, body: str) -> None:
    fake.plan(LIST, Trouble(200, body=body))

    with pytest.raises(Refused, match="Keycloak's answer cannot be read") as caught:
        administrator(fake).realms()

    assert "GET admin/realms" in caught.value.why


@pytest.mark.parametrize("body", ["<html>hello", "[]"])
def test_a_realm_that_is_none_is_trouble(fake: FakeKeycloak, body: str) -> None:
    fake.realms["r-1a2b3c"] = form()
    fake.plan(LOOK, Trouble(200, body=body))

    with pytest.raises(Refused, match="Keycloak's answer cannot be read"):
        administrator(fake).find("r-1a2b3c")


@pytest.mark.parametrize("request_", [LOGIN, LIST])
def test_nothing_is_sent_twice_by_the_library(fake: FakeKeycloak, request_: str) -> None:
    """A request without an answer may have been carried out: who repeats it must have looked."""
    fake.plan(request_, Trouble(SILENCE))

    with pytest.raises(Refused, match="Keycloak does not answer"):
        administrator(fake).realms()

    assert 1 == fake.count(request_)


def test_a_change_is_not_sent_twice_by_the_library(fake: FakeKeycloak) -> None:
    fake.realms["r-1a2b3c"] = form()
    fake.plan(DELETE, Trouble(SILENCE, done=True))
    fake.plan(CHANGE, Trouble(SILENCE, done=True))
    admin = administrator(fake)

    admin.disable("r-1a2b3c")
    admin.delete("r-1a2b3c")

    assert (1, 1) == (fake.count(CHANGE), fake.count(DELETE))


def test_no_proxy_is_used(fake: FakeKeycloak, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is on this machine, whatever the environment says of others."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    fake.realms["r-1a2b3c"] = form()
    admin = administrator(fake)

    assert 2 == len(admin.realms())
    admin.bound("r-1a2b3c").create_client({"clientId": "app"})
    assert [{"clientId": "app"}] == fake.realms["r-1a2b3c"]["clients"]
