"""Which compose keys this engine honours and which it ignores."""

from __future__ import annotations

import re
from typing import Final

from pytest_warmci.engines.differences import KeyDifferences

HONOURED: Final = (
    "command",
    "configs",
    "depends_on",
    "entrypoint",
    "environment",
    "healthcheck",
    "image",
    "secrets",
    "stop_grace_period",
    "volumes",
)
"""Keys of a service that do here what they do in a container."""

HONOURED_ABOVE: Final = ("configs", "secrets")
"""Top-level keys of which the same is true; of `volumes` it is true but for their drivers."""

INERT: Final = ("version",)
"""Top-level keys that mean nothing to anybody. (Labels that only say which version it is are left
out of every comparison before an engine sees them.)"""

_honoured = re.compile(
    rf"services\.[^.]+(?:\.(?:{'|'.join(HONOURED)})(?:\..*)?)?"
    rf"|(?:{'|'.join(HONOURED_ABOVE)})(?:\..*)?"
    r"|volumes\.[^.]+(?:\.(?:name|external))?"
)


def classify(keys: list[str]) -> KeyDifferences:
    """Sort differing keys by whether this engine honours them; inert ones fall out."""
    real = [key for key in keys if key not in INERT]
    seen = tuple(key for key in real if _honoured.fullmatch(key))
    return KeyDifferences(seen, tuple(key for key in real if key not in seen))
