"""Container paths become paths of this machine, longest prefix first."""

from __future__ import annotations

import re
from collections.abc import Mapping


class Replacements:
    """A table of container paths and what stands for them here; call it on any text.

    A path is replaced only as a whole or as a whole prefix: `/run/secrets/a` leaves
    `/run/secrets/ab` and `x/run/secrets/a` alone. Nothing is replaced twice.
    """

    def __init__(self, table: Mapping[str, str]) -> None:
        self._table = {path.rstrip("/"): there for path, there in table.items()}
        ordered = sorted(self._table, key=len, reverse=True)
        alternatives = "|".join(re.escape(path) for path in ordered)
        self._pattern = re.compile(rf"(?<![\w./-])(?:{alternatives})(?![\w-])(?!\.\w)")

    def __call__(self, text: str) -> str:
        """Return `text` with every container path replaced."""
        if not self._table:
            return text
        return self._pattern.sub(lambda match: self._table[match.group()], text)
