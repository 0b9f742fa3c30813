"""Synapse: an upgrade that migrates, data in a write-ahead log, people known by what a realm says."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.workshop import SYNAPSE, Outcome
from tests.signed_on import SignedOn

BEFORE, AFTER = 93, 94
"""The database schema of 1.150.0, and of 1.163.2."""


@pytest.fixture(scope="session")
def synapse(signed_on: tuple[SignedOn, Outcome]) -> tuple[SignedOn, Outcome]:
    """Synapse's canonical, seeded on the Keycloak that is shared; and the run that seeded it."""
    workshop = SignedOn(signed_on[0].root, SYNAPSE)
    outcome = workshop.pytest("--warmci-head", "published")
    assert outcome.status == 0, outcome.text
    return workshop, outcome


def database(workshop: SignedOn) -> Path:
    [volume] = (workshop.place.folder / "volumes").iterdir()
    return volume / "homeserver.db"


def asked(file: Path, question: str) -> int:
    with closing(sqlite3.connect(file)) as connection:
        return int(connection.execute(question).fetchone()[0])


def schema(workshop: SignedOn, tmp_path: Path) -> int:
    """The schema's own row, read from a copy with its log: looking must not change the volume."""
    return asked(
        copied(workshop, tmp_path / "look", log=True), "select version from schema_version"
    )


def copied(workshop: SignedOn, folder: Path, *, log: bool) -> Path:
    """Copy the stopped database, with its write-ahead log or without; return the copy."""
    folder.mkdir(exist_ok=True)
    file = database(workshop)
    for name in (file.name, *((f"{file.name}-wal",) if log else ())):
        shutil.copy2(file.with_name(name), folder / name)
    return folder / file.name


@pytest.mark.core
@pytest.mark.cost(60)
def test_an_upgrade_migrates_and_everybody_stays_who_they_are(
    synapse: tuple[SignedOn, Outcome], tmp_path: Path
) -> None:
    """Twice from the known-good; what a pass leaves is migrated, and is put back first."""
    workshop, seeding = synapse
    assert seeding.result["promoted"], seeding.text
    before = workshop.known_good

    for number in range(2):
        outcome = workshop.pytest("--quick")

        assert outcome.status == 0, outcome.text
        found = outcome.result["witness"]
        assert found["before"] == found["after"] == before.evidence["witnessed"]
        assert schema(workshop, tmp_path) == AFTER
        assert number == sum("restored to known-good" in note for note in outcome.result["notes"])
    assert before == workshop.known_good
    workshop.check_no_realms()


@pytest.mark.cost(30)
@pytest.mark.parametrize(
    ("head", "words"),
    [
        pytest.param("wal-lost", "data lost: the witness had", marks=pytest.mark.core),
        ("damaged-data", "data lost: the witness had"),
        ("renamed-provider", "data lost: the witness had"),
        ("fails-at-once", "ended with code 1"),
        pytest.param("fails-late", "does not serve", marks=pytest.mark.cost(70)),
    ],
)
def test_a_bad_head_is_rolled_back_with_its_log(
    synapse: tuple[SignedOn, Outcome], tmp_path: Path, head: str, words: str
) -> None:
    """To the byte, the old schema and all; the version that starts on it would not have shown that."""
    workshop, _ = synapse
    before, entry = workshop.known_good, workshop.entry_bytes()

    outcome = workshop.pytest("--quick", "--warmci-head", head)

    assert outcome.status == 1, outcome.text
    assert words in outcome.result["reason"]
    assert entry == workshop.entry_bytes()
    assert before.digest == workshop.volumes_digest()
    assert schema(workshop, tmp_path) == BEFORE
    workshop.check_no_realms()


@pytest.mark.cost(30)
def test_who_is_silently_somebody_else_does_not_pass(
    synapse: tuple[SignedOn, Outcome],
) -> None:
    """The login is green in the browser; the assert asks who that is."""
    workshop, _ = synapse

    outcome = workshop.pytest("--quick", "--warmci-head", "renamed-provider", "-k", "logs_in")

    assert outcome.status == 1, outcome.text
    assert "ana logged in and is @ana1:localhost, not @ana:localhost" in outcome.result["reason"]


@pytest.mark.cost(5)
def test_a_copy_without_the_log_would_look_fine_and_hold_nothing(
    synapse: tuple[SignedOn, Outcome], tmp_path: Path
) -> None:
    """So a snapshot is of the volume, whatever its files are called."""
    workshop, _ = synapse
    workshop.pytest("--quick", "--warmci-head", "fails-at-once")  # put back
    assert workshop.known_good.digest == workshop.volumes_digest()

    whole, part = (
        copied(workshop, tmp_path / "a", log=True),
        copied(workshop, tmp_path / "b", log=False),
    )

    with closing(sqlite3.connect(part)) as connection:
        assert [("ok",)] == connection.execute("pragma integrity_check").fetchall()
    count = "select count(*) from events"
    assert asked(part, count) < asked(whole, count)
