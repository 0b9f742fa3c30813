"""Which compose keys this engine honours, ignores, or may leave out of every comparison."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

HONOURED: Final = (
    r"services\.[^.]+\.(image|entrypoint|command|environment|secrets|configs|volumes|depends_on"
    r"|stop_grace_period|healthcheck)(\..*)?",
    r"volumes\.[^.]+(\.name|\.external)?",
    r"secrets\..*",
    r"configs\..*",
)
"""What a difference in these does, this engine does too."""

INERT: Final = (
    r"services\.[^.]+\.(deploy\.)?labels\.coop-cloud\..*\.(version|chaos|chaos-version|timeout|recipe)",
    r"version",
)
"""What changes nothing for anybody: left out of every comparison."""

_honoured = re.compile("|".join(HONOURED))
_inert = re.compile("|".join(INERT))


@dataclass(frozen=True, slots=True)
class KeyDifferences:
    """Keys that differ between two stacks: `seen` are honoured by the engine, `unseen` are not."""

    seen: tuple[str, ...]
    unseen: tuple[str, ...]


def classify(keys: list[str]) -> KeyDifferences:
    """Sort differing keys by whether this engine honours them; inert ones fall out."""
    real = [key for key in keys if not _inert.fullmatch(key)]
    seen = tuple(key for key in real if _honoured.fullmatch(key))
    return KeyDifferences(seen, tuple(key for key in real if key not in seen))
