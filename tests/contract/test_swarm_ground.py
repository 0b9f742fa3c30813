"""The ground of tests on Docker Swarm holds, and leaves the machine as it was."""

from __future__ import annotations

import dataclasses
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pytest_warmci.clients import command
from pytest_warmci.clients.machine import is_zombie
from pytest_warmci.clients.waiting import Look, wait_until
from pytest_warmci.errors import NotEvaluated
from tests.e2e.workshop import ROOT, clean_environment
from tests.swarm import catalog, ground, images, slots, stacks
from tests.swarm.engine import Swarm, engine_version
from tests.swarm.images import Image, Text, Tree
from tests.swarm.slots import Slot

SETTINGS = ("ipv4/ip_forward", "ipv6/conf/all/forwarding", "bridge/bridge-nf-call-iptables")
"""What a Docker engine sets in the network namespace that it runs in."""

UP_SECONDS = 60.0


@pytest.fixture
def web(empty_swarm: Swarm) -> Swarm:
    """The worker's Swarm, with both images of the small stack."""
    catalog.provide(empty_swarm, "web:1", "web:2")
    return empty_swarm


def machine(ours: str) -> dict[str, str]:
    """What an engine in the machine's own namespaces would change.

    Others have engines, too, and come and go: of their links only that with the name `ours` counts.
    """
    rules = command.run(["iptables-save"], timeout=20).text
    links = {path.name for path in Path("/sys/class/net").iterdir()}
    settings = [Path("/proc/sys/net", name) for name in SETTINGS]
    return {
        "links": repr(sorted(name for name in links if name == ours or "warmci" not in name)),
        "mounts": repr(slots.mounts_below(slots.HOME)),
        "namespaces": command.run(["ip", "netns", "list"], timeout=20).text,
        "rules": re.sub(r"^#.*\n|\[\d+:\d+\]", "", rules, flags=re.MULTILINE),
        "settings": repr([path.read_text() for path in settings if path.exists()]),
    }


def inmates(slot: Slot) -> set[int]:
    """The processes in a slot's pid namespace: the engine, what it started, all containers."""
    hall = int((slot.folder / "hall.pid").read_text())
    room = Path(f"/proc/{hall}/ns/pid").readlink()
    found = set()
    for path in Path("/proc").glob("[0-9]*/ns/pid"):
        with suppress(OSError):
            if path.readlink() == room:
                found.add(int(path.parts[2]))
    return found


@contextmanager
def held(tmp_path: Path, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], Slot]]:
    """Another process that has a Swarm with a stack, and its slot."""
    told = tmp_path / "slot"
    with (tmp_path / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.swarm.holding", told, *words],
            cwd=ROOT,
            env={**clean_environment(), "PYTHONPATH": str(ROOT)},
            stdout=output,
            stderr=output,
        )
    try:

        def look() -> Look:
            said = (tmp_path / "output").read_text()
            assert process.poll() is None, said
            return Look(told.exists(), said)

        wait_until(look, timeout=UP_SECONDS)
        yield process, Slot(int(told.read_text()))
    finally:
        process.kill()
        process.wait()


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.core
@pytest.mark.cost(5)
def test_a_stack_answers_and_can_be_swept_away(web: Swarm) -> None:
    """At the node's address, from the machine; its names are free again at once."""
    stacks.deploy(web, "ground", image="web:1", page="one")
    assert ["web:1"] == web.docker("service", "ls", "--format", "{{.Image}}").text.split()

    web.sweep()

    assert "" == stacks.page_of(web)
    assert "" == web.docker("ps", "--all", "--quiet").text
    assert "" == web.docker("volume", "ls", "--quiet").text
    stacks.deploy(web, "ground", image="web:2", page="two")
    assert ["web:2"] == web.docker("service", "ls", "--format", "{{.Image}}").text.split()


@pytest.mark.cost(8)
def test_two_at_once_and_the_machine_as_it_was(web: Swarm) -> None:
    """The same stack, the same port, on two engines; nothing of either is seen outside."""
    stacks.deploy(web, "ground", page="first")
    before = machine(ours="")

    with ground.swarm() as second:
        link = second.slot.link
        assert before != machine(ours=link)  # the link alone
        assert before == machine(ours="")
        catalog.provide(second, "web:1")
        stacks.deploy(second, "ground", page="second")
        assert before == machine(ours="")
        assert ["first", "second"] == [stacks.page_of(web), stacks.page_of(second)]

    assert before == machine(ours=link)
    assert [] == second.slot.remains()
    assert "first" == stacks.page_of(web)


@pytest.mark.core
@pytest.mark.cost(6)
def test_what_outlives_its_owner_is_cleared_by_the_next_start(web: Swarm, tmp_path: Path) -> None:
    """Engine, containers, link, mounts, cgroups, data. Live ones are not touched."""
    stacks.deploy(web, "ground", page="alive")
    with held(tmp_path, "undying") as (owner, slot):
        there = inmates(slot)
        network = Path(f"/proc/{min(there)}/ns/net").readlink()
        slots.reap()  # the owner lives
        assert "up" == stacks.page_of(Swarm(slot))

        kill(owner)
        assert there <= set(processes())
        assert "up" == stacks.page_of(Swarm(slot))

        with slots.lease() as another:
            assert not there & set(processes())
            assert [] == slot.remains()
            assert not slot.folder.exists()
            assert another.number != web.slot.number
    assert network not in networks()
    assert "alive" == stacks.page_of(web)


