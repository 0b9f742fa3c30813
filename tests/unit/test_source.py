"""Sources: a history in files, somebody's clone, a URL; and what cannot be tested."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from pytest_warmci.clients import git
from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.errors import FetchFailed, InputError, LockBusy
from pytest_warmci.model import Revision
from pytest_warmci.recipes import mirror as mirrors
from pytest_warmci.recipes.source import Source, open_source

WHO = ("-c", "user.name=A", "-c", "user.email=a@example.org")
COMPOSE = """\
services:
  app:
    image: x:1
    deploy: {{labels: ["traefik.enable=true", "coop-cloud.${{STACK_NAME}}.version={0}"]}}
"""


class Clone:
    """A work tree that a test changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repository = git.Repository(folder)
        if not folder.exists():
            git.run("init", "--quiet", "--initial-branch=main", str(folder))

    def commit(self, version: str, tag: str = "") -> str:
        (self.folder / "compose.yml").write_text(COMPOSE.format(version))
        self.repository.git("add", ".")
        self.repository.git(*WHO, "commit", "--quiet", "--allow-empty", "-m", version)
        if tag:
            self.repository.git(*WHO, "tag", "-a", "-m", f"publish {tag}", tag)
        return self.repository.commit("HEAD") or ""


@pytest.fixture
def clone(made: Path, tmp_path: Path) -> Clone:
    """Two published versions and one commit that is not published, for one test to change."""
    return Clone(Path(shutil.copytree(made, tmp_path / "clone")))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    clone = Clone(tmp_path_factory.mktemp("source") / "clone")
    clone.commit("1.9.0+1", tag="1.9.0+1")
    clone.commit("1.10.0+1", tag="1.10.0+1")
    clone.commit("1.11.0+2")
    return clone.folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def refusal(location: str | Path, cache: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        open_source(str(location), cache)
    return caught.value


def test_published_versions_in_their_order(clone: Clone, cache: Path) -> None:
    """Ten comes after nine; what `published` means is the newest."""
    source = open_source(str(clone.folder), cache)

    assert ["1.9.0+1", "1.10.0+1"] == [each.version for each in source.published()]
    assert all(each.published for each in source.published())
    assert source.published()[-1] == source.resolve("published")
    assert str(clone.folder) == source.location


def test_names_of_a_revision(clone: Clone, cache: Path) -> None:
    """HEAD, a branch, a tag and an id; a commit without tag has its compose file's label."""
    source = open_source(str(clone.folder), cache)
    head = Revision(clone.repository.commit("HEAD") or "", "1.11.0+2", published=False)
    tagged = clone.repository.commit("refs/tags/1.9.0+1") or ""

    for name in ("HEAD", "main", "refs/heads/main", head.commit, head.commit[:9]):
        assert head == source.resolve(name)
    for name in ("1.9.0+1", tagged):
        assert Revision(tagged, "1.9.0+1", published=True) == source.resolve(name)


@pytest.mark.parametrize("ref", ["none", "-x", "HEAD~1", "main:compose.yml", "0" * 40, ""])
def test_an_unknown_name_lists_the_known_ones(clone: Clone, cache: Path, ref: str) -> None:
    """The error lists branches and tags, the newest first."""
    source = open_source(str(clone.folder), cache)

    with pytest.raises(InputError) as caught:
        source.resolve(ref)

    assert f"no commit is called '{ref}'" == caught.value.what
    assert "branches: main\ntags: 1.10.0+1, 1.9.0+1" == caught.value.why


def test_the_newest_of_two_tags_at_a_commit(clone: Clone, cache: Path) -> None:
    """A commit that was published twice has the newer version."""
    commit = clone.commit("2.0.0+1", tag="2.0.0+1")
    clone.repository.git(*WHO, "tag", "-a", "-m", "x", "1.12.0+1")

    assert "2.0.0+1" == open_source(str(clone.folder), cache).resolve(commit).version


@pytest.mark.parametrize("content", [None, b"\xff", b"services: []", b"services: {app: {}}"])
def test_no_version_where_the_label_cannot_be_read(
    clone: Clone, cache: Path, content: bytes | None
) -> None:
    """What is wrong with the file is said when it is rendered."""
    path = clone.folder / "compose.yml"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    clone.repository.git(*WHO, "commit", "--quiet", "-am", "x")

    assert "" == open_source(str(clone.folder), cache).resolve("HEAD").version


def test_changes_that_would_not_be_tested(clone: Clone, cache: Path) -> None:
    """HEAD of a changed work tree is refused, with the first files; other names are not."""
    source = open_source(str(clone.folder), cache)
    (clone.folder / "compose.yml").write_text("")
    for number in range(6):
        (clone.folder / f"new{number}").write_text("")

    with pytest.raises(InputError) as caught:
        source.resolve("HEAD")

    assert "has changes that are not committed, so they would not be tested" == caught.value.what
    assert "compose.yml, new0, new1, new2, new3 and 2 more" == caught.value.why
    assert f"git -C {clone.folder} stash --include-untracked" in caught.value.remedy
    assert "1.11.0+2" == source.resolve("main").version


def test_nothing_published(tmp_path: Path, cache: Path) -> None:
    """Asking for the newest of none says how to publish."""
    clone = Clone(tmp_path / "young")
    clone.commit("0.1.0+1")
    clone.repository.git(*WHO, "tag", "work-in-progress")

    source = open_source(str(clone.folder), cache)

    assert [] == source.published()
    with pytest.raises(InputError, match="nothing is published") as caught:
        source.resolve("published")
    assert "publish a version (abra recipe release), or fetch the tags" == caught.value.remedy


def test_a_lightweight_tag(clone: Clone, cache: Path) -> None:
    """The remedy, run as it stands, mends it."""
    clone.repository.git("tag", "1.11.0+2")

    error = refusal(clone.folder, cache)

    assert "the tag '1.11.0+2' is lightweight" == error.what
    head = (clone.repository.commit("HEAD") or "")[:12]
    assert f"git -C {clone.folder} tag -f -a -m 'publish 1.11.0+2' 1.11.0+2 {head}" == error.remedy
    clone.repository.git(*WHO, "tag", "-f", "-a", "-m", "publish 1.11.0+2", "1.11.0+2", head)
    assert open_source(str(clone.folder), cache).resolve("HEAD").published


def test_an_annotated_tag_that_is_no_version(clone: Clone, cache: Path) -> None:
    """It could be older or newer than every other: nobody can tell."""
    clone.repository.git(*WHO, "tag", "-a", "-m", "x", "v2")

    error = refusal(clone.folder, cache)

    assert ("the tag 'v2' is not a version", str(clone.folder)) == (error.what, error.where)
    assert "git tag -d v2; if it was pushed: git push --delete origin v2" == error.remedy


def test_a_shallow_clone(clone: Clone, tmp_path: Path, cache: Path) -> None:
    """The versions to upgrade from are not in it."""
    shallow = tmp_path / "shallow"
    git.run("clone", "--quiet", "--depth=1", f"file://{clone.folder}", str(shallow))

    error = refusal(shallow, cache)

    assert "is a shallow clone, so older versions are missing" == error.what
    assert f"git -C {shallow} fetch --unshallow --tags" == error.remedy


def test_places_that_are_no_source(clone: Clone, tmp_path: Path, cache: Path) -> None:
    """Nothing there, a file, a folder inside another repository, and one without a commit."""
    below = clone.folder / "below"
    below.mkdir()
    empty = Clone(tmp_path / "empty")

    assert "is not there" == refusal(tmp_path / "none", cache).what
    assert "is not a folder" == refusal(clone.folder / "compose.yml", cache).what
    assert "is not a git repository" == refusal(below, cache).what
    assert str(below) == refusal(below, cache).where
    assert "has no commit" == refusal(empty.folder, cache).what


def test_a_url_is_mirrored_and_fetched_again(clone: Clone, cache: Path) -> None:
    """Each opening brings branches, tags and HEAD up to date, also those that were rewritten."""
    url = f"file://{clone.folder}"
    first = open_source(url, cache)
    clone.repository.git(*WHO, "commit", "--quiet", "--amend", "-m", "rewritten")
    clone.repository.git("branch", "--quiet", "-m", "main", "trunk")
    rewritten = clone.repository.commit("HEAD") or ""

    again = open_source(url, cache)

    assert url == again.location
    assert first.repository == again.repository
    assert rewritten == again.resolve("HEAD").commit
    assert ["trunk"] == again.repository.branches()
    assert ["1.9.0+1", "1.10.0+1"] == [each.version for each in again.published()]


def test_an_address_that_does_not_answer(tmp_path: Path, cache: Path) -> None:
    """It is trouble of the place, and leaves nothing behind."""
    with pytest.raises(FetchFailed) as caught:
        open_source(f"file://{tmp_path}/none.git", cache)

    assert "cannot be fetched" == caught.value.what
    assert f"file://{tmp_path}/none.git" == caught.value.where
    assert "does not appear to be a git repository" in caught.value.why
    assert "give a local clone" in caught.value.remedy
    assert [] == list((cache / "sources").iterdir())


def test_two_fetches_wait_for_each_other(
    clone: Clone, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fetch that never ends is said, not waited for."""
    monkeypatch.setattr(git, "NETWORK", 0.2)
    url = f"file://{clone.folder}"
    mirror = open_source(url, cache).repository.folder
    who = Holder("", "fetch", "another one")
    with (
        hold(cache / "locks" / f"{mirror.name}.lock", who=who, limit=0),
        pytest.raises(LockBusy, match=f"{mirror.name} is busy") as caught,
    ):
        mirrors.mirror(url, cache)

    assert f"held by a process (fetch, pid {os.getpid()}, since " in caught.value.why


def test_what_a_killed_clone_left_is_removed(clone: Clone, cache: Path) -> None:
    """Under the lock it can belong to nobody who lives."""
    url = f"file://{clone.folder}"
    mirror = open_source(url, cache).repository.folder
    mirror.rename(mirror.with_name(f".building-{mirror.name}"))

    assert mirror == open_source(url, cache).repository.folder
    assert [mirror] == list((cache / "sources").iterdir())


def test_reads_files_of_a_commit(clone: Clone, cache: Path) -> None:
    """Through a symlink too; what is not there is None."""
    (clone.folder / "sub").mkdir()
    (clone.folder / "sub" / "link").symlink_to("../compose.yml")
    (clone.folder / "loop").symlink_to("loop")
    commit = clone.commit("3.0.0+1")
    source = open_source(str(clone.folder), cache)

    assert COMPOSE.format("3.0.0+1").encode() == source.read(commit, "./compose.yml")
    assert source.read(commit, "compose.yml") == source.read(commit, "sub/link")
    for path in ("none", "sub", "/compose.yml", "../clone/compose.yml"):
        assert source.read(commit, path) is None
    with pytest.raises(InputError, match="the symlink 'loop' leads nowhere"):
        source.read(commit, "loop")
    assert COMPOSE.format("1.9.0+1").encode() == source.read(
        source.published()[0].commit, "compose.yml"
    )


def test_exports_a_commit(clone: Clone, tmp_path: Path, cache: Path) -> None:
    """Files with their x bit, and symlinks that stay inside."""
    (clone.folder / "sub").mkdir()
    (clone.folder / "sub" / "run").write_text("#!/bin/sh\n")
    (clone.folder / "sub" / "run").chmod(0o755)
    (clone.folder / "sub" / "link").symlink_to("../compose.yml")
    (clone.folder / ".gitattributes").write_text("sub export-ignore\n* text eol=crlf\n")
    commit = clone.commit("3.0.0+1")
    target = tmp_path / "out"

    source = open_source(str(clone.folder), cache)
    source.export(commit, target)

    names = sorted(path.relative_to(target).as_posix() for path in target.rglob("*"))
    assert [".gitattributes", "compose.yml", "sub", "sub/link", "sub/run"] == names
    assert b"#!/bin/sh\n" == (target / "sub" / "run").read_bytes()
    assert (target / "sub" / "run").stat().st_mode & 0o100
    assert not (target / "compose.yml").stat().st_mode & 0o100
    assert "../compose.yml" == str((target / "sub" / "link").readlink())
    with pytest.raises(InputError, match="is not empty"):
        source.export(commit, target)


@pytest.mark.parametrize("target", ["/etc/passwd", "../../x", "sub/../../x", "a/../.."])
def test_a_symlink_that_leads_out(clone: Clone, tmp_path: Path, cache: Path, target: str) -> None:
    """Also one that would only lead out behind another symlink."""
    (clone.folder / "link").symlink_to(target)
    commit = clone.commit("3.0.0+1")
    source = open_source(str(clone.folder), cache)

    with pytest.raises(InputError, match="the symlink 'link' leads out of the recipe") as caught:
        source.export(commit, tmp_path / "out")

    assert f"{clone.folder}@{commit[:8]}" == caught.value.where
    with pytest.raises(InputError, match="leads out"):
        source.read(commit, "link")


def crafted(clone: Clone, mode: str, kind: str, path: str) -> str:
    """Make a commit that no work tree would: one entry of any mode and path."""
    blob = clone.repository.git("hash-object", "-w", "--stdin", stdin=b"x").text.strip()
    object_id = blob if kind == "blob" else clone.repository.commit("HEAD")
    entry = f"{mode} {kind} {object_id}\t{path}\0".encode()
    tree = clone.repository.git("mktree", "-z", "--missing", stdin=entry).text.strip()
    return clone.repository.git(*WHO, "commit-tree", "-m", "x", tree).text.strip()


@pytest.mark.parametrize("path", ["..", ".git", ".GIT"])
def test_paths_that_no_recipe_has(clone: Clone, tmp_path: Path, cache: Path, path: str) -> None:
    """A crafted commit writes nothing outside of the folder, nor a repository into it."""
    commit = crafted(clone, "100644", "blob", path)
    source = open_source(str(clone.folder), cache)

    with pytest.raises(InputError, match=f"the path '{path}' is refused"):
        source.export(commit, tmp_path / "out")
    assert [] == list((tmp_path / "out").iterdir())


def test_a_submodule(clone: Clone, tmp_path: Path, cache: Path) -> None:
    """Its files are in another repository, which nobody would fetch."""
    commit = crafted(clone, "160000", "commit", "module")

    with pytest.raises(InputError, match="'module' is a submodule"):
        open_source(str(clone.folder), cache).export(commit, tmp_path / "out")


def test_ancestors(clone: Clone, cache: Path) -> None:
    """A commit that is not there is nobody's ancestor."""
    source: Source = open_source(str(clone.folder), cache)
    [old, new] = [each.commit for each in source.published()]

    assert source.is_ancestor(old, new)
    assert not source.is_ancestor(new, old)
    assert not source.is_ancestor("1" * 40, new)


def test_a_history_in_files(tmp_path: Path, cache: Path) -> None:
    """It is built when opened, and has no work tree that could have changes."""
    folder = tmp_path / "blog" / "source"
    (folder / "01").mkdir(parents=True)
    (folder / "01" / "compose.yml").write_text(COMPOSE.format("1.0.0+1"))
    (folder / "history.yml").write_text(
        "format: 1\nauthor: {name: A, email: a@x}\nhead: main\nsteps:\n"
        '  - {folder: "01", parent: null, branch: main, date: "2026-01-01T00:00:00Z"}\n'
    )

    source = open_source(str(folder), cache)

    assert str(folder) == source.location
    assert ("1.0.0+1", False) == (source.resolve("HEAD").version, source.resolve("main").published)
