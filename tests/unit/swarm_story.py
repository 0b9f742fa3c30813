"""A deployment on a Swarm as a story of looks, told by a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import pytest

from pytest_warmci.clients.waiting import Look
from pytest_warmci.engines.swarm.convergence import Convergence, Doomed, look_at
from tests.unit.swarm_facts import STACK, TOKEN, service, task

Facts = dict[str, Any]
NO_PLACE = "no suitable node (host-mode port already in use on 1 node)"


class Story:
    """One deployment of services, looked at again and again by a clock moved by hand."""

    def __init__(self, *names: str, earlier: Collection[str] = ()) -> None:
        self.now = 100.0
        self.earlier = earlier
        expected = frozenset(f"{STACK}_{name}" for name in names or ("app",))
        self.judged = Convergence(expected, lambda: self.now)

    def look(self, services: Sequence[Facts], *tasks: Facts, after: float = 0.2) -> Look:
        self.now += after
        return self.judged.look([look_at(each, tasks, TOKEN, self.earlier) for each in services])

    def app(self, update: str, *tasks: Facts, after: float = 0.2, **more: Any) -> Look:
        """Look at one service, `app`."""
        return self.look([service(update=update, **more)], *tasks, after=after)

    def waits(self, update: str, *tasks: Facts, after: float = 0.2, **more: Any) -> str:
        """Look at `app`, which has not converged and still may; return what is said."""
        found = self.app(update, *tasks, after=after, **more)
        assert not found.ok, found
        return found.state

    def converged(self, update: str, *tasks: Facts, **more: Any) -> None:
        assert Look(ok=True, state="converged") == self.app(update, *tasks, **more)

    def doomed(self, update: str, *tasks: Facts, after: float = 0.2, **more: Any) -> Doomed:
        with pytest.raises(Doomed) as caught:
            self.app(update, *tasks, after=after, **more)
        assert f"{STACK}_app" == caught.value.service
        return caught.value


def crash(number: int, **more: Any) -> Facts:
    return task(number, "failed", "task: non-zero exit (1)", code=1, **more)
