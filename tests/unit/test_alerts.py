"""Alerts: one file per trouble, as CloudEvents."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_warmci.store.alerts import open_alerts, raise_alert, settle_alert
from pytest_warmci.store.state import open_state


def raise_one(folder: Path, subject: str = "keycloak", **facts: object) -> Path:
    return raise_alert(
        folder,
        kind="restore-failed",
        subject=subject,
        what="it could not be put back",
        where="warm-keycloak",
        facts=facts,
        remedy="warmci recover",
    )


def test_it_is_a_cloud_event(tmp_path: Path) -> None:
    """With all that the specification requires, from this state directory."""
    state = open_state(tmp_path / "state")

    event = json.loads(raise_one(state.alerts, why="disk").read_text())

    assert ("1.0", "warmci.restore-failed", "keycloak", "application/json") == tuple(
        event[key] for key in ("specversion", "type", "subject", "datacontenttype")
    )
    assert f"pytest-warmci/{state.uuid}" == event["source"]
    assert event["id"]
    assert event["time"].endswith("Z")
    assert {
        "why": "disk",
        "what": "it could not be put back",
        "where": "warm-keycloak",
        "since": event["time"],
        "last_seen": event["time"],
        "count": 1,
        "do": "warmci recover",
    } == event["data"]
    assert all(name.isalnum() and name.islower() for name in event)


def test_the_same_trouble_is_one_alert(tmp_path: Path) -> None:
    """Counted, with the newest facts and its old id."""
    first = json.loads(raise_one(tmp_path, why="a").read_text())
    second = json.loads(raise_one(tmp_path, why="b").read_text())

    assert 1 == len(open_alerts(tmp_path))
    assert (first["id"], first["time"]) == (second["id"], second["time"])
    assert (2, "b") == (second["data"]["count"], second["data"]["why"])


def test_other_subjects_are_other_alerts(tmp_path: Path) -> None:
    """Also where their file names would look the same, or lead elsewhere."""
    paths = {raise_one(tmp_path, subject) for subject in ("a/b", "a-b", "A b", "../a", "ü" * 200)}

    assert 5 == len(paths)
    assert {tmp_path} == {path.parent for path in paths}
    assert 5 == len(open_alerts(tmp_path))


def test_settled_alerts_are_kept_apart(tmp_path: Path) -> None:
    """They move to seen/, more than once; what is not open is not settled."""
    for _ in range(2):
        raise_one(tmp_path)
        assert settle_alert(tmp_path, "restore-failed", "keycloak")

    assert not settle_alert(tmp_path, "restore-failed", "keycloak")
    assert [] == open_alerts(tmp_path)
    assert 2 == len(list((tmp_path / "seen").iterdir()))


def test_after_settling_it_is_a_new_alert(tmp_path: Path) -> None:
    """It is told again, from one."""
    first = json.loads(raise_one(tmp_path).read_text())
    settle_alert(tmp_path, "restore-failed", "keycloak")
    second = json.loads(raise_one(tmp_path).read_text())

    assert first["id"] != second["id"]
    assert 1 == second["data"]["count"]


@pytest.mark.parametrize("content", ["{", '{"format": 1, "data": 5}'])
def test_a_damaged_file_does_not_hide_trouble(tmp_path: Path, content: str) -> None:
    """A new one is written over it."""
    path = raise_one(tmp_path)
    path.write_text(content)

    raise_one(tmp_path)

    (event,) = open_alerts(tmp_path)
    assert ("warmci.restore-failed", 1) == (event["type"], event["data"]["count"])


def test_a_damaged_file_does_not_hide_the_others(tmp_path: Path) -> None:
    """It is listed as an alert about itself."""
    raise_one(tmp_path)
    (tmp_path / "broken.json").write_text("{")

    found = {event["type"]: event["subject"] for event in open_alerts(tmp_path)}

    assert {"warmci.restore-failed": "keycloak", "warmci.alert-unreadable": "broken.json"} == found


def test_no_folder_no_alerts(tmp_path: Path) -> None:
    """Nothing has ever happened."""
    assert [] == open_alerts(tmp_path / "none")
