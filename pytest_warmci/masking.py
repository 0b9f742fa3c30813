"""Blotting secrets out of text. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

BLOT: Final = "********"


def blotted(text: str, secrets: Collection[str]) -> str:
    """Return `text` with every one of `secrets` blotted out."""
    # The longest first: one secret may be the beginning of another one.
    for value in sorted({*secrets} - {""}, key=len, reverse=True):
        text = text.replace(value, BLOT)
    return text
