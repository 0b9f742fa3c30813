"""The shared libraries that programs of this machine need."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from pytest_warmci.clients import command

_RESOLVED = re.compile(r"^\s+(?:\S+ => )?(/\S+) \(0x[0-9a-f]+\)$", re.MULTILINE)
"""A line of ldd(1): `libm.so.6 => /lib/.../libm.so.6 (0x...)`, or the loader alone."""

_NAMES = ("libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2")
"""What libc loads to look up a name; no program says that it needs them."""

_BATCH = 50


def needed(sources: Iterable[Path]) -> list[Path]:
    """List the libraries outside `sources` that the programs and libraries below them need."""
    sources = list(sources)
    files = sorted({str(path) for source in sources for path in _binaries(source)})
    found: set[Path] = set()
    for begin in range(0, len(files), _BATCH):
        # It fails when one of them is static, and tells about the others all the same.
        said = command.run(["ldd", *files[begin : begin + _BATCH]], timeout=60, check=False)
        found |= {Path(name) for name in _RESOLVED.findall(said.text)}
    inside = [f"{source}/" for source in sources]
    found = {path for path in found if not str(path).startswith(tuple(inside))}
    for folder in {path.parent for path in found if path.name == "libc.so.6"}:
        found |= {folder / name for name in _NAMES if (folder / name).exists()}
    return sorted(found)


def _binaries(top: Path) -> Iterator[Path]:
    """List the ELF files that can be run or loaded."""
    paths = (
        [top]
        if top.is_file()
        else [Path(at, name) for at, _, names in os.walk(top) for name in names]
    )
    for path in paths:
        if path.is_symlink() or not path.is_file():
            continue
        if path.stat().st_mode & 0o100 or ".so" in path.name:
            with path.open("rb") as file:
                if file.read(4) == b"\x7fELF":
                    yield path
