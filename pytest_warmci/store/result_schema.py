"""The JSON schema of `result.json`, for those who read results with other tools."""

from __future__ import annotations

from typing import Any, Final

from pytest_warmci.model import FORMAT

_TEXT: Final = {"type": "string"}
_NAME: Final = {"type": "string", "minLength": 1}
_TIME: Final = {"type": "string", "format": "date-time"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_SECONDS: Final = {"type": "number", "minimum": 0}
_MODE: Final = {"enum": ["cold", "quick"]}
_FLAG: Final = {"type": "boolean"}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_DIGEST: Final = {"type": ["string", "null"], "pattern": "^sha256:[0-9a-f]{64}$"}


def _record(**properties: object) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


_COUNT_OR_NULL: Final = {"type": ["integer", "null"], "minimum": 0}
_VERSION: Final = _or_null(_record(version=_TEXT, commit=_NAME))

RESULT_SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "The result of one pytest-warmci run",
    **_record(
        format={"const": FORMAT},
        run_id=_NAME,
        session=_NAME,
        recipe=_NAME,
        engine=_NAME,
        mode=_MODE,
        requested_mode=_MODE,
        authority=_FLAG,
        complete=_FLAG,
        verdict={"enum": ["passed", "failed", "skipped", "not-evaluated"]},
        reason=_TEXT,
        source=_record(location=_TEXT, head_ref=_TEXT),
        started=_TIME,
        seconds=_SECONDS,
        base=_VERSION,
        head=_VERSION,
        proved_head={"type": ["string", "null"]},
        witness=_or_null(_record(before=_COUNT_OR_NULL, after=_COUNT_OR_NULL)),
        known_good=_record(before=_DIGEST, after=_DIGEST),
        promoted=_FLAG,
        promotion_reason=_TEXT,
        tests=_record(passed=_COUNT, failed=_COUNT, skipped=_COUNT, deselected=_COUNT),
        phases={
            "type": "array",
            "items": _record(name=_NAME, seconds=_SECONDS, outcome=_NAME),
        },
        held={"type": "array", "items": _record(domain=_NAME, since=_TIME, until=_TIME)},
        leftovers=_TEXTS,
        evidence=_TEXTS,
        kept=_or_null(_record(url=_NAME, domain=_NAME, until=_TIME)),
        incomplete_because=_TEXTS,
        notes=_TEXTS,
        canonical_domain={"type": ["string", "null"]},
        engine_options=_TEXTS,
        engine_reason=_TEXT,
    ),
    # Authority is asked for as cold, ran as cold, complete; and only authority promotes.
    "allOf": [
        {
            "if": {"properties": {"authority": {"const": True}}},
            "then": {
                "properties": {
                    "mode": {"const": "cold"},
                    "requested_mode": {"const": "cold"},
                    "complete": {"const": True},
                }
            },
        },
        {
            "if": {"properties": {"promoted": {"const": True}}},
            "then": {"properties": {"authority": {"const": True}, "verdict": {"const": "passed"}}},
        },
    ],
}
"""JSON Schema, draft 2020-12."""
