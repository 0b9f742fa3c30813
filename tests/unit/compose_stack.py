"""Rendering small compose files in tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from pytest_warmci.errors import InputError
from pytest_warmci.model import (
    Revision,
    Service,
    Stack,
)
from pytest_warmci.recipes.compose import render

REVISION = Revision("1a2b3c4d" + "0" * 32, "1.0.0+1", published=True)
DOMAIN = "warm-blog.warmci.localhost"
STACK = "warm-blog_warmci_localhost"
SMALL = "services:\n  app:\n    image: x:1\n"


def stack(
    compose: str | Mapping[str, Any] = SMALL,
    env: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    warnings: list[str] | None = None,
) -> Stack:
    """Render a recipe of this compose file and these others."""
    text = compose if isinstance(compose, str) else yaml.safe_dump(compose, sort_keys=False)
    contents = {"compose.yml": text, **(files or {})}
    return render(
        lambda path: contents[path].encode() if path in contents else None,
        recipe="blog",
        domain=DOMAIN,
        revision=REVISION,
        env={"DOMAIN": DOMAIN, **(env or {})},
        warn=(warnings if warnings is not None else []).append,
    )


def app(content: Mapping[str, Any], **top: Any) -> Service:
    """Render one service with these keys."""
    return stack({"services": {"app": {"image": "x:1", **content}}, **top}).services["app"]


def refusal(compose: str | Mapping[str, Any]) -> InputError:
    with pytest.raises(InputError) as caught:
        stack(compose)
    return caught.value
