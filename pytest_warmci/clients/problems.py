"""Words for what pydantic found wrong with a file that somebody wrote."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import pydantic
from pydantic_core import ErrorDetails

from pytest_warmci.errors import InputError

_KINDS: Final = {
    "int": "a whole number",
    "float": "a number",
    "string": "text",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "frozen_set": "a list",
    "dict": "a mapping",
    "model": "a mapping",
    "datetime": "a date and time",
    "timezone": "a date and time with its offset from UTC",
}


def explain(
    error: pydantic.ValidationError,
    model: type[pydantic.BaseModel],
    at: Callable[..., str],
) -> InputError:
    """Return one error for the problem that comes first in the file.

    Args:
        error: What pydantic raised.
        model: The model that was to be filled.
        at: Gives `<file>:<line>` of a path in the file.
    """
    found = []
    for detail in error.errors(include_url=False):
        where = at(*detail["loc"])
        line = int(where.rpartition(":")[2])
        found.append((line, where, *_words(detail, model)))
    # a key that is missing is often the one that is misspelt further down: name that one first
    found.sort(key=lambda each: (each[2].startswith("missing key"), each[0]))
    _, where, what, remedy = found[0]
    others = "\n".join(f"also line {line}: {what}" for line, _, what, _ in found[1:])
    return InputError(what, where=where, why=others, remedy=remedy)


def suggest(name: str, known: Sequence[str]) -> str:
    """Return a remedy for an unknown name: the closest known one, and all of them."""
    close = difflib.get_close_matches(name, known, n=1)
    listed = f"known keys: {', '.join(known)}"
    return f"did you mean '{close[0]}'? {listed}" if close else listed


def _words(detail: ErrorDetails, model: type[pydantic.BaseModel]) -> tuple[str, str]:
    loc = detail["loc"]
    kind = detail["type"]
    if kind == "extra_forbidden":
        return f"unknown key '{loc[-1]}'", suggest(str(loc[-1]), _known(model, loc[:-1]))
    if kind == "missing":
        above = ".".join(map(str, loc[:-1]))
        return f"missing key '{loc[-1]}'" + (f" in '{above}'" if above else ""), "add it"
    path = ".".join(map(str, loc))
    prefix = f"{path}: " if path else ""
    return prefix + _about_value(detail), ""


def _about_value(detail: ErrorDetails) -> str:
    kind = detail["type"]
    context = detail.get("ctx", {})
    value = _shown(detail["input"])
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"{value} is not {context['expected']}"
    if kind in {"too_short", "string_too_short"}:
        return "must not be empty"
    expected = next((words for name, words in _KINDS.items() if kind.startswith(f"{name}_")), "")
    if expected and kind != "string_pattern_mismatch":
        return f"{value} is not {expected}"
    message = detail["msg"].removeprefix("Input ").removeprefix("String ").removeprefix("should ")
    return f"{value} is refused: it should {message}"


def _shown(value: object) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _known(model: type[pydantic.BaseModel], path: Sequence[int | str]) -> list[str]:
    """Return the keys that the model at `path` knows."""
    models = [model]
    for step in path:
        for each in models:
            fields = {info.alias or name: info for name, info in each.model_fields.items()}
            if step in fields:
                models = list(_models(fields[str(step)].annotation))
                break
    return sorted({info.alias or name for m in models for name, info in m.model_fields.items()})


def _models(annotation: object) -> Iterator[type[pydantic.BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from _models(inner)
