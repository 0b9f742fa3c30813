"""Writing that a crash cannot tear, and deleting that never leaves half a thing at its place.

A file is written beside its place, made durable, then renamed; a folder is renamed to a garbage
name before it is deleted. Whoever looks, at any instant, sees all of it or none.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from pytest_warmci.clients import interrupts
from pytest_warmci.clients.disk import disk_trouble_named
from pytest_warmci.clients.machine import process_start
from pytest_warmci.errors import StateDamaged
from pytest_warmci.model import FORMAT

GARBAGE: Final = ".garbage-"
"""How the name of a thing begins that is only waiting to be deleted."""

_TEMP: Final = ".tmp-"


def write_bytes(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Put `data` at `path`, durably and all at once; `mode` holds whatever the umask is.

    Raises:
        DiskTooSmall: The disk or the quota is full; `path` is as it was.
        OSError: Anything else; `path` is as it was.
    """
    with disk_trouble_named(path):
        temp = _write_temp(path, data, mode)
        try:
            temp.replace(path)
        except BaseException:
            _forget(temp)
            raise
        sync_folder(path.parent)


def write_text(path: Path, text: str, mode: int = 0o600) -> None:
    """Put `text` as UTF-8 at `path`; see `write_bytes`."""
    write_bytes(path, text.encode(), mode)


def write_json(path: Path, obj: object) -> None:
    """Put `obj` as JSON that a person can read at `path`; see `write_bytes`."""
    write_bytes(path, _json(obj))


def write_yaml(path: Path, obj: object, header: str = "") -> None:
    """Put `obj` (plain dicts, lists and scalars) as YAML at `path`, below `header` as a comment.

    See `write_bytes`.
    """
    import yaml  # only who writes YAML pays for it

    comment = "".join(f"# {line}".rstrip() + "\n" for line in header.splitlines())
    text = yaml.safe_dump(obj, sort_keys=False, allow_unicode=True, width=95)
    write_bytes(path, (comment + text).encode())


def create_json(path: Path, obj: object) -> bool:
    """Put `obj` at `path` unless something is there: of several callers, exactly one succeeds.

    Returns:
        Whether it was us.

    Raises:
        DiskTooSmall: The disk or the quota is full; nothing was created.
    """
    with disk_trouble_named(path):
        temp = _write_temp(path, _json(obj), 0o600)
        try:
            os.link(temp, path)
        except FileExistsError:
            return False
        finally:
            _forget(temp)
        sync_folder(path.parent)
    return True


