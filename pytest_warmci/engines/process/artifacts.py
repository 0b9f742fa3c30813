"""Artifacts: fetched, checked and unpacked once into the cache."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_warmci.clients.files import make_folder, read_record, remove_tree, write_json
from pytest_warmci.engines.process.archives import Archive
from pytest_warmci.engines.process.building import alone, part_of, sweep_parts
from pytest_warmci.engines.process.wheels import Wheels
from pytest_warmci.errors import DigestMismatch, EngineCannotSee, InputError
from pytest_warmci.model import FORMAT
from pytest_warmci.protocols import Progress

_TAG = re.compile(r"[\w][\w.-]{0,127}")


@dataclass(frozen=True, slots=True)
class Artifact:
    """An unpacked artifact: what it is, the SHA-256 of what was fetched, and its tree."""

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
        template: `maven:group:artifact:{tag}:extension` or `pypi:distribution=={tag}`.
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


def label(coordinate: str) -> str:
    """Return an artifact as people name it: `keycloak-quarkus-dist:26.7.3`, `radicale:3.9.0`."""
    kind, _, what = coordinate.partition(":")
    if kind == "pypi":
        name, _, version = what.partition("==")
        return f"{name.partition('[')[0]}:{version}"
    return ":".join(what.split(":")[1:3])


def provide(
    coordinate: str,
    *,
    member: str | None = None,
    strip: int = 0,
    pins: Mapping[str, str] | None = None,
    cache: Path,
    progress: Progress,
) -> Artifact:
    """Return an artifact unpacked, fetching and unpacking it when the cache does not have it.

    Several processes may ask for it at once: one makes it, the others wait for that.

    Args:
        coordinate: `maven:group:artifact:version:extension` or `pypi:distribution==version`.
        member: The archive inside the artifact that is wanted, None for the artifact itself.
        strip: How many leading parts of each path are dropped.
        pins: The version of each other distribution that a `pypi:` one needs.
        cache: The engine's cache folder.
        progress: Told about downloads and unpacking.

    Raises:
        FetchFailed: It cannot be had.
        DigestMismatch: A cached file is not what was fetched.
        LockBusy: Somebody else has been making it for too long.
    """
    kind, _, what = coordinate.partition(":")
    source = Wheels(what, pins or {}) if kind == "pypi" else Archive(what, member, strip)
    tree = cache / "trees" / source.tree
    record = cache / "trees" / f"{source.tree}.json"
    if not (record.is_file() and tree.is_dir()):
        with alone(cache, source.name, label(coordinate), progress):
            if not (record.is_file() and tree.is_dir()):
                _unpack(coordinate, source, cache, progress)
    return Artifact(coordinate, str(read_record(record, "artifact record")["sha256"]), tree)


def _unpack(coordinate: str, source: Archive | Wheels, cache: Path, progress: Progress) -> None:
    tree = cache / "trees" / source.tree
    files, sha256 = _provide_files(coordinate, source, cache, progress)
    begun = time.monotonic()
    make_folder(tree.parent)
    sweep_parts(tree)
    part = part_of(tree)
    part.mkdir()
    try:
        source.unpack(files, part)
        # First the record: a tree is never without one, so nobody takes a tree away again.
        record = tree.with_name(f"{tree.name}.json")
        write_json(record, {"format": FORMAT, "coordinate": coordinate, "sha256": sha256})
        if not tree.is_dir():  # one that lost its record may be in use
            part.rename(tree)
    finally:
        remove_tree(part)
    progress(f"unpacked {label(coordinate)} in {time.monotonic() - begun:.1f} s")


def _provide_files(
    coordinate: str, source: Archive | Wheels, cache: Path, progress: Progress
) -> tuple[list[Path], str]:
    folder = cache / "artifacts" / source.name
    record = cache / "artifacts" / f"{source.name}.json"
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
        sweep_parts(folder)
        progress(f"fetching {coordinate.partition(':')[2]}")
        source.fetch(folder, report)
    files = sorted(path for path in folder.iterdir() if path.is_file())
    if fresh:
        size = sum(path.stat().st_size for path in files)
        progress(
            f"fetched {label(coordinate)}: {size / 1e6:.0f} MB in {time.monotonic() - begun:.1f} s"
        )
    digests = {path.name: _sha256(path) for path in files}
    sha256 = _combined(digests)
    if record.is_file():
        _compare(read_record(record, "artifact record"), digests, folder, record)
    else:
        data = {"format": FORMAT, "coordinate": coordinate, "sha256": sha256, "files": digests}
        write_json(record, data)
    return files, sha256


def _compare(
    record: Mapping[str, Any], digests: Mapping[str, str], folder: Path, path: Path
) -> None:
    """Raise `DigestMismatch` unless what lies in the cache is what was fetched."""
    if record["sha256"] == _combined(digests):
        return
    known: Mapping[str, str] = record.get("files") or dict.fromkeys(digests, record["sha256"])
    name = min(name for name in {*known, *digests} if known.get(name) != digests.get(name))
    raise DigestMismatch(
        "a cached artifact is not what was fetched",
        where=str(folder / name),
        why=f"SHA-256 was {known.get(name, 'none')}, is {digests.get(name, 'none')}",
        remedy=f"rm -r {folder} {path} and run again",
    )


def _combined(digests: Mapping[str, str]) -> str:
    """Return one digest for all files; that of a single file is its own."""
    if len(digests) == 1:
        return next(iter(digests.values()))
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
