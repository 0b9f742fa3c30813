"""What the unit tests of runs share: a recipe of the fake engine and its state, made once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_warmci.runs.realm_owner import RealmOwner
from pytest_warmci.store import key_stock
from pytest_warmci.store.state import open_state
from tests import ghost, sso_ghost
from tests.fakes import broken_rules, hurry, stop_all
from tests.unit.haunts import FarHaunt, Haunt, SsoHaunt, StreamHaunt, cheap_pair
from tests.unit.live_fakes import FakeLive, alive, fake_live
from tests.unit.signing import Signing, signing_for


@pytest.fixture(scope="session")
def haunted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `recipe_tests/ghost` and `state`, seeded."""
    top = tmp_path_factory.mktemp("haunted")
    folder = ghost.write_recipe(top / "recipe_tests")
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        ghost.seed(top / "state", folder, top / "calls")
    return top


@pytest.fixture
def haunt(haunted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Haunt]:
    """A copy of the seeded state; the recipe's folder is shared, so nobody may change it."""
    hurry(monkeypatch)
    shutil.copytree(haunted / "state", tmp_path / "state", symlinks=True)
    calls = tmp_path / "calls"
    yield Haunt(haunted / "recipe_tests" / "ghost", tmp_path / "state", calls)
    stop_all()
    assert [] == broken_rules(calls)


@pytest.fixture(params=[FarHaunt, StreamHaunt], ids=["elsewhere", "streamed"])
def far_haunt(
    request: pytest.FixtureRequest,
    haunted: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[FarHaunt]:
    """The recipe with a known-good on an engine whose data are not in the app's folder."""
    hurry(monkeypatch)
    kind: type[FarHaunt] = request.param
    made = kind(haunted / "recipe_tests" / "ghost", tmp_path / "state", tmp_path / "calls")
    lane = ghost.drive(made.lane("cold", "published"))
    assert lane.result is not None
    assert lane.result.promoted, lane.result
    yield made
    stop_all()
    assert [] == broken_rules(made.calls_file)


@pytest.fixture
def fresh(haunt: Haunt) -> Haunt:
    """The same without a known-good."""
    shutil.rmtree(haunt.place.folder)
    (haunt.state / "canonicals" / "process" / "ghost.yml").unlink()
    return haunt


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLive]:
    """A live-warm Keycloak in memory, with a state directory of its own."""
    hurry(monkeypatch)
    found = fake_live(open_state(tmp_path / "state"))
    rules = found.fake.broken  # a test may give it another administrator
    yield found
    assert [] == rules


@pytest.fixture
def run(live: FakeLive) -> Iterator[RealmOwner]:
    """A run of the recipe `blog` that is alive: 1a2b3c."""
    with alive(live.service.state, "1a2b3c") as found:
        yield found


@pytest.fixture(scope="session")
def sso_haunted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `recipe_tests/{ghost,keycloak}` and `state`, seeded, its Keycloak stopped."""
    top = tmp_path_factory.mktemp("sso")
    folder = sso_ghost.write_recipes(top / "recipe_tests")
    made = SsoHaunt(folder, top / "state", top / "calls")
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        patch.setattr(key_stock, "new_key_pair", cheap_pair)
        lane = ghost.drive(made.lane("cold", "published"))
        assert lane.result is not None
        assert lane.result.promoted, lane.result
        made.stop_keycloak()
    assert [] == broken_rules(top / "calls")
    return top


@pytest.fixture
def sso(sso_haunted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SsoHaunt]:
    """A copy of that state; the recipes' folders are shared, so nobody may change them."""
    hurry(monkeypatch)
    monkeypatch.setattr(key_stock, "new_key_pair", cheap_pair)
    shutil.copytree(sso_haunted / "state", tmp_path / "state", symlinks=True)
    calls = tmp_path / "calls"
    yield SsoHaunt(sso_haunted / "recipe_tests" / "ghost", tmp_path / "state", calls)
    stop_all()
    assert [] == broken_rules(calls)


@pytest.fixture
def bare(sso: SsoHaunt) -> SsoHaunt:
    """The same where no Keycloak was ever started."""
    shutil.rmtree(sso.live_place.place.folder)
    shutil.rmtree(sso.live_place.folder)
    return sso


@pytest.fixture
def signing(live: FakeLive, run: RealmOwner, monkeypatch: pytest.MonkeyPatch) -> Signing:
    """The sign-on of that run."""
    return signing_for(live, run, monkeypatch)
