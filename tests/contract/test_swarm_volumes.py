"""The two ways to the data of a volume on a real engine: they see the same, and bring it back."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_warmci.clients.docker import Docker, Endpoint, Mount
from pytest_warmci.engines.swarm import labels
from pytest_warmci.engines.swarm.belongings import Belongings
from pytest_warmci.engines.swarm.data import Volumes
from pytest_warmci.engines.swarm.far import IMAGE, FarVolume
from pytest_warmci.errors import NotEvaluated
from pytest_warmci.protocols import Root
from pytest_warmci.store import snapshots
from pytest_warmci.store.snapshots import SnapshotRefused
from tests.contract import test_engine
from tests.contract.grounds import SwarmGround
from tests.e2e.workshop import ROOT
from tests.swarm.engine import Swarm
from tests.unit.snapshot_app import fact

STACK, STATE = "volumes_example_test", "contract"
ROOT_NAME = "volume:data"
CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")


class Bench:
    """A volume of an app that does not run, and both ways to it."""

    def __init__(self, swarm: Swarm, folder: Path) -> None:
        self.swarm = swarm
        self.snapshots = folder / "snapshot"
        self.docker = Docker(Endpoint(swarm.docker_host, "a test", ()))
        self.belongings = Belongings(self.docker, STACK, STATE)
        made = self.docker.create_volume(f"{STACK}_data", labels.of_app(STACK, STATE))
        self.name = str(made["Name"])
        self.data = Path(made["Mountpoint"])

    def roots(self, way: str) -> dict[str, Root]:
        return dict(Volumes(self.belongings, self.docker.info(), way).places())

    def digest(self, way: str) -> str:
        return snapshots.measure(self.roots(way)).digest

    def take(self, way: str) -> str:
        return snapshots.take(self.snapshots, "one", self.roots(way)).digest

    def restore(self, way: str, digest: str) -> None:
        snapshots.restore(self.snapshots, "one", digest, lambda _present: self.roots(way))

    def facts(self) -> dict[bytes, object]:
        """All that must come back, by other means than the code's; by names within the volume."""
        found: dict[bytes, object] = {}
        top = os.fsencode(self.data)
        for folder, names, files in os.walk(top):
            for path in (folder, *(os.path.join(folder, name) for name in names + files)):  # noqa: PTH118
                found[path.removeprefix(top)] = fact(path)
        return found

    def run(self, program: str, path: Path) -> subprocess.CompletedProcess[bytes]:
        """Run a program in a process of its own, which has the volume as `far`, and the path."""
        return subprocess.run(
            [
                *(sys.executable, "-c", FAR + program),
                *(self.swarm.docker_host, STACK, STATE, self.name, path),
            ],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            check=False,
        )

    def helpers(self) -> list[str]:
        return self.swarm.docker("ps", "--all", "--quiet").text.split()


