"""What every engine has to do, for real. Each test runs on each of them, unchanged."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from pytest_warmci.clients.waiting import Look, wait_until
from pytest_warmci.errors import NotEvaluated, RecipeFailed
from pytest_warmci.model import Stack
from pytest_warmci.protocols import Engine, Root
from pytest_warmci.store import snapshots
from tests.contract import tiny
from tests.contract.grounds import GROUNDS, Ground
from tests.contract.tiny import Spot

LIMIT = 60.0


@pytest.fixture(scope="module", params=sorted(GROUNDS))
def ground(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """Where one of the engines runs."""
    return GROUNDS[request.param](request, tmp_path_factory.mktemp(request.param))


class Bench:
    """An app of the tiny recipe on an engine."""

    def __init__(self, ground: Ground, folder: Path, name: str) -> None:
        self.ground = ground
        self.engine: Engine = ground.engine()
        domain = f"{name}-{secrets.token_hex(3)}.warmci.localhost"
        self.spot = Spot(domain, folder / domain)

    def stack(self, commit: str = "a", **env: str) -> Stack:
        return tiny.stack(self.spot, commit, **env)

    def up(self, stack: Stack | None = None, limit: float = LIMIT) -> Stack:
        """Deploy and wait."""
        wanted = stack or self.stack()
        self.engine.deploy(self.spot, wanted)
        self.engine.wait_converged(self.spot, wanted, limit)
        return wanted

    def down(self) -> None:
        """Undeploy and wait."""
        self.engine.undeploy(self.spot)
        self.engine.settle(self.spot, LIMIT)

    def gone(self) -> None:
        """Remove all there is."""
        self.down()
        self.engine.remove(self.spot)

    def page(self) -> str:
        """Return the page at the app's address once it is there."""
        url = self.engine.address(self.spot)

        def look() -> Look:
            found = tiny.page(url)
            return Look(found != "", f"{url} says {found!r}")

        wait_until(look, timeout=LIMIT)
        return tiny.page(url)

    def restore(self, kept: Path, digest: str) -> None:
        """Put the data of the only generation of a snapshot back, as runs do."""

        def places(present: frozenset[str]) -> Mapping[str, Root]:
            return self.engine.make_data(self.spot, present)

        present = snapshots.restore(kept, "one", digest, places)
        self.engine.drop_data(self.spot, present)

    @property
    def starts(self) -> int:
        return tiny.starts(self.engine.data(self.spot))


