"""Python distributions from a package index, by pip, which is run as a program.

pip has no interface for programs but its command line. It is the one beside the interpreter that
runs us, with the index, mirror and certificates that its user has configured.
"""

from __future__ import annotations

import importlib.util
import re
import secrets
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_warmci.clients import command
from pytest_warmci.errors import (
    CommandFailed,
    EngineUnavailable,
    FetchFailed,
    InputError,
    NotEvaluated,
)

_PIN = re.compile(r"([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*==\s*([\w.!+-]+)\s*(?:#.*)?", re.ASCII)
_TROUBLE = re.compile(r"^(?:ERROR|WARNING|The conflict is caused by)", re.MULTILINE)
"""Where pip stops to tell what it does and begins to tell what is wrong."""

_FETCH_SECONDS = 600.0
_INSTALL_SECONDS = 300.0


def read_pins(path: Path) -> dict[str, str]:
    """Read a file of exact pins, one `name==version` a line; names are normalised.

    Raises:
        InputError: A line says something else, or a name is there twice.
    """
    pins: dict[str, str] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        match = _PIN.fullmatch(text)
        if match is None:
            raise InputError(
                f"{text!r} is no exact pin",
                where=f"{path}:{number}",
                remedy="write name==version, without extras, ranges, markers or options",
            )
        name = _normal(match[1])
        if name in pins:
            raise InputError(
                f"{name} is pinned twice", where=f"{path}:{number}", remedy="remove one"
            )
        pins[name] = match[2]
    return pins


def fetch(requirement: str, pins: Mapping[str, str], folder: Path) -> None:
    """Fetch a distribution and all that it needs, as wheels for this interpreter, into `folder`.

    Args:
        requirement: `name==version`, with extras if wanted.
        pins: The version of everything else that is needed.
        folder: Where the wheels are to be; must not exist, is complete when it does.

    Raises:
        EngineUnavailable: pip is not installed.
        FetchFailed: No network, no such version, or no wheel of it for this machine.
        InputError: Something that is needed is not pinned, or the pins contradict each other.
    """
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    done = part / "done"
    done.mkdir(parents=True)
    try:
        constraints = part / "constraints.txt"
        lines = [f"{name}=={version}\n" for name, version in sorted(pins.items())]
        constraints.write_text("".join(lines), "utf-8")
        words = ["download", "--only-binary", ":all:", "--retries", "2", "--progress-bar", "off"]
        words += ["--constraint", str(constraints), "--dest", str(done), requirement]
        try:
            _pip(words, timeout=_FETCH_SECONDS, cwd=part)
        except CommandFailed as error:
            raise _explained(requirement, error) from None
        _check_pinned(requirement, pins, done)
        try:
            done.rename(folder)
        except OSError:
            if not folder.is_dir():  # somebody else may have been faster
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def install(wheels: Sequence[Path], folder: Path) -> None:
    """Install wheels into `folder` (empty), with their bytecode; uses no network.

    Raises:
        EngineUnavailable: pip is not installed.
        NotEvaluated: One of them cannot be installed.
    """
    # Isolated: what a user has configured for pip (an index, --user) is not for this step.
    words = ["install", "--isolated", "--no-index", "--no-deps", "--no-warn-script-location"]
    try:
        _pip(
            [*words, "--target", str(folder), *map(str, wheels)],
            timeout=_INSTALL_SECONDS,
            cwd=folder,
        )
    except CommandFailed as error:
        raise NotEvaluated(
            "the wheels cannot be installed",
            where=str(wheels[0].parent) if wheels else "",
            why=error.why or error.what,
            remedy="delete that folder to fetch them again",
        ) from None


def _pip(words: Sequence[str], *, timeout: float, cwd: Path) -> None:
    if importlib.util.find_spec("pip") is None:
        raise EngineUnavailable(
            "no pip",
            why="the package pip is not installed",
            remedy="pip install 'pytest-warmci[process]'",
        )
    verb, *rest = words
    calm = ("--no-input", "--disable-pip-version-check", "--no-color")
    command.run([sys.executable, "-m", "pip", verb, *calm, *rest], timeout=timeout, cwd=cwd)


def _explained(requirement: str, error: CommandFailed) -> FetchFailed | InputError:
    said = error.why or error.what
    begin = _TROUBLE.search(said)
    said = said[begin.start() :] if begin else said
    if "ResolutionImpossible" in said or "conflicting dependencies" in said:
        return InputError(
            "the pins contradict each other, or the distribution itself",
            where=requirement,
            why=said,
            remedy="correct the file that `constraints` in process.yml names",
        )
    # A network that is down ends with the same last line as a version that is not there.
    reached = "Retrying" not in said and "No matching distribution found" in said
    return FetchFailed(
        "no index has a wheel of this for this machine"
        if reached
        else "the artifact cannot be fetched",
        where=requirement,
        why=said,
        remedy=(
            "check the image tag, the name and the pins; only wheels are taken"
            if reached
            else "check the network; behind a proxy set HTTPS_PROXY, for an own index see"
            " `pip config`"
        ),
    )


def _check_pinned(requirement: str, pins: Mapping[str, str], folder: Path) -> None:
    own = _normal(re.split(r"[\[=]", requirement, maxsplit=1)[0])
    come = dict(_name_and_version(path) for path in sorted(folder.iterdir()))
    missing = [f"{name}=={version}" for name, version in come.items() if name not in {*pins, own}]
    if missing:
        raise InputError(
            f"not pinned: {', '.join(missing)}",
            where=requirement,
            why="it needs these, and they would be another version every week",
            remedy="add these lines to the file that `constraints` in process.yml names",
        )


def _name_and_version(wheel: Path) -> tuple[str, str]:
    name, version, *_ = wheel.name.split("-")
    return _normal(name), version


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
