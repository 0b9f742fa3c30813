"""Artifacts that are one archive, from a Maven repository."""

from __future__ import annotations

import hashlib
import lzma
import re
import shutil
import stat
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pytest_warmci.clients import maven
from pytest_warmci.errors import NotEvaluated
from pytest_warmci.model import FORMAT

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive by its `group:artifact:version:extension`.

    `member` is the archive inside it that is wanted (None: itself), `strip` how many leading parts
    of each path are dropped.
    """

    what: str
    member: str | None
    strip: int

    @property
    def name(self) -> str:
        """The name of what is fetched, as part of a path."""
        return re.sub(r"[^\w.+-]+", "_", self.what)

    @property
    def tree(self) -> str:
        """The name of what is unpacked: archives are taken out in several ways."""
        shape = hashlib.sha256(f"{FORMAT} {self.member} {self.strip}".encode()).hexdigest()[:8]
        return f"{self.name}-{shape}"

    def fetch(self, folder: Path, report: maven.Report) -> None:
        """Fetch it into `folder`, which is complete when it is there; see `maven.fetch`."""
        maven.fetch(self.what, folder, report)

    def unpack(self, files: list[Path], folder: Path) -> None:
        """Unpack it into `folder`.

        Raises:
            NotEvaluated: It is no such archive.
        """
        [file] = files
        try:
            self._unpack(file, folder)
        except (tarfile.TarError, zipfile.BadZipFile, KeyError, EOFError, lzma.LZMAError) as error:
            raise NotEvaluated(
                "the artifact cannot be unpacked",
                where=str(file),
                why=str(error),
                remedy="check `member` and `strip` in process.yml;"
                " delete the file to fetch it again",
            ) from None

    def _unpack(self, file: Path, folder: Path) -> None:
        if self.member is not None:
            with (
                zipfile.ZipFile(file) as outer,
                outer.open(self.member) as inner,
                tarfile.open(fileobj=inner, mode="r|*") as archive,
            ):
                _extract(archive, self.strip, folder)
        elif file.suffix in {".jar", ".zip"}:
            with zipfile.ZipFile(file) as outer:
                outer.extractall(folder)  # noqa: S202 - zipfile drops what leads out
        else:
            with tarfile.open(file) as archive:
                _extract(archive, self.strip, folder)


def _extract(archive: tarfile.TarFile, strip: int, folder: Path) -> None:
    # tarfile's own filters are only there from Python 3.11.4 on, so paths are checked here.
    for item in archive:
        parts = PurePosixPath(item.name).parts
        if any(part in ("..", "/") for part in parts):
            raise tarfile.TarError(f"path {item.name!r} leaves the archive")
        kept = [part for part in parts if part != "."][strip:]
        if not kept:
            continue
        target = folder.joinpath(*kept)
        if not target.parent.resolve().is_relative_to(folder.resolve()):
            raise tarfile.TarError(f"path {item.name!r} goes through a link")
        target.parent.mkdir(parents=True, exist_ok=True)
        if item.isdir():
            target.mkdir(exist_ok=True)
        elif item.issym():
            if not (target.parent / item.linkname).resolve().is_relative_to(folder.resolve()):
                raise tarfile.TarError(f"link {item.name!r} leaves the archive")
            target.symlink_to(item.linkname)
        elif item.islnk():
            source = folder.joinpath(*PurePosixPath(item.linkname).parts[strip:])
            if not source.resolve().is_relative_to(folder.resolve()):
                raise tarfile.TarError(f"hard link {item.name!r} leaves the archive")
            target.hardlink_to(source)
        elif item.isfile():
            data = archive.extractfile(item)
            if data is None:
                raise tarfile.TarError(f"{item.name!r} has no data")
            with target.open("wb") as out:
                shutil.copyfileobj(data, out, _CHUNK)
            target.chmod(stat.S_IMODE(item.mode) & 0o755 | 0o600)
        else:
            raise tarfile.TarError(f"{item.name!r} is neither file, folder nor link")
