"""Radicale, whole runs in seconds: what is kept, what is rolled back, and what needs no network."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.workshop import RADICALE, Outcome, Workshop, assert_rolled_back, copy_recipe

NO_NETWORK = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}

AUTHORS = """
import pytest

def left(app):
    return f"/{app.env['RADICALE_USER']}/left-behind/"

@pytest.mark.before_upgrade
def test_nothing_is_left_from_an_earlier_head(app, dav):
    assert dav.get(left(app)).status_code == 404

def test_leaves_something_behind(app, dav):
    assert dav.request("MKCALENDAR", left(app)).status_code == 201
"""


@pytest.mark.core
@pytest.mark.cost(15)
def test_a_cold_run_seeds(radicale_seeded: tuple[Workshop, Outcome]) -> None:
    """Both stages, complete and with authority; what stays is the canonical and nothing else."""
    workshop, outcome = radicale_seeded
    result = outcome.result

    assert result["complete"] is True
    assert result["promoted"] is True
    assert result["base"]["version"] == "1.0.0+3.8.2"
    assert result["head"]["version"] == "1.1.0+3.8.3"
    assert " of radicale:3.8.3 owns 127.0.0.1:" in result["proved_head"]
    assert result["witness"] == {"before": 6, "after": 6}
    assert workshop.volumes_digest() == workshop.known_good.digest
    assert workshop.apps() == [workshop.known_good.domain]
    assert workshop.processes() == []


@pytest.mark.core
@pytest.mark.cost(12)
def test_a_good_head_passes_and_the_next_run_starts_from_known_good(
    radicale: Workshop, tmp_path: Path
) -> None:
    """Two quick runs: the volumes are kept, and the second one sees nothing of the first. It
    needs no network either."""
    (copy_recipe(radicale, tmp_path) / "test_left.py").write_text(AUTHORS, "utf-8")
    entry = radicale.entry_bytes()

    first = radicale.pytest("--quick")
    kept = radicale.volumes_digest()
    second = radicale.pytest("--quick", env=NO_NETWORK)

    for outcome in (first, second):
        assert outcome.status == 0, outcome.text
        assert outcome.result["witness"] == {"before": 6, "after": 6}
        assert outcome.result["known_good"]["before"] == outcome.result["known_good"]["after"]
        assert " of radicale:3.9.0 owns 127.0.0.1:" in outcome.result["proved_head"]
        assert outcome.result["leftovers"] == []
    assert kept != radicale.known_good.digest
    assert any("an earlier run's upgrade was kept" in note for note in second.result["notes"])
    assert radicale.entry_bytes() == entry
    assert radicale.processes() == []


@pytest.mark.parametrize(
    ("branch", "reason", "said"),
    [
        pytest.param(
            "fails-at-once",
            "service 'app' ended with code 1",
            "Invalid logging_level",
            id="fails-at-once",
            marks=pytest.mark.cost(5),
        ),
        pytest.param(
            "fails-late",
            "does not serve after",
            "GET /.web/: HTTP 302",
            id="fails-late",
            marks=pytest.mark.cost(22),
        ),
        pytest.param(
            "damaged-data",
            "data lost: the witness had 6, now it finds 4",
            "",
            id="damaged-data",
            marks=[pytest.mark.core, pytest.mark.cost(6)],
        ),
        pytest.param(
            "empty-volume",
            "data lost: the witness had 6, now it finds 0",
            "",
            id="empty-volume",
            marks=pytest.mark.cost(6),
        ),
    ],
)
def test_a_bad_head_fails_for_its_own_reason_and_is_rolled_back(
    radicale: Workshop, branch: str, reason: str, said: str
) -> None:
    """Version and data come back together, to the byte."""
    entry = radicale.entry_bytes()

    outcome = radicale.pytest("--quick", f"--warmci-head={branch}")

    assert outcome.status == 1, outcome.text
    assert outcome.result["verdict"] == "failed"
    assert reason in outcome.result["reason"]
    assert said in outcome.text
    assert_rolled_back(radicale, outcome, entry)


@pytest.mark.cost(3)
def test_a_head_that_changes_nothing_is_skipped(radicale: Workshop) -> None:
    """No vacuous upgrade: nothing is deployed, nothing passes."""
    outcome = radicale.pytest("--quick", "--warmci-head=no-change")

    assert outcome.status == 5, outcome.text
    assert outcome.result["verdict"] == "skipped"
    assert outcome.result["reason"].startswith("nothing to upgrade")


@pytest.mark.cost(3)
def test_a_change_that_the_engine_cannot_see_is_not_evaluated(radicale: Workshop) -> None:
    """A difference in a compose key that the engine ignores says nothing either way."""
    outcome = radicale.pytest("--quick", "--warmci-head=ignored-key")

    assert outcome.status == 75, outcome.text
    assert outcome.result["verdict"] == "not-evaluated"
    assert "engine process cannot see: services.app.deploy.resources" in outcome.result["reason"]


@pytest.mark.core
@pytest.mark.cost(5)
def test_no_network_and_a_cold_cache_is_not_evaluated(tmp_path: Path) -> None:
    """One clear error; nothing is deployed, nothing is left."""
    workshop = Workshop(tmp_path / "state", RADICALE)

    outcome = workshop.pytest("--warmci-head=published", env=NO_NETWORK)

    assert outcome.status == 75, outcome.text
    assert outcome.result["verdict"] == "not-evaluated"
    assert "radicale[bcrypt]==3.8.3: the artifact cannot be fetched" in outcome.result["reason"]
    assert "HTTPS_PROXY" in outcome.text
    assert not list(workshop.state.apps("process").glob("*/volumes"))
    assert not list((workshop.state.cache / "process" / "artifacts").iterdir())
