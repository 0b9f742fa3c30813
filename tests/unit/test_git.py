"""git as a careful reader."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pytest_warmci.clients import git
from pytest_warmci.errors import CommandFailed

WHO = ("-c", "user.name=A", "-c", "user.email=a@example.org")


@pytest.fixture
def clone(made: Path, tmp_path: Path) -> git.Repository:
    """A work tree with two commits, four tags and a file of each kind, for one test to change."""
    return git.Repository(shutil.copytree(made, tmp_path / "clone", symlinks=True))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("git") / "clone"
    git.run("init", "--quiet", "--initial-branch=main", str(folder))
    repository = git.Repository(folder)
    (folder / "a é.txt").write_text("one")
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o755)
    (folder / "link").symlink_to("run")
    repository.git("add", ".")
    repository.git(*WHO, "commit", "--quiet", "-m", "one")
    repository.git(*WHO, "tag", "-a", "-m", "x", "annotated")
    repository.git("tag", "light")
    repository.git(*WHO, "tag", "-a", "-m", "x", "nested", "annotated")
    repository.git(*WHO, "tag", "-a", "-m", "x", "tree", "HEAD^{tree}")
    (folder / "a é.txt").write_text("two")
    repository.git(*WHO, "commit", "--quiet", "-am", "two")
    return folder


def test_our_settings_do_not_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook that runs pytest sets GIT_DIR: every call would go to the wrong repository."""
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    monkeypatch.setenv("SSL_CERT_FILE", "/ca.pem")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")

    environment = git.environment()

    assert not {"GIT_DIR", "GIT_CONFIG_COUNT"} & environment.keys()
    assert ("http://proxy", "/ca.pem") == (
        environment["HTTPS_PROXY"],
        environment["SSL_CERT_FILE"],
    )
    assert "/agent" == environment["SSH_AUTH_SOCK"]
    assert "/dev/null" == environment["GIT_CONFIG_GLOBAL"]
    assert "BatchMode=yes" in environment["GIT_SSH_COMMAND"]


def test_tells_tags_apart(clone: git.Repository) -> None:
    """A lightweight tag is told from an annotated one; one of a tree leads to no commit."""
    first = clone.commit("refs/tags/annotated")
    assert first is not None

    assert [
        git.Tag("annotated", first, annotated=True),
        git.Tag("light", first, annotated=False),
        git.Tag("nested", first, annotated=True),
    ] == clone.tags()


def test_lists_and_reads_files(clone: git.Repository) -> None:
    """Names, modes and contents come out as they went in."""
    entries = clone.files("HEAD")

    assert [("a é.txt", "100644"), ("link", "120000"), ("run", "100755")] == [
        (entry.path, entry.mode) for entry in entries
    ]
    assert [b"two", b"run", b"#!/bin/sh\n"] == clone.blobs([entry.object for entry in entries])


def test_a_missing_object_is_said(clone: git.Repository) -> None:
    """A damaged clone is not an empty file."""
    with pytest.raises(CommandFailed, match=r"object 1{40} is missing"):
        clone.blobs(["1" * 40])


def test_ancestors(clone: git.Repository) -> None:
    """A commit is its own ancestor; the newer one is not the older one's."""
    old, new = clone.commit("refs/tags/light"), clone.commit("HEAD")
    assert old is not None
    assert new is not None

    assert clone.is_ancestor(old, new)
    assert clone.is_ancestor(old, old)
    assert not clone.is_ancestor(new, old)
    with pytest.raises(CommandFailed):
        clone.is_ancestor("1" * 40, new)


def test_only_full_refs_and_ids_are_looked_up(clone: git.Repository) -> None:
    """Whatever else git would understand (`HEAD~1`, `:/message`, options) is nothing."""
    head = clone.commit("HEAD")
    assert head is not None

    assert head == clone.commit("refs/heads/main") == clone.commit(head[:8])
    for name in ("HEAD~1", ":/two", "--all", "main", "refs/heads/none", "0" * 40):
        assert clone.commit(name) is None


def test_changed_files_and_an_untouched_index(clone: git.Repository) -> None:
    """Reading somebody's clone does not even refresh its index."""
    index = clone.folder / ".git" / "index"
    assert [] == clone.changed_files()
    (clone.folder / "run").touch()
    before = index.stat().st_mtime_ns, index.read_bytes()

    (clone.folder / "new dir").mkdir()
    (clone.folder / "new dir" / "b").write_text("")
    (clone.folder / "a é.txt").write_text("three")

    assert ["a é.txt", "new dir/b"] == sorted(clone.changed_files())
    assert before == (index.stat().st_mtime_ns, index.read_bytes())


def test_the_clones_own_monitor_does_not_run(clone: git.Repository, tmp_path: Path) -> None:
    """A program that the clone's configuration names is not started."""
    ran = tmp_path / "ran"
    program = tmp_path / "monitor"
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o755)
    clone.git("config", "core.fsmonitor", str(program))

    clone.changed_files()

    assert not ran.exists()


def test_a_folder_inside_a_repository_is_none(clone: git.Repository) -> None:
    """git would climb to the repository above, which is another one."""
    below = clone.folder / "below"
    below.mkdir()

    assert clone.exists()
    assert not git.Repository(below).exists()
    assert clone.is_work_tree()
    assert not clone.is_shallow()


def test_a_bare_repository(tmp_path: Path) -> None:
    """Its HEAD is the branch that was asked for."""
    git.init_bare(tmp_path / "bare", "trunk")
    bare = git.Repository(tmp_path / "bare")

    assert bare.exists()
    assert not bare.is_work_tree()
    assert "refs/heads/trunk" == bare.git("symbolic-ref", "HEAD").text.strip()
    assert ([], []) == (bare.branches(), bare.tags())


@pytest.mark.parametrize(
    "url", ["ext::sh -c touch% /tmp/never", "http://127.0.0.1:9/x", "git://127.0.0.1/x"]
)
def test_other_protocols_are_refused(tmp_path: Path, url: str) -> None:
    """Only https, ssh and file: the others run programs or have no encryption."""
    with pytest.raises(CommandFailed, match="not allowed"):
        git.clone_mirror(url, tmp_path / "x")


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("main", True), ("feature/x", True), ("10.5.0+26.4.7", True), ("é#1", True),
        ("", False), ("-x", False), ("a b", False), ("a..b", False), ("a~1", False), ("a:b", False),
        ("a^", False), ("@{1}", False), ("a.lock", False), ("/a", False), ("a/", False), ("a\n", False),
    ],
)  # fmt: skip
def test_names_of_refs(name: str, valid: bool) -> None:
    """Nothing that git gives a meaning to passes for a name."""
    assert valid is git.is_ref_name(name)
