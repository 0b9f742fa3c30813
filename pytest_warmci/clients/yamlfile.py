"""Strict YAML with line numbers, for files that people write.

Only plain data is read: no tags, no duplicate keys, no anchors unless asked for (a compose file
may have them, counted), and fewer implicit types than YAML 1.1 has: `yes` and dates stay text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

import pydantic
import yaml
from pydantic.json_schema import GenerateJsonSchema

from pytest_warmci.clients import problems
from pytest_warmci.errors import InputError
from pytest_warmci.model import FORMAT

MAX_BYTES: Final = 256 * 1024
"""Largest file that is read; what people write by hand is far smaller."""

_MAX_NODES: Final = 50_000
_MAX_DEPTH: Final = 40
_TAG: Final = "tag:yaml.org,2002:"

Plain: TypeAlias = Any
"""What YAML may hold: text, numbers, true, false, nothing, lists and mappings of them. Whoever uses
one looks at its type first."""

Model = TypeVar("Model", bound=pydantic.BaseModel)


class Strict(pydantic.BaseModel):
    """Base of the models that `load` fills: no unknown keys, no guessing of types."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)


@dataclass(frozen=True, slots=True)
class Document:
    """A mapping as read: `lines` maps the dotted path of every key and item to its line."""

    data: dict[str, Plain]
    lines: Mapping[str, int]
    where: str

    def has(self, *path: str | int) -> bool:
        """Tell whether the file itself says something at `path`."""
        return ".".join(map(str, path)) in self.lines

    def at(self, *path: str | int) -> str:
        """Return `<file>:<line>` of `path`, or of the closest thing above it."""
        for end in range(len(path), 0, -1):
            line = self.lines.get(".".join(map(str, path[:end])))
            if line is not None:
                return f"{self.where}:{line}"
        return f"{self.where}:1"


def _loader() -> type[Any]:
    # libyaml's parser is many times faster, but not every build of PyYAML has it
    base: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    made: type[Any] = type("_Loader", (base,), {"yaml_implicit_resolvers": {}})
    for kind, pattern, first in (
        ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
        ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
        ("int", r"[-+]?(?:0o[0-7]+|0x[0-9a-fA-F]+|[0-9]+)", list("-+0123456789")),
        (
            "float",
            r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?",
            list("-+.0123456789"),
        ),
        ("merge", "<<", ["<"]),
    ):
        made.add_implicit_resolver(_TAG + kind, re.compile(f"(?:{pattern})$"), first)
    return made


_LOADER: Final = _loader()


def load(path: Path, model: type[Model]) -> Model:
    """Read a file into `model` (a `Strict` one, with a key `format`).

    Raises:
        InputError: For the first problem in the file, with its line; `why` names the others.
    """
    document = load_mapping(path)
    written = document.data.get("format")
    if isinstance(written, int) and not isinstance(written, bool) and written > FORMAT:
        raise InputError(
            "written for a newer version of pytest-warmci",
            where=document.at("format"),
            why=f"its format is {written}, this version reads {FORMAT}",
            remedy="upgrade pytest-warmci",
        )
    try:
        # through JSON, because strict Python validation refuses a list where a tuple is meant
        return model.model_validate_json(json.dumps(document.data))
    except pydantic.ValidationError as error:
        raise problems.explain(error, model, document.at) from None


class _Untitled(GenerateJsonSchema):
    """Leaves out the titles that pydantic makes of names: an editor shows the names anyway."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - pydantic's
        return False


def json_schema(model: type[pydantic.BaseModel], title: str) -> dict[str, Any]:
    """Return the JSON schema of a file that `load` reads into `model`, for editors.

    What a validator in Python checks is not in it: a file that fits may still be refused.
    """
    made = model.model_json_schema(schema_generator=_Untitled)
    definitions: dict[str, dict[str, Any]] = made.pop("$defs", {})
    for each in (made, *definitions.values()):
        each.pop("title", None)
    made.pop("description", None)
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "title": title, **made, "$defs": definitions}


def load_mapping(
    source: Path | str | bytes, where: str = "", *, anchors: bool = False
) -> Document:
    """Read a mapping from a file (a `Path`) or from its content.

    Args:
        source: The file, or the text of one.
        where: What errors call it; defaults to the path.
        anchors: Allow anchors, aliases and merge keys, up to a number of nodes.

    Raises:
        InputError: It cannot be read, is not plain YAML, too large, or not a mapping.
    """
    where = where or (str(source) if isinstance(source, Path) else "text")
    text = _text(source, where)
    try:
        _examine(text, where, anchors=anchors)
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        raise _not_yaml(error, text, where) from None
    if not isinstance(root, yaml.MappingNode):
        what = "is empty" if root is None else "is not a mapping of keys to values"
        raise InputError(what, where=f"{where}:1", remedy="start it with 'key: value' lines")
    builder = _Builder(where)
    return Document(builder.mapping(root, (), 0), builder.lines, where)


def _text(source: Path | str | bytes, where: str) -> str:
    if isinstance(source, str):
        content = source.encode("utf-8", "surrogatepass")
    elif isinstance(source, bytes):
        content = source
    else:
        try:
            with source.open("rb") as stream:
                content = stream.read(MAX_BYTES + 1)
        except OSError as error:
            raise InputError(
                "cannot be read", where=where, why=error.strerror or str(error)
            ) from None
    if len(content) > MAX_BYTES:
        raise InputError(f"larger than {MAX_BYTES // 1024} KiB", where=where)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(
            "is not UTF-8 text", where=f"{where}:{line}", remedy="save it as UTF-8"
        ) from None


def _examine(text: str, where: str, *, anchors: bool) -> None:
    """Refuse what must not even be composed: deep nesting and, unless allowed, anchors."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                raise InputError(f"nested deeper than {_MAX_DEPTH}", where=f"{where}:{line}")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if not anchors and getattr(event, "anchor", None) is not None:
            raise InputError(
                "anchors and aliases are not allowed here",
                where=f"{where}:{line}",
                remedy="write the value out",
            )