@pytest.mark.cost(6)
def test_the_kernel_ends_what_a_killed_owner_had(tmp_path: Path, swarm: Swarm) -> None:
    """Nobody has to start again for that."""
    with held(tmp_path) as (owner, slot):
        there = inmates(slot)
        assert len(there) > 4  # the hall, dockerd, containerd, a shim, the shell

        kill(owner)

        wait_until(lambda: Look(not there & set(processes()), "they live"), timeout=20)
        slots.reap()
    assert [] == slot.remains()
    assert not slot.folder.exists()
    assert swarm.api.answers()


@pytest.mark.cost(9)
def test_images_are_kept_after_an_end_in_order_only() -> None:
    """Names that a test gave, and what was interrupted, are never found by a later session."""
    engine = engine_version()
    with slots.lease() as leased:
        slot = dataclasses.replace(leased, kept_below=slots.COUNT)
        with ground.swarm_in(slot) as first:
            catalog.provide(first, "web:1")
            first.docker("tag", "web:1", "web:bad")
            first.docker("import", "-", stdin=bytes(1024))  # an empty tar; it gets no name
            first.docker("volume", "create", "left")
        slot.clear()
        with ground.swarm_in(slot) as second:
            names = second.docker("images", "--format", "{{.Repository}}:{{.Tag}}").text.split()
            assert "web:1" in names
            assert not {"web:bad", "<none>:<none>"} & {*names}
            assert "" == second.docker("volume", "ls", "--quiet").text

        slot.open(engine)
        assert slot.data.exists()
        slot.clear()  # it was begun and not ended
        assert not slot.folder.exists()

        slot.data.mkdir(parents=True)
        slot.close("another engine")
        slot.open(engine)
        assert not slot.data.exists()


@pytest.mark.core
@pytest.mark.cost(3)
def test_an_image_holds_what_its_programs_need(swarm: Swarm, tmp_path: Path) -> None:
    """Files with owner and mode, links, libraries; it is made anew when one of them changes."""
    stat = shutil.which("stat")
    assert stat is not None
    tree = tmp_path / "tree"
    (tree / "inner").mkdir(parents=True)
    (tree / "inner" / "file").write_text("one")
    (tree / "inner" / "file").chmod(0o640)
    (tree / "link").symlink_to("inner/file")
    image = Image(
        "shown:1",
        (Tree(Path(stat), "/opt/bin/stat"), Tree(tree, "/opt/tree", (1000, 7))),
        (Text("#!/bin/sh\nexec /opt/bin/stat -L -c '%u %g %a %n' \"$@\"\n", "/show"),),
        ('ENTRYPOINT ["/show"]', "STOPSIGNAL SIGINT", "USER 1000"),
    )

    def shown(*names: str) -> str:
        return swarm.docker("run", "--rm", images.provide(swarm, image), *names).text

    try:
        first = shown("/opt/tree/link", "/opt", "/bin")
        made, all_made = identity(swarm, image.name), every_image(swarm)
        images.provide(swarm, image)
        assert made == identity(swarm, image.name)
        (tree / "inner" / "file").write_text("two")
        shown("/opt/tree/link")

        assert "1000 7 640 /opt/tree/link\n0 0 755 /opt\n0 0 755 /bin\n" == first
        assert made != identity(swarm, image.name)
        assert made not in every_image(swarm)
        assert len(all_made) == len(every_image(swarm))  # what it was built from is gone, too
        config = swarm.api.call("GET", f"/images/{image.name}/json")["Config"]
        assert ("SIGINT", "1000") == (config["StopSignal"], config["User"])
    finally:
        swarm.docker("rmi", "--force", image.name)


@pytest.mark.cost(2)
def test_why_an_image_is_refused_is_said(swarm: Swarm) -> None:
    """The engine hangs up before it has been sent everything."""
    with pytest.raises(NotEvaluated, match="nonsense is not a valid change command"):
        images.provide(swarm, Image("refused:1", lines=("NONSENSE said",)))


@pytest.mark.cost(20)
def test_traefik_is_made_of_its_wheel(swarm: Swarm) -> None:
    name = f"traefik:v{catalog.TRAEFIK}"

    catalog.provide(swarm, name)

    assert catalog.TRAEFIK in swarm.docker("run", "--rm", name, "version").text


@pytest.mark.cost(20)
def test_a_killed_engine_starts_again_with_its_stacks(web: Swarm) -> None:
    stacks.deploy(web, "ground", page="kept")

    web.kill()
    assert not web.api.answers()
    web.restart()

    wait_until(lambda: Look(stacks.page_of(web) == "kept", "no page"), timeout=UP_SECONDS)


def processes() -> list[int]:
    """All that run; not what nobody has reaped yet."""
    found = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    return [pid for pid in found if not is_zombie(pid)]


def networks() -> set[Path]:
    """The network namespaces that any process is in."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/ns/net"):
        with suppress(OSError):
            found.add(path.readlink())
    return found


def every_image(swarm: Swarm) -> list[str]:
    return swarm.docker("image", "ls", "--all", "--quiet", "--no-trunc").text.split()


def identity(swarm: Swarm, name: str) -> str:
    return swarm.docker("image", "inspect", "--format", "{{.Id}}", name).text.strip()
