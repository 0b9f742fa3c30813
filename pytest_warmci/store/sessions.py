"""The record of one pytest session: what it ran, and what it should have run but did not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from pytest_warmci.clients import files
from pytest_warmci.errors import StateDamaged
from pytest_warmci.model import FORMAT, Verdict

_SECRET_OPTION: Final = re.compile(r"(?i)pass|secret|token|credential|api-?key|auth")
_USERINFO: Final = re.compile(r"(?<=://)[^/@\s]+@")
_MASK: Final = "***"


@dataclass(frozen=True, slots=True)
class Session:
    """One pytest session.

    Times are ISO 8601 in UTC; `finished` and `exit_status` are None while it runs, and for good
    when it was killed. `verdicts` is by run id. `without_result` names the recipes that were
    expected and left no result: not evaluated.
    """

    id: str
    started: str
    argv: tuple[str, ...]
    finished: str | None = None
    runs: tuple[str, ...] = ()
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    exit_status: int | None = None
    without_result: tuple[str, ...] = ()


def write_session(path: Path, session: Session) -> None:
    """Write a session's record; its `argv` is masked.

    Raises:
        DiskTooSmall: There is no room for it.
    """
    record = asdict(session) | {"argv": mask_argv(session.argv)}
    files.write_json(path, {"format": FORMAT, **record})


def read_session(path: Path) -> Session:
    """Read a session's record.

    Raises:
        FileNotFoundError: There is none.
        StateDamaged: It cannot be read.
    """
    record = files.read_record(path, "session record", remedy="remove the file")
    known = {one.name for one in fields(Session)}
    values: dict[str, Any] = {key: value for key, value in record.items() if key in known}
    try:
        return Session(
            **values | {name: tuple(values[name]) for name in ("argv", "runs", "without_result")}
        )
    except (KeyError, TypeError) as error:
        raise StateDamaged(
            "the session record is damaged",
            where=str(path),
            why=str(error),
            remedy="remove the file",
        ) from error


def mask_argv(argv: Sequence[str]) -> list[str]:
    """Return a command line without what may be a secret in it.

    Masked are values of options whose name sounds like a secret, and user names and passwords in
    URLs. More is masked than needed: `--author=x` too.
    """
    masked: list[str] = []
    hide_next = False
    for word in argv:
        name, equals, _ = word.partition("=")
        secret = name.startswith("-") and _SECRET_OPTION.search(name) is not None
        if hide_next and not word.startswith("-"):
            masked.append(_MASK)
        elif secret and equals:
            masked.append(f"{name}={_MASK}")
        else:
            masked.append(_USERINFO.sub(f"{_MASK}@", word))
        hide_next = secret and not equals
    return masked
