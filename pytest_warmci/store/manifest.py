"""What a snapshot says about a tree: one entry per file, folder and link, and their digest.

Names are bytes to the kernel. Here they are text with `surrogateescape`, which loses nothing,
whatever the locale says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from pytest_warmci.clients import files
from pytest_warmci.clients.machine import utc_now
from pytest_warmci.errors import SnapshotDamaged
from pytest_warmci.model import FORMAT

Kind = Literal["file", "folder", "symlink"]

REMEDY: Final = "run `warmci seed` for the recipe: it makes a new known-good"

_FILE: Final = "manifest.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of a snapshot; `path` is relative to its root and empty for the root itself.

    `mode` holds the permission bits with setuid, setgid and sticky. `size` and `sha256` are of
    files, `target` of symbolic links. `link` is root and path of the first name of the same file
    (hard links), None for that first name and for files with one name. `object` is the number of
    the file that holds the data, the only field that is not part of the digest.
    """

    root: str
    path: str
    kind: Kind
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    xattrs: Mapping[str, str]
    size: int = 0
    sha256: str = ""
    target: str = ""
    link: tuple[str, str] | None = None
    object: int | None = None

    @property
    def where(self) -> str:
        """Root and path for a message, printable whatever bytes are in the name."""
        text = f"{self.root}/{self.path}" if self.path else self.root
        return text.encode("utf-8", "backslashreplace").decode()

    def facts(self) -> dict[str, Any]:
        """Return all that a restore must bring back."""
        found: dict[str, Any] = {
            "root": self.root,
            "path": self.path,
            "type": self.kind,
            "mode": f"{self.mode:04o}",
            "uid": self.uid,
            "gid": self.gid,
            "mtime_ns": self.mtime_ns,
        }
        if self.xattrs:
            found["xattrs"] = dict(self.xattrs)
        if self.kind == "file":
            found |= {"size": self.size, "sha256": self.sha256}
        if self.kind == "symlink":
            found["target"] = self.target
        if self.link is not None:
            found["link"] = list(self.link)
        return found


@dataclass(frozen=True, slots=True)
class Measured:
    """What a tree comes to.

    `size_bytes` counts each file once, whatever its number of names; `files` is their number;
    `sockets` were left out.
    """

    digest: str
    size_bytes: int
    files: int
    sockets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of a `manifest.json`.

    `roots` are all that were asked for, by name: `file`, `folder`, or `absent` when there was
    nothing.
    """

    roots: Mapping[str, str]
    entries: tuple[Entry, ...]
    measured: Measured
    created: str


def text_of(name: bytes) -> str:
    """Return a file name as text, losslessly."""
    return name.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """Return the file name that `text_of` made into text."""
    return text.encode("utf-8", "surrogateescape")


def measure_entries(entries: Iterable[Entry], sockets: Iterable[str] = ()) -> Measured:
    """Return digest and totals of entries, which are in the order of the scan."""
    digest = hashlib.sha256(b"pytest-warmci tree 1\n")
    size = files = 0
    for entry in entries:
        digest.update(_canonical(entry.facts()))
        if entry.kind == "file" and entry.link is None:
            size += entry.size
            files += 1
    return Measured(f"sha256:{digest.hexdigest()}", size, files, tuple(sockets))


def known_link(entry: Entry, hashes: Mapping[tuple[str, str], str]) -> Entry | None:
    """Return a further name of a file whose content is known, completed; None for all others."""
    return replace(entry, sha256=hashes[entry.link]) if entry.link is not None else None


def write_manifest(
    folder: Path, roots: Mapping[str, str], entries: Iterable[Entry], measured: Measured
) -> None:
    """Write `manifest.json`, one line per entry, into a generation's folder.

    Raises:
        DiskTooSmall: There is no room for it.
    """
    rows = [
        entry.facts() | ({} if entry.object is None else {"object": entry.object})
        for entry in entries
    ]
    head: dict[str, Any] = {
        "format": FORMAT,
        "created": utc_now(),
        "roots": dict(roots),
        "digest": measured.digest,
        "size_bytes": measured.size_bytes,
        "files": measured.files,
        "sockets_left_out": list(measured.sockets),
    }
    head["seal"] = _seal(head, rows)
    lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
    text = json.dumps(head, indent=1).removesuffix("\n}") + f',\n "entries": [\n{lines}\n ]\n}}\n'
    files.write_text(folder / _FILE, text, 0o400)


def read_manifest(folder: Path) -> Manifest:
    """Read a generation's manifest and check it against itself.

    Raises:
        SnapshotDamaged: It is missing, cannot be read, or is not as it was written.
        StateDamaged: A newer version of pytest-warmci wrote it.
    """
    path = folder / _FILE
    try:
        record = files.read_record(
            path, "snapshot's manifest", remedy=REMEDY, damaged=SnapshotDamaged
        )
    except FileNotFoundError:
        raise SnapshotDamaged(
            "the snapshot is missing", where=str(folder), remedy=REMEDY
        ) from None
    try:
        return _manifest(record)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SnapshotDamaged(
            "the snapshot's manifest is damaged",
            where=str(path),
            why=f"{type(error).__name__}: {error}",
            remedy=REMEDY,
        ) from error


def _manifest(record: dict[str, Any]) -> Manifest:
    rows = record.pop("entries")
    if record.pop("seal") != _seal(record, rows):
        raise ValueError("it is not what was written (seal)")
    entries = tuple(_entry(row) for row in rows)
    measured = measure_entries(entries, record["sockets_left_out"])
    if measured.digest != record["digest"]:
        raise ValueError("its digest is not that of its entries")
    return Manifest(dict(record["roots"]), entries, measured, record["created"])


def _entry(row: Mapping[str, Any]) -> Entry:
    link = row.get("link")
    parts = str(row["path"]).split("/")
    # The seal says that we wrote it; a path that leads out of its root is refused all the same.
    if ".." in parts or (row["path"] and "" in parts):
        raise ValueError(f"path {row['path']!r}")
    return Entry(
        root=row["root"],
        path=row["path"],
        kind=row["type"],
        mode=int(row["mode"], 8),
        uid=row["uid"],
        gid=row["gid"],
        mtime_ns=row["mtime_ns"],
        xattrs=row.get("xattrs", {}),
        size=row.get("size", 0),
        sha256=row.get("sha256", ""),
        target=row.get("target", ""),
        link=None if link is None else (link[0], link[1]),
        object=row.get("object"),
    )


def _seal(head: Mapping[str, Any], rows: Iterable[object]) -> str:
    seal = hashlib.sha256(_canonical(head))
    for row in rows:
        seal.update(_canonical(row))
    return seal.hexdigest()


def _canonical(value: object) -> bytes:
    # ASCII only: the escapes of undecodable bytes are as distinct as the bytes were.
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"
