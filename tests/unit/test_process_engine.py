"""The process engine with real processes: up, proven, changed in place, down, gone."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_warmci.clients import command, http, processes
from pytest_warmci.clients.waiting import Look, wait_until
from pytest_warmci.engines.process import engine as engines, plan as plans
from pytest_warmci.engines.process.conduct import Conductor
from pytest_warmci.engines.process.records import TOKEN, Records, new_record
from pytest_warmci.errors import AddressTaken, NotEvaluated, RecipeFailed
from tests.unit.process_app import TinyApp


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[TinyApp]:
    made = TinyApp(tmp_path)
    yield made
    for process in processes.using(tmp_path):
        os.kill(process.pid, signal.SIGKILL)
        while processes.is_alive(process):
            time.sleep(0.005)
    for pid in command._children:
        command.exit_code(pid)  # reaped, or Python complains when it ends


def test_from_nothing_to_nothing(tiny: TinyApp) -> None:
    """Deploy, converge, prove, serve, stop, settle, remove: nothing is left."""
    stack = tiny.up()

    proof = tiny.engine.prove(tiny.spot, stack)
    running = tiny.engine.running(tiny.spot)
    address = tiny.engine.address(tiny.spot)
    assert ["app", "db"] == [each.name for each in running]
    assert ["web:1.0", "db:2.0"] == [each.version for each in running]
    assert "of web:1.0 owns 127.0.0.1:" in proof
    assert "as commit aaaaaaaa says" in proof
    assert http.Answer(200, "up") == http.get(f"{address}/", timeout=5)
    volumes = tiny.engine.data(tiny.spot)["volumes"]
    assert {"db", "web"} == {path.name for path in volumes.iterdir()}

    tiny.down()

    assert [] == list(tiny.engine.running(tiny.spot))
    assert [] == tiny.engine.leftovers(tiny.spot)
    assert http.get(f"{address}/", timeout=5).status == 0
    tiny.engine.remove(tiny.spot)
    assert [] == list(tiny.spot.folder.iterdir())


def test_what_is_missing_waits_for_what_it_depends_on(tiny: TinyApp) -> None:
    """By health, not by start: app is spawned after db was ready."""
    tiny.up()

    ready = tiny.spot.folder / "volumes" / "db" / "ready"
    app = Records(tiny.spot.folder).find("app")
    assert app is not None
    assert app.begun >= ready.stat().st_mtime


def test_a_new_engine_takes_over(tiny: TinyApp) -> None:
    """Nothing that counts is in memory: another session sees, proves and stops the app."""
    stack = tiny.up()
    before = [each.instance for each in tiny.engine.running(tiny.spot)]
    tiny.engine = tiny.new_engine()

    tiny.up(stack)

    assert before == [each.instance for each in tiny.engine.running(tiny.spot)]
    assert tiny.engine.prove(tiny.spot, stack)
    tiny.down()
    assert [] == tiny.engine.leftovers(tiny.spot)


def test_a_change_restarts_only_what_it_concerns(tiny: TinyApp) -> None:
    """In place: another image of app leaves db alone, and the data stay."""
    tiny.up()
    old = {each.name: each.instance for each in tiny.engine.running(tiny.spot)}
    tiny.files["compose.yml"] = tiny.files["compose.yml"].replace("web:1.0", "web:1.1")

    stack = tiny.up(tiny.stack("b"))

    new = {each.name: each.instance for each in tiny.engine.running(tiny.spot)}
    assert (True, False) == (old["db"] == new["db"], old["app"] == new["app"])
    assert "of web:1.1 owns" in tiny.engine.prove(tiny.spot, stack)
    assert "xx" == (tiny.spot.folder / "volumes" / "web" / "starts").read_text()


def test_a_service_that_is_gone_from_the_recipe_is_stopped(tiny: TinyApp) -> None:
    """Converged means: every service of the stack, and nothing else."""
    tiny.up()
    text = tiny.files["compose.yml"].replace("    depends_on: [db]\n", "")
    before, _, after = text.partition("  db:\n    image")
    tiny.files["compose.yml"] = (
        before + "volumes: {web: }\nconfigs:" + after.partition("configs:")[2]
    )

    tiny.up(tiny.stack("b"))

    assert ["app"] == [each.name for each in tiny.engine.running(tiny.spot)]


def test_a_service_that_ends_fails_with_its_code_and_log(tiny: TinyApp) -> None:
    """The end of its own log, secrets blotted out; not what an earlier start had said."""
    stack = tiny.stack(MODE="exits")

    with pytest.raises(RecipeFailed) as caught:
        tiny.up(stack)

    error = caught.value
    secret = tiny.engine.secret(tiny.spot, stack, "password")
    assert error.what.startswith("service 'app' ended with code 3 after ")
    assert "log of app:\nweb starts with ********" == error.why
    assert secret in tiny.log()
    assert {secret} == set(tiny.engine.secret_values(tiny.spot))
    tiny.down()
    assert tiny.log().endswith("web starts with ********\n")
    assert [] == tiny.engine.leftovers(tiny.spot)


def test_a_service_that_ignores_its_signal_is_killed_after_its_grace(tiny: TinyApp) -> None:
    """Not before, and not much later."""
    tiny.up(tiny.stack(MODE="deaf"))
    begun = time.monotonic()

    tiny.down()

    took = time.monotonic() - begun
    assert 0.3 <= took < 3
    assert [] == tiny.engine.leftovers(tiny.spot)


def test_children_do_not_outlive_their_service(tiny: TinyApp) -> None:
    """A container ends with its first process, so do we."""
    tiny.up(tiny.stack(MODE="child"))
    (app,) = [each for each in Records(tiny.spot.folder).all() if each.service == "app"]
    assert 2 == len(processes.carrying(TOKEN, app.token))

    tiny.down()

    assert [] == processes.carrying(TOKEN, app.token)


def test_db_stops_after_what_depends_on_it(tiny: TinyApp) -> None:
    """Undeploying asks in waves."""
    tiny.up(tiny.stack(MODE="deaf"))

    tiny.engine.undeploy(tiny.spot)

    asked = {record.service: record.stop_after > 0 for record in Records(tiny.spot.folder).all()}
    assert {"app": True, "db": False} == asked
    tiny.engine.settle(tiny.spot, 10)


def test_a_stop_that_takes_too_long_is_not_evaluated(
    tiny: TinyApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settling has a limit of its own, and says who is left."""
    text = tiny.files["compose.yml"]
    tiny.files["compose.yml"] = text.replace("stop_grace_period: 5s", "stop_grace_period: 100ms")
    tiny.up(tiny.stack(MODE="deaf"))
    tiny.engine.undeploy(tiny.spot)
    monkeypatch.setattr(engines, "_KILLED", 0.1)
    monkeypatch.setattr(Records, "kill", lambda *_: None)

    with pytest.raises(NotEvaluated, match="the app does not stop") as caught:
        tiny.engine.settle(tiny.spot, 0)

    assert "still running: app, db" == caught.value.why
    monkeypatch.undo()
    tiny.down()