@pytest.fixture
def bench(empty_swarm: Swarm, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(empty_swarm, tmp_path)
    yield made
    assert [] == made.helpers()


def furnish(data: Path) -> None:
    """Put in everything that a volume may have and a snapshot keeps."""
    (data / "plain").write_bytes(b"x" * 1000)
    (data / "closed").write_text("nobody may read it")
    (data / "closed").chmod(0)
    (data / "ours").write_text("of somebody")
    os.chown(data / "ours", 1000, 2**32 - 2)
    (data / "setuid").write_text("s")
    os.chown(data / "setuid", 1000, 7)
    (data / "setuid").chmod(0o6755)
    (data / "z-other-name").hardlink_to(data / "setuid")
    (data / "a").mkdir()
    (data / "a" / "x").write_text("2")
    (data / "a-b").write_text("1")  # sorts between `a` and `a/x` for who compares whole paths
    (data / "a b").write_text("3")
    (data / "empty").mkdir(mode=0o500)
    (data / "no bytes").touch()
    (data / "link").symlink_to("nowhere/../x")
    os.chown(data / "link", 5, 6, follow_symlinks=False)
    (data / "absolute").symlink_to("/etc/passwd")
    (data / "capable").write_text("cap")
    os.setxattr(data / "capable", "security.capability", CAPABILITY)
    for name in (b"bad\xff\xfe\nname ", b"n" * 255, b"-rf", "ä".encode(), b"back\\slash"):
        with open(os.fsencode(data) + b"/" + name, "w") as file:  # noqa: PTH123 - bytes
            file.write("odd")
    deep = data
    for _ in range(12):
        deep = deep / ("d" * 100)
        deep.mkdir()
    (deep / "file").write_text("deep")
    (data / "sparse").touch()
    os.truncate(data / "sparse", 30_000_000)
    (data / "old").touch()
    os.chown(data, 33, 44)
    data.chmod(0o3770)
    for folder, names, files in os.walk(os.fsencode(data), topdown=False):
        for name in (*names, *files, b"."):
            path = os.path.join(folder, name)  # noqa: PTH118 - bytes
            os.utime(path, (1_700_000_000, 1_700_000_000 + len(name)), follow_symlinks=False)
    os.utime(data / "old", (0, 0))


def wreck(data: Path) -> None:
    """Change everything that an upgrade could."""
    (data / "plain").write_text("migrated")
    (data / "closed").unlink()
    (data / "closed").mkdir()
    (data / "closed" / "new").touch()
    (data / "z-other-name").unlink()
    (data / "a").chmod(0o711)
    os.chown(data, 0, 0)


@pytest.mark.core
@pytest.mark.cost(3)
def test_both_ways_see_the_same_and_bring_it_back(bench: Bench) -> None:
    """To the last owner, mode, link, time in seconds and odd name; whoever has taken it."""
    furnish(bench.data)
    before = bench.facts()
    taken = bench.take("engine")
    assert taken == bench.digest("engine") == bench.digest("mount")

    for way in ("engine", "mount"):
        wreck(bench.data)
        assert taken != bench.digest(way)
        bench.restore(way, taken)
        assert before == bench.facts(), way
        assert taken == bench.digest("engine") == bench.digest("mount")
    [sparse] = [path for path in (bench.snapshots / "one" / "objects").iterdir() if big(path)]
    assert sparse.stat().st_blocks < 1000


def big(path: Path) -> bool:
    return path.stat().st_size > 10_000_000


@pytest.mark.cost(2)
@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda path: os.utime(path, ns=(1, 1_700_000_000_000_000_001)), "finer than a second"),
        (lambda path: os.setxattr(path, "user.note", b"x"), "user.note"),
    ],
)
def test_what_docker_cannot_carry_is_refused_before_anything_changes(
    bench: Bench, spoil: Callable[[Path], None], why: str
) -> None:
    """A known-good that was taken where Docker keeps it, by somebody who is not root now."""
    furnish(bench.data)
    spoil(bench.data / "plain")
    taken = bench.take("mount")
    wreck(bench.data)
    before = bench.facts()

    with pytest.raises(SnapshotRefused, match="cannot be put back through the engine") as caught:
        bench.restore("engine", taken)

    assert why in caught.value.why
    assert before == bench.facts()


@pytest.mark.cost(2)
def test_what_cannot_be_kept_is_refused(bench: Bench) -> None:
    """Times that Docker would not set; pipes. Sockets it leaves out, as we do."""
    with socket.socket(socket.AF_UNIX) as bound:
        os.chdir(bench.data)
        try:
            bound.bind("socket")
        finally:
            os.chdir(ROOT)
    assert bench.digest("engine")
    (bench.data / "file").touch()
    os.utime(bench.data / "file", (0, -5))
    with pytest.raises(SnapshotRefused, match="cannot be put back through the engine"):
        bench.take("engine")

    (bench.data / "file").unlink()
    os.mkfifo(bench.data / "pipe")
    with pytest.raises(SnapshotRefused, match="is a device or pipe"):
        bench.digest("engine")
    assert [] == snapshots.generations(bench.snapshots)


