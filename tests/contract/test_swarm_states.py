"""Every state that an update on a Swarm was seen in, and what the engine makes of it.

One tiny service, whose environment says what goes wrong; the order of the tests is that of the
table of states in docs/explanation/swarm-engine.md.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from pytest_warmci.clients.waiting import Look, wait_until
from pytest_warmci.engines.swarm.engine import SwarmEngine
from pytest_warmci.engines.swarm.options import SwarmOptions
from pytest_warmci.errors import FetchFailed, NotEvaluated, RecipeFailed, WarmciError
from pytest_warmci.model import Revision, Stack
from pytest_warmci.naming import stack_name
from pytest_warmci.recipes.compose import render
from tests.contract.tiny import Spot
from tests.swarm import catalog
from tests.swarm.engine import Swarm

COMPOSE = """\
version: "3.8"
services:
  app:
    image: "web:${WEB}"
    command: ["sh", "-c", "${BEFORE}; echo web-$WEB > /data/index.html; exec httpd -f -p 8080"]
    volumes: ["data:/data"]
    stop_signal: SIGKILL
    healthcheck:
      test: ["CMD-SHELL", "${HEALTH}"]
      interval: 1s
      timeout: 2s
      retries: 2
      start_period: 1s
    deploy:
      endpoint_mode: dnsrr
      restart_policy:
        condition: "${RESTART}"
        delay: 0s
      update_config:
        failure_action: "${ON_FAILURE}"
        order: "${ORDER}"
        monitor: 2s
      rollback_config:
        monitor: 1s
volumes:
  data:
"""

PORTS = """\
version: "3.8"
services:
  app:
    ports:
      - {target: 8080, published: 18999, protocol: tcp, mode: host}
"""

GENTLE = """\
version: "3.8"
services:
  app:
    stop_signal: SIGTERM
"""

GOOD = {
    "WEB": "1",
    "BEFORE": "true",
    "HEALTH": "wget -q -O /dev/null http://127.0.0.1:8080/",
    "RESTART": "any",
    "ON_FAILURE": "rollback",
    "ORDER": "start-first",
}
LIMIT = 60.0


class Table:
    """An app on the Swarm, moved from state to state."""

    def __init__(self, swarm: Swarm, folder: Path) -> None:
        self.swarm = swarm
        self.folder = folder
        domain = f"states-{secrets.token_hex(3)}.warmci.localhost"
        self.spot = Spot(domain, folder / domain)
        self.engine = self.new_engine()

    def new_engine(self, *overrides: Path) -> SwarmEngine:
        return SwarmEngine("states", SwarmOptions(overrides), lambda _text: None)

    def stack(self, commit: str, env: Mapping[str, str]) -> Stack:
        self.spot.recipe.mkdir(parents=True, exist_ok=True)
        (self.spot.recipe / "compose.yml").write_text(COMPOSE)
        return render(
            lambda path: COMPOSE.encode() if path == "compose.yml" else None,
            recipe="states",
            domain=self.spot.domain,
            revision=Revision(commit * 40, "1.0.0+1", published=True),
            env={**GOOD, "STACK_NAME": stack_name(self.spot.domain), **env},
        )

    def up(self, commit: str = "a", **env: str) -> Stack:
        """Deploy and wait until it has converged."""
        stack = self.stack(commit, env)
        self.engine.deploy(self.spot, stack)
        self.engine.wait_converged(self.spot, stack, LIMIT)
        return stack

    def fails(self, kind: type[WarmciError], commit: str = "b", **env: str) -> str:
        """Deploy what cannot converge; return the error's text."""
        with pytest.raises(kind) as caught:
            self.up(commit, **env)
        assert type(caught.value) is kind
        return str(caught.value)

    def runs(self) -> list[str]:
        """Return the images of what runs."""
        return [each.version for each in self.engine.running(self.spot)]

    def gone(self) -> None:
        self.engine.undeploy(self.spot)
        self.engine.settle(self.spot, LIMIT)
        self.engine.remove(self.spot)


