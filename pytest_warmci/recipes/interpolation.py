"""Variables in a compose file, as `docker stack deploy` replaces them. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from pytest_warmci.clients.yamlfile import Plain
from pytest_warmci.errors import InputError

_VARIABLE: Final = re.compile(
    r"\$(?:(?P<escaped>\$)"
    r"|(?P<plain>[A-Za-z_][A-Za-z0-9_]*)"
    r"|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<rule>:?[-?])(?P<other>[^}]*))?\}"
    r"|(?P<invalid>))"
)


def interpolate(
    text: str,
    env: Mapping[str, str],
    where: str,
    unset: Callable[[str], None] = lambda _name: None,
) -> str:
    """Return `text` with `$NAME`, `${NAME}` and `${NAME:-default}` replaced from `env`.

    Args:
        text: The text; `$$` stands for one `$`.
        env: The variables.
        where: The place of the text, for errors.
        unset: Told each name that is not in `env` and has no default: it becomes empty.

    Raises:
        InputError: A lone `$`, or `${NAME:?why}` without a value.
    """

    def value(found: re.Match[str]) -> str:
        if found["escaped"]:
            return "$"
        if found["invalid"] is not None:
            raise InputError(
                f"a '$' that starts no variable in {_short(text)}",
                where=where,
                remedy="write $$ for a dollar sign, ${NAME} or ${NAME:-default} for a variable",
            )
        name = found["plain"] or found["braced"]
        rule = found["rule"] or ""
        known = env.get(name)
        # with the colon an empty value counts as none
        if known is not None and (known or not rule.startswith(":")):
            return known
        if rule.endswith("-"):
            return str(found["other"])
        if rule.endswith("?"):
            raise InputError(
                f"the variable {name} has no value",
                where=where,
                why=found["other"],
                remedy=f"set {name} in .env.sample",
            )
        if known is None:
            unset(name)
        return ""

    return _VARIABLE.sub(value, text)


def variables(text: str, *, without_default: bool = False) -> Iterator[str]:
    """Yield the names of the variables in `text`, in order; only those without a default if so."""
    for found in _VARIABLE.finditer(text):
        name = found["plain"] or found["braced"]
        if name and not (without_default and found["rule"]):
            yield name


def interpolate_tree(
    value: Plain,
    env: Mapping[str, str],
    at: Callable[..., str],
    unset: Callable[[str], None],
    path: tuple[str | int, ...] = (),
) -> Plain:
    """Return plain data with every text in it interpolated; keys stay, as with Docker.

    `at` gives the place of a path, for errors.
    """
    if isinstance(value, str):
        return interpolate(value, env, at(*path), unset)
    if isinstance(value, dict):
        return {k: interpolate_tree(v, env, at, unset, (*path, k)) for k, v in value.items()}
    if isinstance(value, list):
        return [interpolate_tree(v, env, at, unset, (*path, i)) for i, v in enumerate(value)]
    return value


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
