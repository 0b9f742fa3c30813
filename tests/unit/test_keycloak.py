"""The administrator's client: what is there decides, whatever was answered, and nothing is sent
twice by chance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pytest_warmci.clients import keycloak as client
from pytest_warmci.clients.keycloak import Administrator, BriefRealm, Refused, token_of
from pytest_warmci.errors import KeycloakTrouble
from tests.fake_keycloak import ADMIN, SILENCE, TOKEN, FakeKeycloak, Trouble, serving

LOGIN = f"POST /realms/master{TOKEN}"
MAKE = "POST /admin/realms"
LIST = "GET /admin/realms"
LOOK = "GET /admin/realms/r-1a2b3c"
CHANGE = "PUT /admin/realms/r-1a2b3c"
DELETE = "DELETE /admin/realms/r-1a2b3c"
CLIENTS = "/admin/realms/r-1a2b3c/clients"
USERS = "/admin/realms/r-1a2b3c/users"


def form() -> dict[str, Any]:
    return {"realm": "r-1a2b3c", "enabled": True, "attributes": {"warmci.token": "ours"}}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here takes as long as a real server may."""
    monkeypatch.setattr(client, "_STILL_AT_WORK", 1.0)


@pytest.fixture
def fake() -> Iterator[FakeKeycloak]:
    with serving(FakeKeycloak()) as found:
        yield found


def administrator(fake: FakeKeycloak, timeout: int = 5) -> Administrator:
    return Administrator(fake.url, ADMIN, fake.password, timeout=timeout)


def test_the_list_of_realms_is_brief(fake: FakeKeycloak) -> None:
    """The fake refuses the full one."""
    fake.realms["r-1a2b3c"] = {**form(), "enabled": False}

    assert [BriefRealm("master", True), BriefRealm("r-1a2b3c", False)] == administrator(
        fake
    ).realms()


@pytest.mark.parametrize("status", [400, 500, 503])
def test_a_list_that_fails_in_passing_is_asked_for_again(fake: FakeKeycloak, status: int) -> None:
    """Above all 400: a realm went while Keycloak wrote the list."""
    fake.plan(LIST, Trouble(status), Trouble(status))

    assert [BriefRealm("master", True)] == administrator(fake).realms()
    assert 3 == fake.count(LIST)


@pytest.mark.parametrize(("status", "tries"), [(400, 3), (403, 1), (404, 1), (SILENCE, 1)])
def test_a_list_that_keeps_failing_is_an_error(
    fake: FakeKeycloak, status: int, tries: int
) -> None:
    """What will not pass is one at once, and so is silence: that took its time already."""
    fake.plan(LIST, *(Trouble(status),) * tries)

    with pytest.raises(Refused, match="GET admin/realms: ") as caught:
        administrator(fake).realms()

    assert (status, tries) == (caught.value.status, fake.count(LIST))


def test_a_realm_that_goes_while_it_is_looked_at_is_not_there(fake: FakeKeycloak) -> None:
    fake.plan(LOOK, Trouble(400))

    assert administrator(fake).find("r-1a2b3c") is None
    assert 2 == fake.count(LOOK)


def test_a_realm_is_found_with_its_token_or_not_at_all(fake: FakeKeycloak) -> None:
    fake.realms["r-1a2b3c"] = form()
    admin = administrator(fake)

    found = admin.find("r-1a2b3c")

    assert found is not None
    assert "ours" == token_of(found)
    assert admin.find("other") is None
    assert "" == token_of({"realm": "bare"}) == token_of({"attributes": None})


def test_a_name_is_never_a_path(fake: FakeKeycloak) -> None:
    """Whatever it is made of."""
    assert administrator(fake).find("../realms/master") is None


def test_a_realm_is_made_with_one_request(fake: FakeKeycloak) -> None:
    administrator(fake).create(form())

    assert form() == fake.realms["r-1a2b3c"]
    assert [LOGIN, MAKE] == fake.asked


def test_a_realm_that_appears_after_the_time_is_over_is_ours(fake: FakeKeycloak) -> None:
    """The server was still at it when we gave up waiting; nobody asks it twice."""
    fake.plan(MAKE, Trouble(SILENCE, hangs=True, later=1.2))

    administrator(fake, timeout=1).create(form())

    assert form() == fake.realms["r-1a2b3c"]
    assert 1 == fake.count(MAKE)


