"""What runs on a Swarm share: a state directory that one cold run has seeded, behind a proxy.

Volumes are the Swarm's and not the state directory's, so it cannot be copied for each test: all
tests of a recipe use the same one. Each leaves the known-good as it was, and sees to that.
"""

from __future__ import annotations

from pathlib import Path

from pytest_warmci.engines.swarm.engine import SwarmEngine
from pytest_warmci.model import KnownGood
from pytest_warmci.naming import canonical_domain, stack_name
from pytest_warmci.runs.place import Place
from pytest_warmci.runs.roots import roots_of
from pytest_warmci.store import snapshots
from pytest_warmci.store.registry import Registry
from tests.e2e.workshop import Outcome, Workshop
from tests.swarm.front import BASE, Front

NAME = SwarmEngine.name

KINDS = ("service", "container", "network", "secret", "config", "volume")
NAMES = ("--format", "{{.Name}}")


class SwarmWorkshop(Workshop):
    """A workshop whose sessions run on a Swarm behind a proxy.

    Args:
        front: The Swarm.
        state: The state directory.
        recipe: The recipe's folder.
        services: All services of the recipe.
        engine: What its sessions name as the engine.
        base: The base domain of its apps.
        hurried: Whether they are up in seconds, which is not as the recipe has them.
    """

    def __init__(
        self,
        front: Front,
        state: Path,
        recipe: Path,
        *services: str,
        engine: str = NAME,
        base: str = BASE,
        hurried: bool = False,
    ) -> None:
        super().__init__(state, recipe)
        self.front = front
        self.engine = engine
        self.base = base
        self.overrides = [front.dnsrr(*services)]
        if hurried:
            self.overrides.append(front.hurried(*services))

    def words(self) -> tuple[str, ...]:
        """What a session on this Swarm is told."""
        told = [f"override={path}" for path in self.overrides]
        told.append(f"proxy={self.front.proxy_url}")
        if self.base != BASE:
            told.append(f"domain={self.base}")
        return (
            f"--warmci-engine={self.engine}",
            *(f"--warmci-engine-option={each}" for each in told),
        )

    @property
    def environment(self) -> dict[str, str]:
        return self.front.environment

    def pytest(self, *words: str, env: dict[str, str] | None = None) -> Outcome:
        return super().pytest(*self.words(), *words, env=env)

    @property
    def place(self) -> Place:
        domain = canonical_domain(self.recipe.name, self.base)
        return Place(self.recipe.name, domain, self.state.app(NAME, domain))

    @property
    def known_good(self) -> KnownGood:
        found = Registry(self.state).find(NAME, self.recipe.name)
        assert found is not None
        return found

    def apps(self) -> list[str]:
        found = self.state.apps(NAME).iterdir()
        return sorted(path.name for path in found if not path.name.startswith("."))

    def entry_bytes(self) -> bytes:
        return (self.state.canonicals(NAME) / f"{self.recipe.name}.yml").read_bytes()

    def volumes_digest(self) -> str:
        with self.front.entered():
            engine = SwarmEngine(self.state.uuid, self.front.options(), lambda _text: None)
            return snapshots.measure(roots_of(engine, self.place)).digest

    def on_the_swarm(self) -> list[str]:
        """Everything of this state directory on the Swarm, by kind and name."""
        wanted = ("--filter", f"label=pytest-warmci.state={self.state.uuid}")
        found = []
        for kind in KINDS:
            more = ("--all", "--format", "{{.Names}}") if kind == "container" else NAMES
            names = self.front.swarm.docker(kind, "ls", *wanted, *more).text
            found += [f"{kind} {name}" for name in names.split()]
        return found

    def elsewhere(self) -> list[str]:
        """What is on the Swarm but the canonical's volume, and what is unfinished beside its data."""
        found = [each for each in self.on_the_swarm() if each != f"volume {self.stack}_data"]
        volume = self.front.swarm.slot.data / "volumes" / f"{self.stack}_data"
        beside = volume.iterdir() if volume.is_dir() else ()
        return found + [f"beside its data: {path}" for path in beside if path.name != "_data"]

    @property
    def stack(self) -> str:
        """The name of the canonical's stack."""
        return stack_name(self.place.domain)
