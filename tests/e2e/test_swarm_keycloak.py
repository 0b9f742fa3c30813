"""Keycloak and its PostgreSQL on a Swarm: whole runs of a recipe that migrates a real database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_warmci.clients import files
from pytest_warmci.clients.waiting import wait_until
from pytest_warmci.recipes.enrolment import read_enrolment
from pytest_warmci.recipes.source import open_source
from pytest_warmci.runs import deploying
from pytest_warmci.runs.place import Place
from pytest_warmci.runs.witness import find_witness
from tests.e2e.in_front import Polling, cleared, domain_of, only
from tests.e2e.swarm_workshop import SwarmWorkshop
from tests.e2e.workshop import HEAD, KEYCLOAK, SEEDED, Outcome
from tests.faults.aftermath import check_known_good, check_put_back, check_recovered
from tests.faults.striking import killed
from tests.swarm import catalog, keycloak as images
from tests.swarm.front import Front

pytestmark = pytest.mark.timeout(1800)
"""The first test of them waits for the cold run, too."""

SERVICES = ("app", "db")
LIMIT = 300.0
ROLLED_BACK = "service 'app' does not come up: Swarm rolled it back: task: non-zero exit"


class KeycloakWorkshop(SwarmWorkshop):
    """A workshop whose Keycloak is up sooner than the recipe has it."""

    def __init__(self, front: Front, state: Path) -> None:
        super().__init__(front, state, KEYCLOAK, *SERVICES)
        self._hurried = override(front, "hurried", images.HURRIED)

    def words(self) -> tuple[str, ...]:
        return (*super().words(), f"--warmci-engine-option=override={self._hurried}")

    @property
    def volume(self) -> str:
        """What is on the Swarm while nothing runs."""
        return f"volume {self.stack}_postgres"

    def database(self) -> tuple[Path, Path]:
        volumes = self.front.swarm.slot.data / "volumes"
        return volumes / f"{self.stack}_postgres" / "_data", images.database_program()

    def services(self) -> dict[str, str]:
        """The services of the Swarm that are ours, and their images."""
        wanted = ("--filter", f"label=pytest-warmci.state={self.state.uuid}")
        shape = ("--format", "{{.Name}} {{.Image}}")
        lines = self.front.swarm.docker("service", "ls", *wanted, *shape).text.splitlines()
        return dict(line.split() for line in lines)

    def elsewhere(self) -> list[str]:
        """What is left of a run on the Swarm."""
        return [each for each in self.on_the_swarm() if each != self.volume]


def override(front: Front, name: str, content: str) -> Path:
    """Write an override file."""
    path = front.folder / f"keycloak-{name}.yml"
    files.write_text(path, content)
    return path


@pytest.fixture(scope="module")
def seeded(
    proxied_swarm: Front, tmp_path_factory: pytest.TempPathFactory
) -> tuple[KeycloakWorkshop, Outcome]:
    """Keycloak's canonical on the Swarm, and the cold run that made it."""
    catalog.provide(proxied_swarm.swarm, images.DATABASE, *images.SERVERS)
    workshop = KeycloakWorkshop(proxied_swarm, tmp_path_factory.mktemp("swarm") / "state")
    outcome = workshop.pytest("--warmci-head", "published")
    assert outcome.status == 0, outcome.text
    return workshop, outcome


@pytest.fixture
def keycloak(seeded: tuple[KeycloakWorkshop, Outcome]) -> Iterator[KeycloakWorkshop]:
    """The workshop; afterwards the known-good is what it was, and nothing else is there."""
    workshop, _ = seeded
    entry = workshop.entry_bytes()
    yield workshop
    assert entry == workshop.entry_bytes()
    assert [workshop.volume] == workshop.on_the_swarm()


@pytest.mark.nightly
@pytest.mark.cost(300)
def test_a_cold_run_seeds(seeded: tuple[KeycloakWorkshop, Outcome]) -> None:
    """Both stages, complete and with authority; what stays is the database's volume alone."""
    workshop, outcome = seeded
    result = outcome.result

    assert ("swarm", True, True, True) == (
        result["engine"],
        result["complete"],
        result["authority"],
        result["promoted"],
    )
    assert ("10.6.0+26.5.6", "10.7.0+26.6.4") == (
        result["base"]["version"],
        result["head"]["version"],
    )
    assert "app runs quay.io/keycloak/keycloak:26.6.4 (" in result["proved_head"]
    assert "db runs postgres:16.4 (" in result["proved_head"]
    assert {"before": 4, "after": 4} == result["witness"]
    assert [] == result["leftovers"]
    assert workshop.volumes_digest() == workshop.known_good.digest
    assert SEEDED == workshop.migrated_by()
    assert [workshop.known_good.domain] == workshop.apps()
    assert [workshop.volume] == workshop.on_the_swarm()