def test_a_realm_that_was_made_before_the_connection_broke_is_ours(fake: FakeKeycloak) -> None:
    fake.plan(MAKE, Trouble(SILENCE, done=True))

    administrator(fake).create(form())

    assert 1 == fake.count(MAKE)


def test_a_conflict_with_our_own_realm_is_success(fake: FakeKeycloak) -> None:
    """The first request had done it, and the second one met what the first had made."""
    fake.realms["r-1a2b3c"] = form()

    administrator(fake).create(form())

    assert 1 == fake.count(MAKE)


@pytest.mark.parametrize("attributes", [{"warmci.token": "theirs"}, {}, None])
def test_a_conflict_with_somebody_elses_realm_is_an_error(
    fake: FakeKeycloak, attributes: dict[str, str] | None
) -> None:
    """Which is left as it is."""
    theirs = {**form(), "attributes": attributes}
    fake.realms["r-1a2b3c"] = dict(theirs)

    with pytest.raises(KeycloakTrouble) as caught:
        administrator(fake).create(form())

    assert (
        f"{fake.url}: there is a realm r-1a2b3c already, and it is not ours\n"
        "  do:  warmci realms shows whose it is"
    ) == str(caught.value)
    assert theirs == fake.realms["r-1a2b3c"]
    assert 1 == fake.count(MAKE)


@pytest.mark.parametrize("status", [400, 409, 429, 500, 503])
def test_what_may_pass_is_tried_again(fake: FakeKeycloak, status: int) -> None:
    """A busy server, a deadlock, two writers."""
    fake.plan(MAKE, Trouble(status), Trouble(status))

    administrator(fake).create(form())

    assert form() == fake.realms["r-1a2b3c"]
    assert 3 == fake.count(MAKE)


def test_an_error_for_a_realm_that_was_made_all_the_same_is_success(fake: FakeKeycloak) -> None:
    fake.plan(MAKE, Trouble(500, done=True))

    administrator(fake).create(form())

    assert 1 == fake.count(MAKE)


