"""One app on disk: its folder, its `.env`, its recipe files, what its snapshot covers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pytest_warmci.clients.files import (
    make_folder,
    read_record,
    remove_tree,
    write_json,
    write_text,
)
from pytest_warmci.errors import StateDamaged
from pytest_warmci.model import FORMAT, RUN_ENV, RUN_SECRETS, RUN_USERS, Revision, Stack
from pytest_warmci.recipes.compose import render
from pytest_warmci.recipes.env import dump_env, parse_env
from pytest_warmci.recipes.source import Source
from pytest_warmci.runs.planning import sample_env

_ROOTS = ("env", "secrets", "recipe", "deployed.json")


@dataclass(frozen=True, slots=True)
class Place:
    """One app of one engine: where it lives. Everything else about it is read from there."""

    recipe: str
    domain: str
    folder: Path

    @property
    def snapshots(self) -> Path:
        """The folder of the app's generations."""
        return self.folder / "snapshot"

    @property
    def roots(self) -> Mapping[str, Path]:
        """What a snapshot covers beside the data: `.env`, secrets, version and recipe files.

        Where the data are is the engine's to say.
        """
        return {name: self.folder / name for name in _ROOTS}

    def env(self) -> Mapping[str, str]:
        """Return the app's `.env`, and last what it has for one run only."""
        env = dict(parse_env((self.folder / "env").read_text("utf-8")))
        with suppress(FileNotFoundError):
            env.update(parse_env((self.folder / RUN_ENV).read_text("utf-8"), RUN_ENV))
        return env

    def wire(
        self, env: Mapping[str, str], secrets: Mapping[str, str], users: Mapping[str, str]
    ) -> None:
        """Give the app what it has for one run only: no snapshot has it, see `unwire`.

        Args:
            env: Variables, which win over those of its `.env`.
            secrets: Secrets, by their names in the compose file.
            users: Passwords of those who can log in, by their names; for who looks at it.
        """
        self.unwire()
        for kind, values in ((RUN_SECRETS, secrets), (RUN_USERS, users)):
            make_folder(self.folder / kind)
            for name, value in values.items():
                write_text(self.folder / kind / name, value)
        write_text(self.folder / RUN_ENV, dump_env(env))

    def unwire(self) -> None:
        """Take that away again; fine when there is nothing."""
        for name in (RUN_ENV, RUN_SECRETS, RUN_USERS):
            remove_tree(self.folder / name)

    def create(self, source: Source, revision: Revision) -> None:
        """Give a new app its `.env` (from the revision's `.env.sample`)."""
        make_folder(self.folder)
        env = sample_env(source, self.recipe, revision, self.domain)
        write_text(self.folder / "env", dump_env(env))

    def stack(self, source: Source, revision: Revision) -> Stack:
        """Render a revision for this app, with the `.env` that the app has."""
        return render(
            lambda path: source.read(revision.commit, path),
            recipe=self.recipe,
            domain=self.domain,
            revision=revision,
            env=self.env(),
        )

    def deployed(self) -> Revision | None:
        """Return the revision that was last recorded as deployed."""
        path = self.folder / "deployed.json"
        if not path.is_file():
            return None
        data = read_record(path, "record of the deployed version")
        return Revision(str(data["commit"]), str(data["version"]), bool(data["published"]))

    def deployed_stack(self) -> Stack:
        """Render what is deployed from the app's own copy of the recipe, which needs no git.

        Raises:
            StateDamaged: Nothing is recorded as deployed.
        """
        revision = self.deployed()
        if revision is None:
            raise StateDamaged("no version is recorded for this app", where=str(self.folder))
        files = self.folder / "recipe"

        def read(path: str) -> bytes | None:
            file = (files / path).resolve()
            if not file.is_relative_to(files.resolve()) or not file.is_file():
                return None
            return file.read_bytes()

        return render(
            read, recipe=self.recipe, domain=self.domain, revision=revision, env=self.env()
        )

    def record_deployed(self, source: Source, revision: Revision) -> None:
        """Keep the revision and its recipe files with the app, before it is deployed."""
        remove_tree(self.folder / "recipe")
        source.export(revision.commit, self.folder / "recipe")
        write_json(
            self.folder / "deployed.json",
            {
                "format": FORMAT,
                "version": revision.version,
                "commit": revision.commit,
                "published": revision.published,
            },
        )

    def clear(self) -> None:
        """Delete what a snapshot covers beside the data, and what the app has for one run only."""
        self.unwire()
        for path in self.roots.values():
            remove_tree(path)
