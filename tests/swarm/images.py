"""Images without a registry: a shell, chosen files, and the shared libraries that these need.

All of it is taken from this machine and streamed into the engine; nothing is unpacked on the way.
An image carries the digest of what it was made of and is made anew when that changes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO, RawIOBase
from pathlib import Path, PurePosixPath
from typing import IO, Any

from pytest_warmci.clients import command
from tests.swarm import libraries
from tests.swarm.engine import Swarm

LABEL = "warmci.test.image"
"""On each image: its name, and the digest of what it was made of."""

NAMELESS = "<none>:<none>"
"""What an engine calls an image that has lost its name."""

FOLDERS = (
    *("bin", "data", "dev", "etc", "lib", "lib64", "opt", "proc", "root", "run", "sys", "usr"),
    *("usr/bin", "usr/lib", "usr/local", "usr/local/bin", "var"),
)
TEMPORARY = ("tmp", "var/tmp")
FILES = {
    "etc/group": "root:x:0:\napp:x:1000:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
    "etc/passwd": "root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/data:/bin/sh\n",
}
LINES = ("ENV PATH=/usr/local/bin:/usr/bin:/bin", "WORKDIR /data")

_BUILT = ("STOPSIGNAL ",)
"""Lines that an engine takes when it builds an image and not when it imports one."""

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Tree:
    """A file or folder of this machine, and where an image is to have it.

    Attributes:
        source: The file or folder.
        place: Its path in the image, absolute.
        owner: User and group id of all of it; None keeps what it has.
    """

    source: Path
    place: str
    owner: tuple[int, int] | None = (0, 0)


@dataclass(frozen=True, slots=True)
class Text:
    """A file that is written here.

    Attributes:
        content: What it says.
        place: Its path in the image, absolute.
        mode: Its mode.
    """

    content: str
    place: str
    mode: int = 0o755


@dataclass(frozen=True, slots=True)
class Image:
    """What an image is made of.

    Attributes:
        name: `repository:tag`.
        trees: Its files beside the shell; the libraries of all programs among them are added.
        texts: More files.
        lines: Lines of a Dockerfile that change no files (ENTRYPOINT, ENV, LABEL, USER ...).
    """

    name: str
    trees: tuple[Tree, ...] = ()
    texts: tuple[Text, ...] = ()
    lines: tuple[str, ...] = ()

    def digest(self) -> str:
        """Return the digest of everything it is made of, this builder among it."""
        found = hashlib.sha256()
        for source in (Path(__file__), Path(libraries.__file__), _busybox()):
            _add(found, source.read_bytes())
        _add(found, repr((self.name, self.texts, LINES, self.lines)).encode())
        for tree in self.trees:
            _add(found, f"{tree.place} {tree.owner}".encode())
            for path in _walk(tree.source):
                state = path.lstat()
                owner = tree.owner or (state.st_uid, state.st_gid)
                name = path.relative_to(tree.source)
                _add(found, f"{name} {state.st_mode:o} {owner}".encode(errors="surrogateescape"))
                if path.is_symlink():
                    _add(found, os.fsencode(path.readlink()))
                elif path.is_file():
                    with path.open("rb") as file:
                        _add(found, hashlib.file_digest(file, "sha256").digest())
        return found.hexdigest()

    def write(self, write: Callable[[bytes], int]) -> None:
        """Write its files as a tar."""
        with tarfile.open(fileobj=_Sink(write), mode="w|", bufsize=_BLOCK) as tar:
            archive = _Archive(tar)
            _folders(archive)
            for text in self.texts:
                archive.add_text(text.place, text.content, text.mode)
            for tree in self.trees:
                for path in _walk(tree.source):
                    name = PurePosixPath(tree.place, path.relative_to(tree.source))
                    archive.add(path, str(name), tree.owner)
            _shell(archive)  # under names that nothing has yet
            # Debian has a busybox that is static, and one that is not.
            programs = [_busybox(), *(tree.source for tree in self.trees)]
            for library in libraries.needed(programs):
                archive.add(library, str(library), (0, 0), follow=True)


def provide(swarm: Swarm, image: Image) -> str:
    """Make sure that the engine has an image; return its name.

    Raises:
        NotEvaluated: The engine refuses it.
    """
    label = f"{image.name}@{image.digest()}"
    before = swarm.api.call("GET", f"/images/{image.name}/json")
    if before and (before["Config"]["Labels"] or {}).get(LABEL) == label:
        return image.name
    repository, _, tag = image.name.rpartition(":")
    built = [line for line in image.lines if line.startswith(_BUILT)]
    lines = [
        *LINES,
        f"LABEL {LABEL}={label}",
        *(each for each in image.lines if each not in built),
    ]
    query = [("fromSrc", "-"), ("repo", repository), ("tag", tag)]
    swarm.api.send("/images/create", [*query, *(("changes", line) for line in lines)], image.write)
    if built:
        _build(swarm, image.name, built)
    if before:
        swarm.api.call("DELETE", f"/images/{before['Id']}", force="1")
    return image.name


def _build(swarm: Swarm, name: str, lines: list[str]) -> None:
    """Build an image anew from itself, with more lines."""
    data = "\n".join([f"FROM {name}", *lines]).encode()

    def write(piece: Callable[[bytes], int]) -> None:
        with tarfile.open(fileobj=_Sink(piece), mode="w|") as tar:
            entry = tarfile.TarInfo("Dockerfile")
            entry.size = len(data)
            tar.addfile(entry, BytesIO(data))

    swarm.api.send("/build", [("t", name), ("networkmode", "none")], write)


def forget_others(swarm: Swarm) -> None:
    """Remove every image that was not made here, and every second name of one that was.

    A test may have given an image the name of a version that does not work, or must not exist.
    """
    for each in swarm.api.call("GET", "/images/json"):
        ours = ((each["Labels"] or {}).get(LABEL) or "").partition("@")[0]
        named = [name for name in each["RepoTags"] or () if name != NAMELESS]
        for name in named or [each["Id"]]:
            if name != ours:
                swarm.api.call("DELETE", f"/images/{name}", force="1")


class _Archive:
    """A tar whose names come once each, every folder before what is in it."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._names: set[str] = set()

    def add(
        self, path: Path, name: str, owner: tuple[int, int] | None, *, follow: bool = False
    ) -> None:
        """Add a file, link or folder (not what is in it); with `follow` what a link leads to."""
        source = path.resolve() if follow else path
        entry = self._tar.gettarinfo(source, self._name(name))
        # Of several names of one file each is a file: the first may be in another tree.
        if entry.islnk():
            entry.type, entry.linkname, entry.size = tarfile.REGTYPE, "", source.stat().st_size
        if owner is not None:
            entry.uid, entry.gid = owner
        entry.uname = entry.gname = ""
        if entry.isreg():
            with source.open("rb") as file:
                self._put(entry, file)
        else:
            self._put(entry)

    def add_folder(self, name: str, mode: int = 0o755) -> None:
        """Add an empty folder of root's."""
        entry = tarfile.TarInfo(self._name(name))
        entry.type, entry.mode = tarfile.DIRTYPE, mode
        self._put(entry)

    def add_link(self, name: str, target: str) -> None:
        """Add a symbolic link."""
        entry = tarfile.TarInfo(self._name(name))
        entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, target, 0o777
        self._put(entry)

    def add_text(self, name: str, content: str, mode: int) -> None:
        """Add a file of root's."""
        data = content.encode()
        entry = tarfile.TarInfo(self._name(name))
        entry.size, entry.mode = len(data), mode
        self._put(entry, BytesIO(data))

    def _put(self, entry: tarfile.TarInfo, file: IO[bytes] | None = None) -> None:
        if entry.name in self._names:
            return
        for above in reversed(PurePosixPath(entry.name).parents):
            if str(above) != "." and str(above) not in self._names:
                self.add_folder(str(above))
        self._names.add(entry.name)
        self._tar.addfile(entry, file)

    @staticmethod
    def _name(name: str) -> str:
        return name.strip("/")


