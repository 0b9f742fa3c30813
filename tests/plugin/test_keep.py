"""--warmci-keep: an app that did not pass stays up for a while, and goes by itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pytest_warmci.store.kept import FILE, KeptApp, read_kept, write_kept
from tests import ghost
from tests.fakes import FakeEngine
from tests.plugin.conftest import Shop

RED = "def test_own(app): assert False\n"


def keep(shop: Shop, *words: str) -> pytest.RunResult:
    """Run in this process; the kept app still runs then."""
    return shop.pytester.runpytest_inprocess(
        *shop.arguments("--warmci-keep=1h", *words), no_reraise_ctrlc=True
    )


def expire(folder: Path) -> None:
    kept = read_kept(folder)
    assert kept is not None
    gone = datetime.now(UTC) - timedelta(seconds=1)
    facts = json.loads((folder / FILE).read_text()) | {
        "until": gone.strftime("%Y-%m-%dT%H:%M:%SZ")
    }
    del facts["format"]
    write_kept(folder, KeptApp(**facts))


def test_a_failed_quick_run_leaves_its_app_running(shop: Shop) -> None:
    """Head, on the upgraded data, with its address in the result and in the mark."""
    shop.seed()
    shop.tests(RED)

    done = keep(shop, "--quick")

    assert 1 == done.ret
    kept = read_kept(shop.canonical)
    assert kept is not None
    result = shop.result()
    assert {"url": kept.url, "domain": kept.domain, "until": kept.until} == result["kept"]
    assert any(f"kept running at {kept.url}" in note for note in result["notes"])
    assert [shop.canonical] == list(FakeEngine.servers)
    assert "1.2" == shop.database()["schema"]


def test_the_next_run_ends_it_and_starts_from_known_good(shop: Shop) -> None:
    """It does not wait for an hour, and says what it did."""
    shop.seed()
    shop.tests(RED)
    keep(shop, "--quick")
    (shop.recipe / "test_own.py").unlink()

    done = shop.run("--quick")

    assert 0 == done.ret, shop.text()
    notes = shop.results()[-1]["notes"]
    assert any(note.startswith("ended the app that run ") for note in notes)
    assert read_kept(shop.canonical) is None


def test_a_failed_cold_run_leaves_its_app_running_and_stops_there(shop: Shop) -> None:
    """The other stage would need its place; nothing is left over, it is kept."""
    shop.tests("import pytest\n@pytest.mark.cold\ndef test_own(app): assert False\n")

    done = keep(shop)

    assert 1 == done.ret
    (name,) = shop.cold_apps()
    result = shop.result()
    assert name == result["kept"]["domain"]
    assert [] == result["leftovers"]
    assert not [call for call in shop.calls("deploy") if call.endswith("1.1")]


def test_a_kept_app_is_not_reaped_before_its_time_and_is_then(shop: Shop) -> None:
    """By any run, of whatever recipe."""
    shop.tests(RED)
    keep(shop)
    (name,) = shop.cold_apps()
    (shop.recipe / "test_own.py").unlink()
    ghost.write_recipe(shop.pytester.path / "recipe_tests", "zombie", ghost.PUBLISHED, "main")

    shop.pytester.runpytest_inprocess(*shop.arguments("recipe_tests/zombie"))
    assert [name] == shop.cold_apps()
    expire(shop.canonical.parent / name)
    done = shop.run("recipe_tests/zombie")

    assert 0 == done.ret, shop.text()
    assert [] == shop.cold_apps()


@pytest.mark.parametrize(
    "test", ["def test_own(app): pass\n", "def test_own(app): raise KeyboardInterrupt\n"]
)
def test_what_passed_or_was_interrupted_keeps_nothing(shop: Shop, test: str) -> None:
    """The one needs no looking at, the other was told to stop."""
    shop.seed()
    shop.tests(test)

    keep(shop, "--quick")

    assert read_kept(shop.canonical) is None
    assert {} == FakeEngine.servers
    assert shop.result()["kept"] is None


@pytest.mark.parametrize("given", ["", "2", "h", "8d", "-1h", "1w", "recipe_tests/ghost"])
def test_a_time_that_is_none_is_refused(shop: Shop, given: str) -> None:
    """With the way out; nothing has begun."""
    done = shop.run_outside(f"--warmci-keep={given}")

    assert 4 == done.ret
    done.stderr.fnmatch_lines(
        [f"*--warmci-keep: '{given}' is no time up to a week*--warmci-keep=2h*"]
    )
    assert [] == shop.calls()
