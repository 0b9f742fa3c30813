"""Published versions: shape and order."""

from __future__ import annotations

import random

import pytest

from pytest_warmci.errors import InputError
from pytest_warmci.recipes.versions import Version, is_version, parse_version

ORDERED = [
    "0.9.9+30.0",
    "1.0.0+1.0-rc1",
    "1.0.0+1.0.1",
    "1.0.0+v2.9",
    "1.0.0+2.10",
    "1.0.1+1.0",
    "1.2.0+1.0",
    "1.10.0+1.0",
    "10.7.1+26.6.2",
    "10.7.1+26.6.10",
]


def test_takes_a_tag_apart() -> None:
    """The recipe's part is three numbers, the app's part is text."""
    version = parse_version("10.7.1+25.04.9-social-amd64")

    assert ((10, 7, 1), "25.04.9-social-amd64") == (version.recipe, version.app)
    assert "10.7.1+25.04.9-social-amd64" == version.text == str(version)


def test_order_is_by_the_recipes_part_then_naturally() -> None:
    """10 comes after 9, and the app's part only decides between equals."""
    shuffled = random.Random(1).sample(ORDERED, len(ORDERED))

    assert ORDERED == [version.text for version in sorted(map(parse_version, shuffled))]


def test_equal_only_to_the_same_text() -> None:
    """Two tags that sort alike are still two versions, in a fixed order."""
    plain, with_v = Version((1, 0, 0), "2.0"), Version((1, 0, 0), "v2.0")

    assert plain != with_v
    assert plain < with_v
    assert Version((1, 0, 0), "2.0") == plain


@pytest.mark.parametrize(
    "tag",
    [
        "",
        "1.0",
        "v1.0.0+2",
        "1.0.0",
        "1.0.0+",
        "01.0.0+2",
        "1.0.0-rc1+2",
        "1.0.0+a b",
        "1.0.0+a/b",
    ],
)
def test_refuses_other_shapes(tag: str) -> None:
    """The error names the tag, the repository, the shape and the command that removes it."""
    assert not is_version(tag)
    with pytest.raises(InputError) as caught:
        parse_version(tag, "/clone")

    assert f"the tag '{tag}' is not a version" == caught.value.what
    assert "/clone" == caught.value.where
    assert "10.7.1+26.6.4" in caught.value.why
    assert caught.value.remedy.startswith("git tag -d ")
