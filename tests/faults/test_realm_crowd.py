"""Many sessions on one live-warm Keycloak: each has realms of its own, and leaves none."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_warmci.runs.reap_realms import MOST
from tests.e2e.workshop import RADICALE_SSO, Outcome
from tests.faults.crowd import Crowd, Running, wait_for_file
from tests.signed_on import SignedOn, copy_beside_keycloak

TEST = """
import base64, json, os, pathlib
from pytest_warmci.clients.waiting import Look, wait_until

def claims(token):
    body = token["access_token"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))

def test_two_realms(realm, sso, run):
    found = (realm, sso.realm)
    assert len({each.name for each in found}) == 2
    realm.user("ana")
    for each in found:
        assert run.id in each.name
        assert each.discovery["issuer"] == each.issuer
        said = claims(each.token(each.users["ana"]))
        assert (said["iss"], said["preferred_username"]) == (each.issuer, "ana")
    names = pathlib.Path(os.environ["CROWD_NAMES"])
    names.with_suffix(".part").write_text(" ".join(each.name for each in found))
    names.with_suffix(".part").rename(names)
    opened = pathlib.Path(os.environ["CROWD_GATE"])
    wait_until(lambda: Look(opened.exists(), "shut"), timeout=600)
"""
ONLY = ("--warmci-head", "published", "-k", "deploys or logs_in or two_realms")


class Sessions:
    """Sessions that say which realms they have, and stay in their test until they are let on."""

    def __init__(self, crowd: Crowd, state: Path, recipe: Path, folder: Path) -> None:
        self._crowd = crowd
        self._state = state
        self._recipe = recipe
        self._folder = folder
        self._count = 0

    def start(self, gate: Path) -> tuple[Running, Path]:
        """Start one; return it and the file in which it names its realms."""
        self._count += 1
        names = self._folder / f"{self._count}.names"
        env = {"CROWD_NAMES": str(names), "CROWD_GATE": str(gate)}
        return self._crowd.start(self._state, self._recipe, *ONLY, env=env), names


def realms_of(places: list[Path]) -> list[str]:
    return [name for place in places for name in place.read_text().split()]


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(12, marks=[pytest.mark.core, pytest.mark.cost(90)]),
        pytest.param(50, marks=pytest.mark.nightly),
    ],
)
def test_many_sessions_and_a_third_of_them_killed(
    signed_on: tuple[SignedOn, Outcome], tmp_path: Path, count: int
) -> None:
    """No collision, no wrong issuer, nothing left; the reaper takes what the killed ones had."""
    workshop, _ = signed_on
    recipe = copy_beside_keycloak(RADICALE_SSO, tmp_path / "recipe_tests", TEST)
    shut, opened = tmp_path / "gate", tmp_path / "open"
    opened.touch()
    with Crowd(tmp_path / "crowd") as crowd:
        sessions = Sessions(crowd, workshop.root, recipe, tmp_path)
        victims = [sessions.start(shut) for _ in range(count // 3)]
        held = [sessions.start(shut) for _ in range(2)]
        others = [sessions.start(opened) for _ in range(count - count // 3 - 2)]
        for running, names in (*victims, *held):
            wait_for_file(names, running, seconds=400)
        for running, _ in victims:
            running.process.kill()
            running.process.wait()
        passes = [workshop.cli("reap") for _ in range(1 + 2 * len(victims) // MOST)]
        left = set(workshop.realms())
        shut.touch()
        outcomes = [running.end() for running, _ in (*held, *others)]

    print("\n".join(each.text[-2000:] for each in outcomes if each.status != 0))  # noqa: T201
    assert [0] * len(outcomes) == [each.status for each in outcomes]
    theirs = set(realms_of([names for _, names in victims]))
    ours = set(realms_of([names for _, names in (*held, *others)]))
    assert 2 * count == len(theirs | ours)
    assert {0} == {status for status, _ in passes}
    assert not left & theirs
    assert set(realms_of([names for _, names in held])) <= left
    reaped = [each for _, said in passes for each in said["realms"]]
    assert not {each["realm"] for each in reaped if each["outcome"] == "removed"} - theirs
    workshop.by_hand("reap")
    workshop.check_no_realms()
    assert [] == [app for app in workshop.apps() if not app.startswith(("live-", "warm-"))]
