"""Compose files as data: reading them, one form for every value, merging several. No model yet."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from pytest_warmci.clients import yamlfile
from pytest_warmci.clients.yamlfile import Document, Plain
from pytest_warmci.errors import InputError

SECTIONS: Final = ("services", "volumes", "networks", "secrets", "configs")
"""The top-level keys that are deployed (and interpolated); the rest only describes the file."""

_VERSION_LABEL: Final = re.compile(r"coop-cloud\.\$(?:STACK_NAME|\{STACK_NAME\})\.version")
_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?(?:h|ms|us|µs|ns|m|s))+")
_REPLACED: Final = {("command",), ("entrypoint",), ("healthcheck", "test")}
_KEYED: Final = {"secrets": "source", "configs": "source", "volumes": "target"}

Path = tuple[str | int, ...]


def read_files(
    files: Callable[[str], bytes | None], names: Sequence[str], prefix: str
) -> list[Document]:
    """Read compose files of a recipe; `prefix` is what errors put before their names.

    Raises:
        InputError: One is missing or not valid YAML.
    """
    documents = []
    for name in names:
        content = files(name)
        if content is None:
            raise InputError(
                f"there is no {name}",
                where=f"{prefix}:{name}",
                why="it is named by COMPOSE_FILE" if name != "compose.yml" else "",
                remedy="add it to the recipe, or correct COMPOSE_FILE in .env.sample",
            )
        document = yamlfile.load_mapping(content, f"{prefix}:{name}", anchors=True)
        for section in SECTIONS:
            entries = mapping(document, document.data.get(section), (section,))
            for key in entries if section == "services" else ():
                mapping(document, entries[key], (section, key))
        documents.append(document)
    return documents


def version_label(content: bytes) -> str:
    """Return what a `compose.yml` says its version is, "" where it says nothing.

    Raises:
        InputError: The file is not valid YAML, or its labels are no labels.
    """
    document = yamlfile.load_mapping(content, "compose.yml", anchors=True)
    services = mapping(document, document.data.get("services"), ("services",))
    app = mapping(document, services.get("app"), ("services", "app"))
    deploy = mapping(document, app.get("deploy"), ("services", "app", "deploy"))
    for holder, path in ((deploy, ("services", "app", "deploy")), (app, ("services", "app"))):
        labels = pairs(document, holder.get("labels"), (*path, "labels"))
        for name, value in labels.items():
            if _VERSION_LABEL.fullmatch(name):
                return value or ""
    return ""


def wrong(document: Document, path: Path, what: str, remedy: str = "") -> InputError:
    """Return an error about the value at `path`."""
    dotted = ".".join(map(str, path))
    return InputError(f"{dotted}: {what}", where=document.at(*path), remedy=remedy)


def mapping(document: Document, value: Plain, path: Path) -> dict[str, Plain]:
    """Return `value`, which must be a mapping or nothing."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong(document, path, "is not a mapping")
    return value


def sequence(document: Document, value: Plain, path: Path) -> list[Plain]:
    """Return `value`, which must be a list or nothing."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise wrong(document, path, "is not a list")
    return value


def text(document: Document, value: Plain, path: Path) -> str:
    """Return `value` as text; true and false are refused, as Docker does."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise wrong(document, path, f"{value!r} is not text or a number", "put it into quotes")
    return str(value)


def pairs(document: Document, value: Plain, path: Path) -> dict[str, str | None]:
    """Return labels or an environment as a mapping, whichever of the two forms they have."""
    if isinstance(value, list):
        result: dict[str, str | None] = {}
        for index, item in enumerate(value):
            name, equals, rest = text(document, item, (*path, index)).partition("=")
            result[name] = rest if equals else None
        return result
    return {
        name: None if item is None else text(document, item, (*path, name))
        for name, item in mapping(document, value, path).items()
    }


def words(document: Document, value: Plain, path: Path) -> list[str]:
    """Return a command as a list; a text is split as a shell would."""
    if isinstance(value, list):
        return [text(document, item, (*path, index)) for index, item in enumerate(value)]
    try:
        return shlex.split(text(document, value, path))
    except ValueError as error:
        raise wrong(document, path, f"cannot be split into words ({error})") from None


def seconds(value: Plain, where: str) -> float:
    """Return a duration like `1m30s` in seconds.

    Raises:
        InputError: It is none (a bare number has no unit).
    """
    if value in (0, "0"):
        return 0.0
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise InputError(
            f"{value!r} is not a duration", where=where, remedy="write it like 90s or 1m30s"
        )
    found = re.findall(r"([0-9.]+)(h|ms|us|µs|ns|m|s)", value)
    return sum(float(number) * _UNITS[unit] for number, unit in found)


