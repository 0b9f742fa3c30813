"""A state directory with a live-warm Keycloak, looked at from outside."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from pytest_warmci.clients import command
from pytest_warmci.naming import live_domain, realm_run
from pytest_warmci.protocols import Engine
from pytest_warmci.runs.engines import keeper
from pytest_warmci.runs.live import running
from pytest_warmci.runs.live_keycloak import LiveKeycloak, LivePlace
from pytest_warmci.runs.place import Place
from pytest_warmci.store import realm_records
from tests.e2e.workshop import KEYCLOAK, LIMIT, ROOT, Workshop, clean_environment, show


class SignedOn(Workshop):
    """A workshop whose recipe needs the live-warm Keycloak, which it can look at too."""

    @property
    def engine(self) -> Engine:
        return keeper("process", self.state, show)

    @property
    def live(self) -> LiveKeycloak:
        """The Keycloak that runs."""
        found = running(LivePlace(self.state, self.engine))
        assert found is not None, "the live-warm Keycloak does not run"
        return found

    @property
    def live_place(self) -> Place:
        domain = live_domain("keycloak")
        return Place("keycloak", domain, self.state.app("process", domain))

    def pids(self) -> dict[str, int]:
        """The processes of the live-warm Keycloak by service."""
        found = self.engine.running(self.live_place)
        return {each.name: int(each.instance) for each in found}

    def realms(self) -> list[str]:
        """The realms of runs that the Keycloak has."""
        names = [each.name for each in self.live.administrator.realms()]
        return [name for name in names if realm_run(name) is not None]

    def recorded(self) -> list[str]:
        """The realms that runs have on record."""
        return [each.realm for each in realm_records.of_all(self.state)]

    def check_no_realms(self) -> None:
        """Nothing is left of any run: no realm, no record, no key pair in use."""
        assert self.realms() == []
        assert self.recorded() == []
        assert self.live.keys.used() == []

    def cli(self, *words: str) -> tuple[int, Any]:
        """Run `warmci ... --json`; return its exit status and what it says."""
        done = self.by_hand(*words, "--json")
        return done.code, json.loads(done.text)

    def by_hand(self, *words: str) -> command.Completed:
        """Run `warmci ...` on the state directory."""
        return command.run(
            [sys.executable, "-c", "from pytest_warmci.cli import main; main()", *words],
            timeout=LIMIT,
            cwd=ROOT,
            env={**clean_environment(), "WARMCI_STATE": str(self.root)},
            check=False,
        )

    def stop(self) -> None:
        """Stop the Keycloak."""
        if self.root.is_dir():
            self.by_hand("live", "stop")


def copy_beside_keycloak(recipe: Path, recipe_tests: Path, test: str = "") -> Path:
    """Copy a recipe's folder to where there is a Keycloak beside it; return the copy.

    Args:
        recipe: The recipe's folder.
        recipe_tests: Where the copy is to be.
        test: The content of another test file; its own ones are left out then.
    """
    folder = recipe_tests / recipe.name
    ignored = ["__pycache__", *(["test_*.py"] if test else [])]
    shutil.copytree(recipe, folder, ignore=shutil.ignore_patterns(*ignored))
    if test:
        (folder / "test_more.py").write_text(test)
    beside = recipe_tests / KEYCLOAK.name
    if not beside.exists():
        beside.symlink_to(KEYCLOAK)
    return folder