@pytest.mark.nightly
@pytest.mark.cost(200)
def test_a_good_head_passes_and_the_next_run_starts_from_known_good(
    keycloak: KeycloakWorkshop,
) -> None:
    """Two quick runs: the migrated database is kept, and the second one sees nothing of it."""
    first = keycloak.pytest("--quick")
    kept, schema = keycloak.volumes_digest(), keycloak.migrated_by()
    second = keycloak.pytest("--quick")

    for outcome in (first, second):
        assert outcome.status == 0, outcome.text
        assert ("quick", "swarm") == (outcome.result["mode"], outcome.result["engine"])
        assert {"before": 4, "after": 4} == outcome.result["witness"]
        assert outcome.result["known_good"]["before"] == outcome.result["known_good"]["after"]
        assert f"keycloak:{HEAD} (" in outcome.result["proved_head"]
        assert [] == outcome.result["leftovers"]
    assert kept != keycloak.known_good.digest
    assert HEAD == schema
    assert any("an earlier run's upgrade was kept" in note for note in second.result["notes"])


@pytest.mark.nightly
@pytest.mark.cost(90)
@pytest.mark.parametrize(
    ("branch", "reason", "said"),
    [
        pytest.param(branch, reason, said, id=branch)
        for branch, reason, said in (
            ("fails-on-data", ROLLED_BACK, 'database "sso" does not exist'),
            ("damaged-data", "data lost: the witness had 4, now it finds 3", ""),
            ("empty-database", "data lost: the witness had 4, now it finds 0", ""),
        )
    ],
)
def test_a_bad_head_fails_for_its_own_reason_and_is_rolled_back(
    keycloak: KeycloakWorkshop, branch: str, reason: str, said: str
) -> None:
    """Version and data come back together, to the byte; a volume that only head has goes."""
    outcome = keycloak.pytest("--quick", "--warmci-head", branch)

    result = outcome.result
    assert (1, "failed") == (outcome.status, result["verdict"])
    assert reason in result["reason"]
    assert said in outcome.text
    assert result["known_good"]["before"] == result["known_good"]["after"]
    check_put_back(keycloak)
    assert SEEDED == keycloak.migrated_by()


@pytest.mark.nightly
@pytest.mark.cost(90)
def test_a_change_that_the_process_engine_cannot_see_is_tested(keycloak: KeycloakWorkshop) -> None:
    """A limit of memory: a Swarm applies it, so the head is another deployment, and it passes."""
    outcome = keycloak.pytest("--quick", "--warmci-head=ignored-key")

    assert outcome.status == 0, outcome.text
    assert f"keycloak:{SEEDED} (" in outcome.result["proved_head"]
    assert {"before": 4, "after": 4} == outcome.result["witness"]


@pytest.mark.nightly
@pytest.mark.cost(200)
def test_killed_after_the_migration_the_next_run_starts_from_the_old_schema(
    keycloak: KeycloakWorkshop,
) -> None:
    """Both servers are left running on the head's database. The next run puts the data back before
    it deploys anything, which is seen by killing it there; the one after it passes."""
    before = keycloak.known_good

    killed(keycloak, "test#6", "--quick")

    assert [f"{keycloak.stack}_{each}" for each in SERVICES] == sorted(keycloak.services())
    assert f"quay.io/keycloak/keycloak:{HEAD}" in keycloak.services().values()
    check_known_good(keycloak, before)

    killed(keycloak, "deploy#1", "--quick")

    assert [] == keycloak.elsewhere()
    check_known_good(keycloak, before)
    check_put_back(keycloak)
    assert SEEDED == keycloak.migrated_by()

    again = keycloak.pytest("--quick")
    assert {"before": 4, "after": 4} == again.result["witness"]
    assert any("was cut short: restored the known-good" in note for note in again.result["notes"])
    check_recovered(keycloak, again, before)
    assert HEAD == keycloak.migrated_by()


@pytest.mark.core
@pytest.mark.cost(110)
def test_an_upgrade_that_starts_the_new_one_first_is_never_away(
    proxied_swarm: Front, tmp_path: Path
) -> None:
    """The old Keycloak serves while the new one migrates the database under it: not one request
    fails until only the new one is there, and the data is."""
    front = proxied_swarm
    catalog.provide(front.swarm, images.DATABASE, *images.SERVERS[1:])
    enrolment = replace(read_enrolment(KEYCLOAK), deploy_timeout=LIMIT, stop_timeout=LIMIT)
    source = open_source(enrolment.source, tmp_path / "cache")
    base, head = source.resolve("10.7.0+26.6.4"), source.resolve("upgrade")
    domain = domain_of("keyc")
    place = Place("keycloak", domain, tmp_path / "apps" / domain)
    place.create(source, base)
    witness = find_witness(KEYCLOAK)
    assert witness is not None
    overrides = [("hurried", images.HURRIED), ("start-first", images.START_FIRST)]
    engine = front.engine(front.dnsrr(*SERVICES), *(override(front, *each) for each in overrides))

    with front.entered(), cleared(engine, place):
        old = deploying.deploy(engine, place, enrolment, source, base)
        planted = witness.plant(old.app)
        polling = Polling(f"{old.app.url}/realms/master")
        polling.start()
        try:
            new = deploying.deploy(engine, place, enrolment, source, head)
            last = f"quay.io/keycloak/keycloak:{HEAD}"
            wait_until(lambda: only(front, domain, last), timeout=LIMIT)
        finally:
            answers = polling.stop()
        found = witness.check(new.app, planted)

    assert f"app runs quay.io/keycloak/keycloak:{SEEDED} (" in old.proof
    assert f"app runs {last} (" in new.proof
    assert {200} == {answer.status for answer in answers}
    assert len(answers) > 20
    assert 4 == found
