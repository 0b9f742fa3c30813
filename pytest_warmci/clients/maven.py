"""Artifacts from Maven repositories (the only owner of `jgo`).

jgo writes a download in place and only warns of a wrong checksum (read in its resolver), so a
download goes to a folder of its own, is compared with the published SHA-1 here, and is moved into
the cache when it is whole.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from pytest_warmci.errors import DigestMismatch, EngineUnavailable, FetchFailed, InputError

_COORDINATE = re.compile(r"([\w.-]+):([\w.-]+):([\w.+-]+):([a-z][a-z0-9.]*)")
_CHUNK = 1 << 20

Report = Callable[[str, int, int], None]
"""Called with a file's name, the bytes that have come and the bytes there are."""


def fetch(coordinate: str, folder: Path, report: Report | None = None) -> Path:
    """Fetch `group:artifact:version:extension` into `folder` and return the file.

    Args:
        coordinate: What to fetch.
        folder: Where the file is to be; must not exist, is complete when it does.
        report: Told of the progress.

    Raises:
        InputError: The coordinate has another shape.
        EngineUnavailable: jgo is not installed.
        FetchFailed: No network, or no such artifact.
        DigestMismatch: What came is not what the repository's SHA-1 says.
    """
    match = _COORDINATE.fullmatch(coordinate)
    if match is None:
        raise InputError(
            f"'{coordinate}' is not group:artifact:version:extension",
            remedy="write e.g. maven:org.example:thing:1.2.3:jar",
        )
    group, artifact, version, extension = match.groups()
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    part.mkdir(parents=True)
    try:
        file = _download(part, group, artifact, version, extension, report)
        expected = _download(part, group, artifact, version, f"{extension}.sha1", None)
        published = expected.read_text("ascii", "replace").split()
        actual = _sha1(file)
        if not published or published[0].lower() != actual:
            raise DigestMismatch(
                "the artifact is not what its published SHA-1 says",
                where=coordinate,
                why=f"published {published[:1]}, fetched {actual} ({file.stat().st_size} bytes)",
                remedy="try again; if it stays, ask whoever runs the mirror or proxy in between",
            )
        done = part / "done"
        done.mkdir()
        file.rename(done / file.name)
        try:
            done.rename(folder)
        except OSError:
            if not folder.is_dir():  # somebody else may have been faster
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return next(path for path in folder.iterdir() if path.is_file())


def _download(
    part: Path, group: str, artifact: str, version: str, extension: str, report: Report | None
) -> Path:
    try:
        from jgo.maven import MavenContext, PythonResolver
    except ImportError:
        raise EngineUnavailable(
            "no Maven client",
            why="the package jgo is not installed",
            remedy="pip install 'pytest-warmci[process]'",
        ) from None
    logging.getLogger("jgo").setLevel(logging.ERROR)
    resolver = PythonResolver(progress_callback=_progress(report) if report else None)
    context = MavenContext(resolver=resolver, repo_cache=part, local_repos=[], timeout=60)
    project = context.project(group, artifact)
    name = f"{group}:{artifact}:{version}:{extension}"
    try:
        found = project.at_version(version).artifact("", extension).resolve()
    except (OSError, RuntimeError) as error:
        missing = "not found in remote" in str(error)
        raise FetchFailed(
            "no repository has this artifact" if missing else "the artifact cannot be fetched",
            where=name,
            why="" if missing else type(error).__name__ + ": " + str(error),
            remedy=(
                "check the image tag and the artifact's version"
                if missing
                else "check the network; behind a proxy or an own CA set HTTPS_PROXY and "
                "REQUESTS_CA_BUNDLE"
            ),
        ) from None
    return Path(found)


def _progress(
    report: Report,
) -> Callable[[str, int], AbstractContextManager[Callable[[int], None]]]:
    @contextmanager
    def begin(name: str, total: int) -> Iterator[Callable[[int], None]]:
        come = 0

        def more(count: int) -> None:
            nonlocal come
            come += count
            report(name, come, total)

        yield more

    return begin


def _sha1(path: Path) -> str:
    digest = hashlib.sha1(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
