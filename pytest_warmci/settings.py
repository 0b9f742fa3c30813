"""What one session was told to do: every value, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

from pytest_warmci.model import Mode

T = TypeVar("T")

DEFAULT_LOCK_LIMIT: Final = 1800.0
"""Seconds that a run waits for an app that somebody else holds."""


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """A value and its origin: an option, an environment variable, the ini file or `default`."""

    value: T
    origin: str

    def __str__(self) -> str:
        return f"{self.value} ({self.origin})"


EngineOptions = tuple[tuple[str, str], ...]
"""What the engine is told beside its name: pairs of name and value, in the order given."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one session.

    `lock_limit` is seconds; `keep` is for how many seconds an app that did not pass stays up, None
    for not at all; `server_keys` lets Keycloak make each realm's keys; `source` None means the
    recipe's own; `allow_lower` lets a promotion go back to an older version.
    """

    mode: Setting[Mode]
    state: Setting[Path]
    head: Setting[str]
    source: Setting[str | None]
    engine: Setting[str]
    lock_limit: Setting[float]
    allow_lower: Setting[bool]
    keep: Setting[float | None]
    server_keys: Setting[bool]
    session: str
    engine_options: Setting[EngineOptions] = Setting((), "default")
