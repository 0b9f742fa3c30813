"""What makes a session do less than whole recipes."""

from __future__ import annotations

import pytest

_FLAGS = {
    "lf": "--lf",
    "failedfirst": "--ff",
    "newfirst": "--nf",
    "stepwise": "--sw",
    "stepwise_skip": "--sw-skip",
    "deselect": "--deselect",
    "ignore": "--ignore",
    "ignore_glob": "--ignore-glob",
    "setuponly": "--setup-only",
    "setupplan": "--setup-plan",
}


def narrowed(config: pytest.Config, *, whole: bool) -> list[str]:
    """Return what narrowed the session, one reason each.

    Args:
        config: The session's configuration.
        whole: The recipe's folder or one above was an argument.
    """
    option = config.option
    reasons = [flag for name, flag in _FLAGS.items() if getattr(option, name, None)]
    if getattr(option, "keyword", ""):
        reasons.append(f"-k {option.keyword!r}")
    if getattr(option, "markexpr", "") not in ("", "cold"):
        reasons.append(f"-m {option.markexpr!r}")
    if not whole:
        reasons.append("the recipe's folder was not an argument")
    return reasons
