"""A recipe's git history kept as plain files: `history.yml` and one folder per step.

A repository cannot be committed inside another one, so the recipe under test is kept as the files
that each step changes, and made into a repository when it is needed. Every id comes out the same
on every machine: people, dates, modes and bytes are all in the files.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, Literal

import pydantic

from pytest_warmci.clients import git, yamlfile
from pytest_warmci.clients.files import garbage_name
from pytest_warmci.errors import InputError
from pytest_warmci.recipes.versions import parse_version

HISTORY_FILE: Final = "history.yml"

_PERSON: Final = r"^[^<>\n]+$"
_FOLDER: Final = r"^[0-9A-Za-z][0-9A-Za-z._+-]*$"


class _Author(yamlfile.Strict):
    name: Annotated[str, pydantic.Field(pattern=_PERSON)]
    email: Annotated[str, pydantic.Field(pattern=_PERSON)]


class _Step(yamlfile.Strict):
    folder: Annotated[str, pydantic.Field(pattern=_FOLDER)]
    parent: str | None
    date: pydantic.AwareDatetime
    tag: str = ""
    branch: str = ""
    message: str = ""
    delete: tuple[str, ...] = ()

    @property
    def text(self) -> bytes:
        """The message of the commit and of the tag, ending with a newline."""
        said = self.message or (f"publish {self.tag}" if self.tag else self.folder)
        return (said.rstrip("\n") + "\n").encode()

    @property
    def stamp(self) -> str:
        """The date as git writes it: seconds since 1970, and the offset."""
        return f"{int(self.date.timestamp())} {self.date.strftime('%z')[:5]}"


class _HistoryFile(yamlfile.Strict):
    format: Literal[1]
    author: _Author
    head: str
    steps: Annotated[tuple[_Step, ...], pydantic.Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class _Plan:
    """A history ready for `git fast-import`: HEAD's branch, the stream and the refs to set.

    `marks` maps each step's folder to its mark in the stream.
    """

    head: str
    stream: bytes
    branches: dict[str, str]
    marks: dict[str, str]

    @property
    def digest(self) -> str:
        """Hash of everything that shapes the repository."""
        shape = hashlib.sha256(f"{self.head}\n{sorted(self.branches.items())}\n".encode())
        shape.update(self.stream)
        return shape.hexdigest()


def history_schema() -> dict[str, Any]:
    """Return the JSON schema of `history.yml`, for editors."""
    return yamlfile.json_schema(_HistoryFile, f"{HISTORY_FILE} of pytest-warmci")


def is_history(folder: Path) -> bool:
    """Tell whether a folder holds a history kept as files."""
    return (folder / HISTORY_FILE).is_file()


def build_history(source_folder: Path, cache: Path) -> Path:
    """Return the bare repository of a history, building it when the cache lacks it.

    Args:
        source_folder: Holds `history.yml` and the steps' folders.
        cache: The cache folder; repositories are kept below its `sources`.

    Raises:
        InputError: The history is not valid.
    """
    plan = _plan(source_folder)
    sources = cache / "sources"
    sources.mkdir(parents=True, exist_ok=True)
    folder = source_folder.absolute()
    name = folder.parent.name if folder.name == "source" else folder.name
    target = sources / f"{name}-{plan.digest[:16]}"
    if target.is_dir():
        return target
    building = garbage_name(target)  # until it is whole: whoever dies here leaves garbage
    try:
        building.mkdir()
        repository = building / "repository"
        _build(plan, repository)
        try:
            repository.rename(target)
        except OSError:
            # somebody else was faster; theirs has the same content
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return target


def history_ids(source_folder: Path) -> dict[str, str]:
    """Return the commit id of each step by its folder's name, from a fresh build.

    Raises:
        InputError: The history is not valid.
    """
    with tempfile.TemporaryDirectory() as scratch:
        return _build(_plan(source_folder), Path(scratch) / "repository")


def _build(plan: _Plan, folder: Path) -> dict[str, str]:
    git.init_bare(folder, plan.head)
    repository = git.Repository(folder)
    marks_file = folder / "warmci-marks"
    ids = repository.fast_import(plan.stream, marks_file)
    marks_file.unlink()
    lines = [f"create refs/heads/{name} {ids[mark]}" for name, mark in plan.branches.items()]
    lines += [f"delete refs/import/{mark[1:]}" for mark in plan.marks.values()]
    repository.update_refs("\n".join(lines) + "\n")
    return {step: ids[mark] for step, mark in plan.marks.items()}


def _plan(source_folder: Path) -> _Plan:
    path = source_folder / HISTORY_FILE
    history = yamlfile.load(path, _HistoryFile)
    writer = _Writer(source_folder, history, yamlfile.load_mapping(path))
    for index, step in enumerate(history.steps):
        writer.check(index, step)
        writer.write(index, step)
    return writer.plan()


class _Writer:
    """Writes the stream for `git fast-import`, step by step."""

    def __init__(self, folder: Path, history: _HistoryFile, document: yamlfile.Document) -> None:
        self.folder = folder
        self.history = history
        self.document = document
        self.person = f"{history.author.name} <{history.author.email}>"
        self.stream = bytearray(b"feature done\n")
        self.trees: dict[str, frozenset[str]] = {}
        self.marks: dict[str, str] = {}
        self.branches: dict[str, str] = {}
        self.tags: set[str] = set()

    def check(self, index: int, step: _Step) -> None:
        def at(*path: str | int) -> str:
            return self.document.at("steps", index, *path)

        if step.folder in self.trees:
            raise InputError(f"two steps name '{step.folder}'", where=at("folder"))
        if step.parent is not None and step.parent not in self.trees:
            raise InputError(
                f"parent: '{step.parent}' is no step above this one",
                where=at("parent"),
                remedy=f"steps above: {', '.join(self.trees) or 'none, write null'}",
            )
        if not step.tag and not step.branch:
            raise InputError(
                f"step '{step.folder}' has neither tag nor branch",
                where=at(),
                why="nothing would lead to its commit",
            )
        if step.tag in self.tags:
            raise InputError(f"two steps have the tag '{step.tag}'", where=at("tag"))
        if step.tag:
            parse_version(step.tag, at("tag"))
        if step.branch and not git.is_ref_name(step.branch):
            raise InputError(f"branch: '{step.branch}' cannot name a branch", where=at("branch"))

    def write(self, index: int, step: _Step) -> None:
        place = self.document.at("steps", index, "folder")
        inherited = self.trees[step.parent] if step.parent is not None else frozenset()
        for number, gone in enumerate(step.delete):
            if gone not in inherited:
                where = self.document.at("steps", index, "delete", number)
                raise InputError(f"delete: '{gone}' is not in the parent", where=where)
        files = list(_files(self.folder / step.folder, place))
        if not files and not step.delete:
            raise InputError(
                f"step '{step.folder}' changes nothing",
                where=place,
                remedy=f"put its files into {self.folder / step.folder}",
            )
        mark = self.marks[step.folder] = f":{index + 1}"
        stamp = f"{self.person} {step.stamp}"
        # each commit gets a ref of its own: on a ref that exists, fast-import would take its tip
        # as the parent of a commit that is to have none
        self.line(f"commit refs/import/{index + 1}\nmark {mark}\nauthor {stamp}")
        self.line(f"committer {stamp}")
        self.data(step.text)
        if step.parent is not None:
            self.line(f"from {self.marks[step.parent]}")
        for gone in step.delete:
            self.line(f"D {gone}")
        for name, mode, content in files:
            self.line(f"M {mode} inline {name}")
            self.data(content)
        if step.tag:
            self.tags.add(step.tag)
            self.line(f"tag {step.tag}\nfrom {mark}\ntagger {stamp}")
            self.data(step.text)
        if step.branch:
            self.branches[step.branch] = mark
        self.trees[step.folder] = (inherited - set(step.delete)) | {name for name, _, _ in files}

    def plan(self) -> _Plan:
        head = self.history.head
        if head not in self.branches:
            raise InputError(
                f"head: '{head}' is no step's branch",
                where=self.document.at("head"),
                remedy=f"branches: {', '.join(self.branches) or 'none'}",
            )
        return _Plan(head, bytes(self.stream + b"done\n"), self.branches, self.marks)

    def line(self, text: str) -> None:
        self.stream += f"{text}\n".encode()

    def data(self, content: bytes) -> None:
        self.stream += b"data %d\n%b\n" % (len(content), content)


def _files(folder: Path, where: str) -> Iterator[tuple[str, str, bytes]]:
    """Yield path, git mode and content of every file of a step, sorted by path."""
    found = []
    for parent, folders, names in os.walk(folder):
        for name in folders + names:
            path = Path(parent, name)
            info = path.lstat()
            relative = path.relative_to(folder).as_posix()
            if stat.S_ISDIR(info.st_mode):
                if name == ".git":
                    raise InputError(f"'{relative}' cannot be in a commit", where=where)
                continue
            if not stat.S_ISREG(info.st_mode):
                raise InputError(
                    f"'{relative}' of step '{folder.name}' is not a regular file",
                    where=where,
                    remedy="a history holds regular files only: no symlinks, sockets or devices",
                )
            if not relative.isprintable() or '"' in relative or "\\" in relative:
                raise InputError(f"{relative!r} is no name for a recipe's file", where=where)
            mode = "100755" if info.st_mode & stat.S_IXUSR else "100644"
            found.append((PurePosixPath(relative), mode, path.read_bytes()))
    for relative_path, mode, content in sorted(found, key=lambda each: each[0].parts):
        yield str(relative_path), mode, content
