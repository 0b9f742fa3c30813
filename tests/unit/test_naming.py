"""Names of realms and domains: whose they are can be read from them, or they are nobody's."""

from __future__ import annotations

import pytest

from pytest_warmci.naming import (
    canonical_domain,
    canonical_recipe,
    cold_domain,
    is_recipe_name,
    live_domain,
    new_token,
    realm_name,
    realm_run,
)


@pytest.mark.parametrize(
    "recipe", ["blog", "a", "my-blog", "facade", "my-facade", "b" * 40, "1a2b3c"]
)
@pytest.mark.parametrize("suffix", ["", "2", "other", "other-2", "warm-up", "a" * 30 + "-12"])
def test_the_run_of_a_realm_is_in_its_name(recipe: str, suffix: str) -> None:
    assert "1a2b3c" == realm_run(realm_name(recipe, "1a2b3c", suffix))


@pytest.mark.parametrize(
    "name",
    [
        "master",
        "blog",
        "1a2b3c",
        "-1a2b3c",
        "blog-1a2b3",
        "blog-1a2b3c4",
        "blog-1A2B3C",
        "Blog-1a2b3c",
        "blog-1a2b3c-",
        "blog-1a2b3c-Other",
        "blog-1a2b3c/x",
        "blog-1a2b3c\n",
        "b" * 41 + "-1a2b3c",
        "blog-1a2b3c-" + "x" * 41,
        "",
    ],
)
def test_a_name_that_is_not_one_of_a_run_is_nobodys(name: str) -> None:
    assert realm_run(name) is None


def test_no_two_tokens_are_the_same() -> None:
    assert 2 == len({new_token(), new_token()})


@pytest.mark.parametrize("base", ["warmci.localhost", "ci.example.org", "local"])
@pytest.mark.parametrize("recipe", ["blog", "a", "my-blog", "b" * 40, "1a2b3c", "warm", "live"])
def test_a_canonical_is_known_at_every_base_domain(recipe: str, base: str) -> None:
    """And nothing else is taken for one."""
    assert recipe == canonical_recipe(canonical_domain(recipe, base))
    assert canonical_recipe(cold_domain(recipe, "1a2b3c", base)) is None
    assert canonical_recipe(live_domain(recipe, base)) is None


@pytest.mark.parametrize(
    "domain",
    ["", "warm", "warm-", "warm-blog", "warm-.org", "warm-Blog.org", "warm--b.org", "blog.org",
     "warm.blog.org", ".warm-blog.org", "xwarm-blog.org", "warm-my_blog.org"],
)  # fmt: skip
def test_what_is_no_canonicals_domain(domain: str) -> None:
    assert canonical_recipe(domain) is None


@pytest.mark.parametrize(
    ("recipe", "label"),
    [
        ("keycloak", "keyc-1a2b3c"),
        ("a", "a-1a2b3c"),
        ("my-blog", "my-b-1a2b3c"),
        ("abc-d", "abc-1a2b3c"),
        ("warmup", "war-1a2b3c"),
        ("livechat", "liv-1a2b3c"),
    ],
)
def test_the_domain_of_a_throw_away_app(recipe: str, label: str) -> None:
    """It never begins as those of apps that nobody removes."""
    domain = cold_domain(recipe, "1a2b3c", "ci.example.org")

    assert f"{label}.ci.example.org" == domain
    assert is_recipe_name(label)
