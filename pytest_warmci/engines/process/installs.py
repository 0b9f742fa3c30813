"""Installs: an unpacked artifact prepared once, and hard-linked for every app.

Only what `process.yml` calls writable is a real copy; the rest shares its data with the cache.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_warmci.clients import command
from pytest_warmci.clients.files import make_folder, remove_tree, write_json
from pytest_warmci.engines.process.artifacts import Artifact, label
from pytest_warmci.engines.process.building import alone, part_of, sweep_parts
from pytest_warmci.engines.process.config import PrepareStep, ServiceConfig
from pytest_warmci.engines.process.paths import Replacements
from pytest_warmci.errors import CommandFailed, RecipeFailed
from pytest_warmci.model import FORMAT
from pytest_warmci.protocols import Progress

_PREPARE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prepared install: its key (everything that shaped it) and the folders that it keeps."""

    key: str
    artifact: Artifact
    kept: Path


def prepare_key(
    config: ServiceConfig, artifact: Artifact, environment: Mapping[str, str], launchers: str
) -> str:
    """Return the key of a prepared install.

    Args:
        config: The service's part of process.yml.
        artifact: What is installed.
        environment: The service's environment; what a step is run without does not count.
        launchers: Digest of the launchers and the version of the runtime.
    """
    shaped = [
        {"argv": step.argv, "keep": step.keep, "environment": _chosen(step, environment)}
        for step in config.prepare
    ]
    facts = [FORMAT, artifact.coordinate, artifact.sha256, config.writable, shaped, launchers]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:20]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the steps of one service run in.

    `environment` is the service's own, `base_environment` what every
    process of it gets besides, `programs` maps the container path of a program to its launcher.
    """

    environment: Mapping[str, str]
    base_environment: Mapping[str, str]
    programs: Mapping[str, str]


def provide(
    config: ServiceConfig,
    artifact: Artifact,
    key: str,
    around: Surroundings,
    *,
    cache: Path,
    progress: Progress,
) -> Prepared:
    """Return the prepared install for `key`, building it when the cache does not have it.

    Args:
        config: The service's part of process.yml.
        artifact: What is installed.
        key: From `prepare_key`.
        around: What the steps run in.
        cache: The engine's cache folder.
        progress: Told about each step.

    Raises:
        RecipeFailed: A step failed: what the recipe configures cannot be built.
        LockBusy: Somebody else has been building it for too long.
    """
    folder = cache / "prepared" / key
    if not (folder / "record.json").is_file():
        why = f"prepare {label(artifact.coordinate)}"
        with alone(cache, f"prepared-{key}", why, progress):
            if not (folder / "record.json").is_file():
                _build(config, artifact, folder, around, progress)
    return Prepared(key, artifact, folder / "keep")


def _build(
    config: ServiceConfig,
    artifact: Artifact,
    folder: Path,
    around: Surroundings,
    progress: Progress,
) -> None:
    make_folder(folder.parent)
    sweep_parts(folder)
    part = part_of(folder)
    install = part / "install"
    link_tree(artifact.tree, install, config.writable)
    for step in config.prepare:
        begun = time.monotonic()
        progress(f"preparing {label(artifact.coordinate)}: {' '.join(step.argv)}")
        _run_step(step, config, install, part, around)
        progress(f"prepared in {time.monotonic() - begun:.1f} s")
    kept = part / "keep"
    kept.mkdir()
    for number, name in enumerate(name for step in config.prepare for name in step.keep):
        shutil.copytree(install / name, kept / str(number), symlinks=True)
    remove_tree(install)
    write_json(part / "record.json", {"format": FORMAT, "coordinate": artifact.coordinate})
    part.rename(folder)


def install(prepared: Prepared, config: ServiceConfig, target: Path) -> None:
    """Make an app's own install at `target` (which must not exist)."""
    link_tree(prepared.artifact.tree, target, config.writable)
    for number, name in enumerate(name for step in config.prepare for name in step.keep):
        shutil.rmtree(target / name, ignore_errors=True)
        shutil.copytree(prepared.kept / str(number), target / name, symlinks=True)


def link_tree(source: Path, target: Path, writable: list[str]) -> None:
    """Copy a tree by hard links, but really copy what lies under a `writable` path."""
    own = [source / name for name in writable]

    def copy(old: str, new: str) -> str:
        path = Path(old)
        if any(path.is_relative_to(top) for top in own):
            return shutil.copy2(old, new, follow_symlinks=False)
        try:
            os.link(old, new, follow_symlinks=False)
        except OSError:  # another file system, or one without hard links
            return shutil.copy2(old, new, follow_symlinks=False)
        return new

    shutil.copytree(source, target, symlinks=True, copy_function=copy)
    for name in writable:
        (target / name).mkdir(parents=True, exist_ok=True)


def _run_step(
    step: PrepareStep,
    config: ServiceConfig,
    install: Path,
    scratch: Path,
    around: Surroundings,
) -> None:
    table = {name: path for name, path in around.programs.items() if name.startswith("/")}
    replace = Replacements({**table, config.install: str(install)})
    own = {
        "HOME": str(scratch),
        "WARMCI_ADDRESS": "127.0.0.1",
        "WARMCI_HOSTS": "/etc/hosts",
        "WARMCI_INSTALL": str(install),
        "WARMCI_SCRATCH": str(scratch),
    }
    chosen = {name: replace(value) for name, value in _chosen(step, around.environment).items()}
    try:
        command.run(
            [replace(word) for word in step.argv],
            timeout=_PREPARE_SECONDS,
            cwd=install,
            env={**around.base_environment, **chosen, **own},
        )
    except CommandFailed as error:
        raise RecipeFailed(
            f"preparing the install failed: {' '.join(step.argv)}",
            why=error.why or error.what,
            remedy="look at the settings of this service that the build reads",
        ) from None


def _chosen(step: PrepareStep, environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in sorted(environment.items())
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in step.without)
    }