def test_a_short_limit_does_not_cut_the_grace_off(tiny: TinyApp) -> None:
    """A service may take all of its grace, whatever the caller would wait for."""
    tiny.up(tiny.stack(MODE="deaf"))

    tiny.down(timeout=0)

    assert [] == tiny.engine.leftovers(tiny.spot)


def test_what_a_killed_write_left_is_swept_when_nothing_runs(tiny: TinyApp) -> None:
    """In the engine's own folders; never in a volume, whose names are the app's."""
    tiny.up()
    left = [tiny.spot.folder / name / ".tmp-dead" for name in ("owners", "run", "run/app/configs")]
    data = tiny.spot.folder / "volumes" / "web" / ".tmp-dead"
    for path in (*left, data):
        path.parent.mkdir(exist_ok=True)
        path.touch()

    tiny.down()

    assert [data] == [path for path in (*left, data) if path.exists()]


def test_a_service_that_is_not_healthy_in_its_own_time_fails(
    tiny: TinyApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Start period, then every retry, as Swarm would; with the check's last answer."""
    monkeypatch.setattr(plans, "_NO_CHECK", 0.0)
    tiny.files["compose.yml"] = tiny.files["compose.yml"].replace(
        "interval: 1s", "interval: 100ms"
    )

    with pytest.raises(RecipeFailed, match="service 'app' is not healthy after its healthcheck's"):
        tiny.up(tiny.stack(MODE="mute", START="0s"))


def test_not_converged_in_time_fails_with_what_is_missing(tiny: TinyApp) -> None:
    """The caller's limit; the error says what it still waited for, with logs."""
    with pytest.raises(RecipeFailed, match="not healthy after") as caught:
        tiny.up(tiny.stack(MODE="mute"), timeout=0.6)

    assert "app: no answer" in caught.value.why
    assert "web starts with ********" in caught.value.why


def test_a_foreign_program_on_the_port_is_no_fault_of_the_recipe(tiny: TinyApp) -> None:
    """Found before the start, named, and nothing of it is touched."""
    port = int(tiny.engine.address(tiny.spot).rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(AddressTaken) as caught:
            tiny.up()

        assert f"port {port} is taken by another program" == caught.value.what
        assert f"({os.getpid()})" in caught.value.why
    tiny.down()


def test_a_foreign_program_that_answers_is_no_proof(tiny: TinyApp) -> None:
    """A probe must be answered by this app's own process."""
    stack = tiny.up()
    port = int(tiny.engine.address(tiny.spot).rpartition(":")[2])
    (app,) = [each for each in Records(tiny.spot.folder).all() if each.service == "app"]
    sleeper = command.spawn(
        ["sleep", "60"], env={**os.environ, TOKEN: "0"}, cwd=tiny.spot.folder, log=Path(os.devnull)
    )
    os.kill(app.pid, signal.SIGKILL)
    end = time.monotonic() + 5
    while processes.listeners("127.0.0.1", port) and time.monotonic() < end:
        time.sleep(0.01)
    known = processes.identify(sleeper)
    assert known is not None
    Records(tiny.spot.folder).put(
        replace(app, pid=known.pid, started=known.started, token="0" * 32)
    )

    with socket.create_server(("127.0.0.1", port)), pytest.raises(AddressTaken) as caught:
        tiny.engine.prove(tiny.spot, stack)

    assert f"({os.getpid()})" in caught.value.why


def test_what_runs_is_proven_not_assumed(tiny: TinyApp) -> None:
    """Another revision of the recipe than the one that was deployed."""
    tiny.up()
    tiny.files["settings"] = "other"

    with pytest.raises(NotEvaluated, match="service 'app' does not run as"):
        tiny.engine.prove(tiny.spot, tiny.stack("b"))


def test_nothing_that_runs_proves_nothing(tiny: TinyApp) -> None:
    """After a stop."""
    stack = tiny.up()
    tiny.down()

    with pytest.raises(NotEvaluated):
        tiny.engine.prove(tiny.spot, stack)


def test_the_owner_is_on_record_before_the_start(
    tiny: TinyApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the token that the process will carry; the pid comes after."""
    seen: list[tuple[int, bool]] = []
    spawn = command.spawn

    def look(argv: list[str], *, env: dict[str, str], cwd: Path, log: Path) -> int:
        for path in (tiny.spot.folder / "owners").glob("*.json"):
            record = json.loads(path.read_text())
            if record["token"] == env[TOKEN]:
                seen.append((record["pid"], env[TOKEN] not in " ".join(argv)))
        return spawn(argv, env=env, cwd=cwd, log=log)

    monkeypatch.setattr(command, "spawn", look)

    tiny.up()

    assert [(0, True), (0, True)] == seen


def test_a_start_that_never_got_its_pid_on_record_is_stopped(tiny: TinyApp) -> None:
    """A crash between the spawn and the record: the token finds the process."""
    tiny.up()
    records = Records(tiny.spot.folder)
    (app,) = [each for each in records.all() if each.service == "app"]
    records.put(replace(app, pid=0, started=0, boot=""))

    tiny.down()

    assert [] == processes.carrying(TOKEN, app.token)
    assert [] == tiny.engine.leftovers(tiny.spot)


def test_strangers_in_the_volumes_are_named(tiny: TinyApp) -> None:
    """Somebody else's program must not be there while a snapshot is taken."""
    tiny.up()

    data = tiny.spot.folder / "volumes" / "web" / "mine"
    data.touch()
    reads = ["sh", "-c", 'exec sleep 60 < "$0"', str(data)]  # like a backup
    pid = command.spawn(reads, env=os.environ, cwd=Path("/"), log=Path(os.devnull))
    try:
        wait_until(lambda: Look(bool(processes.using(data.parent)), ""), timeout=5)
        with pytest.raises(NotEvaluated, match="another program uses the app's volumes") as caught:
            tiny.down()
    finally:
        os.kill(pid, signal.SIGKILL)

    assert f"sleep ({pid})" in caught.value.why


def test_what_has_left_its_group_and_environment_is_ended_all_the_same(tiny: TinyApp) -> None:
    """Nothing names it any more, but it lives in the app's folder."""
    tiny.up()
    home = tiny.spot.folder / "volumes" / "web"
    pid = command.spawn(["sleep", "60"], env={}, cwd=home, log=Path(os.devnull))

    tiny.down()

    assert 0 > (command.exit_code(pid) or 0)
    assert [] == tiny.engine.leftovers(tiny.spot)


def test_secrets_are_made_once_and_kept(tiny: TinyApp) -> None:
    """Private files; neither argv nor the environment of a process has them."""
    stack = tiny.up()
    secret = tiny.engine.secret(tiny.spot, stack, "password")
    (file,) = (tiny.spot.folder / "secrets").iterdir()
    for each in tiny.engine.running(tiny.spot):
        for kind in ("cmdline", "environ"):
            assert secret not in Path(f"/proc/{each.instance}/{kind}").read_text()
    tiny.down()

    tiny.up()

    assert secret == tiny.engine.secret(tiny.spot, stack, "password")
    assert (32, 0o600) == (len(secret), file.stat().st_mode & 0o777)


def test_configs_and_paths_are_the_apps_own(tiny: TinyApp) -> None:
    """Container paths in configs become this app's."""
    tiny.up()

    config = tiny.spot.folder / "run" / "app" / "configs" / "settings"
    assert f"data={tiny.spot.folder}/volumes/web\n" == config.read_text()


def test_deploying_twice_changes_nothing(tiny: TinyApp) -> None:
    """What runs as it should keeps running."""
    tiny.up()
    before = [each.instance for each in tiny.engine.running(tiny.spot)]

    tiny.up()

    assert before == [each.instance for each in tiny.engine.running(tiny.spot)]


def test_the_end_of_a_log_does_not_begin_inside_a_secret(tiny: TinyApp) -> None:
    """Half a secret is not found by blotting whole ones out."""
    secrets = tiny.spot.folder / "secrets"
    secrets.mkdir(parents=True)
    (secrets / "tiny_warmci_localhost_password_v1").write_text("0123456789abcdef")
    log = tiny.spot.folder / "logs" / "app.log"
    log.parent.mkdir()
    log.write_text("0123456789abcdef" + "." * 2993)
    conductor = Conductor(tiny.engine._provision, tiny.spot, tiny.stack())
    record = new_record(
        "app",
        "key",
        depends_on=(),
        stop_grace=1,
        stop_signal="SIGTERM",
        artifact="",
        log=tiny.spot.folder / "none",
    )

    assert "9abcdef" not in conductor._tail(record)
