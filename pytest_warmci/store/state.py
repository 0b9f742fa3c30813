"""The one state directory: who may use it, where in it each thing lives."""

from __future__ import annotations

import os
import pwd
import shlex
import stat
import uuid as uuids
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pytest_warmci.clients import files, locks
from pytest_warmci.clients.disk import existing_ancestor
from pytest_warmci.clients.machine import utc_now
from pytest_warmci.errors import InputError, StateDamaged, UsageError
from pytest_warmci.model import DEFAULT_ENGINE, FORMAT
from pytest_warmci.store import mounts

_README: Final = """\
The state of pytest-warmci: everything it remembers between two runs, of one user on one machine.

canonicals/<engine>/<recipe>.yml  the known-good of a recipe: version, commit and the snapshot
                                  that a green cold run proved; the only pointer to it
apps/<engine>/<domain>/           one app: its volumes, env and secrets, its snapshots under
                                  snapshot/<generation>/, and journal.json while a run changes it
locks/                            <name>.lock is the lock, <name>.json says who holds it
runs/<run id>/                    result.json, logs and what else one run left; its lease
sessions/<id>.json                one pytest session: its runs, their verdicts, its exit status
live/<app>/                       a shared service that is kept running: what it was started as,
                                  and key pairs for the realms that it makes; on another engine
                                  than process: live/<app>.<engine>/
alerts/                           open troubles, one file each; settled ones are in alerts/seen/
cache/                            downloads and prepared installs

Every file can be read with a pager and says its format version. Files are replaced as a whole,
never edited in place. Names with .garbage- or .tmp- in front are leftovers of an interrupted run
and go with the next one.

What you may do by hand, while no run is alive:
- delete cache/: the next run is slower.
- delete all of it, after "warmci live stop": every known-good is lost, the next cold runs make
  new ones.
Leave locks/ alone, never delete a journal.json (the next run finishes what it records), and
do not copy single parts elsewhere. Only its owner can use this directory (mode 0700).
"""

_FOLDERS: Final = (
    "canonicals",
    "apps",
    "locks",
    "runs",
    "sessions",
    "live",
    "alerts",
    "alerts/seen",
    "cache",
)


@dataclass(frozen=True, slots=True)
class StateDirectory:
    """An opened state directory. All its path methods only name places and create nothing.

    A name that could lead out of its folder raises `InputError`.
    """

    root: Path
    uuid: str

    @property
    def runs(self) -> Path:
        """The folder of all runs."""
        return self.root / "runs"

    @property
    def sessions(self) -> Path:
        """The folder of all session records."""
        return self.root / "sessions"

    @property
    def alerts(self) -> Path:
        """The folder of open alerts."""
        return self.root / "alerts"

    @property
    def cache(self) -> Path:
        """The folder of what can be made again."""
        return self.root / "cache"

    @property
    def locks(self) -> Path:
        """The folder of all locks."""
        return self.root / "locks"

    def canonicals(self, engine: str) -> Path:
        """The folder of an engine's registry entries."""
        return self.root / "canonicals" / _name(engine)

    def apps(self, engine: str) -> Path:
        """The folder of an engine's apps."""
        return self.root / "apps" / _name(engine)

    def app(self, engine: str, domain: str) -> Path:
        """The folder of one app."""
        return self.apps(engine) / _name(domain)

    def live(self, app: str, engine: str = DEFAULT_ENGINE) -> Path:
        """The folder of the record of a live-warm service, of which each engine has its own."""
        return self.root / "live" / _name(app if engine == DEFAULT_ENGINE else f"{app}.{engine}")

    def lock(self, name: str) -> Path:
        """The lock file of that name."""
        return self.locks / f"{_name(name)}.lock"

    def run(self, run_id: str) -> Path:
        """The folder of one run."""
        return self.runs / _name(run_id)

    def session(self, session_id: str) -> Path:
        """The record of one session."""
        return self.sessions / f"{_name(session_id)}.json"

    def warnings(self) -> list[str]:
        """Return what the user should know about this place, one sentence each."""
        kind = mounts.filesystem_type(self.root)
        if not mounts.is_volatile(kind):
            return []
        text = (
            f"{self.root} is on {kind}: known-good does not survive a restart of the machine or "
            "container; choose another place with --warmci-state"
        )
        return [text]