class _Sink(RawIOBase):
    """A file that gives away what is written to it."""

    def __init__(self, write: Callable[[bytes], int]) -> None:
        self._write = write

    def write(self, data: Any, /) -> int:
        return self._write(bytes(data))


def _folders(archive: _Archive) -> None:
    """Add the folders that each image has."""
    for name in FOLDERS:
        archive.add_folder(name)
    for name in TEMPORARY:
        archive.add_folder(name, 0o1777)


def _shell(archive: _Archive) -> None:
    """Add what each image has: busybox under all its names, and users."""
    busybox = _busybox()
    archive.add(busybox, "bin/busybox", (0, 0))
    for name in command.run([busybox, "--list"], timeout=10).text.split():
        if name != "busybox":
            archive.add_link(f"bin/{name}", "busybox")
    archive.add_link("usr/bin/env", "../../bin/busybox")
    for name, content in FILES.items():
        archive.add_text(name, content, 0o644)


def _busybox() -> Path:
    found = shutil.which("busybox")
    assert found is not None, "room.why_not asks for it"
    return Path(found).resolve()


def _walk(top: Path) -> Iterator[Path]:
    """List a file, or a folder with all that is in it, in an order that does not change."""
    yield top
    if top.is_dir() and not top.is_symlink():
        for path in sorted(top.iterdir()):
            yield from _walk(path)


def _add(digest: hashlib._Hash, data: bytes) -> None:
    """Take in a part of known length: two parts cannot be taken for two others."""
    digest.update(b"%d:" % len(data) + data)
