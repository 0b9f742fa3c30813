"""What separates two rendered stacks: their dotted keys, and which of them differ. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

from pytest_warmci.clients.yamlfile import Plain
from pytest_warmci.model import Stack

_INERT: Final = re.compile(
    r"(?:^|\.)labels\.coop-cloud\.[^.]+\.(?:app\.)?"
    r"(?:version|chaos|chaos-version|timeout|recipe)$"
)


def leaves(value: Plain, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield dotted path and text of everything that holds no further values."""
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from leaves(below, (*path, key))
    elif isinstance(value, list) and value:
        for index, below in enumerate(value):
            yield from leaves(below, (*path, str(index)))
    elif isinstance(value, str):
        yield ".".join(path), value
    else:
        yield ".".join(path), "" if value is None else json.dumps(value)


def is_inert(key: str) -> bool:
    """Tell whether a key says only which version this is or how long to wait, and runs nothing."""
    return _INERT.search(key) is not None


def differing_keys(base: Stack, head: Stack) -> list[str]:
    """Return the dotted keys in which two stacks differ, sorted; empty: nothing to upgrade.

    A service that only one of them has is one key, `services.<name>`. Labels that say nothing but
    the version are left out. Both must be rendered for the same domain, because its name is in
    labels and secrets.

    Raises:
        ValueError: They are not.
    """
    if base.domain != head.domain:
        raise ValueError(f"rendered for {base.domain} and for {head.domain}")
    found = _differing(base.keys, head.keys, "")
    for name in base.services.keys() | head.services.keys():
        if name in base.services and name in head.services:
            old, new = base.services[name].keys, head.services[name].keys
            found |= _differing(old, new, f"services.{name}.")
        else:
            found.add(f"services.{name}")
    return sorted(key for key in found if not is_inert(key))


def _differing(base: Mapping[str, str], head: Mapping[str, str], prefix: str) -> set[str]:
    keys = base.keys() | head.keys()
    return {prefix + key for key in keys if base.get(key) != head.get(key)}