def default_root() -> Path:
    """Return where the state directory is unless somebody says otherwise."""
    import platformdirs

    return platformdirs.user_state_path("warmci")


def open_state(root: Path) -> StateDirectory:
    """Open the state directory at `root`, creating what is missing of it.

    Raises:
        UsageError: It belongs to somebody else, others can read it, it is on a network file
            system, or it is not a state directory.
        StateDamaged: Its record cannot be read, or a newer version wrote it.
        DiskTooSmall: There is no room for it.
    """
    root = root.resolve()
    _refuse_network(root)
    if root.exists():
        _check_access(root)
        _refuse_foreign(root)
    else:
        files.make_folder(root)
    for folder in _FOLDERS:
        files.make_folder(root / folder)
    record = {"format": FORMAT, "uuid": str(uuids.uuid4()), "created": utc_now()}
    if not (root / "README").exists():
        files.write_text(root / "README", _README)
    if not (root / "state.json").exists():
        # Of two sessions that start at once one creates it; both read what is there then.
        files.create_json(root / "state.json", record)
    locks.check(root / "state.json")
    return _read(root)


def peek_state(root: Path) -> StateDirectory | None:
    """Open the state directory at `root` only if there is one; creates nothing.

    Raises:
        UsageError: As `open_state`.
        StateDamaged: As `open_state`.
    """
    root = root.resolve()
    if not root.exists():
        return None
    _refuse_network(root)
    _check_access(root)
    try:
        return _read(root)
    except FileNotFoundError:
        return None


def _read(root: Path) -> StateDirectory:
    path = root / "state.json"
    record = files.read_record(path, "state directory's record")
    found = record.get("uuid")
    if not isinstance(found, str) or not found:
        raise StateDamaged(
            "the state directory's record has no uuid",
            where=str(path),
            remedy="put back the file from a backup, or start with a new state directory",
        )
    return StateDirectory(root, found)


def _check_access(root: Path) -> None:
    if not root.is_dir():
        raise UsageError(
            "the state directory is not a folder",
            where=str(root),
            remedy="choose another one: --warmci-state DIR",
        )
    found = root.stat()
    us = os.geteuid()
    if found.st_uid != us:
        owner = _user(found.st_uid)
        raise UsageError(
            f"the state directory belongs to {owner}, and you are {_user(us)}",
            where=str(root),
            why="volumes and secrets in it belong to one user",
            remedy=f"run it as that user (sudo -u {shlex.quote(owner)} ...), or use one of "
            "your own: --warmci-state DIR",
        )
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise UsageError(
            f"others may enter the state directory (mode {mode:04o})",
            where=str(root),
            why="it holds secrets",
            remedy=f"chmod 700 {shlex.quote(str(root))}",
        )


def _refuse_foreign(root: Path) -> None:
    if (root / "state.json").exists():
        return
    ours = {"README", *_FOLDERS}
    foreign = sorted(
        found.name
        for found in root.iterdir()
        if found.name not in ours and not found.name.startswith(".tmp-")
    )
    if foreign:
        raise UsageError(
            "this is not a state directory, and it is not empty",
            where=str(root),
            why=f"it holds {', '.join(foreign[:3])}",
            remedy="choose an empty or new folder: --warmci-state DIR",
        )


def _refuse_network(root: Path) -> None:
    kind = mounts.filesystem_type(existing_ancestor(root))
    if mounts.is_network(kind):
        raise UsageError(
            f"the state directory would be on a network file system ({kind})",
            where=str(root),
            why="locks there do not keep other machines out",
            remedy="choose a local disk: --warmci-state DIR",
        )


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"


def _name(text: str) -> str:
    if not text or text.startswith(".") or any(bad in text for bad in "/\\\0\n"):
        raise InputError(
            f"{text!r} cannot name a place in the state directory",
            remedy="use letters, digits, dots and dashes",
        )
    return text
