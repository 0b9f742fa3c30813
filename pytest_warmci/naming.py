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
"""Base of all domains of the process engine, where a domain is a name only."""


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
    return f"{recipe[:4].rstrip('-')}-{run_id}.{base}"


def canonical_domain(recipe: str, base: str = BASE_DOMAIN) -> str:
    """Return the stable domain of a recipe's canonical."""
    return f"warm-{recipe}.{base}"


def canonical_recipe(domain: str, base: str = BASE_DOMAIN) -> str | None:
    """Return the recipe whose canonical has that domain, None when it is no canonical's."""
    recipe = domain.removeprefix("warm-").removesuffix(f".{base}")
    return recipe if domain == canonical_domain(recipe, base) else None


def live_domain(recipe: str, base: str = BASE_DOMAIN) -> str:
    """Return the domain of a live-warm service."""
    return f"live-{recipe}.{base}"


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
