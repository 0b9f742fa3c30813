"""The engine for Docker Swarm: deploy, converge, undeploy, settle, remove."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from pytest_warmci.clients.docker import Docker, Facts, find_endpoint
from pytest_warmci.clients.files import (
    make_folder,
    read_record,
    remove_tree,
    sweep_garbage,
    write_json,
    write_text,
    write_yaml,
)
from pytest_warmci.clients.waiting import Look, WaitedTooLong, wait_until
from pytest_warmci.engines.differences import KeyDifferences
from pytest_warmci.engines.secrets import mask, read_secret, secret_values
from pytest_warmci.engines.swarm import keys
from pytest_warmci.engines.swarm.belongings import Belongings, name_of, stacks_of
from pytest_warmci.engines.swarm.checks import (
    check_names,
    check_swarm,
    granted_seconds,
    provide_images,
)
from pytest_warmci.engines.swarm.convergence import Convergence, Doomed, look_at
from pytest_warmci.engines.swarm.data import Volumes
from pytest_warmci.engines.swarm.deploying import check_variables, stack_deploy
from pytest_warmci.engines.swarm.home import check_holder, check_home, settle_in
from pytest_warmci.engines.swarm.options import SwarmOptions
from pytest_warmci.engines.swarm.override import overriding
from pytest_warmci.engines.swarm.proof import proof_of
from pytest_warmci.engines.swarm.secrets import create_secrets
from pytest_warmci.engines.swarm.starts import start_of, started_anew
from pytest_warmci.errors import CommandFailed, NotEvaluated, RecipeFailed, StateDamaged
from pytest_warmci.model import FORMAT, RunningService, Stack
from pytest_warmci.naming import BASE_DOMAIN, new_token, stack_domain, stack_name
from pytest_warmci.protocols import AppPlace, Progress, Root

_EVERY: Final = 0.2
_FOLDER: Final = "stack"
"""Folder of an app with what this engine keeps of it beside its secrets and logs."""

_LOGS: Final = "logs"

_RECORD: Final = "deploy.json"
"""File in it: the label of the last deployment, the tasks before it, the engine's start before the
first one, the time services have to stop (seconds)."""

_SETTLE_SECONDS: Final = 30.0
"""From the end of the last service to that of its network, a Swarm was seen to take six."""

_GRACE: Final = 10.0
"""What a service has to stop when nothing says more."""

_LOOKS: Final = 2
"""How many looks in a row must find it converged: what Swarm has not begun yet looks as if done."""

_RECIPE: Final = "look at the logs in the run's folder; pytest --warmci-keep leaves it running"
_PLACE: Final = "docker service ps --no-trunc shows why; mend that, and run again"

_LOG_LINES: Final = 5_000
_SHOWN_LINES: Final = 15


class SwarmEngine:
    """Runs recipes as stacks of a Docker Swarm.

    Args:
        state: The uuid of the state directory: everything that is made carries it.
        options: What the session was told about the Swarm.
        progress: Told about work that takes long.
    """

    name = "swarm"

    def __init__(self, state: str, options: SwarmOptions, progress: Progress) -> None:
        self._state = state
        self._options = options
        self._progress = progress

    @cached_property
    def _docker(self) -> Docker:
        return Docker(find_endpoint())

    @cached_property
    def _info(self) -> Facts:
        return self._docker.info()

    @property
    def base_domain(self) -> str:
        """What the domains of apps end in."""
        return self._options.domain or BASE_DOMAIN

    @property
    def told(self) -> Sequence[str]:
        """The options, as they were when somebody asked."""
        return self._options.words()

    def check(self) -> None:
        """Raise when there is no Swarm that we can deploy to."""
        self._options.check()
        check_swarm(self._docker, self._info)

    def examine(self, stack: Stack) -> None:
        """Raise when a Swarm cannot run what the stack says; change nothing."""
        check_names(stack)
        check_variables(stack)

    def classify(self, differing: Sequence[str]) -> KeyDifferences:
        """Sort differing compose keys: a Swarm sees all but those that it ignores."""
        return keys.classify(differing)

    def prepare(self, stack: Stack) -> None:
        """Fetch the images that are not there, and see that what the stack shares is."""
        self.examine(stack)
        provide_images(self._docker, stack, self._progress)

    def deploy(self, app: AppPlace, stack: Stack) -> None:
        """Begin to bring the app to `stack`, in place when something of it runs."""
        belongings = self._belongings(app)
        belongings.check_ours()
        self.prepare(stack)
        folder = app.folder / _FOLDER
        check_holder(folder, self._info, self._docker.endpoint.url)
        settle_in(folder, self._info, self._docker.endpoint.url)
        create_secrets(belongings, app.folder, stack)
        token = new_token()
        # What is changed in place may still suffer from what happened to the deployment before.
        start = self._start(app) if belongings.services() else None
        write_json(
            folder / _RECORD,
            {
                "format": FORMAT,
                "deploy": token,
                "earlier": [task["ID"] for task in belongings.tasks()],
                "start": start or start_of(self._docker),
                "grace": max(service.stop_grace for service in stack.services.values()),
            },
        )
        override = folder / "override.yml"
        before = self._options.contents()
        write_yaml(override, overriding(stack, state=self._state, token=token, before=before))
        overrides = [*self._options.overrides, override]
        stack_deploy(self._docker.endpoint, stack, app.folder / "recipe", overrides)

    def wait_converged(self, app: AppPlace, stack: Stack, timeout: float) -> None:
        """Return when every service of `stack` runs as it was deployed, and is healthy.

        Args:
            app: The app.
            stack: What was deployed.
            timeout: Seconds for that; more where the recipe itself grants them to operators.

        Raises:
            RecipeFailed: It never will, or does not in time.
            NotEvaluated: Somebody else has deployed it, or goes on doing so; or a node cannot have
                an image.
        """
        belongings = self._belongings(app)
        record = self._record(app)
        expected = frozenset(f"{stack.name}_{name}" for name in stack.services)
        judged = Convergence(expected, time.monotonic)
        what = f"{stack.recipe} {stack.revision}"

        def look() -> Look:
            services, tasks = belongings.moment()
            return judged.look(
                [look_at(each, tasks, record["deploy"], record["earlier"]) for each in services]
            )

        try:
            limit = max(timeout, granted_seconds(stack))
            wait_until(look, timeout=limit, every=_EVERY, times=_LOOKS)
        except Doomed as doomed:
            why = f"{doomed.reason}\n{self._tail(app, belongings, doomed.service)}".rstrip()
            kind = NotEvaluated if doomed.place else RecipeFailed
            raise kind(
                f"service '{doomed.service.removeprefix(f'{stack.name}_')}' does not come up",
                where=what,
                why=why,
                remedy=_PLACE if doomed.place else _RECIPE,
            ) from None
        except WaitedTooLong as late:
            raise RecipeFailed(
                f"not converged after {late.seconds:.0f} s",
                where=what,
                why=late.state,
                remedy="look at the logs; a slow machine may need a longer timeouts.deploy",
            ) from None

    def undeploy(self, app: AppPlace) -> None:
        """Begin to stop the app; its volumes stay, and its secrets in the app's folder."""
        belongings = self._belongings(app)
        belongings.remove_helpers()
        belongings.remove_services()

    def settle(self, app: AppPlace, timeout: float) -> None:
        """Return when nothing of the app runs any more and only its volumes are left.

        Args:
            app: The app.
            timeout: Seconds for that, but never fewer than a Swarm and the services may take.

        Raises:
            NotEvaluated: Something would not go.
        """
        belongings = self._belongings(app)
        timeout = max(timeout, _SETTLE_SECONDS + self._grace(app))

        def look() -> Look:
            left = belongings.left(volumes=False)
            running = [each for each in left if each.startswith(("service", "task", "container"))]
            if not running:
                left = belongings.remove_small()
            return Look(not left, f"still there: {', '.join(left)}")

        try:
            wait_until(look, timeout=timeout, every=_EVERY)
        except WaitedTooLong as late:
            raise NotEvaluated(
                "the app does not go",
                where=app.domain,
                why=late.state,
                remedy="look at the node that it is on, then: warmci recover",
                changed="its services were removed",
            ) from None
        for name in (_FOLDER, _LOGS):
            with suppress(OSError):  # what killed writes have left is in nobody's way
                sweep_garbage(app.folder / name)

    def remove(self, app: AppPlace) -> None:
        """Delete all that the Swarm and this engine keep of an undeployed app."""
        belongings = self._belongings(app)
        belongings.remove_small()
        self._volumes(app, belongings).drop(())
        for name in (_FOLDER, "secrets", _LOGS):
            remove_tree(app.folder / name)

    def running(self, app: AppPlace) -> Sequence[RunningService]:
        """Say what runs now, a task a line."""
        belongings = self._belongings(app)
        names = {each["ID"]: str(each["Spec"]["Name"]) for each in belongings.services()}
        return [
            RunningService(
                name=names[task["ServiceID"]].removeprefix(f"{belongings.stack}_"),
                version=str(task["Spec"]["ContainerSpec"]["Image"]),
                since=datetime.fromisoformat(task["Status"]["Timestamp"]).timestamp(),
                instance=str(task["ID"]),
            )
            for task in belongings.tasks()
            if task["Status"]["State"] == "running" and task["ServiceID"] in names
        ]

    def prove(self, app: AppPlace, stack: Stack) -> str:
        """Prove that exactly `stack` runs: its commit, its images, where its data is.

        Returns:
            The proof in words.

        Raises:
            NotEvaluated: Something else runs, or on another node than the volumes.
        """
        token = str(self._record(app)["deploy"])
        node = str(self._info["Swarm"]["NodeID"])
        return proof_of(self._belongings(app), stack, token, node)

    def leftovers(self, app: AppPlace) -> list[str]:
        """List what is still there of an app that was removed or undeployed."""
        return self._belongings(app).left(volumes=not app.folder.exists())

    def domains(self) -> Collection[str]:
        """Return the domains of all apps of this state directory of which the Swarm has anything."""
        return {stack_domain(each) for each in stacks_of(self._docker, self._state)}

    def data(self, app: AppPlace) -> Mapping[str, Root]:
        """Map each root of the app's data, as snapshots name it, to where it is reached."""
        return self._volumes(app, self._belongings(app)).places()

    def make_data(self, app: AppPlace, roots: Collection[str]) -> Mapping[str, Root]:
        """Make room for these roots where there is none; return the place of every root."""
        return self._volumes(app, self._belongings(app)).make(roots)

    def drop_data(self, app: AppPlace, keep: Collection[str]) -> None:
        """Delete every root of the app's data but those to keep."""
        self._volumes(app, self._belongings(app)).drop(keep)

    def trouble(self, app: AppPlace) -> NotEvaluated | None:
        """Return why nothing that fails now can be held against the recipe; None when it can.

        The engine does not answer, or was away since the app was deployed.
        """
        try:
            noted = self._start(app)
            now = "" if noted is None else start_of(self._docker)
        except NotEvaluated as error:
            return error
        return started_anew(self._docker) if noted and noted != now else None

    def logs(self, app: AppPlace) -> Mapping[str, Path]:
        """Map each service's name to a file with the end of its log, as it is now.

        Of an app that is undeployed it is what was last asked for.
        """
        belongings = self._belongings(app)
        folder = app.folder / _LOGS
        for service in belongings.services():
            name = str(service["Spec"]["Name"]).removeprefix(f"{belongings.stack}_")
            try:
                text = self._log(str(service["ID"]), _LOG_LINES)
            except CommandFailed as error:  # not every logging driver can be read
                text = f"no log: {error.what}: {error.why}\n"
            make_folder(folder)
            write_text(folder / f"{name}.log", mask(app.folder, text))
        return {path.stem: path for path in sorted(folder.glob("*.log"))}

    def address(self, app: AppPlace) -> str:
        """Return the app's base URL: its domain, at the proxy of the Swarm."""
        return self._options.url(app.domain)

    def secret(self, app: AppPlace, stack: Stack, name: str) -> str:
        """Return the value of a secret of the compose file."""
        return read_secret(app.folder, stack, name)

    def secret_values(self, app: AppPlace) -> Collection[str]:
        """Return the values of all secrets that the app has; nothing once it is removed."""
        return secret_values(app.folder)

    def needs_training(self, stack: Stack) -> bool:  # noqa: ARG002 - of every engine
        """Tell that no stack boots faster for having been booted."""
        return False

    def train(self, app: AppPlace, stack: Stack, timeout: float) -> None:  # noqa: ARG002
        """Not part of this engine.

        Raises:
            StateDamaged: Always: nothing needs it.
        """
        raise StateDamaged("nothing can be trained on a Swarm", where=app.domain)

    def _belongings(self, app: AppPlace) -> Belongings:
        check_home(app.folder / _FOLDER, self._info, self._docker.endpoint.url)
        return Belongings(self._docker, stack_name(app.domain), self._state)

    def _volumes(self, app: AppPlace, belongings: Belongings) -> Volumes:
        check_holder(app.folder / _FOLDER, self._info, self._docker.endpoint.url)
        return Volumes(belongings, self._info, self._options.volumes)

    def _grace(self, app: AppPlace) -> float:
        """Return how many seconds the services may take to stop."""
        try:
            return float(self._record(app)["grace"])
        except (FileNotFoundError, StateDamaged):
            return _GRACE  # it is stopped all the same

    def _record(self, app: AppPlace) -> dict[str, Any]:
        """Return what was written down before the last deployment."""
        return read_record(app.folder / _FOLDER / _RECORD, "record of the deployment")

    def _start(self, app: AppPlace) -> str | None:
        """Return which start of the engine an app was deployed with; None when it never was."""
        with suppress(FileNotFoundError):
            return str(self._record(app).get("start", ""))
        return None

    def _log(self, service: str, lines: int) -> str:
        return b"".join(self._docker.service_logs(service, lines)).decode("utf-8", "replace")

    def _tail(self, app: AppPlace, belongings: Belongings, name: str) -> str:
        ids = {name_of(each): str(each["ID"]) for each in belongings.services()}
        if name not in ids:
            return ""
        try:
            return mask(app.folder, self._log(ids[name], _SHOWN_LINES)).rstrip()
        except NotEvaluated:  # what failed is told all the same
            return ""
