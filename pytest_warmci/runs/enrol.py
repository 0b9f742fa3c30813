"""Enrolling a recipe: its folder with all files that it needs, as far as they can be known.

What cannot be known is left open in a way that is refused or fails until somebody has written it:
nothing that is made here can pass for a tested recipe.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pytest_warmci.clients.files import rename
from pytest_warmci.errors import InputError
from pytest_warmci.model import FORMAT, Revision
from pytest_warmci.naming import canonical_domain, is_recipe_name
from pytest_warmci.recipes.enrolment import is_url, read_enrolment
from pytest_warmci.recipes.source import Source, open_source
from pytest_warmci.runs import enrol_files
from pytest_warmci.runs.planning import sample_stack

_BUILDING: Final = ".new-"
PROCESS: Final = "process.yml"


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What was made: the folder, the names of its files, the revision that they were made from.

    `notes` say what could not be made, and why; `revision` is then None.
    """

    folder: Path
    files: tuple[str, ...]
    revision: Revision | None
    notes: tuple[str, ...]

    def steps(self, shown: str) -> list[str]:
        """Return what to do next, in this order; `shown` is how the folder is called."""
        process = "fill in every TODO; it is refused until then"
        if PROCESS not in self.files:
            process = "write it (docs/reference/process-yml.md); no run begins until then"
        return [
            f"{shown}/{PROCESS}: {process}",
            f"{shown}/recipe.yml: let the probe ask for what needs the app's data",
            f"{shown}/witness.py: write plant() and check(); no run passes until then",
            f"warmci doctor {shown}: says what is still missing",
            f"warmci seed {shown}: a first known-good",
        ]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        revision = self.revision
        return {
            "format": FORMAT,
            "recipe": self.folder.name,
            "folder": str(self.folder),
            "files": list(self.files),
            "version": None if revision is None else revision.version,
            "commit": None if revision is None else revision.commit,
            "notes": list(self.notes),
            "next": self.steps(str(self.folder)),
        }


def enrol(
    recipe: str, tests: Path, location: str, probe: str, cache: Callable[[], Path]
) -> Enrolled:
    """Make the folder of a recipe below `tests`, all at once.

    Args:
        recipe: Its name.
        tests: Where the folders of recipes are; made when it is missing.
        location: The recipe's git repository: a URL, or a path seen from the current folder.
        probe: The path of the functional probe.
        cache: Returns where sources are kept; asked when the rest is in order.

    Raises:
        InputError: The name, the probe or the source is not usable, or there is a folder already.
        FetchFailed: The source could not be fetched.
    """
    folder = tests / recipe
    _check(recipe, folder)
    source = open_source(location, cache())
    files = {
        "recipe.yml": enrol_files.recipe_yml(recipe, seen_from(folder, location), probe),
        "witness.py": enrol_files.witness_py(recipe),
        f"test_{recipe.replace('-', '_')}.py": enrol_files.test_py(recipe, probe),
    }
    revision, note = None, ""
    try:
        revision = _newest(source)
        stack = sample_stack(source, recipe, revision, canonical_domain(recipe))
        files[PROCESS] = enrol_files.process_yml(stack)
    except InputError as error:
        revision, note = None, f"no {PROCESS} was made: {error.summary}"
    _put(folder, files)
    return Enrolled(folder, tuple(files), revision, tuple(filter(None, [note])))


def seen_from(folder: Path, location: str) -> str:
    """Return a source's location as recipe.yml in `folder` says it; an absolute one stays."""
    expanded = Path(location).expanduser()
    if is_url(location) or expanded.is_absolute():
        return location if is_url(location) else str(expanded)
    return os.path.relpath(expanded, folder)


def _check(recipe: str, folder: Path) -> None:
    if not is_recipe_name(recipe):
        raise InputError(
            f"{recipe!r} cannot name a recipe",
            remedy="use at most 40 of a-z, 0-9 and -, beginning and ending with a letter or digit",
        )
    if os.path.lexists(folder):
        raise InputError(
            "there is something with this name already",
            where=str(folder),
            remedy="choose another name, or remove it; warmci doctor looks at what is there",
        )


def _newest(source: Source) -> Revision:
    return source.resolve("published" if source.published() else "HEAD")


def _put(folder: Path, files: dict[str, str]) -> None:
    """Build the folder beside its place, look whether it is valid, and rename it there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=folder.parent))
    try:
        built = beside / folder.name
        built.mkdir()
        for name, text in files.items():
            (built / name).write_text(text, "utf-8")
        try:
            read_enrolment(built)
        except InputError as error:
            error.where = error.where.replace(str(built), str(folder))
            raise
        _check(folder.name, folder)  # a rename would replace an empty folder made meanwhile
        rename(built, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
