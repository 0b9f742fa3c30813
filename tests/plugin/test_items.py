"""Which items a recipe has, in which order they run, and how one of them is named again."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Shop

OWN = """\
import pytest

def test_rows(http):
    assert http.get("/rows").status_code == 200

@pytest.mark.before_upgrade
def test_old(app):
    assert app.version == "1.1.0+1.1"

@pytest.mark.cold
def test_cold_only(mode):
    assert mode == "cold"
"""

COLD = [
    "ghost/recipe.yml::test_deploys[install]",
    "ghost/recipe.yml::test_serves[install]",
    "ghost/recipe.yml::test_runs_head[install]",
    "ghost/test_own.py::test_rows[install]",
    "ghost/test_own.py::test_cold_only[install]",
    "ghost/recipe.yml::test_stays_up[install]",
    "ghost/recipe.yml::test_leaves_nothing[install]",
    "ghost/recipe.yml::test_base[upgrade]",
    "ghost/test_own.py::test_old[upgrade]",
    "ghost/recipe.yml::test_upgrades[upgrade]",
    "ghost/recipe.yml::test_serves[upgrade]",
    "ghost/recipe.yml::test_runs_head[upgrade]",
    "ghost/recipe.yml::test_witness_survives[upgrade]",
    "ghost/test_own.py::test_rows[upgrade]",
    "ghost/test_own.py::test_cold_only[upgrade]",
    "ghost/recipe.yml::test_stays_up[upgrade]",
    "ghost/recipe.yml::test_survives_restart[upgrade]",
    "ghost/recipe.yml::test_leaves_nothing[upgrade]",
]

QUICK = [
    item
    for item in COLD
    if item.endswith("[upgrade]") and "cold_only" not in item and "survives_restart" not in item
]


def test_cold_runs_both_stages_in_the_order_of_the_apps_life(shop: Shop) -> None:
    """Steps first in their phase, what disturbs the app last, each stage torn down in the end."""
    shop.tests(OWN)

    done = shop.run("-v")

    assert 0 == done.ret
    assert dict.fromkeys(COLD, "PASSED") == shop.outcomes()
    assert COLD == list(shop.outcomes())


def test_quick_runs_only_the_upgrade(shop: Shop) -> None:
    """No fresh install, no restart, and nothing that the author marked cold."""
    shop.seed()
    shop.tests(OWN)

    done = shop.run("-v", "--quick")

    assert 0 == done.ret
    assert QUICK == list(shop.outcomes())
    assert {"PASSED"} == set(shop.outcomes().values())


def test_quick_without_a_canonical_runs_what_cold_does(shop: Shop) -> None:
    """The fallback is a whole cold run, labelled."""
    shop.tests(OWN)

    done = shop.run("-v", "--quick")

    assert 0 == done.ret
    assert COLD == list(shop.outcomes())
    assert "cold (quick asked" in shop.text()


@pytest.mark.parametrize(
    ("words", "expected"), [((), COLD), (("--quick",), QUICK)], ids=["cold", "quick"]
)
def test_collect_only_deploys_nothing(
    shop: Shop, words: tuple[str, ...], expected: list[str]
) -> None:
    """It lists what would run, and leaves no run behind."""
    shop.seed()
    shop.tests(OWN)

    done = shop.run("--co", "-q", *words)

    assert 0 == done.ret
    listed = [line.removeprefix("recipe_tests/") for line in shop.lines() if "::" in line]
    assert expected == listed
    assert [] == shop.calls()
    assert [] == shop.results()


def test_an_id_can_be_pasted_back(shop: Shop) -> None:
    """The lane does every step before the one item, whose id is the one that was shown."""
    shop.seed()

    done = shop.run("-v", "--quick", "recipe_tests/ghost/recipe.yml::test_serves[upgrade]")

    assert 0 == done.ret
    assert {"ghost/recipe.yml::test_serves[upgrade]": "PASSED"} == shop.outcomes()
    assert ["warm-ghost 1.1", "warm-ghost 1.2"] == [
        call.partition(" ")[2] for call in shop.calls("deploy")
    ]


def test_an_id_without_its_stage_is_both(shop: Shop) -> None:
    """As pytest does with any parameter."""
    done = shop.run("-v", "recipe_tests/ghost/recipe.yml::test_serves")

    assert 0 == done.ret
    assert [
        "ghost/recipe.yml::test_serves[install]",
        "ghost/recipe.yml::test_serves[upgrade]",
    ] == list(shop.outcomes())


def test_ids_in_any_order_run_in_theirs(shop: Shop) -> None:
    """Who names the upgrade first gets the install first all the same."""
    file = "recipe_tests/ghost/recipe.yml"

    shop.run("-v", f"{file}::test_leaves_nothing[upgrade]", f"{file}::test_serves[install]")

    assert [
        "ghost/recipe.yml::test_serves[install]",
        "ghost/recipe.yml::test_leaves_nothing[upgrade]",
    ] == list(shop.outcomes())


@pytest.mark.parametrize("words", [("--ff",), ()], ids=["ff", "shuffled"])
def test_the_order_holds_whoever_sorts_too(shop: Shop, words: tuple[str, ...]) -> None:
    """Neither --ff and --nf nor a plugin that shuffles all items mixes two stages."""
    shop.tests(OWN)
    shop.run("-k", "test_old or leaves_nothing", "-q")
    if not words:
        conftest = shop.pytester.path / "conftest.py"
        conftest.write_text(
            conftest.read_text()
            + "\n@pytest.hookimpl(trylast=True)\n"
            + "def pytest_collection_modifyitems(items):\n    items.reverse()\n"
        )

    done = shop.run("-v", *words)

    def place(item: str) -> tuple[bool, int]:
        phase = 0 if "_base" in item or "_old" in item else 2 if "leaves" in item else 1
        return "[upgrade]" in item, phase

    ran = list(shop.outcomes())
    assert 0 == done.ret, shop.text()
    assert sorted(COLD) == sorted(ran)
    assert sorted(ran, key=place) == ran


def test_authors_parameters_come_after_the_stage(shop: Shop) -> None:
    """`test_x[upgrade-a]`."""
    shop.seed()
    shop.tests(
        "import pytest\n@pytest.mark.parametrize('word', ['a', 'b'])\ndef test_word(word): pass\n"
    )

    shop.run("-v", "--quick", "-k", "test_word")

    assert [
        "ghost/test_own.py::test_word[upgrade-a]",
        "ghost/test_own.py::test_word[upgrade-b]",
    ] == list(shop.outcomes())


def test_a_recipe_without_witness_has_no_test_of_it(shop: Shop) -> None:
    """What cannot be asked is not shown as passed; the result says so."""
    (shop.recipe / "witness.py").unlink()

    done = shop.run("-v", "--warmci-head", "published")

    assert 0 == done.ret
    assert "ghost/recipe.yml::test_witness_survives[upgrade]" not in shop.outcomes()
    assert "data: not witnessed" in shop.result()["notes"]
    assert not shop.result()["promoted"]
    assert shop.entry() is None


def test_fixtures_say_what_runs(shop: Shop) -> None:
    """Every fixture that the documentation promises, in one quick run."""
    shop.seed()
    shop.tests(
        "def test_all(app, http, recipe, mode, run, canonical):\n"
        "    assert app.url.startswith('http://127.0.0.1:')\n"
        "    assert app.domain == 'warm-ghost.warmci.localhost'\n"
        "    assert app.version == '1.1.0+1.1'  # what the label of the branch says\n"
        "    assert app.env['TYPE'] == 'ghost'\n"
        "    secret = app.secret('admin_password')\n"
        "    assert len(secret) == 16\n"
        "    assert 'password ********' in app.logs('app')\n"
        "    assert secret not in app.logs('app')\n"
        "    assert 'schema 1.2' in http.get('/health').text\n"
        "    assert (recipe.recipe, mode) == ('ghost', 'quick')\n"
        "    assert run.plan.stages == ('upgrade',)\n"
        "    assert canonical.version == '1.1.0+1.1'\n"
        "    assert canonical.digest.startswith('sha256:')\n"
    )

    assert 0 == shop.run("--quick").ret, shop.text()


def test_cold_holds_for_tests_before_the_upgrade_too(shop: Shop) -> None:
    """Both marks together: only in a cold run."""
    shop.seed()
    shop.tests(
        "import pytest\n@pytest.mark.cold\n@pytest.mark.before_upgrade\ndef test_own(app): pass\n"
    )

    shop.run("--quick", "-v")

    assert not [item for item in shop.outcomes() if "test_own" in item]