def _not_yaml(error: yaml.YAMLError, text: str, where: str) -> InputError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        line = mark.line + 1
    else:
        line = text[: getattr(error, "position", 0)].count("\n") + 1
    why = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    return InputError("is not valid YAML", where=f"{where}:{line}", why=str(why))


class _Builder:
    """Turns composed nodes into plain data and notes the lines."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.lines: dict[str, int] = {}
        self.nodes = 0

    def fail(self, what: str, node: yaml.Node, remedy: str = "") -> InputError:
        line = node.start_mark.line + 1
        return InputError(what, where=f"{self.where}:{line}", remedy=remedy)

    def count(self, node: yaml.Node, depth: int) -> None:
        self.nodes += 1
        # aliases share nodes, so both limits are needed: width, and a node inside itself
        if self.nodes > _MAX_NODES or depth > _MAX_DEPTH:
            raise self.fail("aliases unfold into too much", node, "write the values out")

    def value(self, node: yaml.Node, path: tuple[str, ...], depth: int) -> Plain:
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path, depth)
        self.count(node, depth)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            items = []
            for index, item in enumerate(node.value):
                below = (*path, str(index))
                self.lines[".".join(below)] = item.start_mark.line + 1
                items.append(self.value(item, below, depth + 1))
            return items
        return self.scalar(node)

    def mapping(
        self, node: yaml.MappingNode, path: tuple[str, ...], depth: int
    ) -> dict[str, Plain]:
        self.count(node, depth)
        if node.tag != _TAG + "map":
            raise self.fail(f"the tag {node.tag!r} is not allowed", node)
        result: dict[str, Plain] = {}
        # bases first, the last one first: what is nearer overrides, and so do its lines
        for key_node, value_node in node.value:
            if key_node.tag == _TAG + "merge":
                for base in reversed(list(self.bases(value_node))):
                    result |= self.mapping(base, path, depth + 1)
        own: set[str] = set()
        for key_node, value_node in node.value:
            if key_node.tag == _TAG + "merge":
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                raise self.fail("a key must be plain text", key_node)
            key = key_node.value
            if key in own:
                raise self.fail(f"the key '{key}' is there twice", key_node, "remove one of them")
            own.add(key)
            below = (*path, key)
            self.lines[".".join(below)] = key_node.start_mark.line + 1
            result[key] = self.value(value_node, below, depth + 1)
        return result

    def bases(self, node: yaml.Node) -> Iterator[yaml.MappingNode]:
        for base in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if not isinstance(base, yaml.MappingNode):
                raise self.fail("'<<' needs a mapping", node)
            yield base

    def scalar(self, node: yaml.Node) -> Plain:
        text: str = node.value
        kind = node.tag.removeprefix(_TAG)
        try:
            match kind:
                case "str":
                    return text
                case "null":
                    return None
                case "bool":
                    return {"true": True, "false": False}[text.lower()]
                case "int":
                    return _integer(text)
                case "float":
                    return float(text)
                case "merge":
                    return text
        except (ValueError, KeyError):
            raise self.fail(f"{text!r} does not fit its tag", node) from None
        raise self.fail(f"the tag {node.tag!r} is not allowed", node)


def _integer(text: str) -> int:
    digits = text.lstrip("+-")
    sign = -1 if text.startswith("-") else 1
    if digits.startswith(("0o", "0x")):
        return sign * int(digits, 0)
    # 0444 is octal to Docker's YAML reader; 089 is not octal at all and stays decimal
    octal = len(digits) > 1 and digits.startswith("0") and set(digits) <= set("01234567")
    return sign * int(digits, 8 if octal else 10)
