"""An app to take snapshots of, and how to see all of it by other means than the code's."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from pytest_warmci.store.snapshots import (
    restore,
    take,
)

Fact = tuple[object, ...]


class App:
    """A folder with the roots of an app, and its snapshots beside them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.snapshots = folder / "snapshot"
        self.volume = folder / "volumes" / "db"
        self.env = folder / "env"
        self.secrets = folder / "secrets"
        self.roots = {"volumes/db": self.volume, "env": self.env, "secrets": self.secrets}
        self.volume.mkdir(parents=True)
        (self.volume / "base").mkdir()
        (self.volume / "base" / "table").write_bytes(b"rows" * 1000)
        (self.volume / "version").write_text("17")
        self.env.write_text("A=1\n")
        self.secrets.mkdir(mode=0o700)
        (self.secrets / "password").write_text("x")

    def take(self, generation: str = "g1") -> str:
        return take(self.snapshots, generation, self.roots).digest

    def restore(self, digest: str, generation: str = "g1") -> None:
        restore(self.snapshots, generation, digest, lambda _present: self.roots)

    def facts(self) -> dict[bytes, Fact]:
        """All that must come back, found by other means than the code's."""
        found: dict[bytes, Fact] = {}
        for root in self.roots.values():
            tops = [os.fsencode(root)] if os.path.lexists(root) else []
            for top in tops:
                found[top] = fact(top)
                for folder, names, files in os.walk(top):
                    for name in names + files:
                        path = os.path.join(folder, name)  # noqa: PTH118 - bytes
                        found[path] = fact(path)
        return found

    def leftovers(self) -> list[str]:
        return sorted(
            path.name
            for path in self.folder.rglob(".*")
            if path.name.startswith((".garbage-", ".building-", ".tmp-"))
            or path.name.endswith(".restoring")
        )


def fact(path: bytes) -> Fact:
    found = os.lstat(path)
    content: object = None
    if stat.S_ISREG(found.st_mode):
        content = Path(os.fsdecode(path)).read_bytes()
    elif stat.S_ISLNK(found.st_mode):
        content = os.readlink(path)  # noqa: PTH115 - bytes
    names = os.listxattr(path, follow_symlinks=False)
    attributes = {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
    links = found.st_nlink if stat.S_ISREG(found.st_mode) else 0
    return (
        found.st_mode,
        found.st_uid,
        found.st_gid,
        found.st_mtime_ns,
        links,
        content,
        tuple(sorted(attributes.items())),
    )


def wreck(app: App) -> None:
    """Change everything an upgrade could: content, names, kinds, modes, times."""
    (app.volume / "base" / "table").write_bytes(b"migrated")
    (app.volume / "version").unlink()
    (app.volume / "version").mkdir()
    (app.volume / "version" / "18").touch()
    (app.volume / "added").symlink_to("nowhere")
    app.env.write_text("A=2\n")
    app.env.chmod(0o644)
    shutil.rmtree(app.secrets)