@pytest.fixture
def table(swarm: Swarm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    catalog.provide(swarm, "web:1", "web:2")
    monkeypatch.setenv("DOCKER_HOST", swarm.docker_host)
    made = Table(swarm, tmp_path)
    yield made
    made.gone()


@pytest.mark.cost(10)
def test_a_first_deployment_has_no_update_status(table: Table) -> None:
    """That is the proof that it was the only one."""
    stack = table.up()

    assert ["web:1"] == table.runs()
    assert "deployed once as commit aaaaaaaa" in table.engine.prove(table.spot, stack)


@pytest.mark.cost(20)
@pytest.mark.parametrize("order", ["start-first", "stop-first"])
def test_a_good_update(table: Table, order: str) -> None:
    """It has converged when the old task is gone and Swarm no longer watches the new one."""
    table.up(ORDER=order)

    head = table.up("b", WEB="2", ORDER=order)

    assert ["web:2"] == table.runs()
    assert "updated in place as commit bbbbbbbb" in table.engine.prove(table.spot, head)


@pytest.mark.core
@pytest.mark.cost(15)
def test_a_head_that_crashes_is_rolled_back_by_swarm_and_fails(table: Table) -> None:
    """Swarm puts the old one back, which is healthy; the verdict has the task's own reason."""
    table.up()

    said = table.fails(RecipeFailed, WEB="2", BEFORE="sleep 1; exit 3")

    assert "Swarm rolled it back: task: non-zero exit (3)" in said
    with pytest.raises(NotEvaluated):
        table.engine.prove(table.spot, table.stack("b", {"WEB": "2"}))


@pytest.mark.cost(20)
def test_a_head_that_never_gets_healthy_is_rolled_back_and_fails(table: Table) -> None:
    table.up()

    said = table.fails(RecipeFailed, WEB="2", HEALTH="false")

    assert "Swarm rolled it back: " in said
    assert "unhealthy container" in said


@pytest.mark.core
@pytest.mark.cost(15)
def test_an_update_that_swarm_pauses_fails_and_the_next_one_goes_on(table: Table) -> None:
    """Paused is for ever: what waits for its end waits for ever."""
    table.up()

    # Not started again: where Swarm restarts a task while the next update begins, it may leave two
    # in one slot, both of the new spec and both wanted (Docker 20.10, seen on a busy machine).
    said = table.fails(RecipeFailed, WEB="2", BEFORE="exit 4", ON_FAILURE="pause", RESTART="none")
    table.up("c", WEB="2", ON_FAILURE="pause")

    assert "Swarm paused its update: task: non-zero exit (4)" in said
    assert ["web:2"] == table.runs()


@pytest.mark.cost(20)
def test_an_update_that_superseded_a_paused_one_is_judged_by_its_own_tasks(table: Table) -> None:
    """Errors from before are not quoted."""
    table.up()
    table.fails(RecipeFailed, WEB="2", BEFORE="exit 4", ON_FAILURE="pause")

    said = table.fails(RecipeFailed, "c", WEB="2", BEFORE="exit 5", ON_FAILURE="pause")

    assert "(5)" in said
    assert "(4)" not in said


@pytest.mark.cost(10)
def test_the_same_again_restarts_nothing(table: Table) -> None:
    """Swarm then shows no update at all; it has converged all the same."""
    table.up()
    [before] = table.engine.running(table.spot)

    table.up()

    assert [before] == list(table.engine.running(table.spot))


@pytest.mark.core
@pytest.mark.cost(5)
def test_an_image_that_nobody_has_is_not_the_recipes_fault(table: Table) -> None:
    """It is noticed before anything is deployed."""
    table.up()

    table.fails(FetchFailed, WEB="99")

    assert ["web:1"] == table.runs()


@pytest.mark.cost(15)
def test_an_image_that_a_node_has_no_more_is_not_the_recipes_fault(table: Table) -> None:
    """Somebody has cleaned up between looking for it and the task's start."""
    docker = table.swarm.docker
    docker("tag", "web:2", "web:99")
    stack = table.up(WEB="99")
    docker("image", "rm", "--force", "web:99")
    [service] = docker("service", "ls", "--quiet").text.split()
    docker("service", "update", "--detach", "--force", service)

    with pytest.raises(NotEvaluated) as caught:
        table.engine.wait_converged(table.spot, stack, LIMIT)

    assert type(caught.value) is NotEvaluated
    assert "No such image: web:99" in str(caught.value)


@pytest.mark.core
@pytest.mark.cost(15)
def test_a_first_deployment_in_a_crash_loop_fails_fast(table: Table) -> None:
    """Swarm has nothing to roll back to, and would go on for ever."""
    said = table.fails(RecipeFailed, BEFORE="echo no idea; exit 3")

    assert "crashes again and again: task: non-zero exit (3)" in said
    assert "no idea" in said


@pytest.mark.core
@pytest.mark.cost(10)
def test_a_task_that_ended_well_and_is_never_started_again_is_down(table: Table) -> None:
    """A shell that is done, under `on-failure`: 0 of 1, no error anywhere, for ever."""
    said = table.fails(RecipeFailed, BEFORE="exit 0", RESTART="on-failure")

    assert "is down, and Swarm never starts it again: ended by itself with exit code 0" in said


@pytest.mark.cost(30)
def test_a_service_that_ended_with_its_engine_is_held_against_nobody(table: Table) -> None:
    """Told to stop by an engine that starts anew, it ends well, and is down for ever.

    The same deployment again changes nothing of that; stopped and deployed anew it is up.
    """
    gentle = table.folder / "gentle.yml"
    gentle.write_text(GENTLE)
    table.engine = table.new_engine(gentle)
    serving = "echo up > /data/index.html; httpd -p 8080 -h /data"
    wanted = {"BEFORE": f"{serving}; trap 'exit 0' TERM; while :; do sleep 1 & wait; done"}
    table.up(RESTART="on-failure", **wanted)
    assert table.engine.trouble(table.spot) is None

    table.swarm.kill()
    table.swarm.restart()
    said = table.fails(RecipeFailed, RESTART="on-failure", **wanted)
    trouble = table.engine.trouble(table.spot)

    assert "is down, and Swarm never starts it again: ended by itself with exit code 0" in said
    assert trouble is not None
    assert "the Docker engine was away or started anew" in trouble.what
    table.engine.undeploy(table.spot)
    table.engine.settle(table.spot, LIMIT)
    table.up(RESTART="on-failure", **wanted)
    assert table.engine.trouble(table.spot) is None


@pytest.mark.cost(20)
def test_a_port_that_the_old_task_holds_is_no_node_for_the_new_one(table: Table) -> None:
    """With start-first it would wait for ever, the old one healthy."""
    ports = table.folder / "ports.yml"
    ports.write_text(PORTS)
    table.engine = table.new_engine(ports)
    table.up()

    said = table.fails(RecipeFailed, WEB="2")

    assert "cannot be placed: no suitable node (host-mode port already in use" in said


@pytest.mark.cost(25)
def test_a_head_that_dies_after_the_update_is_seen_by_its_new_task(table: Table) -> None:
    """The update is complete by then, so nothing is rolled back: that it stays up is for a test
    of the run to say."""
    table.up()
    serving = "echo up > /data/index.html; httpd -p 8080 -h /data"
    table.up("b", WEB="2", BEFORE=f"{serving}; sleep 9; exit 7")
    before = [each.instance for each in table.engine.running(table.spot)]

    def look() -> Look:
        now = [each.instance for each in table.engine.running(table.spot)]
        return Look(bool(now) and now != before, f"{now}")

    wait_until(look, timeout=LIMIT)
    assert ["web:2"] == table.runs()
