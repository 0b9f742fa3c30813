"""The recipe under test as a git repository: which commits there are, and what is in them."""

from __future__ import annotations

import os
import posixpath
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pytest_warmci.clients import git
from pytest_warmci.errors import InputError
from pytest_warmci.model import Revision
from pytest_warmci.recipes import composefile
from pytest_warmci.recipes.enrolment import absolute_source, is_url
from pytest_warmci.recipes.history import build_history, is_history
from pytest_warmci.recipes.mirror import mirror
from pytest_warmci.recipes.versions import Version, is_version, parse_version

_LISTED: Final = 5
_FILE: Final = ("100644", "100755", "100664")
_SYMLINK: Final = "120000"


@dataclass(frozen=True, slots=True)
class Source:
    """An opened source. `location` is what was asked for, `repository` what is read."""

    location: str
    repository: git.Repository
    has_work_tree: bool
    _tags: tuple[tuple[Version, str], ...]
    _trees: dict[str, dict[str, git.Entry]] = field(default_factory=dict, compare=False)

    def published(self) -> list[Revision]:
        """Return the published versions (annotated tags), oldest to newest."""
        return [Revision(commit, version.text, published=True) for version, commit in self._tags]

    def resolve(self, ref: str) -> Revision:
        """Return the revision that `HEAD`, `published`, a tag, a branch or a commit names.

        Raises:
            InputError: There is no such thing, or HEAD was asked for and the work tree has changes
                that would not be tested.
        """
        if ref == "published":
            if not self._tags:
                raise InputError(
                    "nothing is published",
                    where=self.location,
                    why="there is no annotated tag like 1.0.0+2.3",
                    remedy="publish a version (abra recipe release), or fetch the tags",
                )
            return self.published()[-1]
        if ref == "HEAD":
            self._refuse_changes()
        commit = self._commit(ref)
        if commit is None:
            raise InputError(
                f"no commit is called '{ref}'",
                where=self.location,
                why=f"branches: {_some(self.repository.branches())}\n"
                f"tags: {_some([version.text for version, _ in reversed(self._tags)])}",
                remedy="name one of them, HEAD, published or a commit id",
            )
        here = [version for version, tagged in self._tags if tagged == commit]
        if here:
            return Revision(commit, here[-1].text, published=True)
        return Revision(commit, self._label(commit), published=False)

    def is_ancestor(self, old: str, new: str) -> bool:
        """Tell whether commit `old` is `new` or lies in its history.

        A commit that this repository does not have is nobody's ancestor.
        """
        if self.repository.commit(old) is None or self.repository.commit(new) is None:
            return False
        return self.repository.is_ancestor(old, new)

    def read(self, commit: str, path: str) -> bytes | None:
        """Return a file's content at a commit, or None when there is no such file.

        Raises:
            InputError: It is a symlink that leads out of the recipe, or around in circles.
        """
        tree = self._tree(commit)
        name = posixpath.normpath(path)
        for _ in range(5):
            entry = tree.get(name)
            if entry is None or entry.mode not in (*_FILE, _SYMLINK):
                return None
            [content] = self.repository.blobs([entry.object])
            if entry.mode != _SYMLINK:
                return content
            name = self._link(commit, name, content)
        raise InputError(f"the symlink '{path}' leads nowhere", where=self._at(commit))

    def diff(self, old: str, new: str) -> str:
        """Return what separates two commits, as a patch."""
        return self.repository.diff(old, new)

    def export(self, commit: str, folder: Path) -> None:
        """Write all files of a commit into a folder, which must not exist or be empty.

        Raises:
            InputError: The commit has something that does not belong into a recipe: a submodule, a
                path or a symlink that leads out of it.
        """
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise InputError("is not empty", where=str(folder))
        entries = list(self._tree(commit).values())
        for entry in entries:
            self._check(commit, entry)
        contents = self.repository.blobs([entry.object for entry in entries])
        links = []
        for entry, content in zip(entries, contents, strict=True):
            target = folder / entry.path
            if entry.mode == _SYMLINK:
                self._link(commit, entry.path, content)
                links.append((target, content))
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            mode = 0o755 if entry.mode == "100755" else 0o644
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(target, flags, mode), "wb") as stream:
                stream.write(content)
        # last, so that no file can be written through one of them
        for target, content in links:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(os.fsdecode(content))

    def _commit(self, ref: str) -> str | None:
        if ref == "HEAD":
            return self.repository.commit(ref)
        if not git.is_ref_name(ref):
            return None
        kinds = ("refs/tags/", "refs/heads/", "refs/remotes/origin/", "refs/")
        names = [ref] if ref.startswith("refs/") else [*(kind + ref for kind in kinds), ref]
        found = (self.repository.commit(name) for name in names)
        return next((commit for commit in found if commit is not None), None)

    def _refuse_changes(self) -> None:
        changed = self.repository.changed_files() if self.has_work_tree else []
        if changed:
            raise InputError(
                "has changes that are not committed, so they would not be tested",
                where=self.location,
                why=_some(changed),
                remedy=f"commit them, or set them aside: "
                f"git -C {shlex.quote(self.location)} stash --include-untracked",
            )

    def _label(self, commit: str) -> str:
        content = self.read(commit, "compose.yml")
        try:
            return composefile.version_label(content) if content is not None else ""
        except InputError:
            return ""  # rendering the file says what is wrong with it, and where

    def _tree(self, commit: str) -> dict[str, git.Entry]:
        if commit not in self._trees:
            entries = self.repository.files(commit)
            self._trees[commit] = {entry.path: entry for entry in entries}
        return self._trees[commit]

    def _at(self, commit: str) -> str:
        return f"{self.location}@{commit[:8]}"

    def _check(self, commit: str, entry: git.Entry) -> None:
        parts = entry.path.split("/")
        if any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
            raise InputError(f"the path {entry.path!r} is refused", where=self._at(commit))
        if entry.mode not in (*_FILE, _SYMLINK):
            raise InputError(
                f"'{entry.path}' is a submodule",
                where=self._at(commit),
                remedy="put its files into the recipe: abra would not fetch them either",
            )

    def _link(self, commit: str, path: str, content: bytes) -> str:
        """Return what a symlink leads to, seen from the top of the recipe."""
        target = os.fsdecode(content)
        # `..` only at the front: behind another symlink it would mean a different folder
        climbs = ".." in re.sub(r"^(\.\./)+", "", target).split("/")
        end = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        if posixpath.isabs(target) or climbs or end.startswith("..") or "\0" in target:
            raise InputError(
                f"the symlink '{path}' leads out of the recipe",
                where=self._at(commit),
                why=f"to {target!r}",
                remedy="replace it with a file",
            )
        return end


