"""Names: domains, stacks, run ids. Pure."""

from __future__ import annotations

import re
import secrets
from typing import Final

RECIPE_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
"""A recipe's name: a DNS label of at most 40 characters."""

_REALM: Final = re.compile(
    r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?-(?P<run>[0-9a-f]{6})(?:-[a-z0-9-]{1,40})?"
)

BASE_DOMAIN: Final = "warmci.localhost"
"""Base of all domains where nobody says another one. On the process engine a domain is a name only."""

_SHORT: Final = 4
"""Letters of a recipe's name in the domain of a throw-away app."""

_WARM, _LIVE = "warm", "live"
"""How the domains of canonicals and of live-warm apps begin."""


def is_recipe_name(text: str) -> bool:
    """Tell whether `text` may name a recipe (so that it is safe as a folder and in a domain)."""
    return RECIPE_NAME.fullmatch(text) is not None


def new_run_id() -> str:
    """Return a fresh run id: six hex digits."""
    return secrets.token_hex(3)


def new_token() -> str:
    """Return a token that nothing else carries, to find what a run made."""
    return secrets.token_hex(16)


def cold_domain(recipe: str, run_id: str, base: str = BASE_DOMAIN) -> str:
    """Return the domain of a throw-away app, e.g. `keyc-1a2b3c.warmci.localhost`."""
    short = recipe[:_SHORT].rstrip("-")
    if short in (_WARM, _LIVE):  # as it would stand, nobody would ever remove it
        short = short[:-1]
    return f"{short}-{run_id}.{base}"


def is_kept_warm(domain: str) -> bool:
    """Tell whether an app is a canonical or a live-warm one: nobody's leftover, by its domain."""
    return domain.startswith((f"{_WARM}-", f"{_LIVE}-"))


def canonical_domain(recipe: str, base: str = BASE_DOMAIN) -> str:
    """Return the stable domain of a recipe's canonical."""
    return f"{_WARM}-{recipe}.{base}"


def canonical_recipe(domain: str) -> str | None:
    """Return the recipe whose canonical has that domain, None when it is no canonical's.

    The base does not matter: an app is what it is, whatever base the next session is told.
    """
    label, dot, _ = domain.partition(".")
    recipe = label.removeprefix(f"{_WARM}-")
    return recipe if dot and recipe != label and is_recipe_name(recipe) else None


def live_domain(recipe: str, base: str = BASE_DOMAIN) -> str:
    """Return the domain of a live-warm service."""
    return f"{_LIVE}-{recipe}.{base}"


def realm_name(recipe: str, run_id: str, suffix: str = "") -> str:
    """Return the name of a run's realm, e.g. `radicale-1a2b3c` or `radicale-1a2b3c-other`."""
    return f"{recipe}-{run_id}-{suffix}" if suffix else f"{recipe}-{run_id}"


def realm_run(name: str) -> str | None:
    """Return the id of the run that a realm of that name may belong to, None for a foreign one."""
    match = _REALM.fullmatch(name)
    return match["run"] if match else None


def stack_name(domain: str) -> str:
    """Return the Swarm stack name that abra derives from a domain: dots become underscores."""
    return domain.replace(".", "_")


def stack_domain(stack: str) -> str:
    """Return the domain that a stack's name was derived from: no domain has an underscore."""
    return stack.replace("_", ".")
