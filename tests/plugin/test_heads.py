"""Heads of all kinds: what each is shown as, what it exits with, and what is left behind."""

from __future__ import annotations

import pytest

from tests import ghost
from tests.plugin.conftest import Shop

LATE = ("recipe.yml::test_upgrades[upgrade]", "FAILED", "does not serve")
LOST = ("recipe.yml::test_witness_survives[upgrade]", "FAILED", "data lost: the witness had 2")


def test_a_good_head_is_kept_and_the_next_run_starts_from_known_good(shop: Shop) -> None:
    """Volumes are for looking at; what the first head wrote is gone in the second run."""
    shop.seed()
    shop.tests(
        "import requests\n"
        "def test_rows(app, http):\n"
        "    assert {'ana', 'bea'} == http.get('/rows').json().keys()\n"
        "    head = {'X-Password': app.secret('admin_password')}\n"
        "    http.put('/rows/mine', 'x', headers=head).raise_for_status()\n"
    )

    first = shop.run("--quick")

    assert 0 == first.ret
    assert ("1.2", {"ana", "bea", "mine"}) == (
        shop.database()["schema"],
        set(shop.database()["rows"]),
    )
    assert "digest before" in shop.text()
    second = shop.run("--quick")
    assert 0 == second.ret, shop.text()
    assert "an earlier run's upgrade was kept" in shop.results()[-1]["notes"][0]
    assert 2 == len({result["run_id"] for result in shop.results()})


@pytest.mark.parametrize(
    ("head", "item", "outcome", "reason"),
    [
        (
            "fails-at-once",
            "recipe.yml::test_upgrades[upgrade]",
            "FAILED",
            "service 'app' ended with code 1",
        ),
        ("fails-late", *LATE),
        ("loses-data", *LOST),
        ("renamed-volume", *LOST),
        ("restarts", "recipe.yml::test_stays_up[upgrade]", "FAILED", "test_stays_up"),
        (
            "leaves-rubbish",
            "recipe.yml::test_leaves_nothing[upgrade]",
            "FAILED",
            "test_leaves_nothing",
        ),
    ],
)
def test_a_bad_head_fails_for_its_own_reason_and_is_rolled_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, head: str, item: str, outcome: str, reason: str
) -> None:
    """Exit 1; version, data and secrets are what the seed left."""
    shop.seed()
    if head == "fails-late":
        monkeypatch.setenv("FAKE_PROBE_SECONDS", "0.3")
        enrolment = shop.recipe / "recipe.yml"
        enrolment.write_text(enrolment.read_text().replace("deploy: 20", "deploy: 0.3"))

    done = shop.run("--quick", "-v", "--warmci-head", head)

    result = shop.result()
    assert 1 == done.ret
    assert outcome == shop.outcomes()[f"ghost/{item}"]
    assert "failed" == result["verdict"]
    assert reason in result["reason"]
    assert result["known_good"]["before"] == result["known_good"]["after"] is not None
    if head == "leaves-rubbish":  # found after keep or restore was decided
        assert ["a network"] == result["leftovers"]
        assert not (shop.canonical / "journal.json").exists()
    else:
        shop.check_restored()


def test_a_failed_upgrade_is_one_failure_and_the_rest_are_skipped(shop: Shop) -> None:
    """One F, one folded reason in `-rs`, at a place that the reader knows."""
    shop.seed()
    shop.tests("def test_a(app): pass\ndef test_b(app): pass\n")

    done = shop.run("--quick", "-v", "-rs", "--warmci-head", "fails-at-once")

    done.assert_outcomes(passed=1, failed=1, skipped=7)
    (folded,) = [line for line in shop.lines() if line.startswith("SKIPPED")]
    assert folded.startswith("SKIPPED [7] recipe_tests/ghost/recipe.yml")
    assert "service 'app' ended with code 1" in folded
    counts = shop.result()["tests"]
    assert {"passed": 1, "failed": 1, "skipped": 7, "deselected": 0} == counts


