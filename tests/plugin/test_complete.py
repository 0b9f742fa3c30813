"""What narrows a run takes its authority away: a result, but neither gate nor promotion."""

from __future__ import annotations

import pytest

from tests import ghost
from tests.plugin.conftest import Shop

PUBLISHED = ("--warmci-head", "published")


def one_version(shop: Shop) -> None:
    """Make the recipe a short one: a single published version, so no upgrade stage."""
    ghost.write_source(shop.recipe / "source", ghost.PUBLISHED[:1], head="main")


def check_no_authority(shop: Shop) -> None:
    result = shop.result()
    assert not result["complete"]
    assert not result["authority"]
    assert not result["promoted"]
    assert result["incomplete_because"]
    assert shop.entry() is None
    assert [] == shop.cold_apps()


def test_a_complete_green_cold_run_of_a_published_version_promotes(shop: Shop) -> None:
    """Known-good is the head, with what was planted, and the entry names its evidence."""
    done = shop.run(*PUBLISHED)

    result = shop.result()
    assert 0 == done.ret
    assert ("passed", True, True, True) == (
        result["verdict"],
        result["complete"],
        result["authority"],
        result["promoted"],
    )
    assert result["known_good"]["before"] is None
    entry = shop.known_good()
    assert result["known_good"]["after"] == entry["digest"]
    assert "1.1.0+1.1" == entry["version"]
    assert result["run_id"] == entry["promoted_by"]
    shop.check_restored()
    assert [] == shop.cold_apps()


@pytest.mark.parametrize(
    "words",
    [
        ("-k", "serves or deploys"),
        ("-m", "generic"),
        ("recipe_tests/ghost/recipe.yml::test_serves[install]",),
        ("recipe_tests/ghost/recipe.yml",),
        ("--deselect", "recipe_tests/ghost/recipe.yml::test_serves"),
        ("--ignore", "recipe_tests/ghost/test_own.py"),
        ("--ff",),
        ("--sw",),
        ("--lf",),
    ],
    ids=" ".join,
)
def test_a_narrowed_green_run_promotes_nothing(shop: Shop, words: tuple[str, ...]) -> None:
    """It passes, exits with 0, says what narrowed it, and that is all."""
    one_version(shop)
    shop.tests("def test_own(app): pass\n")

    done = shop.run(*PUBLISHED, *words)

    assert 0 == done.ret, shop.text()
    assert "passed" == shop.result()["verdict"]
    check_no_authority(shop)
    assert "authority  none" in shop.text()


def test_last_failed_after_a_failure_promotes_nothing(shop: Shop) -> None:
    """Mending the one failed test and running it alone is not a complete run."""
    one_version(shop)
    shop.tests("def test_own(app): assert False\n")
    shop.run(*PUBLISHED)
    shop.tests("def test_own(app): pass\n")

    done = shop.run(*PUBLISHED, "--lf")

    assert 0 == done.ret
    last = shop.results()[-1]
    assert ("passed", False, False) == (last["verdict"], last["complete"], last["promoted"])
    assert shop.entry() is None


def test_m_cold_is_no_narrowing(shop: Shop) -> None:
    """Every item of a cold session has that mark: `-m cold` is how a nightly asks for it."""
    done = shop.run(*PUBLISHED, "-m", "cold")

    assert 0 == done.ret
    assert shop.result()["promoted"]


def test_the_folder_above_is_the_whole_recipe_too(shop: Shop) -> None:
    """`pytest recipe_tests` promotes as `pytest recipe_tests/ghost` does."""
    shop.run(*PUBLISHED, "recipe_tests")

    assert shop.result()["promoted"]


@pytest.mark.parametrize(
    ("body", "promotes"),
    [
        ("@pytest.mark.skip(reason='never')\ndef test_own(): pass", True),
        ("@pytest.mark.xfail(reason='known')\ndef test_own(): assert 0", True),
        ("def test_own(): pytest.skip('today')", False),
        ("@pytest.mark.skipif(True, reason='here')\ndef test_own(): pass", False),
        ("@pytest.mark.xfail(True, reason='here')\ndef test_own(): assert 0", False),
        ("def test_own(): pytest.xfail('today')", False),
        ("def test_own(): pytest.importorskip('no_such_module')", False),
    ],
    ids=["skip", "xfail", "skips", "skipif", "xfail-if", "xfails", "importorskip"],
)
def test_only_unconditional_skips_are_no_obstacle(shop: Shop, body: str, promotes: bool) -> None:
    """A condition may hold today by accident: what it hides has not been tested."""
    one_version(shop)
    shop.tests(f"import pytest\n{body}\n")

    done = shop.run(*PUBLISHED)

    assert 0 == done.ret, shop.text()
    assert "passed" == shop.result()["verdict"]
    assert promotes == shop.result()["promoted"]
    assert promotes == shop.result()["complete"]