def normalise(document: Document, service: Mapping[str, Plain], path: Path) -> dict[str, Plain]:
    """Return one service of one file with every value in its long form; without empty ones."""
    result = {}
    for key, value in service.items():
        form = _FORMS.get(key)
        if form is None:
            result[key] = value
        elif value is not None:
            result[key] = form(document, value, (*path, key))
    return result


def _deploy(document: Document, value: Plain, path: Path) -> dict[str, Plain]:
    result = dict(mapping(document, value, path))
    if "labels" in result:
        result["labels"] = pairs(document, result["labels"], (*path, "labels"))
    return result


def _healthcheck(document: Document, value: Plain, path: Path) -> dict[str, Plain]:
    result = dict(mapping(document, value, path))
    test = result.get("test")
    if isinstance(test, str):
        result["test"] = ["CMD-SHELL", test]
    elif test is not None:
        result["test"] = words(
            document, sequence(document, test, (*path, "test")), (*path, "test")
        )
    return result


def _named(document: Document, value: Plain, path: Path) -> dict[str, Plain]:
    if isinstance(value, list):
        return {text(document, item, (*path, i)): None for i, item in enumerate(value)}
    return dict(mapping(document, value, path))


def _mounts(document: Document, value: Plain, path: Path) -> list[dict[str, Plain]]:
    items = enumerate(sequence(document, value, path))
    return [_mount(document, item, (*path, index)) for index, item in items]


def _volumes(document: Document, value: Plain, path: Path) -> list[dict[str, Plain]]:
    items = enumerate(sequence(document, value, path))
    return [_volume(document, item, (*path, index)) for index, item in items]


def _mount(document: Document, value: Plain, path: Path) -> dict[str, Plain]:
    if isinstance(value, dict):
        if not isinstance(value.get("source"), str):
            raise wrong(document, path, "has no 'source'")
        return dict(value)
    return {"source": text(document, value, path)}


def _volume(document: Document, value: Plain, path: Path) -> dict[str, Plain]:
    if isinstance(value, dict):
        if not isinstance(value.get("target"), str):
            raise wrong(document, path, "has no 'target'")
        if not isinstance(value.get("source", ""), str):
            raise wrong(document, (*path, "source"), "is not text")
        if "read_only" in value and not isinstance(value["read_only"], bool):
            raise wrong(document, (*path, "read_only"), "is not true or false")
        return {"type": "volume", **value}
    parts = text(document, value, path).split(":")
    if len(parts) == 1:
        return {"type": "volume", "target": parts[0]}
    if len(parts) > 3 or not parts[0] or not parts[1]:
        raise wrong(document, path, f"{value!r} is not source:target or source:target:ro")
    kind = "bind" if parts[0].startswith((".", "/", "~")) else "volume"
    result: dict[str, Plain] = {"type": kind, "source": parts[0], "target": parts[1]}
    for option in parts[2].split(",") if len(parts) == 3 else []:
        if option == "ro":
            result["read_only"] = True
        elif option == "nocopy":
            result["volume"] = {"nocopy": True}
        elif option != "rw":
            raise wrong(document, path, f"{option!r} is no option of a volume")
    return result


_FORMS: Final[Mapping[str, Callable[[Document, Plain, Path], Plain]]] = {
    "command": words,
    "configs": _mounts,
    "depends_on": _named,
    "deploy": _deploy,
    "entrypoint": words,
    "environment": pairs,
    "healthcheck": _healthcheck,
    "labels": pairs,
    "networks": _named,
    "secrets": _mounts,
    "volumes": _volumes,
}


def external_name(entry: Mapping[str, Plain]) -> Plain:
    """Return the name that a volume, secret, config or network has on the server, if given.

    Until format 3.4 it stood below `external`.
    """
    external = entry.get("external")
    return entry.get("name") or (external.get("name") if isinstance(external, dict) else None)


def merge(base: Plain, over: Plain, path: tuple[str, ...] = ()) -> Plain:
    """Return a normalised service of one file with a later file's over it.

    Mappings are merged. A command and a healthcheck's test are replaced as a whole. Secrets and
    configs are matched by source, volumes by target; other lists are put together.
    """
    if isinstance(base, dict) and isinstance(over, dict):
        result = dict(base)
        for key, value in over.items():
            result[key] = merge(base[key], value, (*path, key)) if key in base else value
        return result
    if isinstance(base, list) and isinstance(over, list) and path not in _REPLACED:
        key = _KEYED.get(path[0]) if len(path) == 1 else None
        kept = [item for item in base if item not in over]
        if key is not None:
            replaced = {item.get(key) for item in over}
            kept = [item for item in base if item.get(key) not in replaced]
        return kept + over
    return base if over is None else over
