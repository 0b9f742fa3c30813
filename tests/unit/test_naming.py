"""Names of realms: whose they are can be read from them, or they are nobody's."""

from __future__ import annotations

import pytest

from pytest_warmci.naming import new_token, realm_name, realm_run


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