def _some(names: list[str]) -> str:
    more = len(names) - _LISTED
    return (", ".join(names[:_LISTED]) or "none") + (f" and {more} more" if more > 0 else "")


def open_source(location: str, cache: Path) -> Source:
    """Open a recipe's source.

    Args:
        location: A folder with `history.yml`, the path of a git clone, or a URL (fetched now).
        cache: Where repositories that are built or fetched are kept.

    Raises:
        InputError: It is not there, no repository, empty, shallow, or has tags that are not valid.
        FetchFailed: The URL could not be fetched.
    """
    location = absolute_source(location, Path.cwd(), location)
    if is_url(location):
        return _open(location, mirror(location, cache))
    folder = Path(location)
    if not folder.is_dir():
        raise InputError(
            "is not there" if not folder.exists() else "is not a folder",
            where=location,
            remedy="correct 'source:' in recipe.yml, or clone the recipe there",
        )
    if is_history(folder):
        return _open(location, build_history(folder, cache))
    if not git.Repository(folder).exists():
        raise InputError(
            "is not a git repository",
            where=location,
            remedy="give the top folder of a clone, a folder with history.yml, or a URL",
        )
    return _open(location, folder)


def _open(location: str, folder: Path) -> Source:
    repository = git.Repository(folder)
    if repository.commit("HEAD") is None and not repository.branches():
        raise InputError("has no commit", where=location, remedy="commit the recipe's files")
    if repository.is_shallow():
        raise InputError(
            "is a shallow clone, so older versions are missing",
            where=location,
            remedy=f"git -C {shlex.quote(str(folder))} fetch --unshallow --tags",
        )
    tags = []
    for tag in repository.tags():
        if tag.annotated:
            tags.append((parse_version(tag.name, location), tag.commit))
        elif is_version(tag.name):
            name = shlex.quote(tag.name)
            raise InputError(
                f"the tag '{tag.name}' is lightweight",
                where=location,
                why="abra deploys annotated tags only (its lint rule R014)",
                remedy=f"git -C {shlex.quote(str(folder))} tag -f -a -m "
                f"{shlex.quote(f'publish {tag.name}')} {name} {tag.commit[:12]}",
            )
    return Source(location, repository, repository.is_work_tree(), tuple(sorted(tags)))
