"""Cold runs of Keycloak: the seed, an older version, and the way without a canonical."""

from __future__ import annotations

import pytest

from tests.e2e.workshop import BASE, SEEDED, Outcome, Workshop, assert_not_promoted

PHASES = {"prepare", "deploy", "base", "upgrade", "test", "restart", "remove", "promote"}


@pytest.mark.core
@pytest.mark.cost(5)
def test_a_complete_green_cold_run_of_a_published_version_promotes(
    seeded: tuple[Workshop, Outcome],
) -> None:
    """The seed itself: cold, complete, with authority; its canonical boots with its witness."""
    workshop, outcome = seeded
    result = outcome.result

    assert result["mode"] == result["requested_mode"] == "cold"
    assert result["complete"] is True
    assert result["authority"] is True
    assert result["promoted"] is True
    assert result["base"]["version"].endswith(BASE)
    assert result["head"]["version"].endswith(SEEDED)
    assert result["witness"] == {"before": 4, "after": 4}
    assert {phase["name"] for phase in result["phases"]} >= PHASES
    assert workshop.known_good.digest == result["known_good"]["after"]
    assert workshop.volumes_digest() == workshop.known_good.digest
    assert workshop.migrated_by() == SEEDED
    assert workshop.apps() == [workshop.known_good.domain]
    assert workshop.processes() == []


@pytest.mark.cost(130)
def test_an_older_version_does_not_promote_unless_seeded(workshop: Workshop) -> None:
    """Known-good only moves forward; going back is asked for by name."""
    entry = workshop.entry_bytes()

    outcome = workshop.pytest("--warmci-head=10.6.0+26.5.6")

    assert_not_promoted(workshop, outcome, entry, "is older than the known-good")

    back = workshop.pytest("--warmci-head=10.6.0+26.5.6", "--warmci-seed")

    assert back.result["promoted"] is True
    assert workshop.known_good.version == "10.6.0+26.5.6"
    assert workshop.boots_with_witness() == 4
    assert workshop.migrated_by() == BASE


@pytest.mark.cost(110)
def test_without_a_canonical_quick_goes_cold_and_says_so(empty: Workshop) -> None:
    """The fallback is labelled, has no authority, and seeds nothing."""
    outcome = empty.pytest("--quick")

    assert outcome.status == 0, outcome.text
    assert outcome.result["mode"] == "cold"
    assert outcome.result["requested_mode"] == "quick"
    assert outcome.result["authority"] is False
    assert outcome.result["promoted"] is False
    assert "cold (quick asked: no canonical)" in outcome.text
    assert not list(empty.state.canonicals("process").glob("*.yml"))