def test_a_failed_install_leaves_the_upgrade_to_be_tried(shop: Shop) -> None:
    """Stages stand for themselves: the upgrade of a head that cannot be installed fails too."""
    done = shop.run("-v", "--warmci-head", "fails-at-once")

    outcomes = shop.outcomes()
    assert 1 == done.ret
    assert "FAILED" == outcomes["ghost/recipe.yml::test_deploys[install]"]
    assert "SKIPPED" == outcomes["ghost/recipe.yml::test_serves[install]"]
    assert "PASSED" == outcomes["ghost/recipe.yml::test_base[upgrade]"]
    assert "FAILED" == outcomes["ghost/recipe.yml::test_upgrades[upgrade]"]
    assert [] == shop.cold_apps()


def test_a_failed_step_that_is_deselected_is_an_error_of_the_first_item(shop: Shop) -> None:
    """It must show somewhere."""
    done = shop.run("-v", "-k", "test_serves", "--warmci-head", "fails-at-once")

    assert 1 == done.ret
    assert "ERROR" == shop.outcomes()["ghost/recipe.yml::test_serves[install]"]
    assert [] == shop.cold_apps()


@pytest.mark.parametrize("words", [("--quick",), ()], ids=["quick", "cold"])
def test_trouble_with_the_engine_is_not_evaluated(shop: Shop, words: tuple[str, ...]) -> None:
    """Never the recipe's failure: N, exit 75, the reason in a section of its own."""
    shop.seed()

    done = shop.run(*words, "-v", "--warmci-head", "engine-down")

    result = shop.result()
    assert 75 == done.ret
    assert ("not-evaluated", "the engine does not answer") == (
        result["verdict"],
        result["reason"].partition(": ")[2],
    )
    assert "NOT" in shop.outcomes().values()  # NOT EVALUATED
    assert "FAILED" not in shop.outcomes().values()
    assert "NOT EVALUATED" in shop.text()
    shop.check_restored()
    assert [] == shop.cold_apps()


def test_a_head_that_changes_nothing_is_skipped(shop: Shop) -> None:
    """Nothing green that did not run: exit 5, one folded reason, nothing deployed."""
    shop.seed()
    shop.tests("def test_own(app): pass\n")

    done = shop.run("--quick", "-rs", "--warmci-head", "no-change")

    result = shop.result()
    (folded,) = [line for line in shop.lines() if line.startswith("SKIPPED")]
    assert 5 == done.ret
    assert "nothing to upgrade: head deploys the same as 1.1.0+1.1" in folded
    assert ("skipped", False) == (result["verdict"], result["complete"])
    assert "nothing to upgrade" in result["reason"]
    assert [] == shop.calls("deploy")
    assert result["known_good"]["before"] == result["known_good"]["after"]


def test_the_known_good_itself_as_head_is_skipped(shop: Shop) -> None:
    """The same commit can be no upgrade."""
    shop.seed()

    done = shop.run("--quick", "--warmci-head", "1.1.0+1.1")

    assert 5 == done.ret
    assert "skipped" == shop.result()["verdict"]


def test_a_key_that_the_engine_ignores_is_not_evaluated(shop: Shop) -> None:
    """A difference that cannot be seen must not pass for tested."""
    shop.seed()

    done = shop.run("--quick", "-v", "--warmci-head", "ignored-key")

    assert 75 == done.ret
    assert (
        "engine process cannot see: services.app.deploy.resources.limits.memory"
        in shop.result()["reason"]
    )
    assert [] == shop.calls("deploy")
    shop.check_restored()


def test_a_head_that_does_not_come_from_the_known_good_is_not_evaluated(shop: Shop) -> None:
    """Rebase, or run cold: the data would be from another line of history."""
    shop.seed()

    done = shop.run("--quick", "--warmci-head", "aside")

    assert 75 == done.ret
    assert "is not an ancestor of head" in shop.result()["reason"]
    assert "rebase head onto 1.1.0+1.1, or run cold" in shop.text()
    assert [] == shop.calls("deploy")
    shop.check_restored()


