"""Many sessions at once: each ends as if it were alone, and no two have one app at once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_warmci.store.results import Result
from tests.e2e.workshop import KEYCLOAK, RADICALE, Outcome, Workshop, copy_state
from tests.faults.aftermath import check_known_good, check_quiet, leftovers
from tests.faults.crowd import Crowd, Running, copy_recipe, gate, same_apps, wait_for_file
from tests.faults.overlaps import overlaps

NAMES = ("agenda", "diary", "radicale")


@dataclass(frozen=True)
class Three:
    """A state directory with the known-goods of three recipes, and how they were made."""

    root: Path
    recipe_tests: Path
    seeding: Outcome

    def recipe(self, number: int) -> Path:
        return self.recipe_tests / NAMES[number % len(NAMES)]


@pytest.fixture(scope="module")
def three_seeded(radicale_warmed: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Three:
    """Three recipes, seeded by one session with three workers."""
    folder = tmp_path_factory.mktemp("three")
    for name in NAMES:
        copy_recipe(RADICALE, folder / "recipe_tests", name)
    root = folder / "seeded"
    root.mkdir(mode=0o700)
    (root / "cache").symlink_to(radicale_warmed.root / "cache")
    everything = Workshop(root, folder / "recipe_tests")
    # Three recipes have test files of the same names.
    words = ("--import-mode=importlib", "-n", "3", "--warmci-head", "published")
    return Three(root, everything.recipe, everything.pytest(*words))


@pytest.fixture
def three(three_seeded: Three, tmp_path: Path) -> Three:
    """A copy of its state."""
    copy_state(three_seeded.root, tmp_path / "state")
    return Three(tmp_path / "state", three_seeded.recipe_tests, three_seeded.seeding)


def addresses(state: Path) -> list[str]:
    """List the ports and the subnets that the apps there have now."""
    found = []
    for path in state.glob("apps/*/*/address.json"):
        try:
            found.append(json.loads(path.read_text("utf-8")))
        except FileNotFoundError:  # a cold app that has gone since
            continue
    return [str(each[kind]) for each in found for kind in ("port", "subnet")]


def watch_addresses(state: Path, all_of_them: list[Running]) -> set[str]:
    """Look at every app's address while sessions run; return what two apps had at once."""
    twice: set[str] = set()
    for each in all_of_them:
        while each.process.poll() is None:
            seen = addresses(state)
            twice |= {address for address in seen if seen.count(address) > 1}
            with suppress(subprocess.TimeoutExpired):
                each.process.wait(0.1)
    return twice


def check_alone(outcomes: list[Outcome]) -> None:
    """Each session passed with one result, and no two runs had an app at once."""
    assert [0] * len(outcomes) == [each.status for each in outcomes]
    records = [each.result for each in outcomes]
    assert {"passed"} == {each["verdict"] for each in records}
    assert all(
        each["promoted"] or each["known_good"]["before"] == each["known_good"]["after"]
        for each in records
    )
    assert [] == overlaps(map(Result.from_json, records))
    assert [] == same_apps(outcomes)


@pytest.mark.core
@pytest.mark.cost(15)
def test_three_recipes_go_on_three_workers(three_seeded: Three) -> None:
    """At once, each with a canonical and an address of its own."""
    outcome = three_seeded.seeding

    assert outcome.status == 0, outcome.text
    assert list(NAMES) == sorted(each["recipe"] for each in outcome.results)
    assert all(each["promoted"] for each in outcome.results)
    assert 6 == len(set(addresses(three_seeded.root)))
    spans = [each["held"][0] for each in outcome.results]
    assert max(each["since"] for each in spans) < min(each["until"] for each in spans)
    check_quiet(Workshop(three_seeded.root))


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(8, marks=[pytest.mark.core, pytest.mark.cost(40)]),
        pytest.param(24, marks=pytest.mark.nightly),
    ],
)
def test_many_sessions_at_once_all_pass(three: Three, tmp_path: Path, count: int) -> None:
    """Quick, cold and promoting, over three recipes, each of them several times."""
    with Crowd(tmp_path / "crowd") as crowd:
        all_of_them = []
        for number in range(count):
            how = ["--quick"]
            if number % 4 == 3:
                how = ["--warmci-head", "published"] if number % 8 == 7 else []
            all_of_them.append(crowd.start(three.root, three.recipe(number), *how))
        twice = watch_addresses(three.root, all_of_them)
        outcomes = crowd.end()

    print("\n".join(each.text[-1500:] for each in outcomes if each.status != 0))  # noqa: T201
    check_alone(outcomes)
    assert set() == twice
    for name in NAMES:
        check_known_good(Workshop(three.root, three.recipe_tests / name))
    check_quiet(Workshop(three.root))


