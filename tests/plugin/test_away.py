"""What fails while the engine was away is no failure of the recipe's, wherever it shows."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Shop

AWAY = """
def away(engine, app):
    if app.folder.is_dir():  # what was noted of it goes with the app
        raise EngineUnavailable("the engine was away", remedy="run again")
TROUBLE = {"trouble": away}
"""
EXCUSED = "the engine was away, so a failure says nothing about the recipe"

FAILING = {
    "test": "def test_own(app): raise OSError('refused')\n",
    "setup": (
        "import pytest\n@pytest.fixture\ndef own(app): raise OSError('refused')\n"
        "def test_own(own): pass\n"
    ),
    "teardown": (
        "import pytest\n@pytest.fixture\ndef own(app):\n    yield\n    raise OSError('refused')\n"
        "def test_own(own): pass\n"
    ),
    "end of the stage": (
        "import pytest\n@pytest.fixture(scope='session')\ndef own(recipe):\n    yield\n"
        "    raise OSError('refused')\ndef test_own(own): pass\n"
    ),
}


@pytest.fixture
def away(shop: Shop) -> Shop:
    """A shop with a known-good, whose engine was away all the time."""
    shop.seed()
    shop.trouble(AWAY)
    return shop


@pytest.mark.parametrize(
    "words", [("--quick",), ("--warmci-head=published",), ("-k", "own")], ids=" ".join
)
@pytest.mark.parametrize("where", FAILING)
def test_an_authors_failure_is_not_evaluated(
    away: Shop, where: str, words: tuple[str, ...]
) -> None:
    """Its own error stands below the excuse; nothing is kept, nothing is promoted.

    Of a test that is the last one of its stage the app is gone when it is reported.
    """
    before = away.entry()
    away.tests(FAILING[where])

    done = away.run(*words)

    result = away.result()
    assert 75 == done.ret
    assert ("not-evaluated", False) == (result["verdict"], result["promoted"])
    assert EXCUSED == result["reason"]
    assert EXCUSED in away.text()
    assert "refused" in away.text()
    assert before == away.entry()
    away.check_restored()


@pytest.mark.parametrize("head", ["fails-at-once", "loses-data", "restarts"])
def test_a_head_that_fails_is_not_evaluated(away: Shop, head: str) -> None:
    """Its containers may have ended with the engine."""
    done = away.run("--quick", "--warmci-head", head)

    assert 75 == done.ret
    assert ("not-evaluated", EXCUSED) == (away.result()["verdict"], away.result()["reason"])
    away.check_restored()


def test_what_passes_all_the_same_has_passed(away: Shop) -> None:
    """The engine is asked only before a failure is judged."""
    assert 0 == away.run("--quick").ret
