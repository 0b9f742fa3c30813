"""The JSON schemas of the files that people write, for their editors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pytest_warmci.engines.process.config import process_schema
from pytest_warmci.recipes.enrolment import recipe_schema
from pytest_warmci.recipes.history import history_schema

SCHEMAS: Final[Mapping[str, Callable[[], dict[str, Any]]]] = {
    "recipe": recipe_schema,
    "process": process_schema,
    "history": history_schema,
}
"""By what a file is called without its `.yml`."""
