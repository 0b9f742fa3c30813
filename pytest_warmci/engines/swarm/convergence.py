"""Has a deployment converged? Judged from what Swarm says of services and tasks. Pure.

Docker's own answers cannot be used: `docker stack deploy` returns at once, its `--detach=false`
calls a rolled back update converged, and a service's own spec says what is wished and not what
runs. Each rule here was seen on Docker 20.10.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pytest_warmci.clients.waiting import Look
from pytest_warmci.engines.swarm import labels

_ENDED: Final = frozenset({"complete", "failed", "shutdown", "rejected", "orphaned", "remove"})
_WANTED: Final = frozenset({"ready", "running"})
_JOBS_WANTED: Final = _WANTED | {"complete"}

_ELSEWHERE: Final = frozenset({"Placement", "Runtime"})
"""What of a service's template makes no task anew: a task that stands where the new placement
would put it stays; the runtime is told of services only."""

_CRASHES: Final = 3
"""After so many the service is in a loop. One or two happen to healthy apps: Swarm ignores
`depends_on`, so an app that is faster than its database ends and is started again."""

_PENDING_SECONDS: Final = 5.0
"""A task that cannot be placed stays pending for ever; for an instant many are."""

_DEAD_SECONDS: Final = 3.0
"""Between two tasks of a service there may be none for an instant; on a busy machine a long one."""

_SURPLUS_SECONDS: Final = 5.0
"""An update ends before what it replaced does, but with nothing more to do Swarm wants no more tasks
than it should. Seen on a busy machine to stay for a minute and more: a task was started anew while an
update, start-first, began, and each made one for the same slot."""


_PLACES_FAULT: Final = ("No such image", "insufficient resources", "no space left on device")
"""What tasks die of, or wait for, that no change of the recipe would mend."""


class Doomed(Exception):
    """The deployment will never converge, by the fault of one service.

    Args:
        service: Its name.
        reason: Why, with the error of its task.
        place: Whether that is trouble of the place and not the recipe's fault.
    """

    def __init__(self, service: str, reason: str, *, place: bool = False) -> None:
        super().__init__(f"{service}: {reason}")
        self.service = service
        self.reason = reason
        self.place = place


@dataclass(frozen=True, slots=True)
class TaskLook:
    """One task: `intended` tells whether it is of the spec that its service has now, `earlier`
    whether it was there before the deployment."""

    id: str
    state: str
    desired: str
    error: str
    intended: bool
    earlier: bool

    @property
    def ended(self) -> bool:
        """Tell whether nothing of it runs any more."""
        return self.state in _ENDED


@dataclass(frozen=True, slots=True)
class ServiceLook:
    """One service: `wanted` is how many tasks should run, `job` whether they should end instead,
    `intended` whether its spec is the one that was deployed."""

    name: str
    wanted: int
    job: bool
    update: str
    message: str
    intended: bool
    tasks: tuple[TaskLook, ...]

    @property
    def running(self) -> list[TaskLook]:
        """The tasks that run, of whatever spec."""
        return [task for task in self.tasks if task.state == "running"]

    @property
    def good(self) -> bool:
        """Tell whether exactly what was deployed runs, and nothing is under way."""
        if not self.intended or self.update not in ("", "completed"):
            return False
        if self.job:
            done = [task for task in self.tasks if task.intended and task.state == "complete"]
            return len(done) >= self.wanted
        alive = [task for task in self.tasks if not task.ended]
        ours = [task for task in self.running if task.intended]
        return len(ours) == len(alive) == self.wanted

    @property
    def surplus(self) -> int:
        """How many tasks too many Swarm keeps running, with no update that would end them."""
        if self.update not in ("", "completed"):
            return 0
        kept = [task for task in self.running if task.intended and task.desired in _WANTED]
        return max(0, len(kept) - self.wanted)

    @property
    def died(self) -> list[str]:
        """What the tasks of the deployment died of, the newest first.

        Those of before may go on crashing until the update gets to them. When Swarm has rolled
        the service back, its spec is the one of before. A change that makes no task anew has no
        tasks of its own: then it is what any of them died of.
        """
        since = [task for task in reversed(self.tasks) if task.error and not task.earlier]
        back = self.update.startswith("rollback")
        own = [task.error for task in since if task.intended is not back]
        return own or [task.error for task in since]

    @property
    def errors(self) -> str:
        """The same in words."""
        return "; ".join(dict.fromkeys(self.died)) or self.message or "no error was given"

    def __str__(self) -> str:
        alive = [task for task in self.tasks if not task.ended]
        states = [f"{task.state}{'' if task.intended else ' (old)'}" for task in alive]
        errors = {task.error for task in alive if task.error}
        words = [f"{self.name} {len(self.running)}/{self.wanted}", *dict.fromkeys(states)]
        if self.update:
            words.append(f"update {self.update}")
        died = [task.error for task in self.tasks if task.ended and task.error]
        if died and not errors and not self.tasks[-1].earlier:
            words.append(f"last error: {died[-1]}")
        return ", ".join([*words, *sorted(errors)])


def look_at(
    service: Mapping[str, Any],
    tasks: Iterable[Mapping[str, Any]],
    token: str,
    earlier: Collection[str],
) -> ServiceLook:
    """Read one service and its tasks as Docker's API describes them.

    Args:
        service: The service.
        tasks: All tasks, of this service and of others.
        token: The label of the deployment that is waited for.
        earlier: The ids of the tasks that were there before it.
    """
    spec = service["Spec"]
    update = service.get("UpdateStatus") or {}
    own = sorted(
        (task for task in tasks if task["ServiceID"] == service["ID"]),
        key=lambda task: str(task["CreatedAt"]),
    )
    looks = tuple(_task(task, service, earlier) for task in own)
    wanted, job = _wanted(spec["Mode"], looks)
    return ServiceLook(
        name=str(spec["Name"]),
        wanted=wanted,
        job=job,
        update=str(update.get("State") or ""),
        message=str(update.get("Message") or ""),
        intended=(spec.get("Labels") or {}).get(labels.DEPLOY) == token,
        tasks=looks,
    )


def _task(
    task: Mapping[str, Any], service: Mapping[str, Any], earlier: Collection[str]
) -> TaskLook:
    status = task["Status"]
    code = (status.get("ContainerStatus") or {}).get("ExitCode")
    error = str(status.get("Err") or "")
    meant = task["DesiredState"] == "complete"  # a job's
    if not error and status["State"] == "complete" and not meant:
        error = f"ended by itself with exit code {code or 0}"
    return TaskLook(
        id=str(task["ID"]),
        state=str(status["State"]),
        desired=str(task["DesiredState"]),
        error=error,
        intended=_is_intended(task, service),
        earlier=task["ID"] in earlier,
    )


def _is_intended(task: Mapping[str, Any], service: Mapping[str, Any]) -> bool:
    """Tell whether a task is what its service wishes now, as Swarm itself decides it.

    Not by the container alone: when only the memory or the networks change, for an instant there
    is the old task, and no word of an update yet.
    """
    run = (service.get("JobStatus") or {}).get("JobIteration") or {}
    if run.get("Index", 0) != (task.get("JobIteration") or {}).get("Index", 0):
        return False  # each deployment runs a job again
    wish, made = service["Spec"]["TaskTemplate"], task["Spec"]
    return all(wish.get(key) == made.get(key) for key in {*wish, *made} - _ELSEWHERE)


def _wanted(mode: Mapping[str, Any], tasks: Sequence[TaskLook]) -> tuple[int, bool]:
    if "Replicated" in mode:
        return int(mode["Replicated"].get("Replicas", 1)), False
    if "ReplicatedJob" in mode:
        job = mode["ReplicatedJob"]
        return int(job.get("TotalCompletions") or job.get("MaxConcurrent") or 1), True
    # one on each node that will take it: as many as Swarm has made
    job = "GlobalJob" in mode
    desired = _JOBS_WANTED if job else _WANTED
    return max(1, sum(task.desired in desired for task in tasks)), job


@dataclass
class Convergence:
    """Judges one deployment from look to look.

    Args:
        expected: The services that must be there.
        clock: Seconds, monotonic.
    """

    expected: Collection[str]
    clock: Callable[[], float]
    _since: dict[tuple[str, str], float] = field(default_factory=dict)
    _dead: set[str] = field(default_factory=set)
    _crashes: dict[str, int] = field(default_factory=dict)
    _were_good: set[str] = field(default_factory=set)

    def look(self, services: Sequence[ServiceLook]) -> Look:
        """Return whether it has converged, and in words what there is.

        Args:
            services: All services of the stack, as they are now.

        Raises:
            Doomed: It never will.
        """
        known = [service for service in services if service.name in self.expected]
        good = {service.name for service in known if service.good}
        for service in known:
            others = set(self.expected) - {service.name}
            self._count(service, alone=others <= good and others <= self._were_good)
            self._check(service)
        self._were_good = good
        missing = sorted(set(self.expected) - {service.name for service in known})
        words = [str(service) for service in known if not service.good]
        words += [f"{name} is not there" for name in missing]
        return Look(not words, "; ".join(words) or "converged")

    def _check(self, service: ServiceLook) -> None:
        if service.update.startswith("rollback"):
            raise _doomed(service, f"Swarm rolled it back: {service.errors}")
        if service.update == "paused":
            raise _doomed(service, f"Swarm paused its update: {service.errors}")
        if not service.intended:
            raise Doomed(service.name, "somebody else has deployed it meanwhile", place=True)
        if self._crashes.get(service.name, 0) >= _CRASHES:
            raise _doomed(service, f"crashes again and again: {service.errors}")
        leaving = any(
            not task.ended and task.desired not in _JOBS_WANTED for task in service.tasks
        )
        stuck = [
            task
            for task in service.tasks
            if task.state == "pending" and task.error and task.desired in _JOBS_WANTED
        ]
        # One that is told to stop has its port and its memory until it has; that is its own time.
        if self._lasts(("pending", service.name), bool(stuck and not leaving), _PENDING_SECONDS):
            raise _doomed(service, f"cannot be placed: {stuck[0].error}")
        if self._lasts(("surplus", service.name), service.surplus > 0, _SURPLUS_SECONDS):
            raise Doomed(
                service.name,
                f"no update is under way, and Swarm keeps {service.wanted + service.surplus} tasks "
                f"running where {service.wanted} should be",
                place=True,
            )
        gone = (
            service.wanted > 0
            and not service.good
            and service.update != "updating"
            and bool(service.tasks)
            and not any(task.desired in _WANTED for task in service.tasks)
            and all(task.ended for task in service.tasks)
        )
        if self._lasts(("gone", service.name), gone, _DEAD_SECONDS):
            why = service.tasks[-1].error or service.errors
            raise _doomed(service, f"is down, and Swarm never starts it again: {why}")

    def _count(self, service: ServiceLook, *, alone: bool) -> None:
        """Count tasks that ended; only from when all other services are there do they matter."""
        crashed = {"failed", "rejected"} if service.job else {"failed", "rejected", "complete"}
        ended = {
            task.id
            for task in service.tasks
            if task.intended and not task.earlier and task.state in crashed
        }
        fresh = ended - self._dead
        self._dead |= fresh
        if alone:
            self._crashes[service.name] = self._crashes.get(service.name, 0) + len(fresh)

    def _lasts(self, key: tuple[str, str], holds: bool, seconds: float) -> bool:  # noqa: FBT001
        if not holds:
            self._since.pop(key, None)
            return False
        now = self.clock()
        return now - self._since.setdefault(key, now) >= seconds


def _doomed(service: ServiceLook, reason: str) -> Doomed:
    places = [error for error in service.died if any(words in error for words in _PLACES_FAULT)]
    return Doomed(service.name, reason, place=bool(places) and places == service.died)
