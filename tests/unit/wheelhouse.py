"""A folder of tiny wheels, the only thing that pip may look at."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest


def put_wheel(
    house: Path,
    name: str,
    version: str,
    needs: tuple[str, ...] = (),
    extras: tuple[str, ...] = (),
) -> Path:
    """Write a pure wheel with one module; return the file."""
    house.mkdir(parents=True, exist_ok=True)
    file = name.replace("-", "_")
    path = house / f"{file}-{version}-py3-none-any.whl"
    info = f"{file}-{version}.dist-info"
    requires = "".join(f"Requires-Dist: {need}\n" for need in needs)
    requires += "".join(f"Provides-Extra: {extra}\n" for extra in extras)
    members = {
        f"{file}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{member},,\n" for member in [*members, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in {**members, f"{info}/RECORD": record}.items():
            archive.writestr(member, text)
    return path


def close_network(patch: pytest.MonkeyPatch, house: Path) -> None:
    """Let pip look into `house` and nowhere else."""
    patch.setenv("PIP_NO_INDEX", "1")
    patch.setenv("PIP_FIND_LINKS", str(house))
    patch.setenv("PIP_CONFIG_FILE", "/dev/null")