def read_record(
    path: Path,
    kind: str,
    *,
    remedy: str = "",
    damaged: type[StateDamaged] = StateDamaged,
) -> dict[str, Any]:
    """Read a record that this package wrote: YAML when the name ends in .yml, else JSON.

    Args:
        path: The file.
        kind: What it is, for an error: "registry entry".
        remedy: What to do when it cannot be read.
        damaged: The error to raise then.

    Raises:
        FileNotFoundError: There is no such file.
        StateDamaged: It cannot be read, or a newer version of pytest-warmci wrote it.
    """
    remedy = remedy or "put back the file from a backup, or see the README of the state directory"
    try:
        data = path.read_bytes()
        record = _parse(data, yaml=path.suffix in (".yml", ".yaml"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise damaged(
            f"the {kind} cannot be read", where=str(path), why=str(error), remedy=remedy
        ) from error
    found = record.get("format") if isinstance(record, dict) else None
    if not isinstance(record, dict) or type(found) is not int or found < 1:
        raise damaged(
            f"this is not a {kind}",
            where=str(path),
            why="it has no valid `format`",
            remedy=remedy,
        )
    if found > FORMAT:
        # Not `damaged`: nothing is wrong with the file, so nobody may "heal" it.
        raise StateDamaged(
            f"the {kind} was written by a newer version of pytest-warmci "
            f"(format {found}, this one knows {FORMAT})",
            where=str(path),
            remedy="upgrade pytest-warmci",
        )
    return record


def make_folder(path: Path, mode: int = 0o700) -> None:
    """Create a folder durably, with those above it that are missing; fine when it exists.

    Raises:
        DiskTooSmall: The disk or the quota is full.
        OSError: It cannot be created, or something else has its name.
    """
    if path.is_dir():
        return
    if path.parent != path:
        make_folder(path.parent, mode)
    with disk_trouble_named(path):
        try:
            path.mkdir(mode)
        except FileExistsError:
            if not path.is_dir():
                raise
            return
        path.chmod(mode)
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable.

    Raises:
        OSError: The disk refused.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rename(source: Path, target: Path) -> None:
    """Rename durably; replaces a file at `target`.

    Raises:
        DiskTooSmall: The disk or the quota is full; nothing was renamed.
        OSError: It cannot be renamed.
    """
    with disk_trouble_named(target):
        source.rename(target)
        # The new name first: after a power cut a thing may be there twice, but not nowhere.
        sync_folder(target.parent)
        if source.parent != target.parent:
            sync_folder(source.parent)


def garbage_name(path: Path) -> Path:
    """Return a fresh name beside `path` for something that is to be deleted."""
    return path.with_name(GARBAGE + _mark())


def remove_tree(path: Path) -> None:
    """Delete a file or folder; fine when there is none. At its place it goes all at once.

    Raises:
        OSError: It cannot be renamed (nothing changed) or not be deleted (the rest has a garbage
            name, see `sweep_garbage`).
    """
    garbage = garbage_name(path)
    with interrupts.shielded():  # half deleted, it would lie there until somebody sweeps
        try:
            rename(path, garbage)
        except FileNotFoundError:
            return
        _delete(garbage)


def sweep_garbage(folder: Path) -> None:
    """Delete what removals and writes of dead processes left in `folder`; fine without one.

    Raises:
        OSError: Something cannot be deleted.
    """
    with suppress(FileNotFoundError):
        for found in sorted(folder.iterdir()):
            if found.name.startswith((GARBAGE, _TEMP)) and not _is_ours_alive(found.name):
                with suppress(FileNotFoundError):  # another one sweeps too
                    _delete(found)


def _mark() -> str:
    """Return the end of a name that says which process made it."""
    pid = os.getpid()
    return f"{pid}-{process_start(pid)}-{secrets.token_hex(6)}"


def _is_ours_alive(name: str) -> bool:
    """Tell whether the process that made a name may still be at it."""
    parts = name.removeprefix(GARBAGE).removeprefix(_TEMP).split("-")
    if len(parts) != 3 or not (parts[0].isdigit() and parts[1].isdigit()):
        return False
    pid, started = int(parts[0]), int(parts[1])
    return pid != os.getpid() and started != 0 and process_start(pid) == started


def _write_temp(path: Path, data: bytes, mode: int) -> Path:
    temp = path.with_name(_TEMP + _mark())
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(temp, flags, mode)
    try:
        try:
            os.fchmod(descriptor, mode)
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        _forget(temp)
        raise
    return temp


def _forget(temp: Path) -> None:
    with suppress(OSError):
        temp.unlink()


def _json(obj: object) -> bytes:
    return (json.dumps(obj, indent=2, default=_plain) + "\n").encode()


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no place in a JSON file")


def _parse(data: bytes, *, yaml: bool) -> object:
    if not yaml:
        return json.loads(data.decode())
    import yaml as parser

    try:
        return parser.safe_load(data.decode())
    except parser.YAMLError as error:
        raise ValueError(str(error)) from error


def _delete(garbage: Path) -> None:
    if not stat.S_ISDIR(garbage.lstat().st_mode):
        garbage.unlink()
        return
    try:
        shutil.rmtree(garbage)
    except PermissionError:
        # A folder that we own but may not write (a data directory of mode 0500).
        garbage.chmod(0o700)
        for folder, names, _ in os.walk(garbage):
            for name in names:
                inside = Path(folder, name)
                if not inside.is_symlink():
                    inside.chmod(0o700)
        shutil.rmtree(garbage)
