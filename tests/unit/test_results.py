"""Results and sessions: written as the schema says, and read back the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_warmci.errors import StateDamaged
from pytest_warmci.store.result_schema import RESULT_SCHEMA
from pytest_warmci.store.results import (
    Counts,
    Held,
    KnownGoodDigests,
    PhaseTime,
    Result,
    Source,
    TestedVersion,
    WitnessCount,
    read_result,
    write_result,
)
from pytest_warmci.store.sessions import Session, mask_argv, read_session, write_session

DIGEST = "sha256:" + "a" * 64

BARE = Result(
    run_id="1a2b3c",
    session="s",
    recipe="keycloak",
    engine="process",
    mode="cold",
    requested_mode="quick",
    authority=False,
    complete=False,
    verdict="not-evaluated",
    reason="disk",
    source=Source("/src/keycloak", "HEAD"),
    started="2026-01-31T12:00:03Z",
    seconds=0.5,
)

FULL = replace(
    BARE,
    requested_mode="cold",
    authority=True,
    complete=True,
    verdict="passed",
    base=TestedVersion("10.7.0+26.6.3", "a" * 40),
    head=TestedVersion("", "b" * 40),
    proved_head="commit label on 2 services",
    witness=WitnessCount(2, 2),
    known_good=KnownGoodDigests(DIGEST, DIGEST),
    promoted=True,
    promotion_reason="green cold run",
    tests=Counts(12, 0, 1, 0),
    held=(
        Held(
            "warm-keycloak.warmci.localhost", "2026-01-31T12:00:03.000001Z", "2026-01-31T12:05:03Z"
        ),
    ),
    phases=(PhaseTime("deploy", 61.5, "passed"), PhaseTime("test", 3.0, "passed")),
    leftovers=("volume x",),
    incomplete_because=("-k",),
    notes=("canonical moved",),
    canonical_domain="warm-keycloak.warmci.localhost",
    engine_options=("override=/x.yml sha256:0",),
    engine_reason="auto: the canonical is there",
)

KEYS = [
    "format",
    "evidence",
    "held",
    "kept",
    "run_id",
    "session",
    "recipe",
    "engine",
    "mode",
    "requested_mode",
    "authority",
    "complete",
    "verdict",
    "reason",
    "source",
    "started",
    "seconds",
    "base",
    "head",
    "proved_head",
    "witness",
    "known_good",
    "promoted",
    "promotion_reason",
    "tests",
    "phases",
    "leftovers",
    "incomplete_because",
    "notes",
    "canonical_domain",
    "engine_options",
    "engine_reason",
]


def errors(record: dict[str, Any]) -> list[str]:
    validator = jsonschema.Draft202012Validator(RESULT_SCHEMA)
    return [error.message for error in validator.iter_errors(record)]


@pytest.mark.parametrize("result", [BARE, FULL], ids=["bare", "full"])
def test_a_result_comes_back_and_fits_its_schema(tmp_path: Path, result: Result) -> None:
    """What is on disk is what the schema says, key by key."""
    path = write_result(tmp_path, result)

    record = json.loads(path.read_text())

    assert [] == errors(record)
    assert sorted(KEYS) == sorted(record)
    assert result == read_result(tmp_path)
    assert tmp_path / "result.json" == path


def test_the_schema_is_one() -> None:
    """It is valid itself, and closed."""
    jsonschema.Draft202012Validator.check_schema(RESULT_SCHEMA)

    assert RESULT_SCHEMA["additionalProperties"] is False
    assert sorted(KEYS) == sorted(RESULT_SCHEMA["required"])


@pytest.mark.parametrize(
    "change",
    [
        {"mode": "warm"},
        {"verdict": "green"},
        {"surprise": 1},
        {"base": {"version": "1"}},
        {"known_good": {"before": "abc", "after": None}},
        {"tests": {"passed": -1, "failed": 0, "skipped": 0, "deselected": 0}},
        {"requested_mode": "quick"},
        {"complete": False},
        {"authority": False},
        {"verdict": "failed"},
    ],
    ids=str,
)
def test_the_schema_refuses(change: dict[str, Any]) -> None:
    """Unknown words and keys, and authority or promotion without their conditions."""
    assert [] != errors(FULL.to_json() | change)


@pytest.mark.parametrize("key", KEYS)
def test_a_result_without_a_key_is_damaged(tmp_path: Path, key: str) -> None:
    """Nothing is made up for it."""
    record = FULL.to_json()
    del record[key]
    (tmp_path / "result.json").write_text(json.dumps(record))

    with pytest.raises(StateDamaged) as caught:
        read_result(tmp_path)

    assert str(tmp_path / "result.json") == caught.value.where
    assert [] != errors(record)


@pytest.mark.parametrize("change", [{"surprise": 1}, {"tests": 5}, {"base": {"x": 1}}])
def test_a_strange_result_is_damaged(tmp_path: Path, change: dict[str, Any]) -> None:
    """A key too many, a number where a record belongs."""
    (tmp_path / "result.json").write_text(json.dumps(FULL.to_json() | change))

    with pytest.raises(StateDamaged, match="not a result"):
        read_result(tmp_path)


def test_no_result_is_missing(tmp_path: Path) -> None:
    """The run has left none."""
    with pytest.raises(FileNotFoundError):
        read_result(tmp_path)


def test_a_session_comes_back(tmp_path: Path) -> None:
    """Running and ended."""
    path = tmp_path / "s.json"
    running = Session("s", "2026-01-31T12:00:03Z", ("pytest", "--quick"))
    ended = replace(
        running,
        finished="2026-01-31T12:09:00Z",
        runs=("1a2b3c",),
        verdicts={"1a2b3c": "passed"},
        exit_status=75,
        without_result=("miniflux",),
    )
    for session in (running, ended):
        write_session(path, session)
        assert session == read_session(path)


@pytest.mark.parametrize("content", ["{", '{"format": 1}', '{"format": 1, "argv": 5}'])
def test_a_damaged_session(tmp_path: Path, content: str) -> None:
    """It says so, with the file."""
    (tmp_path / "s.json").write_text(content)

    with pytest.raises(StateDamaged) as caught:
        read_session(tmp_path / "s.json")

    assert str(tmp_path / "s.json") == caught.value.where


def test_a_session_holds_no_secret(tmp_path: Path) -> None:
    """Not on disk, whatever was typed."""
    argv = ("pytest", "--admin-password", "hunter2", "--api-token=hunter2", "https://u:hunter2@h/")

    write_session(tmp_path / "s.json", Session("s", "t", argv))

    assert "hunter2" not in (tmp_path / "s.json").read_text()


def test_what_is_masked() -> None:
    """Values of options that sound secret and what stands before the @ of a URL, no more."""
    argv = ["--secret", "a", "--token=b", "--quick", "git://u@h/r", "--passwordless", "-k", "x"]

    masked = mask_argv(argv)

    assert (
        ["--secret", "***", "--token=***", "--quick", "git://***@h/r", "--passwordless", "-k", "x"]
    ) == masked
