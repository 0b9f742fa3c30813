"""What the shell completes beyond verbs and options: names of recipes, ids of runs.

Completing must never show an error, create anything, or be slow: what cannot be looked up is
nothing to choose from.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_warmci.cli.options import state_of
from pytest_warmci.errors import WarmciError

if TYPE_CHECKING:
    import click

    from pytest_warmci.store.state import StateDirectory

_MOST: Final = 50


def complete_recipes(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the enrolled recipes that begin with what was typed."""
    from pytest_warmci.runs.location import TESTS, enrolled_names

    try:
        names = enrolled_names(Path.cwd() / (context.params.get("tests") or TESTS))
    except OSError:
        return []
    return [name for name in names if name.startswith(incomplete)]


def complete_runs(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the newest runs whose id begins with what was typed."""
    from pytest_warmci.runs.past import newest_ids

    state = _state(context)
    if state is None:
        return []
    return [name for name in newest_ids(state) if name.startswith(incomplete)][:_MOST]


def complete_kept(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return what names a kept app: recipes, runs and domains that begin with what was typed."""
    from pytest_warmci.store.kept import kept_apps

    state = _state(context)
    if state is None:
        return []
    found = [kept for _, kept in kept_apps(state, lambda _: None)]
    names = dict.fromkeys(name for kept in found for name in (kept.recipe, kept.run, kept.domain))
    return [name for name in names if name.startswith(incomplete)]


def _state(context: click.Context) -> StateDirectory | None:
    from pytest_warmci.store.state import peek_state

    try:
        return peek_state(state_of(context).value)
    except (OSError, WarmciError):
        return None
