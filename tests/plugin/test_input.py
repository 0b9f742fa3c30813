"""Bad input: one clear error with place and remedy, nothing started, nothing changed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.plugin.conftest import Shop

OWN = "def test_own(app): pass\n"


def errors(shop: Shop) -> list[str]:
    """Return the headings of the collection errors."""
    return [line for line in shop.lines() if line.startswith("____") and "ERROR" in line]


def check_refused(shop: Shop, *expected: str) -> None:
    """One error that says all this; no traceback, nothing asked of the engine."""
    for each in expected:
        assert each in shop.text()
    assert 1 == len(errors(shop)), shop.text()
    assert "Traceback" not in shop.text()
    assert "INTERNALERROR" not in shop.text()
    assert [] == shop.calls()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("probe:", "prob:", ("recipe.yml:4", "unknown key 'prob'", "did you mean 'probe'")),
        ("[200]", "ok", ("recipe.yml:6", "'ok' is not a list")),
        ("format: 1", "format: 2", ("recipe.yml:1",)),
        ("recipe: ghost", "recipe: host", ("recipe.yml:2", "'host' is not the folder's name")),
        ("  path", " path", ("recipe.yml",)),
        ("source: source", "source: elsewhere", ("ghost/elsewhere", "is not there")),
        ("source: source", "source: process", ("ghost/process", "is not there")),
    ],
    ids=["unknown key", "type", "format", "name", "yaml", "source", "process"],
)
def test_a_bad_recipe_yml_is_one_clean_error(
    shop: Shop, old: str, new: str, expected: tuple[str, ...]
) -> None:
    """File, line and what to write instead; exit 2 as for any collection error."""
    path = shop.recipe / "recipe.yml"
    path.write_text(path.read_text().replace(old, new))

    done = shop.run()

    assert 2 == done.ret
    check_refused(shop, *expected)


def test_an_unknown_head_names_those_that_are_known(shop: Shop) -> None:
    """Branches and tags, to pick one."""
    done = shop.run("--warmci-head", "upgrad")

    assert 2 == done.ret
    check_refused(shop, "no commit is called 'upgrad'", "tags: 1.1.0+1.1", "branches: aside")


def test_a_lightweight_tag_is_refused(shop: Shop) -> None:
    """With the command that mends it."""
    source = make_clone(shop)
    git(source, "tag", "2.0.0+9")

    done = shop.run("--warmci-source", str(source))

    assert 2 == done.ret
    check_refused(shop, "the tag '2.0.0+9' is lightweight", "tag -f -a")


def test_a_dirty_source_is_refused(shop: Shop) -> None:
    """Its changes would not be what is tested."""
    source = make_clone(shop)
    (source / "compose.yml").write_text("changed")

    done = shop.run("--warmci-source", str(source))

    assert 2 == done.ret
    check_refused(shop, "has changes that are not committed", "compose.yml")


def test_somebodys_own_clone_is_tested_in_place_of_the_source(shop: Shop) -> None:
    """And is not changed by it."""
    source = make_clone(shop)
    before = git(source, "status", "--porcelain", "--ignored")

    done = shop.run("--warmci-source", str(source))

    assert 0 == done.ret, shop.text()
    assert str(source) == shop.result()["source"]["location"]
    assert before == git(source, "status", "--porcelain", "--ignored")


def test_a_damaged_entry_is_not_evaluated_and_stays(shop: Shop) -> None:
    """A registry that cannot be read never means that there is no known-good."""
    shop.seed()
    path = shop.state / "canonicals" / "process" / "ghost.yml"
    path.write_text("]")

    done = shop.run("--quick")

    assert done.ret in (2, 75), shop.text()
    assert "ghost.yml" in shop.text()
    assert "INTERNALERROR" not in shop.text()
    assert "]" == path.read_text()
    assert [] == shop.calls()


def test_a_newer_entry_is_not_touched(shop: Shop) -> None:
    """Written by a newer pytest-warmci: upgrade, and nothing is overwritten."""
    shop.seed()
    path = shop.state / "canonicals" / "process" / "ghost.yml"
    path.write_text(path.read_text().replace("format: 1", "format: 99"))
    before = path.read_text()

    done = shop.run("--warmci-head", "published")

    assert done.ret in (2, 75), shop.text()
    assert "newer version" in shop.text()
    assert "INTERNALERROR" not in shop.text()
    assert before == path.read_text()


def test_the_state_directory_can_be_named_in_three_ways(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Option, variable, ini file, in this order; the header says which it was."""
    shop.pytester.makeini(
        f"[pytest]\naddopts = --import-mode=importlib\nwarmci_state = {shop.state}-ini\n"
    )
    words = ("recipe_tests/ghost", "--co", "-q", "--no-header")
    seen = [shop.pytester.runpytest_inprocess(*words[:2]).stdout.str()]
    monkeypatch.setenv("WARMCI_STATE", f"{shop.state}-env")
    seen.append(shop.pytester.runpytest_inprocess(*words[:2]).stdout.str())
    shop.run("--co")
    seen.append(shop.text())

    assert f"warmci: state {shop.state}-ini (ini warmci_state)" in seen[0]
    assert f"warmci: state {shop.state}-env (WARMCI_STATE)" in seen[1]
    assert f"warmci: state {shop.state} (--warmci-state)" in seen[2]


def test_requires_is_refused_where_nothing_provides_it(shop: Shop) -> None:
    """There is no recipe of Keycloak beside this one."""
    path = shop.recipe / "recipe.yml"
    path.write_text(path.read_text() + "requires: [keycloak]\n")

    done = shop.run()

    assert 2 == done.ret
    check_refused(shop, "there is no Keycloak to require")


def make_clone(shop: Shop) -> Path:
    """Return a work tree of the recipe with its head checked out."""
    from pytest_warmci.recipes.history import build_history

    bare = build_history(shop.recipe / "source", shop.state / "cache")
    target = shop.pytester.path / "clone"
    git(shop.pytester.path, "clone", "--quiet", str(bare), str(target))
    return target


def git(folder: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *words], check=True, capture_output=True, text=True
    ).stdout


def test_a_state_directory_that_others_may_enter_is_refused(shop: Shop) -> None:
    """It holds secrets; the command that mends it is in the error."""
    shop.state.chmod(0o755)

    done = shop.run()

    assert 2 == done.ret, shop.text()
    check_refused(shop, "others may enter the state directory", "chmod 700")
    assert 0o755 == shop.state.stat().st_mode & 0o777


@pytest.mark.parametrize(
    "text",
    ["def plant(app): return {}\n", "def broken(:\n", "import no_such_module\n"],
    ids=["no check", "syntax", "import"],
)
def test_a_bad_witness_is_one_clean_error(shop: Shop, text: str) -> None:
    """Found before anything is deployed."""
    (shop.recipe / "witness.py").write_text(text)

    done = shop.run()

    assert done.ret == 2, shop.text()
    check_refused(shop, "witness.py")


def test_a_bad_recipe_with_tests_is_still_one_error(shop: Shop) -> None:
    """The recipe's test files do not say it again."""
    (shop.recipe / "recipe.yml").write_text("format: 1\n")
    shop.tests(OWN)
    shop.tests(OWN, "test_other.py")

    done = shop.run()

    assert 2 == done.ret
    check_refused(shop, "missing key")