def test_a_look_that_fails_in_passing_is_repeated(
    fake: FakeKeycloak, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says neither that the realm is there nor that it is not, however often it is asked."""
    monkeypatch.setattr(client, "_STILL_AT_WORK", 10.0)
    fake.plan(MAKE, Trouble(SILENCE, done=True))
    fake.plan(LOOK, *(Trouble(503),) * 4)

    administrator(fake).create(form())

    assert (1, 5) == (fake.count(MAKE), fake.count(LOOK))


def test_it_is_tried_three_times(fake: FakeKeycloak) -> None:
    fake.plan(MAKE, *(Trouble(500, body='{"error":\n "unknown_error"}'),) * 3)

    with pytest.raises(Refused) as caught:
        administrator(fake).create(form())

    assert (
        f"{fake.url}: Keycloak answered HTTP 500\n"
        '  why: POST admin/realms: {"error": "unknown_error"}\n'
        "  do:  warmci live status says how it is; its log lies with its app"
    ) == str(caught.value)
    assert (3, 500) == (fake.count(MAKE), caught.value.status)


def test_what_will_not_pass_is_tried_once(fake: FakeKeycloak) -> None:
    fake.plan(MAKE, Trouble(403))

    with pytest.raises(Refused, match="Keycloak answered HTTP 403"):
        administrator(fake).create(form())

    assert 1 == fake.count(MAKE)


def test_nobody_there_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a password or the beginnings of a traceback in it."""
    with pytest.raises(Refused) as caught:
        Administrator("http://127.0.0.1:1", ADMIN, "admin-password").realms()

    assert ("Keycloak does not answer", 0) == (caught.value.what, caught.value.status)
    assert caught.value.why.startswith("GET admin/realms: ")
    assert "admin-password" not in str(caught.value)


def test_a_realm_is_disabled(fake: FakeKeycloak) -> None:
    """And keeps all else."""
    fake.realms["r-1a2b3c"] = form()

    administrator(fake).disable("r-1a2b3c")

    assert {**form(), "enabled": False} == fake.realms["r-1a2b3c"]


@pytest.mark.parametrize("trouble", [Trouble(500), Trouble(SILENCE), Trouble(500, done=True)])
def test_a_realm_is_disabled_in_the_end(fake: FakeKeycloak, trouble: Trouble) -> None:
    fake.realms["r-1a2b3c"] = form()
    fake.plan(CHANGE, trouble)

    administrator(fake).disable("r-1a2b3c")

    assert not fake.realms["r-1a2b3c"]["enabled"]


def test_disabling_or_deleting_what_is_gone_is_fine(fake: FakeKeycloak) -> None:
    admin = administrator(fake)

    admin.disable("r-1a2b3c")
    admin.delete("r-1a2b3c")

    assert (1, 1) == (fake.count(CHANGE), fake.count(DELETE))


@pytest.mark.parametrize(
    "trouble",
    [Trouble(500), Trouble(SILENCE), Trouble(SILENCE, done=True), Trouble(SILENCE, later=0.3)],
)
def test_a_realm_is_deleted_in_the_end(fake: FakeKeycloak, trouble: Trouble) -> None:
    """Whatever was answered: it is looked for."""
    fake.realms["r-1a2b3c"] = form()
    fake.plan(DELETE, trouble)

    administrator(fake).delete("r-1a2b3c")

    assert ["master"] == list(fake.realms)


def test_a_realm_that_stays_is_an_error(fake: FakeKeycloak) -> None:
    fake.realms["r-1a2b3c"] = form()
    fake.plan(DELETE, *(Trouble(500),) * 3)

    with pytest.raises(Refused, match="HTTP 500"):
        administrator(fake).delete("r-1a2b3c")


def test_master_is_never_deleted(fake: FakeKeycloak) -> None:
    """Nobody is even asked."""
    with pytest.raises(KeycloakTrouble, match="realm master is never deleted"):
        administrator(fake).delete("master")

    assert [] == fake.asked


# -- clients and users -----------------------------------------------------------------------


def make(admin: Administrator, kind: str) -> None:
    if kind == CLIENTS:
        admin.create_client("r-1a2b3c", {"clientId": "app"})
    else:
        admin.create_user("r-1a2b3c", {"username": "ana"})


KINDS = pytest.mark.parametrize("kind", [CLIENTS, USERS])


@KINDS
def test_a_client_or_user_is_made(fake: FakeKeycloak, kind: str) -> None:
    fake.realms["r-1a2b3c"] = form()

    make(administrator(fake), kind)

    name = kind.rpartition("/")[2]
    made = [{"clientId": "app"}] if kind == CLIENTS else [{"username": "ana"}]
    assert made == fake.realms["r-1a2b3c"][name]
    assert 1 == fake.count(f"POST {kind}")


@KINDS
def test_a_client_or_user_without_an_answer_is_looked_for(fake: FakeKeycloak, kind: str) -> None:
    fake.realms["r-1a2b3c"] = form()
    fake.plan(f"POST {kind}", Trouble(SILENCE, later=0.3))

    make(administrator(fake), kind)

    assert 1 == fake.count(f"POST {kind}")


@KINDS
def test_a_client_or_user_that_exists_is_an_error(fake: FakeKeycloak, kind: str) -> None:
    """A test has asked for it twice: there is no telling whose it is."""
    fake.realms["r-1a2b3c"] = form()
    admin = administrator(fake)
    make(admin, kind)

    with pytest.raises(Refused, match="HTTP 409"):
        make(admin, kind)

    assert 2 == fake.count(f"POST {kind}")


@KINDS
def test_a_conflict_with_what_our_own_first_try_has_made_is_success(
    fake: FakeKeycloak, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was so late that we had tried again."""
    monkeypatch.setattr(client, "_STILL_AT_WORK", 0.0)
    fake.realms["r-1a2b3c"] = form()
    fake.plan(f"POST {kind}", Trouble(SILENCE))
    fake.plan(f"POST {kind}", Trouble(409, done=True))

    make(administrator(fake), kind)

    assert 2 == fake.count(f"POST {kind}")


def test_authors_get_an_administrator_of_one_realm(fake: FakeKeycloak) -> None:
    """Who logs in at master, and asks about that realm."""
    fake.realms["r-1a2b3c"] = form()

    bound = administrator(fake).bound("r-1a2b3c")
    bound.create_client({"clientId": "app"})

    assert "r-1a2b3c" == bound.get_current_realm()
    assert [LOGIN, f"POST {CLIENTS}"] == fake.asked[:2]