def test_an_unpublished_head_is_not_promoted(shop: Shop) -> None:
    """It has authority over a merge, but nobody can install it."""
    done = shop.run()

    result = shop.result()
    assert 0 == done.ret
    assert (True, True, False) == (result["complete"], result["authority"], result["promoted"])
    assert "is not a published version" in result["promotion_reason"]
    assert shop.entry() is None


def test_an_older_tag_is_not_promoted(shop: Shop) -> None:
    """Known-good never goes back by itself, and what is kept does not change."""
    shop.seed()
    before = shop.entry()

    done = shop.run("--warmci-head", "1.0.0+1.0")

    result = shop.result()
    assert 0 == done.ret
    assert ("passed", True, False) == (result["verdict"], result["complete"], result["promoted"])
    assert "1.0.0+1.0 is older than the known-good 1.1.0+1.1" in result["promotion_reason"]
    assert before == shop.entry()
    shop.check_restored()


def test_seeding_an_older_version_goes_back(shop: Shop) -> None:
    """Only when it was asked for in so many words."""
    shop.seed()

    shop.run("--warmci-head", "1.0.0+1.0", "--warmci-seed")

    assert shop.result()["promoted"]
    assert "version: 1.0.0+1.0" in (shop.entry() or "")
    assert "1.0" == shop.database()["schema"]


def test_the_same_version_again_makes_a_new_generation(shop: Shop) -> None:
    """The entry moves to a snapshot of its own; the old one is gone."""
    shop.seed()
    (old,) = (shop.canonical / "snapshot").iterdir()

    shop.run(*PUBLISHED)

    (new,) = (shop.canonical / "snapshot").iterdir()
    assert shop.result()["promoted"]
    assert old.name != new.name
    assert new.name == shop.known_good()["generation"]


def test_a_red_cold_run_promotes_nothing(shop: Shop) -> None:
    """One failed test of an author's is enough."""
    shop.seed()
    before = shop.entry()
    shop.tests("def test_own(app): assert False, 'mine'\n")

    done = shop.run(*PUBLISHED)

    assert 1 == done.ret
    assert "failed" == shop.result()["verdict"]
    assert not shop.result()["promoted"]
    assert before == shop.entry()
    shop.check_restored()


@pytest.mark.parametrize("head", ["upgrade", "loses-data", "no-change"])
def test_quick_never_promotes_however_it_ends(shop: Shop, head: str) -> None:
    """The entry's file is the same byte for byte, and so is its snapshot."""
    shop.seed()
    before = shop.entry()
    (snapshot,) = (shop.canonical / "snapshot").iterdir()

    shop.run("--quick", "--warmci-head", head)

    result = shop.result()
    assert ("quick", False, False) == (result["mode"], result["authority"], result["promoted"])
    assert before == shop.entry()
    assert [snapshot] == list((shop.canonical / "snapshot").iterdir())
    assert result["known_good"]["before"] == result["known_good"]["after"]


def test_a_fallback_never_promotes(shop: Shop) -> None:
    """Asked for as quick: no authority, even when the whole cold run is green on a tag."""
    done = shop.run("--quick", "--warmci-head", "1.1.0+1.1")

    result = shop.result()
    assert 0 == done.ret
    assert ("cold", "quick", "passed") == (
        result["mode"],
        result["requested_mode"],
        result["verdict"],
    )
    assert (False, False) == (result["authority"], result["promoted"])
    assert "cold (quick asked) on process: passed" in shop.text()
    assert shop.entry() is None


def test_one_version_seeds_and_its_upgrade_is_not_applicable(shop: Shop) -> None:
    """Nothing to upgrade from: no such items, a note, and no obstacle."""
    one_version(shop)

    done = shop.run("-v")

    result = shop.result()
    assert 0 == done.ret
    assert not [item for item in shop.outcomes() if item.endswith("[upgrade]")]
    assert "ghost/recipe.yml::test_survives_restart[install]" in shop.outcomes()
    assert ["upgrade stage not applicable: no older published version"] == result["notes"]
    assert (True, True) == (result["complete"], result["promoted"])
    assert "version: 1.0.0+1.0" in (shop.entry() or "")


def test_a_skipped_module_is_not_complete(shop: Shop) -> None:
    """A whole file that skips itself generates no item, and is missing all the same."""
    shop.tests("import pytest\npytest.skip('today', allow_module_level=True)\n")

    done = shop.run(*PUBLISHED)

    assert 0 == done.ret, shop.text()
    check_no_authority(shop)


def test_the_recipes_folder_may_be_named_in_a_roundabout_way(shop: Shop) -> None:
    """It is the whole recipe all the same."""
    shop.run("recipe_tests/../recipe_tests/ghost/", "--warmci-head", "published")

    assert shop.result()["promoted"]
