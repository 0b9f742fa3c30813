"""The seams: what a layer asks of the one below, declared by who asks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from pytest_warmci.errors import NotEvaluated
from pytest_warmci.model import RunningService, Stack


class Progress(Protocol):
    """Tells a waiting person what goes on."""

    def __call__(self, text: str) -> None:
        """Show one line."""
        ...


class AppPlace(Protocol):
    """One app as an engine sees it: where it lives and what it may use."""

    @property
    def domain(self) -> str:
        """The app's domain."""
        ...

    @property
    def folder(self) -> Path:
        """The app's folder in the state directory."""
        ...


class FarRoot(Protocol):
    """A root of an app's data that nobody but its engine reaches: as one tar stream, all of it.

    A stream has the root itself first, by the name `top`, and then all that is in it, below that
    name. It carries no more than the format says, with times in whole seconds, and of the extended
    attributes only `security.capability`.
    """

    top: str

    @property
    def where(self) -> str:
        """What it is and on which engine, for people."""
        ...

    def read(self) -> AbstractContextManager[Iterator[bytes]]:
        """Give the stream of what is there, for a block.

        Raises:
            NotEvaluated: It is not there: nothing is made for being looked at.
        """
        ...

    def fill(self, stream: Iterable[bytes]) -> None:
        """Replace all that is there with what a stream holds.

        May leave anything behind when it raises, or is killed, but never a root that something
        uses changed.
        """
        ...


Root = Path | FarRoot
"""Where a root of an app is: a file or folder here, or behind its engine."""


class Engine(Protocol):
    """What deploys. `deploy` and `undeploy` only begin; `wait_converged` and `settle` wait.

    All times are seconds. Errors: `RecipeFailed` where the recipe is at fault, a `NotEvaluated`
    where it is not.
    """

    name: str

    @property
    def base_domain(self) -> str:
        """What the domains of the apps end in that it deploys from now on."""
        ...

    @property
    def told(self) -> Sequence[str]:
        """What it was told beside its name, in words; a file with the digest of its content."""
        ...

    def check(self) -> None:
        """Raise `EngineUnavailable` when this machine cannot run it."""
        ...

    def examine(self, stack: Stack) -> None:
        """Raise when this engine cannot run what the stack says; change nothing."""
        ...

    def classify(self, differing: Sequence[str]) -> Differences:
        """Sort compose keys that differ by whether this engine honours them."""
        ...

    def prepare(self, stack: Stack) -> None:
        """Fetch and build all that deploying the stack needs (cached); deploys nothing."""
        ...

    def deploy(self, app: AppPlace, stack: Stack) -> None:
        """Begin to bring the app to `stack`, in place when something of it runs."""
        ...

    def wait_converged(self, app: AppPlace, stack: Stack, timeout: float) -> None:
        """Return when every service of `stack` runs as it was deployed, and is healthy."""
        ...

    def undeploy(self, app: AppPlace) -> None:
        """Begin to stop the app; volumes, secrets and env stay."""
        ...

    def settle(self, app: AppPlace, timeout: float) -> None:
        """Return when nothing of the app runs any more."""
        ...

    def remove(self, app: AppPlace) -> None:
        """Delete all that the engine keeps of an undeployed app."""
        ...

    def running(self, app: AppPlace) -> Sequence[RunningService]:
        """Say what runs now."""
        ...

    def prove(self, app: AppPlace, stack: Stack) -> str:
        """Prove that `stack` is what runs and answers at the app's address; return how."""
        ...

    def leftovers(self, app: AppPlace) -> list[str]:
        """List what is still there of an app that was removed or undeployed."""
        ...

    def domains(self) -> Collection[str]:
        """Return the domains of all apps of this state directory that the engine knows by itself.

        They are found by what each thing carries, also where an app's folder is gone; none where
        nothing outside of that folder is made.
        """
        ...

    def data(self, app: AppPlace) -> Mapping[str, Root]:
        """Map each root of the app's data, as snapshots name it, to where it lies.

        Creates nothing. There may be nothing at such a path; that counts as an absent root.
        """
        ...

    def make_data(self, app: AppPlace, roots: Collection[str]) -> Mapping[str, Root]:
        """Make room for these roots where there is none, so that a restore can fill them.

        Returns:
            The place of every root that is there, as from `data`: also of those not asked for.
        """
        ...

    def drop_data(self, app: AppPlace, keep: Collection[str]) -> None:
        """Delete every root of an undeployed app's data but those to keep.

        Fine when there is none, and when a root's place is empty. `keep` may have other names too.
        """
        ...

    def trouble(self, app: AppPlace) -> NotEvaluated | None:
        """Return why nothing that fails now can be held against the recipe, if so.

        What the engine itself stands on is away, or was since the app was deployed. Asked before
        a failure is judged; never raises.
        """
        ...

    def logs(self, app: AppPlace) -> Mapping[str, Path]:
        """Map each service's name to its log file."""
        ...

    def address(self, app: AppPlace) -> str:
        """Return the app's base URL, choosing and recording its address when it has none."""
        ...

    def secret(self, app: AppPlace, stack: Stack, name: str) -> str:
        """Return the value of a secret of the compose file."""
        ...

    def secret_values(self, app: AppPlace) -> Collection[str]:
        """Return the values of all secrets that the app has; nothing once it is removed."""
        ...

    def needs_training(self, stack: Stack) -> bool:
        """Tell whether `train` could make booting this stack faster."""
        ...

    def train(self, app: AppPlace, stack: Stack, timeout: float) -> None:
        """Boot a throw-away app, which the caller owns, so that later boots are faster."""
        ...


class Differences(Protocol):
    """What separates two rendered stacks for an engine."""

    @property
    def seen(self) -> Sequence[str]:
        """Keys that differ and that the engine honours."""
        ...

    @property
    def unseen(self) -> Sequence[str]:
        """Keys that differ and that the engine ignores."""
        ...
