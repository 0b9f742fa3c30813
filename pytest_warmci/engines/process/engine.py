"""The process engine: deploy, converge, undeploy, settle, remove."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from pytest_warmci.clients import processes
from pytest_warmci.clients.files import make_folder, remove_tree, sweep_garbage
from pytest_warmci.clients.waiting import Look, WaitedTooLong, wait_until
from pytest_warmci.engines.differences import KeyDifferences
from pytest_warmci.engines.process import boot, keys
from pytest_warmci.engines.process.addresses import provide_address
from pytest_warmci.engines.process.checks import check_machine, check_paths, check_user_namespaces
from pytest_warmci.engines.process.conduct import Conductor, end_strays, stop_wave
from pytest_warmci.engines.process.logs import LogWatch, mask_logs
from pytest_warmci.engines.process.plan import running_as_root
from pytest_warmci.engines.process.provision import Provision
from pytest_warmci.engines.process.records import KEY, OwnerRecord, Records
from pytest_warmci.engines.secrets import read_secret, secret_values
from pytest_warmci.errors import AddressTaken, NotEvaluated, RecipeFailed
from pytest_warmci.model import RunningService, Stack
from pytest_warmci.naming import BASE_DOMAIN
from pytest_warmci.protocols import AppPlace, Progress

_DATA = "volumes"
_EVERY = 0.05
_KILLED = 5.0
"""Seconds for what was killed to be gone."""


class ProcessEngine:
    """Runs the services of one recipe as plain processes.

    Args:
        recipe_folder: The recipe's folder, which has a process.yml.
        cache: Where artifacts and prepared installs are kept.
        progress: Told about work that takes long.
    """

    name = "process"
    base_domain = BASE_DOMAIN
    told: Sequence[str] = ()

    def __init__(self, recipe_folder: Path, cache: Path, progress: Progress) -> None:
        self._provision = Provision(recipe_folder, cache / "process", progress)
        self._watch = LogWatch()

    def check(self) -> None:
        """Raise when this machine cannot run the recipe."""
        check_machine()
        check_paths(self._provision.recipe_folder, self._provision.cache)
        services = self._provision.config.services.values()
        if running_as_root() and any(each.run_as == "unprivileged" for each in services):
            check_user_namespaces()

    def examine(self, stack: Stack) -> None:
        """Raise when process.yml does not describe what the stack says; change nothing."""
        self._provision.examine(stack)

    def classify(self, differing: Sequence[str]) -> KeyDifferences:
        """Sort differing compose keys by whether this engine honours them."""
        return keys.classify(list(differing))

    def prepare(self, stack: Stack) -> None:
        """Fetch and build all that deploying the stack needs (cached); deploys nothing."""
        self.examine(stack)
        for name in stack.services:
            self._provision.prepared(stack, name)

    def deploy(self, app: AppPlace, stack: Stack) -> None:
        """Begin to bring the app to `stack`: stop what has to change, start what can start."""
        self.prepare(stack)
        conductor = Conductor(self._provision, app, stack)
        conductor.begin()
        self._watch.begin(app.folder)
        conductor.step()

    def wait_converged(self, app: AppPlace, stack: Stack, timeout: float) -> None:
        """Drive the app until every service of `stack`, and nothing else, is healthy.

        Raises:
            RecipeFailed: A service ended or did not become healthy in time.
            AddressTaken: Somebody else's program has the app's port.
        """
        _drive(Conductor(self._provision, app, stack), stack, timeout)

    def undeploy(self, app: AppPlace) -> None:
        """Ask every service that nothing depends on to stop; `settle` asks the others."""
        stop_wave(Records(app.folder))

    def settle(self, app: AppPlace, timeout: float) -> None:
        """Return when nothing of the app runs any more; the overdue are killed.

        Its logs are without secrets then.

        Args:
            app: The app.
            timeout: Seconds for that, but never fewer than its services may take to stop.

        Raises:
            NotEvaluated: Something would not go, or somebody else uses the volumes.
        """
        records = Records(app.folder)
        graces = sum(record.stop_grace for record in records.all())
        timeout = max(timeout, graces + _KILLED)

        def look() -> Look:
            left = stop_wave(records) or end_strays(app.folder)
            return Look(not left, f"still running: {', '.join(left)}")

        try:
            wait_until(look, timeout=timeout, every=_EVERY)
        except WaitedTooLong as late:
            raise NotEvaluated(
                "the app does not stop",
                where=app.domain,
                why=late.state,
                changed="its services were told to stop, and killed when their grace was over",
            ) from None
        self._watch.end(app.folder)
        mask_logs(app.folder)
        strangers = processes.using(app.folder / _DATA)
        if strangers:
            raise NotEvaluated(
                "another program uses the app's volumes",
                where=app.domain,
                why=processes.describe(process.pid for process in strangers),
                remedy="stop it and run again",
                changed="the app was stopped",
            )
        _sweep(app.folder)

    def remove(self, app: AppPlace) -> None:
        """Delete what this engine keeps of an undeployed app."""
        for name in ("run", "owners", _DATA, "secrets", "logs", "address.json"):
            remove_tree(app.folder / name)

    def running(self, app: AppPlace) -> Sequence[RunningService]:
        """Say what runs now."""
        records = Records(app.folder)
        return [
            RunningService(
                name=record.service,
                version=record.artifact,
                since=record.begun,
                instance=str(record.pid),
            )
            for record in records.all()
            if records.is_running(record)
        ]

    def prove(self, app: AppPlace, stack: Stack) -> str:
        """Prove that exactly `stack` runs and that its process answers at the app's address.

        Returns:
            The proof in words.

        Raises:
            AddressTaken: Another program has the app's port.
            NotEvaluated: Something else than `stack` runs.
        """
        records = Records(app.folder)
        plans = self._provision.plans(app, stack)
        for name, each in plans.items():
            record = records.find(name)
            if record is None or record.key != each.key or not records.is_running(record):
                raise NotEvaluated(f"service '{name}' does not run as {stack.revision} says")
        served = plans[self._provision.config.served.service]
        record = records.find(served.name)
        if record is None or served.port is None:
            raise NotEvaluated(f"nothing of {app.domain} listens")
        owner = _port_owner(app, records, record, served.port)
        if processes.environment(owner).get(KEY) != served.key:
            raise NotEvaluated(f"pid {owner.pid} is not what {stack.revision} deploys")
        self._prove_files(app, owner)
        program = Path(processes.executable(owner)).name
        return (
            f"{program} (pid {owner.pid}) of {record.artifact} owns 127.0.0.1:{served.port}"
            f" as commit {stack.revision.commit[:8]} says"
        )

    def _prove_files(self, app: AppPlace, owner: processes.ProcessId) -> None:
        """What runs must come from the app's own install, not from another one."""
        others = [
            path
            for path in processes.open_files(owner)
            if Path(path).suffix == ".jar" and not Path(path).is_relative_to(app.folder)
        ]
        if others:
            raise NotEvaluated(
                f"pid {owner.pid} runs files that are not of its own install",
                where=app.domain,
                why=", ".join(others[:3]),
                remedy=f"delete {self._provision.cache / 'boot'} and run again",
            )

    def leftovers(self, app: AppPlace) -> list[str]:
        """List services and processes of an app that should be gone."""
        found = [f"service {record.service}" for record in Records(app.folder).all()]
        strays = [each.pid for each in processes.living_in(app.folder)]
        found += [f"process {processes.describe([pid])}" for pid in strays]
        return found

    def domains(self) -> Collection[str]:
        """Return nothing: all there is of an app is found in its folder, or lives in it."""
        return ()

    def data(self, app: AppPlace) -> Mapping[str, Path]:
        """Map the one root of the app's data to its place: all volumes are in one folder."""
        return {_DATA: app.folder / _DATA}

    def make_data(self, app: AppPlace, roots: Collection[str]) -> Mapping[str, Path]:  # noqa: ARG002 - the protocol's
        """Return the same: a restore makes the folder itself."""
        return self.data(app)

    def drop_data(self, app: AppPlace, keep: Collection[str]) -> None:
        """Delete the volumes, if they are not to be kept."""
        if _DATA not in keep:
            remove_tree(app.folder / _DATA)

    def logs(self, app: AppPlace) -> Mapping[str, Path]:
        """Map each service's name to its log file."""
        return {path.stem: path for path in sorted((app.folder / "logs").glob("*.log"))}

    def address(self, app: AppPlace) -> str:
        """Return the app's base URL, choosing and recording an address when it has none."""
        return provide_address(app.folder).url

    def trouble(self, app: AppPlace) -> None:
        """Tell that there is nothing behind this engine that could be away."""

    def secret(self, app: AppPlace, stack: Stack, name: str) -> str:
        """Return the value of a secret of the compose file."""
        return read_secret(app.folder, stack, name)

    def secret_values(self, app: AppPlace) -> Collection[str]:
        """Return the values of all secrets that the app has; nothing once it is removed."""
        return secret_values(app.folder)

    def needs_training(self, stack: Stack) -> bool:
        """Tell whether booting this stack could be made faster by `train`."""
        services = self._provision.config.services
        return any(
            services[name].boot_cache and not boot.find(self._provision.boot_cache(stack, name))
            for name in stack.services
        )

    def train(self, app: AppPlace, stack: Stack, timeout: float) -> None:
        """Boot a throw-away app once so that later boots of this stack are faster.

        The caller owns and removes the app. What was learnt is in the cache afterwards.
        """
        self.prepare(stack)
        folder = app.folder / "run" / "trained"
        make_folder(folder)
        conductor = Conductor(self._provision, app, stack, folder)
        conductor.begin()
        self._watch.begin(app.folder)
        _drive(conductor, stack, timeout)
        self.undeploy(app)
        self.settle(app, timeout)
        for name, each in conductor.plans.items():
            # Keycloak's JVM was seen to open the jars of the install that it was trained on, even
            # for another version, while they were there: they go before anybody can use it.
            remove_tree(each.scratch)
            if (folder / name).is_file():
                boot.publish(folder / name, self._provision.boot_cache(stack, name))


