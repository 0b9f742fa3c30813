"""Every artefact carries mode, requested mode and engine, and says the same."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_warmci.store.result_schema import RESULT_SCHEMA
from pytest_warmci.store.sessions import read_session
from tests.plugin.conftest import Shop


def junit(shop: Shop, *words: str) -> ET.Element:
    path = shop.pytester.path / "junit.xml"
    shop.run(*words, f"--junitxml={path}")
    suite = ET.parse(path).getroot().find("testsuite")  # noqa: S314 - we have just written it
    assert suite is not None
    return suite


def properties(element: ET.Element) -> dict[str, str]:
    return {each.attrib["name"]: each.attrib["value"] for each in element.iter("property")}


@pytest.mark.parametrize(
    ("seeded", "words", "mode", "requested"),
    [
        (False, (), "cold", "cold"),
        (True, ("--quick",), "quick", "quick"),
        (False, ("--quick",), "cold", "quick"),
    ],
    ids=["cold", "quick", "fallback"],
)
def test_junit_carries_mode_and_requested_mode(
    shop: Shop, seeded: bool, words: tuple[str, ...], mode: str, requested: str
) -> None:
    """In the classname, for tools that show nothing else, and in properties."""
    if seeded:
        shop.seed()
    shop.tests("def test_own(app): pass\n")

    suite = junit(shop, *words)

    cases = {each.attrib["name"]: each for each in suite.iter("testcase")}
    own = cases["test_own[upgrade]"]
    generic = cases["test_serves[upgrade]"]
    assert f"{mode}.recipe_tests.ghost.test_own" == own.attrib["classname"]
    assert f"{mode}.recipe_tests.ghost.recipe.yml" == generic.attrib["classname"]
    for case in cases.values():
        assert {
            "warmci.mode": mode,
            "warmci.requested_mode": requested,
            "warmci.engine": "process",
        } == properties(case)
    top = suite.find("properties")
    assert top is not None
    assert (requested, "process") == (
        properties(top)["warmci.requested_mode"],
        properties(top)["warmci.engine"],
    )


def test_junit_is_complete_after_an_interruption(shop: Shop) -> None:
    """What ran before is in the file, labelled."""
    shop.tests("def test_own(app): raise KeyboardInterrupt\n")

    suite = junit(shop)

    classes = {each.attrib["classname"] for each in suite.iter("testcase")}
    assert "cold.recipe_tests.ghost.recipe.yml" in classes
    assert all(name.startswith("cold.") for name in classes)


def test_junit_shows_what_was_not_evaluated_as_an_error(shop: Shop) -> None:
    """Never as a failure of a test."""
    shop.seed()

    suite = junit(shop, "--quick", "--warmci-head", "engine-down")

    assert ("1", "0") == (suite.attrib["errors"], suite.attrib["failures"])


def test_the_json_file_is_the_session(shop: Shop) -> None:
    """Exit status and the results word for word, each as the schema says."""
    shop.seed()
    path = shop.pytester.path / "session.json"

    done = shop.run("--quick", f"--warmci-json={path}")

    written: dict[str, Any] = json.loads(path.read_text())
    assert 0 == done.ret
    assert [shop.result()] == written["results"]
    assert (0, [], 1) == (written["exit_status"], written["without_result"], written["format"])
    jsonschema.validate(shop.result(), RESULT_SCHEMA)


def test_the_session_record_names_its_runs(shop: Shop) -> None:
    """The state directory remembers what a session did and how it ended."""
    shop.run("-k", "serves")

    result = shop.result()
    record = read_session(shop.state / "sessions" / f"{result['session']}.json")
    assert (result["run_id"],) == record.runs
    assert {result["run_id"]: "passed"} == record.verdicts
    assert (0, ()) == (record.exit_status, record.without_result)
    assert record.finished is not None


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("-k", "nothing_is_called_so"), 5),
        (("--setup-only",), 5),
        (("--setup-plan",), 5),
        (("--quick", "--warmci-head", "no-such"), 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_exit_statuses(shop: Shop, words: tuple[str, ...], status: int) -> None:
    """Those that no other test has: nothing ran is 5 (pytest alone says 0 to some of them)."""
    shop.seed()

    assert status == shop.run(*words).ret, shop.text()
    assert [] == shop.cold_apps()


def test_every_test_skipped_is_nothing_ran(shop: Shop) -> None:
    """pytest alone would call that 0."""
    shop.seed()
    shop.tests("import pytest\n@pytest.mark.skip(reason='x')\ndef test_own(app): pass\n")

    done = shop.run("--quick", "-k", "own")

    assert 5 == done.ret
    assert "skipped" == shop.result()["verdict"]
    assert [] == shop.calls("deploy")  # nobody needed the app


def test_a_failure_outranks_what_was_not_evaluated(shop: Shop) -> None:
    """One recipe failed, one had trouble: 1."""
    from tests import ghost

    ghost.write_recipe(shop.pytester.path / "recipe_tests", "zombie", ghost.PUBLISHED, "main")
    shop.tests("def test_own(app): assert False\n")
    shop.trouble(
        "def down(engine, app):\n"
        "    if app.domain.startswith('zomb'):\n"
        "        raise EngineUnavailable('down')\n"
        "TROUBLE = {'deploy': down}\n"
    )

    done = shop.run("recipe_tests", "--warmci-head", "published")

    verdicts = {result["recipe"]: result["verdict"] for result in shop.results()}
    assert 1 == done.ret
    assert {"ghost": "failed", "zombie": "not-evaluated"} == verdicts


def test_an_interruption_outranks_a_failure(shop: Shop) -> None:
    """2, though a test had failed before."""
    shop.tests("def test_a(app): assert False\ndef test_b(app): raise KeyboardInterrupt\n")

    assert 2 == shop.run().ret


def test_a_due_promotion_that_fails_keeps_the_verdict(shop: Shop) -> None:
    """passed, promoted false with its reason, alert, exit 75; the old known-good stands."""
    shop.seed()
    before = shop.entry()
    shop.trouble(
        "def full(engine, app):\n"
        "    if app.domain.startswith('warm-'):\n"
        "        raise DiskTooSmall('the disk is full', remedy='free some')\n"
        "TROUBLE = {'deploy': full}\n"
    )

    done = shop.run("--warmci-head", "published")

    result = shop.result()
    (alert,) = (shop.state / "alerts").glob("*.json")
    assert 75 == done.ret
    assert ("passed", False) == (result["verdict"], result["promoted"])
    assert "the promotion failed: the disk is full" in result["promotion_reason"]
    assert "to promote: free some" in result["notes"]
    assert alert.name.startswith("promotion.failed-ghost")
    assert before == shop.entry()
    shop.check_restored()


FILE_FOR_A_FOLDER = (
    "def test_own(run):\n"
    "    import shutil\n"
    "    if run.{folder}.is_dir(): shutil.rmtree(run.{folder})\n"
    "    run.{folder}.write_text('')\n"
)


def test_a_session_whose_record_cannot_be_written_is_not_evaluated(shop: Shop) -> None:
    """It says so instead of a traceback, and FILE of --warmci-json agrees with the exit status."""
    shop.tests(FILE_FOR_A_FOLDER.format(folder="state.sessions"))

    done = shop.run("--warmci-json", "out.json", "-k", "own")

    assert 75 == done.ret
    assert 75 == json.loads((shop.pytester.path / "out.json").read_text())["exit_status"]
    assert 1 == shop.text().count("the session's record could not be written")
    assert "Traceback" not in shop.text()


def test_a_run_whose_result_cannot_be_written_is_not_evaluated(shop: Shop) -> None:
    """Nothing else says what it found."""
    shop.tests(FILE_FOR_A_FOLDER.format(folder="folder"))

    done = shop.run("--warmci-json", "out.json", "-k", "own")

    data = json.loads((shop.pytester.path / "out.json").read_text())
    assert 75 == done.ret
    assert (["ghost"], []) == (data["without_result"], data["results"])
    assert "the result could not be written" in shop.text()


def test_an_interrupted_run_whose_result_cannot_be_written_says_so(shop: Shop) -> None:
    """No test is left that could tell it."""
    shop.tests(FILE_FOR_A_FOLDER.format(folder="folder") + "    raise KeyboardInterrupt\n")

    done = shop.run()

    assert 2 == done.ret
    assert "INTERNALERROR" not in shop.text()
    done.stderr.fnmatch_lines("*ghost could not be left: the result could not be written*")


def test_what_a_full_disk_brings_with_it_is_told_once(shop: Shop) -> None:
    """The first error in full, what follows from it in a line each."""
    shop.trouble(
        "def full(engine, app):\n"
        "    raise DiskTooSmall('the disk is full', where='/x', remedy='free some space')\n"
        "TROUBLE = {'deploy': full, 'undeploy': full}\n"
    )

    done = shop.run()

    assert 75 == done.ret
    assert 1 == shop.text().count("do:  free some space")
    assert 2 < shop.text().count("/x: the disk is full")


def test_the_header_says_where_each_value_comes_from(shop: Shop) -> None:
    """Mode, engine, head, session, state; then what each recipe starts from."""
    shop.seed()

    shop.run("--quick", "--warmci-head", "upgrade")

    text = shop.text()
    assert "warmci: mode quick (--quick), engine process (default), head upgrade (--warmci" in text
    assert f"warmci: state {shop.state} (--warmci-state)" in text
    assert "warmci: ghost: canonical 1.1.0+1.1 (" in text


def test_the_last_word_is_how_to_run_it_again(shop: Shop) -> None:
    """The exact command, options and all."""
    shop.run("-k", "serves or deploys")

    (again,) = [line for line in shop.lines() if line.startswith("run again: ")]
    assert "-k 'serves or deploys' recipe_tests/ghost" in again
    assert f"--warmci-state={shop.state}" in again


def test_results_carry_everything_that_was_promised(shop: Shop) -> None:
    """One quick result in full, but for ids and times."""
    shop.seed()

    shop.run("--quick")

    result = shop.result()
    digest = result["known_good"]["before"]
    phases = [phase["name"] for phase in result["phases"]]
    assert ("ghost", "process", "quick", "quick") == (
        result["recipe"],
        result["engine"],
        result["mode"],
        result["requested_mode"],
    )
    assert ("passed", "", True, False) == (
        result["verdict"],
        result["reason"],
        result["complete"],
        result["authority"],
    )
    assert "1.1.0+1.1" == result["base"]["version"]
    assert result["base"]["commit"] != result["head"]["commit"]
    assert f"fake runs {result['head']['commit'][:8]}" == result["proved_head"]
    assert {"before": 2, "after": 2} == result["witness"]
    assert {"before": digest, "after": digest} == result["known_good"]
    assert {"passed": 7, "failed": 0, "skipped": 0, "deselected": 0} == result["tests"]
    assert ["recover", "prepare", "restore", "deploy", "witness"] == phases[:5]
    assert {"upgrade", "stop", "test"} <= set(phases)
    assert {"passed"} == {phase["outcome"] for phase in result["phases"]}
    assert [] == result["leftovers"] == result["incomplete_because"]
    assert str(Path(result["source"]["location"])) == str(shop.recipe / "source")
    assert result["seconds"] >= sum(phase["seconds"] for phase in result["phases"]) - 0.05


LEAKY = """
import pytest