def test_cold_upgrades_from_the_newest_version_that_differs(shop: Shop) -> None:
    """A head that deploys the same as the newest tag is upgraded from the one before."""
    done = shop.run("--warmci-head", "no-change")

    assert 0 == done.ret
    assert ghost.V1 == shop.result()["base"]["version"]


def test_a_rotten_baseline_is_restored_and_tried_once_more(shop: Shop) -> None:
    """A known-good that fails once is given its data back; the run goes on and says so."""
    shop.seed()
    shop.trouble(
        "left = [1]\n"
        "def once(engine, app):\n"
        "    if left:\n"
        "        left.pop()\n"
        "        raise RecipeFailed('a bad moment')\n"
        "TROUBLE = {'wait_converged': once}\n"
    )

    done = shop.run("--quick")

    assert 0 == done.ret, shop.text()
    assert "the known-good did not work, restored it: a bad moment" in shop.result()["notes"]


def test_a_baseline_that_stays_rotten_is_not_evaluated(shop: Shop) -> None:
    """Before head was even tried: an alert, exit 75, never the head's failure."""
    shop.seed()
    shop.trouble(
        "def always(engine, app):\n    raise RecipeFailed('a bad day')\n"
        "TROUBLE = {'wait_converged': always}\n"
    )

    done = shop.run("--quick", "-v")

    assert 75 == done.ret
    assert "not-evaluated" == shop.result()["verdict"]
    assert "FAILED" not in shop.outcomes().values()
    (alert,) = (shop.state / "alerts").glob("*.json")
    assert alert.name.startswith("baseline.rotten-ghost")
    shop.check_restored()


def test_lost_data_in_the_known_good_is_not_the_heads_fault(shop: Shop) -> None:
    """The witness must find on the base what the entry promises."""
    shop.seed()
    witness = shop.recipe / "witness.py"
    witness.write_text(witness.read_text().replace("rows.get(name)", "rows.get(name + 'x')"))

    done = shop.run("--quick", "-v")

    assert 75 == done.ret
    assert "FAILED" not in shop.outcomes().values()
    shop.check_restored()


def test_a_failing_test_before_the_upgrade_is_not_evaluated(shop: Shop) -> None:
    """That one is N, what follows is skipped, the upgrade is never tried."""
    shop.seed()
    shop.tests(
        "import pytest\n"
        "@pytest.mark.before_upgrade\n"
        "def test_old(app): assert False, 'rotten'\n"
        "def test_new(app): pass\n"
    )

    done = shop.run("--quick", "-v")

    assert 75 == done.ret
    assert "NOT" == shop.outcomes()["ghost/test_own.py::test_old[upgrade]"]
    assert "SKIPPED" == shop.outcomes()["ghost/test_own.py::test_new[upgrade]"]
    assert ["warm-ghost 1.1"] == [call.partition(" ")[2] for call in shop.calls("deploy")]
    assert "not-evaluated" == shop.result()["verdict"]
    shop.check_restored()


def test_before_upgrade_alone_never_upgrades(shop: Shop) -> None:
    """`-m before_upgrade` looks at the base only: no verdict on head, nothing green."""
    shop.seed()
    shop.tests("import pytest\n@pytest.mark.before_upgrade\ndef test_old(app): pass\n")

    done = shop.run("--quick", "-m", "before_upgrade")

    assert 5 == done.ret
    assert "skipped" == shop.result()["verdict"]
    assert ["warm-ghost 1.1"] == [call.partition(" ")[2] for call in shop.calls("deploy")]
    assert (False, None) == (shop.result()["complete"], shop.result()["proved_head"])


def test_a_skipped_quick_run_names_the_known_good(shop: Shop) -> None:
    """The digest of known-good before and after is printed: equal, always."""
    shop.seed()

    shop.run("--quick", "--warmci-head", "no-change")

    digests = shop.result()["known_good"]
    assert digests["before"] == digests["after"] is not None
