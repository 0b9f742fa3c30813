"""Cold runs on real servers: who promotes, who does not, and the way without a canonical."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.workshop import BASE, KEYCLOAK, SEEDED, Outcome, Workshop

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


@pytest.mark.cost(110)
@pytest.mark.parametrize(
    ("words", "because"),
    [
        (["-k", "not login_page"], "deselected"),
        (["--lf"], "--lf"),
        ([f"{KEYCLOAK}/recipe.yml::test_serves[install]"], "the recipe's folder"),
    ],
)
def test_a_narrowed_green_cold_run_does_not_promote(
    empty: Workshop, words: list[str], because: str
) -> None:
    """Green but not the whole recipe: a result without authority."""
    outcome = empty.pytest("--warmci-head=published", *words)

    assert outcome.status == 0, outcome.text
    assert outcome.result["verdict"] == "passed"
    assert outcome.result["complete"] is False
    assert outcome.result["authority"] is False
    assert outcome.result["promoted"] is False
    assert any(because in reason for reason in outcome.result["incomplete_because"])
    assert not list(empty.state.canonicals("process").glob("*.yml"))


@pytest.mark.cost(130)
def test_an_unpublished_head_does_not_promote(workshop: Workshop) -> None:
    """Complete and green, with authority, but there is no version to promote."""
    entry = workshop.entry_bytes()

    outcome = workshop.pytest("--warmci-head=upgrade")

    assert outcome.status == 0, outcome.text
    assert outcome.result["authority"] is True
    assert outcome.result["promoted"] is False
    assert "not a published version" in outcome.result["promotion_reason"]
    assert workshop.entry_bytes() == entry
    assert workshop.volumes_digest() == workshop.known_good.digest


@pytest.mark.cost(130)
def test_an_older_version_does_not_promote_unless_seeded(workshop: Workshop) -> None:
    """Known-good only moves forward; going back is asked for by name."""
    entry = workshop.entry_bytes()

    outcome = workshop.pytest("--warmci-head=10.6.0+26.5.6")

    assert outcome.status == 0, outcome.text
    assert outcome.result["authority"] is True
    assert outcome.result["promoted"] is False
    assert "is older than the known-good" in outcome.result["promotion_reason"]
    assert workshop.entry_bytes() == entry

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


@pytest.mark.cost(90)
def test_a_recipe_with_one_version_seeds_without_an_upgrade(
    empty: Workshop, tmp_path: Path
) -> None:
    """Nothing to upgrade from is no obstacle; it is listed."""
    from pytest_warmci.clients import command
    from pytest_warmci.recipes.history import build_history

    repository = build_history(KEYCLOAK / "source", empty.state.cache)
    clone = tmp_path / "clone"
    command.run(["git", "clone", "-q", repository, clone], timeout=30)
    git = ["git", "-C", str(clone)]
    command.run([*git, "checkout", "-q", "10.5.0+26.4.7"], timeout=30)
    command.run([*git, "tag", "-d", "10.6.0+26.5.6", "10.7.0+26.6.4"], timeout=30)

    outcome = empty.pytest("--warmci-head=published", f"--warmci-source={clone}")

    assert outcome.status == 0, outcome.text
    assert outcome.result["promoted"] is True
    assert outcome.result["base"] is None
    assert any("not applicable" in note for note in outcome.result["notes"])
    assert "[upgrade]" not in outcome.text
    assert empty.known_good.version == "10.5.0+26.4.7"
