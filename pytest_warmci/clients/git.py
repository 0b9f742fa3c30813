"""git, as a reader of repositories that belong to somebody else.

Nobody's configuration reaches it, no prompt can stop it, no hook or monitor of the repository
runs, and reading a clone writes nothing into it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pytest_warmci.clients import command
from pytest_warmci.errors import CommandFailed

LOCAL: Final = 60.0
"""Seconds after which a local git command is taken to hang."""

NETWORK: Final = 300.0
"""Seconds after which a clone or fetch is given up."""

_KEPT: Final = (
    "PATH",
    "HOME",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "GIT_SSH_COMMAND",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
)
_PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_FIXED: Final = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "https:ssh:file",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",  # `status` would rewrite the index of somebody's clone
    "LC_ALL": "C",
}
_OPTIONS: Final = (
    # somebody else's clone is read like ours; what git protects from (programs named in its
    # configuration) is switched off one by one below
    *("-c", "safe.directory=*"),
    *("-c", "core.fsmonitor=false"),
    *("-c", f"core.hooksPath={os.devnull}"),
    *("-c", "protocol.ext.allow=never"),
    *("-c", "core.autocrlf=false"),
    *("-c", "core.quotePath=false"),
    *("-c", "gc.auto=0"),  # a mirror may be read while it is fetched
    *("-c", "maintenance.auto=false"),
)
_REF_NEVER: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")
_COMMIT: Final = re.compile(r"[0-9a-f]{4,40}")


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag and the commit that it leads to."""

    name: str
    commit: str
    annotated: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a commit. `mode` is git's: 100644, 100755, 120000 (symlink), 160000 (submodule)."""

    path: str
    mode: str
    object: str


def environment(**more: str) -> dict[str, str]:
    """Return the whole environment in which git runs."""
    wanted = (*_KEPT, *_PROXIES, *(name.upper() for name in _PROXIES))
    kept = {name: os.environ[name] for name in wanted if name in os.environ}
    # ssh would ask for a password or a host key on the terminal, and wait for ever
    return {"GIT_SSH_COMMAND": "ssh -o BatchMode=yes", **kept, **_FIXED, **more}


def run(
    *arguments: str,
    cwd: Path | None = None,
    stdin: bytes = b"",
    timeout: float = LOCAL,
    check: bool = True,
    remedy: str = "",
) -> command.Completed:
    """Run git outside of any repository but the one that `cwd` itself is.

    Raises:
        CommandFailed: git is missing, hung or (with `check`) failed.
    """
    more = {} if cwd is None else {"GIT_CEILING_DIRECTORIES": str(cwd.resolve().parent)}
    return command.run(
        ["git", *_OPTIONS, *arguments],
        timeout=timeout,
        cwd=cwd,
        env=environment(**more),
        stdin=stdin,
        check=check,
        remedy=remedy,
    )


def is_ref_name(text: str) -> bool:
    """Tell whether `text` is safe to put behind `refs/heads/`: nothing git gives a meaning to."""
    return bool(
        text
        and not text.startswith(("-", "/", "."))
        and not text.endswith(("/", ".", ".lock"))
        and not _REF_NEVER.search(text)
    )


def init_bare(folder: Path, branch: str) -> None:
    """Make an empty bare repository whose HEAD is `branch`, without hooks."""
    run(
        *("init", "--quiet", "--bare", "--template=", "--object-format=sha1"),
        *(f"--initial-branch={branch}", "--", str(folder)),
    )