@pytest.mark.core
@pytest.mark.cost(15)
def test_the_same_recipe_twice_waits_and_says_for_whom(radicale: Workshop, tmp_path: Path) -> None:
    """The second waits for the first; a third with a small limit is not evaluated."""
    with gate(tmp_path) as (stop, come, opened), Crowd(tmp_path / "crowd") as crowd:
        strike = {**stop, "STRIKE_AT": "deploy#1"}
        first = crowd.start(
            radicale.root, "-p", "tests.faults.strike", "--quick", RADICALE, env=strike
        )
        wait_for_file(come, first)
        [run] = [path.name for path in (radicale.root / "runs").iterdir()]
        holder = f"held by run {run} (quick, pid {first.process.pid}, since "
        second = crowd.start(radicale.root, "--quick", RADICALE)
        second.wait_for(f"warmci: waiting for warm-radicale.warmci.localhost: {holder}")

        third = crowd.start(radicale.root, "--quick", "--warmci-lock-limit=0.5", RADICALE).end()

        assert first.process.poll() is None
        opened.touch()
        one, other = first.end(), second.end()

    assert third.status == 75, third.text
    assert third.result["verdict"] == "not-evaluated"
    assert "warm-radicale.warmci.localhost is busy" in third.result["reason"]
    assert holder in third.text
    assert [] == third.result["held"]
    check_alone([one, other])
    assert one.result["held"][0]["until"] < other.result["held"][0]["since"]
    check_known_good(radicale, radicale.known_good)
    check_quiet(radicale)


@pytest.mark.cost(12)
def test_two_checkouts_share_one_canonical(radicale: Workshop, tmp_path: Path) -> None:
    """One after the other, wherever their files are."""
    other = copy_recipe(RADICALE, tmp_path / "another-checkout" / "recipe_tests")
    before = radicale.known_good

    with Crowd(tmp_path / "crowd") as crowd:
        for recipe in (RADICALE, other):
            crowd.start(radicale.root, "--quick", recipe)
        outcomes = crowd.end()

    check_alone(outcomes)
    check_known_good(radicale, before)
    check_quiet(radicale)


@pytest.mark.cost(25)
def test_two_state_directories_know_nothing_of_each_other(
    radicale: Workshop, tmp_path: Path
) -> None:
    """Nobody waits, and each has its own known-good."""
    roots = [tmp_path / "one", tmp_path / "two"]
    for root in roots:
        root.mkdir(mode=0o700)
        (root / "cache").symlink_to(radicale.root / "cache")

    for how in (["--warmci-head", "published"], ["--quick"]):
        with Crowd(tmp_path / f"crowd{len(how)}") as crowd:
            for root in roots:
                crowd.start(root, RADICALE, *how)
            outcomes = crowd.end()

        assert [0, 0] == [each.status for each in outcomes], outcomes[0].text + outcomes[1].text
        assert not any("waiting for warm-" in each.text for each in outcomes)
    assert 4 == len({address for root in roots for address in addresses(root)})
    for root in roots:
        check_known_good(Workshop(root, RADICALE))
        check_quiet(Workshop(root))


@pytest.mark.core
@pytest.mark.cost(2)
def test_somebody_elses_state_directory_is_refused(tmp_path: Path) -> None:
    """With the command that would be right; root is no exception, and nothing is created."""
    if os.geteuid() == 0:
        state, owner = tmp_path / "state", "nobody"
        state.mkdir(mode=0o700)
        shutil.chown(state, owner)
    else:
        state, owner = Path("/usr"), "root"
    before = sorted(state.iterdir())

    with Crowd(tmp_path / "crowd") as crowd:
        outcome = crowd.start(state, "--quick", RADICALE).end()

    assert outcome.status not in (0, 1, 75), outcome.text
    assert f"the state directory belongs to {owner}, and you are " in outcome.text
    assert f"run it as that user (sudo -u {owner} ...)" in outcome.text
    assert {} == outcome.data
    assert before == sorted(state.iterdir())


@pytest.mark.nightly
def test_two_slow_recipes_and_many_fast_ones(three: Three, tmp_path: Path) -> None:
    """Two runs of Keycloak, one of which promotes, in the middle of the others."""
    with Crowd(tmp_path / "crowd") as crowd:
        crowd.start(three.root, KEYCLOAK, "--warmci-head", "published")
        crowd.start(three.root, KEYCLOAK, "--quick")
        for number in range(6):
            crowd.start(three.root, three.recipe(number), *(["--quick"] if number % 3 else []))
        outcomes = crowd.end()

    check_alone(outcomes)
    assert [] == leftovers(Workshop(three.root))
