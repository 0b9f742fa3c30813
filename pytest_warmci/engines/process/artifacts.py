"""Artifacts: fetched, checked and unpacked once into the cache."""

from __future__ import annotations

import hashlib
import lzma
import re
import shutil
import stat
import tarfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pytest_warmci.clients import maven
from pytest_warmci.clients.files import make_folder, read_record, remove_tree, write_json
from pytest_warmci.errors import DigestMismatch, EngineCannotSee, InputError, NotEvaluated
from pytest_warmci.model import FORMAT
from pytest_warmci.protocols import Progress

_CHUNK = 1 << 20
_TAG = re.compile(r"[\w][\w.-]{0,127}")


@dataclass(frozen=True, slots=True)
class Artifact:
    """An unpacked artifact: what it is, the SHA-256 of the file it came from, and its tree."""

    coordinate: str
    sha256: str
    tree: Path


def image_parts(image: str) -> tuple[str, str]:
    """Split an image into its repository (as people write it) and its tag.

    Raises:
        InputError: It has no tag, or a digest.
    """
    name, _, digest = image.partition("@")
    repository, colon, tag = name.rpartition(":")
    if digest or not colon or "/" in tag or not _TAG.fullmatch(tag):
        raise InputError(
            f"image '{image}' has no tag to take a version from",
            remedy="name it as repository:tag in the compose file",
        )
    for prefix in ("docker.io/library/", "docker.io/", "library/"):
        repository = repository.removeprefix(prefix)
    return repository, tag


def coordinate_for(template: str, described: str, image: str) -> str:
    """Return the artifact that stands for an image.

    Args:
        template: `maven:group:artifact:{tag}:extension`.
        described: The image repository that process.yml describes.
        image: The image that the compose file names.

    Raises:
        EngineCannotSee: The compose file names another image than process.yml describes.
    """
    repository, tag = image_parts(image)
    if repository != described:
        raise EngineCannotSee(
            f"the compose file runs image '{repository}', process.yml describes '{described}'",
            remedy="describe the new image in process.yml, or use another engine",
        )
    return template.replace("{tag}", tag)


def provide(
    coordinate: str, *, member: str | None, strip: int, cache: Path, progress: Progress
) -> Artifact:
    """Return an artifact unpacked, fetching and unpacking it when the cache does not have it.

    Args:
        coordinate: `maven:group:artifact:version:extension`.
        member: The archive inside the artifact that is wanted, None for the artifact itself.
        strip: How many leading parts of each path are dropped.
        cache: The engine's cache folder.
        progress: Told about downloads and unpacking.

    Raises:
        FetchFailed: It cannot be had.
        DigestMismatch: The cached file is not what was fetched.
    """
    name = re.sub(r"[^\w.+-]+", "_", coordinate.partition(":")[2])
    shape = hashlib.sha256(f"{FORMAT} {member} {strip}".encode()).hexdigest()[:8]
    tree = cache / "trees" / f"{name}-{shape}"
    record = cache / "trees" / f"{name}-{shape}.json"
    if record.is_file() and tree.is_dir():
        return Artifact(coordinate, str(read_record(record, "artifact record")["sha256"]), tree)
    file, sha256 = _provide_file(coordinate, name, cache, progress)
    begun = time.monotonic()
    make_folder(tree.parent)
    part = tree.with_name(f".{tree.name}.part")
    remove_tree(part)
    part.mkdir()
    size = _unpack(file, member, strip, part)
    remove_tree(tree)
    part.rename(tree)
    write_json(record, {"format": FORMAT, "coordinate": coordinate, "sha256": sha256})
    progress(f"unpacked {name}: {size / 1e6:.0f} MB in {time.monotonic() - begun:.1f} s")
    return Artifact(coordinate, sha256, tree)


def _provide_file(coordinate: str, name: str, cache: Path, progress: Progress) -> tuple[Path, str]:
    folder = cache / "artifacts" / name
    record = cache / "artifacts" / f"{name}.json"
    begun = time.monotonic()
    shown = begun

    def report(what: str, come: int, total: int) -> None:
        nonlocal shown
        if time.monotonic() - shown >= 2:
            shown = time.monotonic()
            progress(f"fetching {what}: {come / 1e6:.0f} of {total / 1e6:.0f} MB")

    make_folder(folder.parent)
    fresh = not folder.is_dir()
    if fresh:
        progress(f"fetching {coordinate.partition(':')[2]}")
        file = maven.fetch(coordinate.partition(":")[2], folder, report)
        progress(
            f"fetched {file.name}: {file.stat().st_size / 1e6:.0f} MB"
            f" in {time.monotonic() - begun:.1f} s"
        )
    else:
        file = next(path for path in folder.iterdir() if path.is_file())
    sha256 = _sha256(file)
    if record.is_file():
        expected = read_record(record, "artifact record")["sha256"]
        if expected != sha256:
            raise DigestMismatch(
                "a cached artifact is not what was fetched",
                where=str(file),
                why=f"SHA-256 was {expected}, is {sha256}",
                remedy=f"rm -r {folder} {record} and run again",
            )
    else:
        write_json(record, {"format": FORMAT, "coordinate": coordinate, "sha256": sha256})
    return file, sha256


def _unpack(file: Path, member: str | None, strip: int, folder: Path) -> int:
    try:
        if member is None:
            if file.suffix in {".jar", ".zip"}:
                with zipfile.ZipFile(file) as outer:
                    outer.extractall(folder)  # noqa: S202 - zipfile drops what leads out
                return sum(item.file_size for item in outer.infolist())
            with tarfile.open(file) as archive:
                return _extract(archive, strip, folder)
        with (
            zipfile.ZipFile(file) as outer,
            outer.open(member) as inner,
            tarfile.open(fileobj=inner, mode="r|*") as archive,
        ):
            return _extract(archive, strip, folder)
    except (tarfile.TarError, zipfile.BadZipFile, KeyError, EOFError, lzma.LZMAError) as error:
        raise NotEvaluated(
            "the artifact cannot be unpacked",
            where=str(file),
            why=str(error),
            remedy="check `member` and `strip` in process.yml; delete the file to fetch it again",
        ) from None


def _extract(archive: tarfile.TarFile, strip: int, folder: Path) -> int:
    # tarfile's own filters are only there from Python 3.11.4 on, so paths are checked here.
    total = 0
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
            total += item.size
        else:
            raise tarfile.TarError(f"{item.name!r} is neither file, folder nor link")
    return total


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
