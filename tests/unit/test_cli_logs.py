"""`warmci logs`: what a run has kept, of no other place than its own folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pytest_warmci.cli import main
from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.store.state import StateDirectory, open_state
from tests.unit.warm_state import fingerprint, parsed, put_result


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WARMCI_STATE", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
def state(here: Path) -> StateDirectory:
    """Two runs of miniapp with logs, the second one newer, and one of another recipe."""
    state = open_state(here / "state")
    for minute, (run_id, recipe) in enumerate(
        (("1a2b3c", "miniapp"), ("1a2b3d", "miniapp"), ("77aa77", "other"))
    ):
        put_result(state, run_id, recipe=recipe)
        folder = state.run(run_id)
        (folder / "logs").mkdir()
        (folder / "logs" / "install-app.log").write_text(f"{run_id} app starts\napp ends")
        (folder / "logs" / "upgrade-my-db.log").write_text(f"{run_id} db starts\n")
        for path in (folder / "result.json", folder):
            os.utime(path, (1_700_000_000 + minute, 1_700_000_000 + minute))
    return state


def warmci(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["logs", *arguments])


def test_the_logs_of_a_run(state: StateDirectory) -> None:
    """Each below its name, each on lines of its own."""
    done = warmci("1a2b3c")

    assert (0, "") == (done.exit_code, done.stderr)
    assert (
        "==> logs/install-app.log (26 B) <==\n1a2b3c app starts\napp ends\n"
        "\n==> logs/upgrade-my-db.log (17 B) <==\n1a2b3c db starts\n"
    ) == done.stdout


def test_without_a_run_it_is_the_newest(state: StateDirectory) -> None:
    """Of anything, or of a recipe; and it says which."""
    newest, of_recipe = warmci(), warmci("--recipe", "miniapp")

    assert "warmci: the newest run that has ended: 77aa77 of other, passed\n" == newest.stderr
    assert "77aa77 app starts" in newest.stdout
    assert "1a2b3d of miniapp" in of_recipe.stderr
    assert "1a2b3d app starts" in of_recipe.stdout


def test_a_run_that_is_alive_is_not_the_newest(state: StateDirectory) -> None:
    """It keeps its logs when it leaves; asked for by name, it says so."""
    state.run("00000a").mkdir()
    lease = state.run("00000a") / "lease.lock"

    with hold(lease, who=Holder("00000a", "cold", "other: cold run"), limit=0):
        newest, alive = warmci(), warmci("00000a")

    assert "77aa77" in newest.stderr
    assert (75, "") == (alive.exit_code, alive.stdout)
    assert "run 00000a has kept no logs" in alive.stderr
    assert "it still runs" in alive.stderr


def test_one_service(state: StateDirectory) -> None:
    """Its name may have a dash; one that is not there names those that are."""
    done, unknown = warmci("1a2b3c", "--service", "my-db"), warmci("1a2b3c", "--service", "db")

    assert "db starts" in done.stdout
    assert "app starts" not in done.stdout
    assert (2, "") == (unknown.exit_code, unknown.stdout)
    assert "no log of a service 'db'" in unknown.stderr
    assert "do:  name one of: app, my-db\n" in unknown.stderr


def test_the_list_and_the_folder(state: StateDirectory) -> None:
    """All that it has kept, with sizes; and where."""
    (state.run("1a2b3c") / "link").symlink_to("/etc/passwd")

    done = warmci("1a2b3c", "--list")

    assert ["logs/install-app.log", "logs/upgrade-my-db.log", "result.json"] == [
        line.split()[-1] for line in done.stdout.splitlines()
    ]
    assert "      26 B  logs/install-app.log\n" in done.stdout
    assert f"{state.run('1a2b3c')}\n" == warmci("1a2b3c", "--path").stdout
    assert f"{state.run('77aa77')}\n" == warmci("--path").stdout


def test_all_of_it_as_json(state: StateDirectory) -> None:
    logs = parsed(warmci("1a2b3c", "--json").stdout)
    files = parsed(warmci("--list", "--json").stdout)
    folder = parsed(warmci("--path", "--json").stdout)

    assert ("1a2b3c", str(state.run("1a2b3c"))) == (logs["run"], logs["folder"])
    assert {
        "stage": "install",
        "service": "app",
        "name": "logs/install-app.log",
        "size": 26,
        "text": "1a2b3c app starts\napp ends",
    } == logs["logs"][0]
    assert "result.json" in [each["name"] for each in files["files"]]
    assert "77aa77" == folder["run"]


def test_an_unknown_run(state: StateDirectory) -> None:
    """One error with the nearest and the newest ones."""
    done = warmci("1a2b3e")

    assert (2, "") == (done.exit_code, done.stdout)
    assert "there is no run '1a2b3e'\n  why: the nearest: 1a2b3" in done.stderr
    assert "do:  name one of the newest: 77aa77, 1a2b3d, 1a2b3c; warmci runs" in done.stderr
    assert "the nearest: 1a2b3d, 1a2b3c" in warmci("1a2b").stderr


@pytest.mark.parametrize(
    "run_id", ["..", ".", "../alerts", "/etc", "1a2b3c/logs", "", "\0", "link", "1a2b3c\n"]
)
def test_a_run_is_never_a_path(state: StateDirectory, here: Path, run_id: str) -> None:
    """Nothing outside of the runs is read, whatever is typed."""
    (here / "elsewhere" / "logs").mkdir(parents=True)
    (here / "elsewhere" / "logs" / "x-secret.log").write_text("hunter2")
    (state.runs / "link").symlink_to(here / "elsewhere")
    (state.alerts / "logs").mkdir()
    (state.alerts / "logs" / "x-secret.log").write_text("hunter2")

    done = warmci(run_id)

    assert (2, "") == (done.exit_code, done.stdout)
    assert "there is no run" in done.stderr


def test_links_in_a_run_are_not_followed(state: StateDirectory, here: Path) -> None:
    (here / "secret").mkdir()
    (here / "secret" / "x-secret.log").write_text("hunter2")
    run = state.run("1a2b3c")
    (run / "logs" / "x-secret.log").symlink_to(here / "secret" / "x-secret.log")

    assert "hunter2" not in warmci("1a2b3c").stdout

    for path in (run / "logs").iterdir():
        path.unlink()
    (run / "logs").rmdir()
    (run / "logs").symlink_to(here / "secret")

    assert 75 == warmci("1a2b3c").exit_code


def test_a_run_without_logs(state: StateDirectory) -> None:
    """Why there are none."""
    put_result(state, "00000b", verdict="skipped", reason="nothing to upgrade")
    state.run("00000c").mkdir()

    ended, died = warmci("00000b"), warmci("00000c")

    assert (75, 75) == (ended.exit_code, died.exit_code)
    assert "it ended before an app ran" in ended.stderr
    assert "it died before it could" in died.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["1a2b3c", "--recipe", "miniapp"],
        ["--list", "--path"],
        ["--list", "--service", "app"],
    ],
)
def test_contradictions(arguments: list[str]) -> None:
    done = warmci(*arguments)

    assert (2, "") == (done.exit_code, done.stdout)
    assert "do:  drop" in done.stderr


def test_nothing_yet(here: Path) -> None:
    """No state directory, or one without runs; none is made."""
    assert 2 == warmci().exit_code
    assert "there is no state directory" in warmci().stderr
    assert [] == list(here.iterdir())

    open_state(here / "state")

    assert "no run has ended yet" in warmci().stderr
    assert "no run of x has ended yet" in warmci("--recipe", "x").stderr
    assert "nothing has run yet" in warmci("1a2b3c").stderr


def test_looking_changes_nothing(state: StateDirectory) -> None:
    before = fingerprint(state.root)

    warmci()

    assert before == fingerprint(state.root)