@pytest.mark.cost(2)
def test_no_empty_volume_is_made_by_looking(bench: Bench) -> None:
    """One that is gone, or of somebody else, is refused by name."""
    far = FarVolume(bench.belongings, bench.name)
    other = FarVolume(bench.belongings, f"{STACK}_more")
    bench.docker.remove("volume", bench.name)
    bench.swarm.docker("volume", "create", f"{STACK}_more")

    for each in (far, other):
        with pytest.raises(NotEvaluated, match="went away"):
            snapshots.measure({ROOT_NAME: each})

    assert [f"{STACK}_more"] == bench.swarm.docker("volume", "ls", "--quiet").text.split()


@pytest.mark.cost(2)
def test_one_that_docker_makes_for_the_helper_goes_again(bench: Bench) -> None:
    """Somebody removes it between the look and the container."""

    class Late(Docker):
        def create_container(self, *args: Any) -> str:
            assert self.remove("volume", bench.name)
            return super().create_container(*args)

    bench.belongings = Belongings(Late(bench.docker.endpoint), STACK, STATE)
    with pytest.raises(NotEvaluated, match="went away"):
        bench.digest("engine")

    assert "" == bench.swarm.docker("volume", "ls", "--quiet").text


@pytest.mark.cost(3)
def test_a_volume_that_a_container_uses_is_not_filled(bench: Bench) -> None:
    """Nor anything else changed."""
    furnish(bench.data)
    taken = bench.take("engine")
    mount = Mount(bench.name, "/somewhere", read_only=True, labels={})
    container = bench.docker.create_container("somebody", IMAGE, {}, mount)
    wreck(bench.data)
    before = bench.facts()

    with pytest.raises(NotEvaluated, match="is in use"):
        bench.restore("engine", taken)

    assert before == bench.facts()
    bench.docker.remove("container", container)


FAR = """\
import os, sys
from pathlib import Path
from pytest_warmci.clients.docker import Docker, Endpoint
from pytest_warmci.engines.swarm.belongings import Belongings
from pytest_warmci.engines.swarm.far import FarVolume
from pytest_warmci.store import snapshots
docker = Docker(Endpoint(sys.argv[1], "a test", ()))
far = FarVolume(Belongings(docker, sys.argv[2], sys.argv[3]), sys.argv[4])
path = Path(sys.argv[5])
"""

KILLED = """\
def stream():
    with path.open("rb") as file:
        yield file.read(3000)
    os.kill(os.getpid(), 9)
far.fill(stream())
"""

BIG = """\
digest = snapshots.take(path, "one", {"data": far}).digest
snapshots.restore(path, "one", digest, lambda _: {"data": far})
status = Path("/proc/self/status").read_text().splitlines()
print(*(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


@pytest.mark.cost(4)
def test_killed_while_it_fills_it_is_filled_by_the_next(bench: Bench, tmp_path: Path) -> None:
    """What is there then is not what was kept; its container is found by its labels."""
    furnish(bench.data)
    before, taken = bench.facts(), bench.take("engine")
    with FarVolume(bench.belongings, bench.name).read() as chunks:
        (tmp_path / "stream").write_bytes(b"".join(chunks))

    done = bench.run(KILLED, tmp_path / "stream")

    assert -9 == done.returncode
    assert 1 == len(bench.helpers())
    assert ["container"] == [
        each.partition(" ")[0] for each in bench.belongings.left(volumes=False)
    ]
    assert taken != bench.digest("engine")
    bench.restore("engine", taken)
    assert before == bench.facts()


@pytest.mark.cost(25)
def test_an_app_comes_back_through_the_engine(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """What its containers wrote, and what they make of it again."""
    app = test_engine.Bench(SwarmGround(request, tmp_path, "engine"), tmp_path, "far")
    try:
        test_engine.test_a_snapshot_puts_the_data_back(app, tmp_path)
        assert {FarVolume} == {type(root) for root in app.engine.data(app.spot).values()}
    finally:
        app.gone()


@pytest.mark.cost(8)
def test_a_big_file_takes_little_memory(bench: Bench) -> None:
    """It is never in memory as a whole, neither taken nor put back."""
    with (bench.data / "big").open("wb") as file:
        for _ in range(200):
            file.write(os.urandom(1_000_000))

    done = bench.run(BIG, bench.snapshots)

    assert done.returncode == 0
    assert int(done.stdout) < 130_000, f"{done.stdout!r} KiB"
