"""`warmci runs`: what ran, what runs, what died; the newest first."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pytest_warmci.cli import main
from pytest_warmci.clients.files import write_json
from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.runs import past
from pytest_warmci.runs.past import duration
from pytest_warmci.store.results import TestedVersion, read_result
from pytest_warmci.store.state import StateDirectory, open_state
from tests.unit.warm_state import fingerprint, parsed, put_result

QUICK: dict[str, Any] = {
    "mode": "quick",
    "requested_mode": "quick",
    "seconds": 41.2,
    "promoted": False,
    "authority": False,
    "base": TestedVersion("1.1.0+1.1", "c" * 40),
    "head": TestedVersion("1.2.0+1.2", "d" * 40),
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WARMCI_STATE", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
def state(here: Path) -> StateDirectory:
    return open_state(here / "state")


def warmci(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["runs", *arguments])


def listed(*arguments: str) -> list[str]:
    return [run["run"] for run in parsed(warmci("--json", *arguments).stdout)["runs"]]


def ran(state: StateDirectory, run_id: str, minute: int, **changes: Any) -> None:
    """A run with a result that was written in that minute."""
    put_result(state, run_id, **changes)
    date(state.run(run_id), minute)


def died(state: StateDirectory, run_id: str, minute: int, **lease: str) -> None:
    """A run without a result; with what it once said of itself, where it did."""
    folder = state.run(run_id)
    folder.mkdir(0o700)
    if lease:
        (folder / "lease.lock").touch(0o600)
        write_json(folder / "lease.json", {"format": 1, "run": run_id, "mode": "cold", **lease})
    date(folder, minute)


def date(folder: Path, minute: int) -> None:
    moment = 1_700_000_000 + 60 * minute
    for path in (*folder.iterdir(), folder):
        os.utime(path, (moment, moment))


def test_a_line_says_all_of_a_run(state: StateDirectory) -> None:
    """And the last one how much time quick saves."""
    ran(state, "1a2b3c", 1, seconds=190.4)
    ran(state, "1a2b3d", 2, **QUICK)

    done = warmci()

    assert (0, "") == (done.exit_code, done.stderr)
    assert re.search(
        r"\n1a2b3d +miniapp +passed +quick +1\.1\.0\+1\.1 -> 1\.2\.0\+1\.2 dddddddd +\d+ d ago"
        r" +41 s *\n"
        r"1a2b3c +miniapp +passed +cold +1\.1\.0\+1\.1 cccccccc +\d+ d ago +3 min 10 s +promoted",
        done.stdout,
    )
    assert "\nminiapp: quick 41 s, last cold 3 min 10 s (0.22 x)\n" in done.stdout
    assert "\x1b" not in done.stdout


def test_why_a_run_is_not_more(state: StateDirectory) -> None:
    """Not passed, not promoted, not the mode that was asked for."""
    ran(state, "00000a", 1, verdict="failed", reason="data lost: had 4, finds 0", promoted=False)
    ran(state, "00000b", 2, promoted=False, incomplete_because=("2 deselected",))
    ran(state, "00000c", 3, requested_mode="quick", promoted=False)

    text = warmci().stdout

    assert re.search(r"00000a .* failed .* data lost: had 4, finds 0", text)
    assert re.search(r"00000b .* not promoted: 2 deselected", text)
    assert re.search(r"00000c .* cold \(quick asked\) .* not promoted", text)


def test_the_newest_comes_first_and_only_so_many(state: StateDirectory) -> None:
    """By when they ended, whatever their ids."""
    for number in range(5):
        ran(state, f"00000{5 - number}", number)

    assert ["000001", "000002", "000003", "000004", "000005"] == listed()
    assert ["000001", "000002"] == listed("--limit", "2")
    assert parsed(warmci("--json", "--limit", "2").stdout)["more"]
    assert "there are more: --limit 4" in warmci("--limit", "2").stdout
    assert not parsed(warmci("--json", "--limit", "5").stdout)["more"]


def test_one_recipe_and_only_what_did_not_pass(state: StateDirectory) -> None:
    ran(state, "00000a", 1, verdict="failed", reason="x")
    ran(state, "00000b", 2)
    ran(state, "00000c", 3, recipe="other", verdict="not-evaluated", reason="y")
    ran(state, "00000d", 4, recipe="other", verdict="skipped", reason="z")
    died(state, "00000e", 5)

    assert ["00000b", "00000a"] == listed("miniapp")
    assert ["00000e", "00000d", "00000c", "00000a"] == listed("--failed")
    assert ["00000d", "00000c"] == listed("other", "--failed")
    assert "no run of nobody that did not pass in" in warmci("nobody", "--failed").stdout


def test_a_run_that_is_alive(state: StateDirectory) -> None:
    """Its lease is held: it is on top, and has no verdict."""
    ran(state, "00000b", 10**7)
    died(state, "00000a", 1)
    who = Holder("00000a", "quick", "miniapp: quick run")

    with hold(state.run("00000a") / "lease.lock", who=who, limit=0):
        [alive, _] = parsed(warmci("--json").stdout)["runs"]
        text = warmci().stdout
        failed = listed("--failed")

    assert ("00000a", "running", None, "quick") == tuple(
        alive[name] for name in ("run", "state", "verdict", "mode")
    )
    assert re.search(r"00000a .* running +quick .* run 00000a \(quick, pid \d+, since", text)
    assert [] == failed


def test_a_run_that_died(state: StateDirectory) -> None:
    """No result and nobody holds its lease: not evaluated, and what is known of it is said."""
    died(state, "00000a", 1, recipe="miniapp", since="2026-01-31T12:00:03Z")
    died(state, "00000b", 2)

    [nameless, named] = parsed(warmci("--json").stdout)["runs"]
    text = warmci().stdout

    assert ("died", "not-evaluated", "") == (
        nameless["state"],
        nameless["verdict"],
        nameless["recipe"],
    )
    assert ("died", "miniapp", "cold", "2026-01-31T12:00:03Z") == (
        named["state"],
        named["recipe"],
        named["mode"],
        named["began"],
    )
    assert re.search(r"00000b +\? +died .* it died: it left no result", text)
    assert ["00000a"] == listed("miniapp")


def test_a_damaged_result_hides_no_other(state: StateDirectory) -> None:
    ran(state, "00000a", 1)
    ran(state, "00000b", 2)
    (state.run("00000b") / "result.json").write_text("{")
    (state.runs / "stray").write_text("")
    (state.runs / "link").symlink_to(state.run("00000a"))

    [damaged, fine] = parsed(warmci("--json").stdout)["runs"]

    assert ("unreadable", "passed") == (damaged["state"], fine["verdict"])
    assert "cannot be read" in damaged["reason"]


def test_nothing_yet(here: Path) -> None:
    """Said, 0, and nothing is made."""
    done = warmci()

    assert 0 == done.exit_code
    assert f"nothing has run: there is no state directory at {here / 'state'}" in done.stdout
    assert [] == parsed(warmci("--json").stdout)["runs"]
    assert [] == list(here.iterdir())

    open_state(here / "state")

    assert "no run in" in warmci().stdout


def test_looking_changes_nothing(state: StateDirectory) -> None:
    ran(state, "00000a", 1)
    died(state, "00000b", 2, recipe="miniapp")
    before = fingerprint(state.root)

    warmci()

    assert before == fingerprint(state.root)


def test_thousands_of_runs_are_not_read(
    state: StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not shown costs a look at its date; for the comparison a part is read."""
    ran(state, "000000", 0)
    text = json.loads((state.run("000000") / "result.json").read_text())
    for number in range(1, 2000):
        folder = state.runs / f"{number:06x}"
        folder.mkdir()
        (folder / "result.json").write_text(json.dumps(text))
        date(folder, number)
    read: list[Path] = []

    def counted(folder: Path) -> Any:
        read.append(folder)
        return read_result(folder)

    monkeypatch.setattr(past, "read_result", counted)

    assert [f"{1999 - number:06x}" for number in range(5)] == listed("--limit", "5")
    assert len(read) <= 6 + past._FAR
    shutil.rmtree(state.runs)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (4.06, "4.1 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (190, "3 min 10 s"),
        (3599.7, "1 h 0 min"),
        (3840, "1 h 4 min"),
    ],
)
def test_lengths_of_time(seconds: float, text: str) -> None:
    assert text == duration(seconds)


def test_wrong_limit() -> None:
    """Nothing to show is no question."""
    assert 2 == warmci("--limit", "0").exit_code