@pytest.fixture
def bench(ground: Ground, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(ground, tmp_path, "tiny")
    yield made
    made.gone()


@pytest.mark.core
@pytest.mark.cost(12)
def test_from_nothing_to_nothing(bench: Bench) -> None:
    """Deployed, converged, proven, serving; stopped with its data; removed with all there was."""
    bench.engine.check()
    stack = bench.up()

    assert "tiny of one" == bench.page()
    assert f"as commit {'a' * 8} says" in bench.engine.prove(bench.spot, stack)
    assert ["app", "db"] == sorted(each.name for each in bench.engine.running(bench.spot))
    assert bench.engine.trouble(bench.spot) is None
    password = bench.engine.secret(bench.spot, stack, "password")
    assert 32 == len(password)
    assert [password] == list(bench.engine.secret_values(bench.spot))
    said = bench.engine.logs(bench.spot)["app"].read_text()
    assert "web starts with" in said

    bench.down()

    assert [] == list(bench.engine.running(bench.spot))
    assert [] == bench.engine.leftovers(bench.spot)
    assert "" == tiny.page(bench.engine.address(bench.spot))
    assert 1 == bench.starts
    bench.engine.remove(bench.spot)
    assert 0 == bench.starts
    assert [] == list(bench.engine.secret_values(bench.spot))
    assert ["recipe"] == [path.name for path in bench.spot.folder.iterdir()]


@pytest.mark.cost(20)
def test_deployed_again_it_has_its_data_and_its_secrets(bench: Bench) -> None:
    """What an undeployed app keeps is what the next deployment finds."""
    stack = bench.up()
    password = bench.engine.secret(bench.spot, stack, "password")
    bench.down()

    again = bench.up()

    assert "tiny of one" == bench.page()
    assert password == bench.engine.secret(bench.spot, again, "password")
    bench.down()
    assert 2 == bench.starts


@pytest.mark.core
@pytest.mark.cost(20)
def test_upgraded_in_place(bench: Bench) -> None:
    """Head runs where base ran, on its data, and the proof is of head alone."""
    base = bench.up()
    before = {each.name: each.instance for each in bench.engine.running(bench.spot)}

    head = bench.up(bench.stack("b", WEB="1.1"))

    assert "tiny of one" == bench.page()
    after = {each.name: each.instance for each in bench.engine.running(bench.spot)}
    assert before["app"] != after["app"]
    assert before["db"] == after["db"]  # nothing of it has changed
    assert "bbbbbbbb" in bench.engine.prove(bench.spot, head)
    with pytest.raises(NotEvaluated):
        bench.engine.prove(bench.spot, base)
    bench.down()
    assert 2 == bench.starts


@pytest.mark.cost(20)
@pytest.mark.parametrize("mode", ["exits", "mute"])
def test_a_head_that_does_not_come_up_fails(bench: Bench, mode: str) -> None:
    """It is the recipe's failure, named by its service; stopping and removing work as ever."""
    bench.up()

    with pytest.raises(RecipeFailed) as caught:
        bench.up(bench.stack("b", MODE=mode), limit=25)

    assert "app" in str(caught.value)
    bench.down()
    assert [] == bench.engine.leftovers(bench.spot)
    assert bench.starts >= 1


@pytest.mark.cost(15)
def test_a_first_deployment_that_exits_fails(bench: Bench) -> None:
    """There is nothing that an engine could roll back to."""
    with pytest.raises(RecipeFailed) as caught:
        bench.up(bench.stack(MODE="exits"), limit=25)

    assert "app" in str(caught.value)


@pytest.mark.core
@pytest.mark.cost(25)
def test_a_snapshot_puts_the_data_back(bench: Bench, tmp_path: Path) -> None:
    """Roots of the data can be kept, are digested alike, and come back to the byte."""
    bench.up()
    bench.down()
    kept = tmp_path / "snapshot"
    taken = snapshots.take(kept, "one", bench.engine.data(bench.spot))
    assert taken.digest == snapshots.measure(bench.engine.data(bench.spot)).digest
    bench.up()
    bench.down()
    assert 2 == bench.starts

    bench.restore(kept, taken.digest)

    assert 1 == bench.starts
    assert taken.digest == snapshots.measure(bench.engine.data(bench.spot)).digest
    bench.up()
    assert "tiny of one" == bench.page()
    bench.down()
    assert 2 == bench.starts


@pytest.mark.cost(25)
def test_a_snapshot_puts_lost_data_back(bench: Bench, tmp_path: Path) -> None:
    """Also when nothing of it is left; what was not in it goes."""
    bench.up()
    bench.down()
    kept = tmp_path / "snapshot"
    taken = snapshots.take(kept, "one", bench.engine.data(bench.spot))
    bench.engine.drop_data(bench.spot, ())
    assert 0 == bench.starts

    bench.restore(kept, taken.digest)

    assert taken.digest == snapshots.measure(bench.engine.data(bench.spot)).digest
    bench.up()
    bench.down()
    assert 2 == bench.starts


@pytest.mark.cost(10)
def test_another_engine_object_ends_what_one_began(bench: Bench) -> None:
    """Whoever recovers was not there when it was deployed, perhaps not even converged."""
    bench.engine.deploy(bench.spot, bench.stack())

    bench.engine = bench.ground.engine()
    bench.down()

    assert [] == bench.engine.leftovers(bench.spot)
    bench.engine.remove(bench.spot)
    assert 0 == bench.starts


@pytest.mark.cost(2)
def test_ending_nothing_is_fine(bench: Bench) -> None:
    """Everything that ends can be done again, and where nothing ever was."""
    for _ in range(2):
        bench.gone()

    assert [] == bench.engine.leftovers(bench.spot)


@pytest.mark.cost(20)
def test_two_apps_do_not_touch_each_other(ground: Ground, bench: Bench, tmp_path: Path) -> None:
    """Neither their data nor their ends."""
    bench.up()
    other = Bench(ground, tmp_path, "other")
    try:
        other.up()
        assert bench.engine.address(bench.spot) != other.engine.address(other.spot)
    finally:
        other.gone()

    assert "tiny of one" == bench.page()
    bench.down()
    assert 1 == bench.starts