def _sweep(folder: Path) -> None:
    """Delete what writes and removals of killed processes left in this engine's own folders."""
    run = folder / "run"
    for each in (folder / "owners", run, *run.glob("*/"), *run.glob("*/configs/")):
        with suppress(OSError):  # it is in nobody's way
            sweep_garbage(each)


def _drive(conductor: Conductor, stack: Stack, timeout: float) -> None:
    def look() -> Look:
        missing = conductor.step()
        return Look(not missing, "; ".join(missing))

    try:
        wait_until(look, timeout=timeout, every=_EVERY)
    except WaitedTooLong as late:
        raise RecipeFailed(
            f"not healthy after {late.seconds:.0f} s",
            where=f"{stack.recipe} {stack.revision}",
            why=f"{late.state}\n{conductor.tails()}",
            remedy="look at the logs; a slow machine may need a longer timeouts.deploy",
        ) from None


def _port_owner(
    app: AppPlace, records: Records, record: OwnerRecord, port: int
) -> processes.ProcessId:
    owners = processes.listeners("127.0.0.1", port)
    members = {process.pid: process for process in records.survivors(record)}
    known = [members[pid] for pid in owners if pid in members]
    if not owners or len(known) != len(owners):
        raise AddressTaken(
            f"port {port} is not this app's own",
            where=app.domain,
            why=f"it belongs to {processes.describe(owners) or 'nobody'}",
            remedy="stop that program",
        )
    return known[0]
