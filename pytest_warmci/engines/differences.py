"""What separates two rendered stacks, sorted by an engine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KeyDifferences:
    """Keys that differ between two stacks: `seen` are honoured by the engine, `unseen` are not."""

    seen: tuple[str, ...]
    unseen: tuple[str, ...]