@pytest.fixture
def noisy(app):
    yield
    print("printed later:", NEVER_EMPTY[0])
    raise RuntimeError(f"teardown with {NEVER_EMPTY[0]}")

NEVER_EMPTY = []

def test_own(app, noisy):
    password = app.secret("admin_password")
    NEVER_EMPTY.append(password)
    print("printed:", password)
    with open("secrets", "a") as file:
        print(password, file=file)
    assert password == "another one"
"""


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "worker"])
def test_no_report_shows_a_secret(shop: Shop, workers: tuple[str, ...]) -> None:
    """Not a test's values, nor what it printed, nor what its fixtures raise when the app is gone."""
    path = shop.pytester.path / "junit.xml"
    shop.tests(LEAKY)
    words = (f"--junitxml={path}", "-ojunit_logging=all", "--showlocals", "-rA", *workers)

    done = shop.run(*words) if not workers else shop.run_outside(*words)

    assert 1 == done.ret, shop.text()
    shown = shop.text() + path.read_text() + json.dumps(shop.result())
    assert re.search(r"password += '\*{8}'", shown)
    assert "printed: ********" in shown
    assert "printed later: ********" in shown
    assert "RuntimeError: teardown with ********" in shown
    assert "test_own[install]: assert '********' == 'another one'" in shop.result()["reason"]
    secrets = (shop.pytester.path / "secrets").read_text().split()
    assert 2 == len(secrets)
    assert [] == [each for each in secrets if each in shown]
