"""Radicale on a Swarm: whole runs, what is kept, and what is rolled back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.swarm_workshop import SwarmWorkshop
from tests.swarm_fixtures import Seeded


@pytest.fixture
def radicale(radicale_on_swarm: Seeded) -> Iterator[SwarmWorkshop]:
    """The workshop; afterwards the known-good is what it was, and nothing else is there."""
    workshop = radicale_on_swarm.workshop
    entry = workshop.entry_bytes()
    yield workshop
    assert entry == workshop.entry_bytes()
    assert [f"volume {workshop.stack}_data"] == workshop.on_the_swarm()


@pytest.mark.core
@pytest.mark.cost(90)
def test_a_cold_run_seeds(radicale_on_swarm: Seeded) -> None:
    """Both stages, complete and with authority; what stays is the canonical's volume alone."""
    seeded = radicale_on_swarm
    workshop, result = seeded.workshop, seeded.outcome.result

    assert ("swarm", True, True, True) == (
        result["engine"],
        result["complete"],
        result["authority"],
        result["promoted"],
    )
    assert ("1.0.0+3.8.2", "1.1.0+3.8.3") == (
        result["base"]["version"],
        result["head"]["version"],
    )
    assert "app runs ghcr.io/kozea/radicale:3.8.3 (" in result["proved_head"]
    assert {"before": 6, "after": 6} == result["witness"]
    assert [] == result["leftovers"]
    override, proxy = sorted(result["engine_options"])
    assert " sha256:" in override
    assert f"proxy={workshop.front.proxy_url}" == proxy
    assert seeded.digest == result["known_good"]["after"]
    assert [workshop.known_good.domain] == workshop.apps()
    assert [f"volume {workshop.stack}_data"] == seeded.there


@pytest.mark.cost(90)
def test_a_good_head_passes_and_the_next_run_starts_from_known_good(
    radicale: SwarmWorkshop,
) -> None:
    """Two quick runs: the volumes are kept, and the second one sees nothing of the first."""
    first = radicale.pytest("--quick")
    kept = radicale.volumes_digest()
    second = radicale.pytest("--quick")

    for outcome in (first, second):
        assert outcome.status == 0, outcome.text
        assert ("quick", "swarm") == (outcome.result["mode"], outcome.result["engine"])
        assert {"before": 6, "after": 6} == outcome.result["witness"]
        assert outcome.result["known_good"]["before"] == outcome.result["known_good"]["after"]
        assert "radicale:3.9.0 (" in outcome.result["proved_head"]
        assert [] == outcome.result["leftovers"]
    assert kept != radicale.known_good.digest
    assert any("an earlier run's upgrade was kept" in note for note in second.result["notes"])


@pytest.mark.parametrize(
    ("branch", "reason"),
    [
        pytest.param(
            "fails-at-once", "Swarm rolled it back: task: non-zero exit", id="fails-at-once"
        ),
        pytest.param("fails-late", "does not serve after", id="fails-late"),
        pytest.param(
            "damaged-data",
            "data lost: the witness had 6, now it finds 4",
            id="damaged-data",
            marks=pytest.mark.core,
        ),
        pytest.param(
            "empty-volume", "data lost: the witness had 6, now it finds 0", id="empty-volume"
        ),
    ],
)
@pytest.mark.cost(60)
def test_a_bad_head_fails_for_its_own_reason_and_is_rolled_back(
    radicale: SwarmWorkshop, branch: str, reason: str
) -> None:
    """Version and data come back together, to the byte; a volume that only head has goes."""
    outcome = radicale.pytest("--quick", "--warmci-head", branch)

    result = outcome.result
    assert (1, "failed") == (outcome.status, result["verdict"])
    assert reason in result["reason"]
    assert result["known_good"]["before"] == result["known_good"]["after"]
    assert radicale.volumes_digest() == radicale.known_good.digest
