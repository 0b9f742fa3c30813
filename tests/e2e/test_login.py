"""Logins on real Keycloaks: two versions of it, and one that is restarted half-way."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_warmci.clients.http import LoopbackSession
from pytest_warmci.clients.login import login
from pytest_warmci.engines.process.engine import ProcessEngine
from pytest_warmci.errors import KeycloakTrouble
from pytest_warmci.recipes.enrolment import read_enrolment
from pytest_warmci.runs.deploying import bring_up, take_down
from pytest_warmci.runs.handle import AppHandle
from tests.e2e import login_cases
from tests.e2e.workshop import HEAD, Workshop, show

CASES = Path(login_cases.__file__)


@pytest.mark.cost(100)
def test_every_page_is_answered_or_named_on_both_versions(
    workshop: Workshop, recipe_copy: Path
) -> None:
    """The cases run on the base and on the head; the recipe's own tests are not of interest."""
    for file in recipe_copy.glob("test_*.py"):
        file.unlink()
    shutil.copy(CASES, recipe_copy / "test_logins.py")
    text = CASES.read_text("utf-8")
    marked = f"{text}\n\npytestmark = pytest.mark.before_upgrade\n"
    (recipe_copy / "test_logins_before.py").write_text(marked, "utf-8")

    outcome = workshop.pytest("--quick", "-v")

    assert outcome.status == 0, outcome.text
    passed = Counter(re.findall(r"/(test_logins\w*\.py)::\S+ PASSED", outcome.text))
    assert passed["test_logins.py"] == passed["test_logins_before.py"] > 20
    assert HEAD in outcome.result["proved_head"]


class Canonical:
    """Keycloak's canonical, brought up by hand and with the realm of the cases."""

    def __init__(self, workshop: Workshop) -> None:
        self.engine = ProcessEngine(workshop.recipe, workshop.state.cache, show)
        self.enrolment = read_enrolment(workshop.recipe)
        self.place = workshop.place

    def start(self) -> AppHandle:
        return bring_up(self.engine, self.place, self.enrolment, self.place.deployed_stack()).app

    def stop(self) -> None:
        take_down(self.engine, self.place, self.enrolment)


@pytest.fixture
def canonical(workshop: Workshop) -> Iterator[Canonical]:
    made = Canonical(workshop)
    try:
        app = made.start()
        login_cases.administrator(app).create_realm(login_cases.DESCRIPTION)
        yield made
    finally:
        made.stop()


class Interrupted(LoopbackSession):
    """Does something between seeing the first form and sending it."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self.meanwhile = [meanwhile]

    def request(self, method: str | bytes, *args: Any, **kwargs: Any) -> Any:
        if method == "POST" and self.meanwhile:
            self.meanwhile.pop()()
        return super().request(method, *args, **kwargs)


def log_in_meanwhile(canonical: Canonical, meanwhile: Callable[[], object]) -> dict[str, str]:
    issuer = f"{canonical.engine.address(canonical.place)}/realms/{login_cases.REALM}"
    with Interrupted(meanwhile) as session:
        found = login(
            login_cases.authorization(issuer),
            login_cases.answers("ana"),
            session=session,
            until=login_cases.CALLBACK,
        )
        assert session.meanwhile == []
    return login_cases.brought_back(found)


@pytest.mark.cost(45)
def test_a_restart_in_the_middle_of_a_login_is_survived(canonical: Canonical) -> None:
    """Keycloak has forgotten the login, says so, and is answered once more."""

    def restart() -> None:
        canonical.stop()
        canonical.start()

    assert "code" in log_in_meanwhile(canonical, restart)


@pytest.mark.cost(30)
def test_an_end_in_the_middle_of_a_login_is_trouble_of_keycloak(canonical: Canonical) -> None:
    with pytest.raises(KeycloakTrouble, match="Keycloak does not answer") as caught:
        log_in_meanwhile(canonical, canonical.stop)

    assert "Connection refused" in caught.value.why
    assert caught.value.where.endswith("/realms/logins/login-actions/authenticate")
