"""A program beside a kept app: which app is meant, and what the program gets to know of it.

Secrets stay in their files: an environment and a command line can be read by others, and are
copied into reports.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pytest_warmci.errors import InputError, StateDamaged
from pytest_warmci.model import RUN_ENV, RUN_SECRETS, RUN_USERS
from pytest_warmci.recipes.env import parse_env
from pytest_warmci.store.kept import KeptApp, kept_apps
from pytest_warmci.store.state import StateDirectory

_OURS: Final = re.compile(
    r"PATH|HOME|SHELL|USER|LOGNAME|TERM|PWD|IFS|ENV|BASH_ENV|LD_.*|WARMCI_.*|PYTHON[A-Z]+"
)
"""Names that the app's `.env` cannot set: the person's own programs must go on working."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One kept app and its folder."""

    folder: Path
    app: KeptApp

    def time_left(self) -> float:
        """Return how many seconds it will be kept; 0 when its time is over."""
        until = datetime.fromisoformat(self.app.until)
        return max((until - datetime.now(UTC)).total_seconds(), 0.0)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        left = round(self.time_left())
        return {**asdict(self.app), "folder": str(self.folder), "seconds_left": left}


def all_kept(state: StateDirectory) -> tuple[list[Kept], list[str]]:
    """Return the kept apps, by domain, and what cannot be read."""
    troubles: list[StateDamaged] = []
    found = [Kept(folder, app) for folder, app in kept_apps(state, troubles.append)]
    return found, [error.summary for error in troubles]


def choose_app(kept: list[Kept], name: str) -> Kept:
    """Return the one kept app whose recipe, run or domain is `name`.

    Raises:
        InputError: None is, or several; the error lists them.
    """
    matches = [each for each in kept if name in (each.app.recipe, each.app.run, each.app.domain)]
    if len(matches) == 1:
        return matches[0]
    listed = "\n".join(describe(each) for each in matches or kept)
    if matches:
        raise InputError(
            f"{len(matches)} kept apps are called {name!r}",
            why=listed,
            remedy="name one by its run or its domain",
        )
    raise InputError(
        f"no kept app is called {name!r}",
        why=f"kept are:\n{listed}" if kept else "no app is kept",
        remedy="name one by its recipe, its run or its domain"
        if kept
        else "a run keeps its app when it is told to; warmci shell --list shows those that did",
    )


def describe(kept: Kept) -> str:
    """Return one line about a kept app."""
    app = kept.app
    version = app.version or app.commit[:8]
    return f"{app.recipe} {version} of run {app.run}: {app.domain}, until {app.until}"


def surroundings(kept: Kept, ours: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of a program beside a kept app.

    Args:
        kept: The app.
        ours: The environment of the person who asks; the app's `.env` is laid over it.

    Raises:
        InputError: The app's `.env` cannot be read.
    """
    app, env = kept.app, {}
    for file in (kept.folder / "env", kept.folder / RUN_ENV):  # what is for one run wins
        with suppress(FileNotFoundError):
            env.update(parse_env(file.read_text("utf-8"), str(file)))
    for_one_run = {
        "WARMCI_RUN_SECRETS_DIR": kept.folder / RUN_SECRETS,
        "WARMCI_USERS_DIR": kept.folder / RUN_USERS,
    }
    facts = {
        **{name: str(path) for name, path in for_one_run.items() if path.is_dir()},
        "WARMCI_APP_URL": app.url,
        "WARMCI_APP_DOMAIN": app.domain,
        "WARMCI_APP_RECIPE": app.recipe,
        "WARMCI_APP_VERSION": app.version,
        "WARMCI_APP_FOLDER": str(kept.folder),
        "WARMCI_SECRETS_DIR": str(kept.folder / "secrets"),
    }
    theirs = {name: value for name, value in env.items() if not _OURS.fullmatch(name)}
    return {**ours, **theirs, **facts}