def clone_mirror(url: str, folder: Path) -> None:
    """Clone all refs of a URL into a bare repository.

    Raises:
        CommandFailed: The address does not answer, or is not a repository.
    """
    run("clone", "--quiet", "--mirror", "--", url, str(folder), timeout=NETWORK)


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository in a folder: the top of a work tree, or a bare one."""

    folder: Path

    def git(self, *arguments: str, check: bool = True, stdin: bytes = b"") -> command.Completed:
        """Run a local git command in it."""
        return run(*arguments, cwd=self.folder, check=check, stdin=stdin)

    def exists(self) -> bool:
        """Tell whether the folder itself is a repository (and not just lies in one)."""
        done = self.git("rev-parse", "--git-dir", "--show-prefix", check=False)
        return done.code == 0 and not done.text.partition("\n")[2].strip()

    def is_work_tree(self) -> bool:
        """Tell whether the folder has files checked out."""
        return self.git("rev-parse", "--is-inside-work-tree").text.strip() == "true"

    def is_shallow(self) -> bool:
        """Tell whether a part of the history is missing."""
        return self.git("rev-parse", "--is-shallow-repository").text.strip() == "true"

    def changed_files(self) -> list[str]:
        """List files that are changed, or new and not ignored, against HEAD."""
        done = self.git("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames")
        return [entry[3:] for entry in done.text.split("\0") if entry]

    def commit(self, name: str) -> str | None:
        """Return the commit that a full ref (`refs/...`), HEAD or an id leads to, if any."""
        if name != "HEAD" and not name.startswith("refs/") and not _COMMIT.fullmatch(name):
            return None
        done = self.git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", check=False)
        return done.text.strip() if done.code == 0 else None

    def branches(self) -> list[str]:
        """Return the names of the local branches, sorted."""
        return self.git("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads").text.split()

    def tags(self) -> list[Tag]:
        """Return every tag that leads to a commit, sorted by name."""
        done = self.git(
            "for-each-ref",
            "--format=%(refname)%00%(objecttype)%00%(objectname)%00%(*objecttype)%00%(*objectname)",
            "refs/tags",
        )
        return list(self._parse_tags(done.text.splitlines()))

    def _parse_tags(self, lines: Sequence[str]) -> Iterator[Tag]:
        for line in lines:
            ref, kind, own, peeled_kind, peeled = line.split("\0")
            name = ref.removeprefix("refs/tags/")
            if kind == "commit":
                yield Tag(name, own, annotated=False)
            elif peeled_kind == "commit":
                yield Tag(name, peeled, annotated=True)
            elif kind == "tag":
                commit = self.commit(ref)  # a tag of a tag, or of something else than a commit
                if commit is not None:
                    yield Tag(name, commit, annotated=True)

    def is_ancestor(self, old: str, new: str) -> bool:
        """Tell whether commit `old` is `new` or lies in its history."""
        done = self.git("merge-base", "--is-ancestor", old, new, check=False)
        if done.code > 1:
            raise CommandFailed(
                f"exit code {done.code}", where=f"git merge-base in {self.folder}", why=done.output
            )
        return done.code == 0

    def diff(self, old: str, new: str) -> str:
        """Return what separates two commits, as a patch."""
        return self.git("diff", "--no-color", "--no-ext-diff", old, new, "--").text

    def files(self, commit: str) -> list[Entry]:
        """List the files of a commit, sorted by path."""
        done = self.git("ls-tree", "-r", "-z", "--full-tree", commit)
        entries = []
        for line in done.stdout.split(b"\0"):
            if line:
                meta, _, path = line.partition(b"\t")
                mode, _, object_id = meta.decode("ascii").split()
                entries.append(Entry(os.fsdecode(path), mode, object_id))
        return entries

    def blobs(self, objects: Sequence[str]) -> list[bytes]:
        """Return the contents of objects, in their order.

        Raises:
            CommandFailed: One of them is not there (a damaged or partial clone).
        """
        asked = "".join(f"{name}\n" for name in objects).encode("ascii")
        output = self.git("cat-file", "--batch", stdin=asked).stdout
        contents = []
        start = 0
        for name in objects:
            end = output.find(b"\n", start)
            header = output[start:end].split()
            if len(header) != 3:
                raise CommandFailed(
                    f"object {name} is missing",
                    where=str(self.folder),
                    remedy=f"git -C {self.folder} fsck, then clone it again",
                )
            size = int(header[2])
            contents.append(output[end + 1 : end + 1 + size])
            start = end + 1 + size + 1
        return contents

    def fast_import(self, stream: bytes, marks: Path) -> dict[str, str]:
        """Import a stream; return what its marks (`:1`) became, also written to `marks`."""
        self.git("fast-import", "--quiet", "--done", f"--export-marks={marks}", stdin=stream)
        lines = marks.read_text("ascii").splitlines()
        return dict(line.split(maxsplit=1) for line in lines)

    def update_refs(self, instructions: str) -> None:
        """Change refs, all or none; one instruction of `update-ref --stdin` per line."""
        self.git("update-ref", "--stdin", stdin=instructions.encode())

    def fetch_mirror(self) -> None:
        """Bring a mirror up to date: all refs, and which branch HEAD is.

        Raises:
            CommandFailed: The address does not answer.
        """
        run(
            *("fetch", "--quiet", "--prune", "--force", "--no-recurse-submodules"),
            *("origin", "+refs/*:refs/*"),
            cwd=self.folder,
            timeout=NETWORK,
        )
        done = run("ls-remote", "--symref", "origin", "HEAD", cwd=self.folder, timeout=NETWORK)
        found = re.match(r"ref: (refs/heads/\S+)\tHEAD", done.text)
        if found is not None:
            self.git("symbolic-ref", "HEAD", found.group(1))
