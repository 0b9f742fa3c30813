"""What one run has of the live-warm Keycloak: a hold, realms, an app that was wired to one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_warmci.errors import (
    InputError,
    KeycloakTrouble,
    LockBusy,
    WarmciError,
)
from pytest_warmci.runs import sign_on as module
from pytest_warmci.store import realm_records
from tests.unit.live_fakes import FakeLive
from tests.unit.signing import Signing, broken
from tests.unit.test_realms import names, records
from tests.unit.test_reap_realms import leave

# -- attaching -------------------------------------------------------------------------------


def test_a_run_that_needs_no_keycloak_never_attaches(signing: Signing) -> None:
    """Nor does asking how it is."""
    assert (None, [], set()) == (
        signing.on.trouble(),
        signing.on.alive(),
        set(signing.on.secret_values),
    )
    signing.on.control()
    assert [] == signing.on.release()

    assert [] == signing.holds == signing.live.fake.calls


def test_the_first_use_attaches_and_the_others_share_it(signing: Signing) -> None:
    signing.on.check_out()
    signing.on.check_out()

    assert signing.on.live is signing.live
    assert ["attached"] == signing.holds


def test_attaching_removes_some_of_what_dead_runs_left(signing: Signing) -> None:
    """A few at most, since somebody waits; and says so when the run ends."""
    for number in range(7):
        leave(signing.live, f"{number:06x}", record=False)

    _ = signing.on.live

    assert 2 == len(names(signing.live))
    assert [f"removed realm blog-{n:06x}: run {n:06x} died" for n in range(5)] == (
        signing.on.release()
    )


def test_leftovers_that_cannot_be_looked_for_keep_nobody_from_working(signing: Signing) -> None:
    """It is told."""
    leave(signing.live)
    signing.live.fake.trouble["find"] = broken

    signing.on.check_out()

    signing.live.fake.trouble.clear()
    assert ["dead runs' realms were not reaped: here: no"] == signing.on.release()


def test_what_cannot_be_attached_to_is_an_error(
    signing: Signing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is tried again the next time."""

    def busy(*_words: object, **_more: object) -> Iterator[FakeLive]:
        raise LockBusy("live-keycloak is busy")

    with monkeypatch.context() as patch:
        patch.setattr(module, "attached", busy)
        with pytest.raises(LockBusy):
            signing.on.check_out()

    assert signing.on.check_out().name


# -- realms ----------------------------------------------------------------------------------


def test_realms_of_a_run_have_names_of_their_own(signing: Signing) -> None:
    made = [signing.on.check_out(name).name for name in ("", "", "other", "other")]

    assert ["blog-1a2b3c", "blog-1a2b3c-2", "blog-1a2b3c-other-3", "blog-1a2b3c-other-4"] == made
    assert made == signing.on.alive()


@pytest.mark.parametrize(
    "name", ["Other", "2nd", "-x", "a b", "a" * 31, "../x", "ä", "x\n", "master/x"]
)
def test_a_name_that_is_none_is_refused(signing: Signing, name: str) -> None:
    with pytest.raises(InputError, match="cannot name a realm") as caught:
        signing.on.check_out(name)

    assert "use at most 30 of a-z, 0-9 and -, beginning with a letter" in caught.value.remedy
    assert [] == signing.holds


@pytest.mark.parametrize("name", ["facade", "a-c0ffee", "decade-x", "facade-c0ffee"])
def test_a_name_that_looks_like_a_runs_id_is_refused(signing: Signing, name: str) -> None:
    """Nobody could tell later whose it is, so it would stay for ever."""
    with pytest.raises(InputError, match="cannot name a realm") as caught:
        signing.on.check_out(name)

    assert "no part of it may be six of 0-9 and a-f, like the id of a run" in caught.value.remedy
    assert ([], {}) == (names(signing.live), records(signing.live.service.state))


def test_a_realm_that_is_checked_in_is_disabled_now_and_deleted_later(signing: Signing) -> None:
    realm = signing.on.check_out()

    signing.on.check_in(realm)

    assert ([], False) == (signing.on.alive(), signing.live.fake.realms_[realm.name]["enabled"])
    assert [] == signing.on.release()
    assert [] == names(signing.live)


def test_checking_in_twice_is_fine(signing: Signing) -> None:
    """Also when the run has ended meanwhile."""
    first, second = signing.on.check_out(), signing.on.check_out()
    signing.on.check_in(first)
    signing.on.check_in(first)
    signing.on.release()

    signing.on.check_in(second)

    assert (["attached", "gone"], 2) == (signing.holds, signing.live.fake.count("disable"))


# -- giving it all back ----------------------------------------------------------------------


def test_releasing_deletes_every_realm_and_lets_go(signing: Signing) -> None:
    signing.on.check_out()
    signing.on.check_out("other")

    assert [] == signing.on.release()

    assert ([], {}) == (names(signing.live), records(signing.live.service.state))
    assert ["attached", "gone"] == signing.holds
    assert [] == signing.on.release()


def test_the_next_use_attaches_anew(signing: Signing) -> None:
    """With a name that was not there before."""
    signing.on.check_out()
    signing.on.release()

    assert "blog-1a2b3c-2" == signing.on.check_out().name
    assert ["attached", "gone", "attached"] == signing.holds


def test_a_run_that_let_go_is_wired_to_nothing(signing: Signing) -> None:
    """Its app could not be stopped, so nobody had unwired it."""
    signing.wire()

    signing.on.release()

    assert signing.on.wired is None


@pytest.mark.parametrize("error", [KeycloakTrouble("no", where="here"), OSError(5, "I/O error")])
def test_what_stays_is_told_and_the_hold_is_given_up(signing: Signing, error: Exception) -> None:
    """Whatever it was: who waits for Keycloak must not wait for us."""
    signing.on.check_out()

    def fail(_name: str) -> None:
        raise error

    signing.live.fake.trouble["disable"] = signing.live.fake.trouble["delete"] = fail
    why = error.summary if isinstance(error, WarmciError) else str(error)

    assert [
        f"realm blog-1a2b3c was not disabled: {why}",
        f"realm blog-1a2b3c was not deleted: {why}",
    ] == signing.on.release()
    assert ["attached", "gone"] == signing.holds
    assert {"blog-1a2b3c": "disabled"} == records(signing.live.service.state)


def test_records_that_cannot_be_read_do_not_keep_the_hold(
    signing: Signing, monkeypatch: pytest.MonkeyPatch
) -> None:
    signing.on.check_out()

    def fail(*_words: object) -> None:
        raise OSError(5, "I/O error")

    monkeypatch.setattr(realm_records, "of_run", fail)

    (told,) = signing.on.release()

    assert "realms were not deleted: [Errno 5] I/O error" == told
    assert ["attached", "gone"] == signing.holds


def test_being_stopped_gives_up_the_hold_too(signing: Signing) -> None:
    signing.on.check_out()

    def stop(_name: str) -> None:
        raise KeyboardInterrupt

    signing.live.fake.trouble["disable"] = stop

    with pytest.raises(KeyboardInterrupt):
        signing.on.release()

    assert ["attached", "gone"] == signing.holds
