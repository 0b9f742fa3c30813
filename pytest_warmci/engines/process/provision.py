"""What a recipe's services need on this machine: artifacts, installs, runtimes, plans."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from pytest_warmci.engines.process import artifacts, installs
from pytest_warmci.engines.process.addresses import provide_address
from pytest_warmci.engines.process.config import (
    ProcessConfig,
    ServiceConfig,
    read_config,
    read_constraints,
)
from pytest_warmci.engines.process.plan import (
    ServicePlan,
    Surroundings,
    base_environment,
    check,
    plan,
    running_as_root,
    service_environment,
)
from pytest_warmci.engines.process.runtimes import Runtime, find_runtime
from pytest_warmci.model import Stack
from pytest_warmci.protocols import AppPlace, Progress


class Provision:
    """Everything that is fetched, built or worked out for the services of one recipe.

    Args:
        recipe_folder: The recipe's folder, which has a process.yml.
        cache: The engine's own cache folder.
        progress: Told about work that takes long.
    """

    def __init__(self, recipe_folder: Path, cache: Path, progress: Progress) -> None:
        self.recipe_folder = recipe_folder
        self.cache = cache
        self._progress = progress

    @cached_property
    def config(self) -> ProcessConfig:
        """The recipe's process.yml."""
        return read_config(self.recipe_folder)

    @cached_property
    def runtimes(self) -> dict[str, Runtime]:
        """The runtimes that services need, by name."""
        names = {each.runtime for each in self.config.services.values() if each.runtime}
        return {name: find_runtime(name) for name in sorted(names)}

    @cached_property
    def launchers(self) -> str:
        """Digest of the launchers and of the runtimes' versions."""
        digest = hashlib.sha256()
        for service in self.config.services.values():
            for program, launcher in sorted(service.programs.items()):
                digest.update(program.encode() + b"\0")
                digest.update((self.recipe_folder / launcher).read_bytes())
        for runtime in self.runtimes.values():
            digest.update(runtime.version.encode())
        return digest.hexdigest()[:20]

    def examine(self, stack: Stack) -> None:
        """Raise when process.yml does not describe what the stack says; change nothing."""
        check(stack, self.config)
        for name in stack.services:
            self.coordinate(stack, name)

    def plans(self, app: AppPlace, stack: Stack) -> dict[str, ServicePlan]:
        """Plan every service of a stack for one app, in the order in which they can start."""
        around = Surroundings(
            folder=app.folder,
            recipe_folder=self.recipe_folder,
            address=provide_address(app.folder),
            installs={name: self._key(stack, name) for name in stack.services},
            launchers=self.launchers,
            runtimes={name: each.environment for name, each in self.runtimes.items()},
            as_root=running_as_root(),
        )
        return plan(stack, self.config, around)

    def coordinate(self, stack: Stack, name: str) -> str:
        """Return the artifact that stands for a service's image."""
        own = self.config.services[name]
        return artifacts.coordinate_for(own.artifact, own.image, stack.services[name].image)

    def prepared(self, stack: Stack, name: str) -> installs.Prepared:
        """Return a service's prepared install, fetching and building what is missing."""
        own = self.config.services[name]
        programs = {
            program: str((self.recipe_folder / launcher).resolve())
            for program, launcher in own.programs.items()
        }
        return installs.provide(
            own,
            self._artifact(stack, name),
            self._key(stack, name),
            installs.Surroundings(
                environment=service_environment(stack.services[name], own),
                base_environment=base_environment(
                    self._runtime_environment(own), self.cache / "no-programs"
                ),
                programs=programs,
            ),
            cache=self.cache,
            progress=self._progress,
        )

    def boot_cache(self, stack: Stack, name: str) -> Path:
        """Return where what a training boot learnt about a service is kept."""
        return self.cache / "boot" / self._key(stack, name)

    def _runtime_environment(self, own: ServiceConfig) -> Mapping[str, str]:
        return self.runtimes[own.runtime].environment if own.runtime else {}

    def _artifact(self, stack: Stack, name: str) -> artifacts.Artifact:
        own = self.config.services[name]
        return artifacts.provide(
            self.coordinate(stack, name),
            member=own.member,
            strip=own.strip,
            pins=read_constraints(self.recipe_folder, own),
            cache=self.cache,
            progress=self._progress,
        )

    def _key(self, stack: Stack, name: str) -> str:
        own = self.config.services[name]
        environment = service_environment(stack.services[name], own)
        return installs.prepare_key(own, self._artifact(stack, name), environment, self.launchers)
