"""Who promotes and who does not: whole cold runs of Radicale."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_warmci.clients import command
from pytest_warmci.recipes.history import build_history
from tests.e2e.workshop import RADICALE, Workshop, assert_not_promoted


@pytest.mark.cost(10)
@pytest.mark.parametrize(
    ("words", "because"),
    [
        (["-k", "not web"], "deselected"),
        (["--lf"], "--lf"),
        ([f"{RADICALE}/recipe.yml::test_serves[install]"], "the recipe's folder"),
    ],
)
def test_a_narrowed_green_cold_run_does_not_promote(
    unseeded_radicale: Workshop, words: list[str], because: str
) -> None:
    """Green but not the whole recipe: a result without authority."""
    outcome = unseeded_radicale.pytest("--warmci-head=published", *words)

    assert outcome.status == 0, outcome.text
    assert outcome.result["verdict"] == "passed"
    assert outcome.result["complete"] is False
    assert outcome.result["authority"] is False
    assert outcome.result["promoted"] is False
    assert any(because in reason for reason in outcome.result["incomplete_because"])
    assert not list(unseeded_radicale.state.canonicals("process").glob("*.yml"))


@pytest.mark.cost(12)
def test_an_unpublished_head_does_not_promote(radicale: Workshop) -> None:
    """Complete and green, with authority, but there is no version to promote."""
    entry = radicale.entry_bytes()

    outcome = radicale.pytest("--warmci-head=upgrade")

    assert_not_promoted(radicale, outcome, entry, "not a published version")


@pytest.mark.cost(10)
def test_a_recipe_with_one_version_seeds_without_an_upgrade(
    unseeded_radicale: Workshop, tmp_path: Path
) -> None:
    """Nothing to upgrade from is no obstacle; it is listed."""
    repository = build_history(RADICALE / "source", unseeded_radicale.state.cache)
    clone = tmp_path / "clone"
    command.run(["git", "clone", "-q", repository, clone], timeout=30)
    git = ["git", "-C", str(clone)]
    command.run([*git, "checkout", "-q", "1.0.0+3.8.2"], timeout=30)
    command.run([*git, "tag", "-d", "1.1.0+3.8.3"], timeout=30)

    outcome = unseeded_radicale.pytest("--warmci-head=published", f"--warmci-source={clone}")

    assert outcome.status == 0, outcome.text
    assert outcome.result["promoted"] is True
    assert outcome.result["base"] is None
    assert any("not applicable" in note for note in outcome.result["notes"])
    assert "[upgrade]" not in outcome.text
    assert unseeded_radicale.known_good.version == "1.0.0+3.8.2"
