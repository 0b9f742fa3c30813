"""Published versions of a recipe: `<recipe semver>+<app version>`. Pure."""

from __future__ import annotations

import functools
import re
import shlex
from dataclasses import dataclass
from typing import Final

from pytest_warmci.errors import InputError

_NUMBER: Final = r"(0|[1-9][0-9]{0,8})"
_SHAPE: Final = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}\+([0-9A-Za-z][0-9A-Za-z._+-]{{0,99}})"
)


@functools.total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """A version, ordered by the recipe's part; the app's part decides between equals."""

    recipe: tuple[int, int, int]
    app: str

    @property
    def text(self) -> str:
        """The version as its tag says it."""
        return f"{'.'.join(map(str, self.recipe))}+{self.app}"

    def __str__(self) -> str:
        return self.text

    def __lt__(self, other: Version) -> bool:
        if not isinstance(other, Version):
            return NotImplemented
        return self._key() < other._key()

    def _key(self) -> tuple[tuple[int, int, int], list[tuple[int, int, str]], str]:
        return self.recipe, _natural(self.app), self.app


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Return a sort key that puts 9 before 10; a leading v (`v2.0.0`) means nothing."""
    parts = re.findall(r"[0-9]+|[A-Za-z]+", re.sub(r"^v(?=[0-9])", "", text))
    # a number sorts after a word, so that 2.0-rc1 and 2.0.1 do not compare text with digits
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]


def is_version(text: str) -> bool:
    """Tell whether `text` has the shape of a published version."""
    return _SHAPE.fullmatch(text) is not None


def parse_version(tag: str, where: str = "") -> Version:
    """Return the version that a tag names.

    Args:
        tag: The tag's name.
        where: The repository that it is in, for the error.

    Raises:
        InputError: It is not `<recipe semver>+<app version>`.
    """
    found = _SHAPE.fullmatch(tag)
    if found is None:
        quoted = shlex.quote(tag)
        raise InputError(
            f"the tag '{tag}' is not a version",
            where=where,
            why="a published version looks like 10.7.1+26.6.4: <recipe x.y.z>+<app version>",
            remedy=f"git tag -d {quoted}; if it was pushed: git push --delete origin {quoted}",
        )
    major, minor, patch, app = found.groups()
    return Version((int(major), int(minor), int(patch)), app)
