"""Looking for secrets where they must not be: in files, and in processes while these run."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

SHORTEST = 12
"""Characters: what is shorter is found by chance."""


class Hunt:
    """Learns every secret that apps in a state directory have, and who shows one meanwhile.

    Use it as a context manager around the sessions; look at `seen` and call `in_files` afterwards.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="hunt")
        self.secrets: set[bytes] = set()
        self.seen: set[str] = set()
        self.looks = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.05):
            self.secrets |= secrets_of(self._state)
            self.looks += 1
            for kind in ("cmdline", "comm", "environ"):
                for place in Path("/proc").glob(f"[0-9]*/{kind}"):
                    with suppress(OSError):  # it has ended, or is somebody else's
                        shown = place.read_bytes()
                        if any(secret in shown for secret in self.secrets):
                            self.seen.add(f"{kind} of {name_of(place.parent)}")

    def in_files(self, *tops: Path, more: Iterable[str] = ()) -> list[str]:
        """List the files below `tops` that hold a secret and must not."""
        wanted = self.secrets | {each.encode() for each in more}
        found = []
        for top in tops:
            for file in files_below(top):
                data = file.read_bytes()
                found += [str(file) for secret in wanted if secret in data]
        return sorted(set(found))


def secrets_of(state: Path) -> set[bytes]:
    """Return the secrets that apps have now."""
    found = set()
    for file in state.glob("apps/*/*/secrets/*"):
        with suppress(OSError):
            found.add(file.read_bytes().strip())
    return {each for each in found if len(each) >= SHORTEST}


def files_below(top: Path) -> Iterator[Path]:
    """Yield the files below a folder, but those that a secret or an app's data belong to.

    These are `secrets`, `volumes` and the objects of snapshots; links are not followed.
    """
    for folder, names, files in os.walk(top):
        is_app = (Path(folder) / "address.json").exists()
        is_generation = Path(folder).parent.name == "snapshot"
        names[:] = [
            name
            for name in names
            if not (is_app and name in ("secrets", "volumes"))
            and not (is_generation and name == "objects")
        ]
        paths = (Path(folder, name) for name in files)
        yield from (path for path in paths if path.is_file() and not path.is_symlink())


def name_of(process: Path) -> str:
    with suppress(OSError):
        return f"{process.name} ({(process / 'comm').read_text().strip()})"
    return process.name
