"""An app's environment: `.env.sample`, `abra.sh` (read, never run) and `.env` files.

As abra reads them: double-quoted and bare values see the variables above them in the same file,
single-quoted ones are literal, a later line overrides an earlier one. Our own environment is never
looked at.
"""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Final

from dotenv.parser import Binding, parse_stream

from pytest_warmci.errors import InputError
from pytest_warmci.naming import stack_name

SAMPLE: Final = ".env.sample"
ABRA_SH: Final = "abra.sh"

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REFERENCE: Final = re.compile(
    r"\\(?P<literal>\$)"
    r"|\$\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)(?::?-(?P<default>[^}]*))?\}"
    r"|\$(?P<plain>[A-Za-z_][A-Za-z0-9_]*)"
)
_BARE: Final = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")
_EXPORT: Final = re.compile(r"^[ \t]*export[ \t]+(.*)$", re.MULTILINE)
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*_VERSION)=([A-Za-z0-9._+-]*)")
_SECRET: Final = re.compile(r"SECRET_[A-Z0-9_]+_VERSION")
_LENGTH: Final = 32
_LONGEST: Final = 1024


def app_env(sample: str, domain: str, where: str = SAMPLE) -> dict[str, str]:
    """Return the environment that a new app gets from a recipe's `.env.sample`.

    Args:
        sample: The content of `.env.sample`.
        domain: The app's domain; replaces the sample's, also where other values name it.
        where: What errors call the file.

    Raises:
        InputError: A line is no assignment.
    """
    return _read(sample, where, {"DOMAIN": domain, "STACK_NAME": stack_name(domain)})


def parse_env(text: str, where: str = ".env") -> dict[str, str]:
    """Read a `.env` file.

    Raises:
        InputError: A line is no assignment.
    """
    return _read(text, where, {})


def secret_hints(sample: str, where: str = SAMPLE) -> dict[str, tuple[int, bool]]:
    """Return length and whether to generate, by `SECRET_..._VERSION` name, from the comments.

    Raises:
        InputError: A line is no assignment, or a length is not between 1 and 1024.
    """
    hints = {}
    for binding in _bindings(sample, where):
        if binding.key is None or not _SECRET.fullmatch(binding.key):
            continue
        comment = binding.original.string.partition("#")[2]
        length = re.search(r"\blength=([0-9]{1,6})\b", comment)
        generate = re.search(r"\bgenerate=(true|false)\b", comment)
        characters = int(length[1]) if length else _LENGTH
        if not 1 <= characters <= _LONGEST:
            raise InputError(
                f"{binding.key}: length={characters} is not between 1 and {_LONGEST}",
                where=f"{where}:{_line(binding)}",
            )
        hints[binding.key] = (characters, generate is None or generate[1] == "true")
    return hints


def abra_exports(text: str) -> dict[str, str]:
    """Return the `export NAME_VERSION=value` lines of an `abra.sh`; nothing of it is executed."""
    exports = {}
    for found in _EXPORT.finditer(text):
        try:
            words = shlex.split(found[1], comments=True)
        except ValueError:
            continue  # a quote that ends on another line: no version is written like that
        for word in words:
            assignment = _ASSIGNMENT.fullmatch(word)
            if assignment is not None:
                exports[assignment[1]] = assignment[2]
    return exports


def dump_env(env: Mapping[str, str]) -> str:
    """Return the text of a `.env` file that `parse_env` (and abra) reads back as `env`.

    Raises:
        InputError: A name is none, or a value cannot be in an environment (a zero byte).
    """
    lines = []
    for name, value in env.items():
        if not _NAME.fullmatch(name) or "\0" in value:
            raise InputError(f"{name!r} cannot be in an environment")
        lines.append(f"{name}={_quoted(value)}\n")
    return "".join(lines)


def _quoted(value: str) -> str:
    if _BARE.fullmatch(value):
        return value
    if not re.search(r"['\\\r\n]", value):
        return f"'{value}'"
    for plain, escaped in (
        ("\\", "\\\\"),
        ('"', '\\"'),
        ("$", "\\$"),
        ("\n", "\\n"),
        ("\r", "\\r"),
    ):
        value = value.replace(plain, escaped)
    return f'"{value}"'


def _line(binding: Binding) -> int:
    # a binding begins with the blank lines above it
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")


def _bindings(text: str, where: str) -> Iterator[Binding]:
    for binding in parse_stream(io.StringIO(text)):
        wrong = binding.error or (binding.key is not None and binding.value is None)
        if wrong or (binding.key is not None and not _NAME.fullmatch(binding.key)):
            raise InputError(
                "is not NAME=value",
                where=f"{where}:{_line(binding)}",
                why=binding.original.string.strip().partition("=")[0][:60],
                remedy="write NAME=value, or a comment that starts with #",
            )
        if binding.key is not None:
            yield binding


def _read(text: str, where: str, given: Mapping[str, str]) -> dict[str, str]:
    env: dict[str, str] = dict(given)
    for binding in _bindings(text, where):
        if binding.key is None or binding.value is None or binding.key in given:
            continue
        literal = binding.original.string.partition("=")[2].lstrip().startswith("'")
        env[binding.key] = binding.value if literal else _expand(binding.value, env)
    return env


def _expand(value: str, env: Mapping[str, str]) -> str:
    def known(found: re.Match[str]) -> str:
        if found["literal"]:
            return "$"
        return env.get(found["braced"] or found["plain"], "") or found["default"] or ""

    return _REFERENCE.sub(known, value)
