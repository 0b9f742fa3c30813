"""Quick runs on real servers: what is kept, what is rolled back, and what is never touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.workshop import HEAD, SEEDED, Workshop, assert_rolled_back

AUTHORS = """
import json, pytest, requests

NAME = "left-behind"

def token(app):
    answer = requests.post(
        app.url + "/realms/master/protocol/openid-connect/token",
        data={"grant_type": "password", "client_id": "admin-cli",
              "username": app.env["ADMIN_USERNAME"], "password": app.secret("admin_password")},
        timeout=30,
    )
    return {"Authorization": "Bearer " + answer.json()["access_token"]}

@pytest.mark.before_upgrade
def test_nothing_is_left_from_an_earlier_head(app):
    answer = requests.get(f"{app.url}/admin/realms/{NAME}", headers=token(app), timeout=30)
    assert answer.status_code == 404

def test_leaves_something_behind(app):
    answer = requests.post(
        f"{app.url}/admin/realms", headers=token(app), json={"realm": NAME}, timeout=60
    )
    assert answer.status_code == 201
"""


@pytest.mark.core
@pytest.mark.cost(100)
def test_a_good_head_passes_and_the_next_run_starts_from_known_good(
    workshop: Workshop, recipe_copy: Path
) -> None:
    """Two quick runs: the volumes are kept, and the second one sees nothing of the first."""
    (recipe_copy / "test_left.py").write_text(AUTHORS, "utf-8")
    entry = workshop.entry_bytes()

    first = workshop.pytest("--quick")
    kept = workshop.volumes_digest()
    kept_schema = workshop.migrated_by()
    second = workshop.pytest("--quick")

    for outcome in (first, second):
        assert outcome.status == 0, outcome.text
        assert outcome.result["verdict"] == "passed"
        assert outcome.result["witness"] == {"before": 4, "after": 4}
        assert outcome.result["known_good"]["before"] == outcome.result["known_good"]["after"]
        assert HEAD in outcome.result["proved_head"]
        assert outcome.result["leftovers"] == []
    assert kept != workshop.known_good.digest
    assert kept_schema == HEAD
    assert any("an earlier run's upgrade was kept" in note for note in second.result["notes"])
    assert workshop.entry_bytes() == entry
    assert workshop.processes() == []


@pytest.mark.parametrize(
    ("branch", "reason"),
    [
        pytest.param("fails-late", "service 'app' ended", marks=pytest.mark.core),
        pytest.param("damaged-data", "data lost: the witness had 4", marks=pytest.mark.core),
        pytest.param("fails-at-once", ""),
        pytest.param("fails-on-data", ""),
        pytest.param("empty-database", "data lost"),
    ],
)
@pytest.mark.cost(60)
def test_a_bad_head_fails_for_its_own_reason_and_is_rolled_back(
    workshop: Workshop, branch: str, reason: str
) -> None:
    """Version and data come back together, to the byte."""
    entry = workshop.entry_bytes()

    outcome = workshop.pytest("--quick", f"--warmci-head={branch}")

    assert outcome.status == 1, outcome.text
    assert outcome.result["verdict"] == "failed"
    assert reason in outcome.result["reason"]
    assert_rolled_back(workshop, outcome, entry)
    assert workshop.migrated_by() == SEEDED


@pytest.mark.core
@pytest.mark.cost(5)
def test_a_head_that_changes_nothing_is_skipped(workshop: Workshop) -> None:
    """No vacuous upgrade: nothing is deployed, nothing passes."""
    entry = workshop.entry_bytes()

    outcome = workshop.pytest("--quick", "--warmci-head=no-change")

    assert outcome.status == 5, outcome.text
    assert outcome.result["verdict"] == "skipped"
    assert outcome.result["reason"].startswith("nothing to upgrade")
    assert outcome.result["tests"]["passed"] == 0
    assert workshop.entry_bytes() == entry


@pytest.mark.core
@pytest.mark.cost(5)
def test_a_change_that_the_engine_cannot_see_is_not_evaluated(workshop: Workshop) -> None:
    """A difference in a compose key that the engine ignores says nothing either way."""
    outcome = workshop.pytest("--quick", "--warmci-head=ignored-key")

    assert outcome.status == 75, outcome.text
    assert outcome.result["verdict"] == "not-evaluated"
    assert "engine process cannot see" in outcome.result["reason"]


@pytest.mark.core
@pytest.mark.cost(5)
def test_a_head_beside_the_known_good_is_not_evaluated(workshop: Workshop) -> None:
    """The known-good must be an ancestor: its data would be upgraded by what never saw it."""
    outcome = workshop.pytest("--quick", "--warmci-head=10.6.0+26.5.6")

    assert outcome.status == 75, outcome.text
    assert outcome.result["verdict"] == "not-evaluated"
    assert "not an ancestor" in outcome.result["reason"]
    assert "rebase" in outcome.text
