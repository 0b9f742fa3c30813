"""A git history out of plain files: the same ids everywhere."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_warmci.clients import git
from pytest_warmci.errors import InputError
from pytest_warmci.recipes.history import build_history, history_ids

HISTORY = """\
format: 1
author: {name: A Person, email: a@example.org}
head: change
steps:
  - {folder: 01-first, parent: null, branch: main, tag: 1.0.0+2.0, date: "2026-01-10T10:00:00+00:00"}
  - {folder: 02-second, parent: 01-first, branch: main, tag: 1.1.0+2.1, message: second, date: "2026-02-10T12:00:00+02:00"}
  - {folder: 03-change, parent: 02-second, branch: change, message: change, date: "2026-03-10T10:00:00-05:30", delete: [sub/gone]}
  - {folder: 04-apart, parent: null, branch: apart, date: "2026-04-10T10:00:00+00:00"}
"""
PINNED = {
    "01-first": "96c179b55623b0284eeb50510cf4e6d7db20a29d",
    "02-second": "1e87fb3acab6a2480d3fc7ad28fed5a5ae8e5dc0",
    "03-change": "1b433b8a6355644b130e096e89a44980713cdb6a",
    "04-apart": "d37a92409808a1a1e0bbf19a3e6384c9f17f2c47",
}


def put(folder: Path, name: str, content: bytes, mode: int = 0o644) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Four steps: two versions, a change that deletes a file, and one without a parent."""
    folder = tmp_path / "blog" / "source"
    put(folder, "history.yml", HISTORY.encode())
    put(folder, "01-first/compose.yml", b"a: 1\r\n")
    put(folder, "01-first/sub/gone", b"")
    put(folder, "01-first/run", b"#!/bin/sh", 0o755)
    put(folder, "02-second/compose.yml", b"a: 2\n")
    put(folder, "03-change/release/é x", b"\x00\xff")
    put(folder, "04-apart/only", b"x\n")
    return folder


def test_builds_branches_tags_and_files(source: Path, tmp_path: Path) -> None:
    """A step's tree is its parent's, with its own files, without those it deletes."""
    repository = git.Repository(build_history(source, tmp_path / "cache"))
    ids = history_ids(source)

    assert ["apart", "change", "main"] == repository.branches()
    assert "refs/heads/change" == repository.git("symbolic-ref", "HEAD").text.strip()
    assert [
        git.Tag("1.0.0+2.0", ids["01-first"], annotated=True),
        git.Tag("1.1.0+2.1", ids["02-second"], annotated=True),
    ] == repository.tags()
    assert ids["03-change"] == repository.commit("HEAD")
    assert ["only"] == [entry.path for entry in repository.files(ids["04-apart"])]
    entries = repository.files(ids["03-change"])
    assert [("compose.yml", "100644"), ("release/é x", "100644"), ("run", "100755")] == [
        (entry.path, entry.mode) for entry in entries
    ]
    assert [b"a: 2\n", b"\x00\xff", b"#!/bin/sh"] == repository.blobs([e.object for e in entries])
    [first] = [e for e in repository.files(ids["01-first"]) if e.path == "compose.yml"]
    assert [b"a: 1\r\n"] == repository.blobs([first.object])
    assert "" == repository.git("fsck", "--strict").text.strip()
    refs = repository.git("for-each-ref", "--format=%(refname)").text.split()
    assert not [ref for ref in refs if ref.startswith("refs/import")]


def test_commits_say_who_when_and_what(source: Path, tmp_path: Path) -> None:
    """People and dates come from the file, with its offset from UTC; a tag has its own message."""
    repository = git.Repository(build_history(source, tmp_path / "cache"))

    shape = "--format=%an <%ae> %ai|%cn %ci|%s"
    assert (
        "A Person <a@example.org> 2026-03-10 10:00:00 -0530|A Person 2026-03-10 10:00:00 -0530|change"
        == repository.git("log", "-1", shape, "refs/heads/change").text.strip()
    )
    tag = repository.git("cat-file", "tag", "refs/tags/1.0.0+2.0").text
    assert tag.endswith("tagger A Person <a@example.org> 1768039200 +0000\n\npublish 1.0.0+2.0\n")


def test_ids_do_not_depend_on_the_machine(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither configuration, umask, clock, zone nor the order of folders changes an id."""
    expected = history_ids(source)
    config = tmp_path / "gitconfig"
    config.write_text("[core]\nautocrlf = true\n[user]\nname = Other\n[commit]\ngpgsign = true\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_AUTHOR_DATE", "2001-01-01T00:00:00Z")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    old = os.umask(0o077)
    try:
        (source / "01-first" / "run").chmod(0o700)
        (source / "01-first" / "compose.yml").chmod(0o600)
        again = history_ids(source)
    finally:
        os.umask(old)

    assert expected == again
    assert PINNED == expected


def test_builds_once_and_again_when_a_file_changes(source: Path, tmp_path: Path) -> None:
    """The cache is keyed by all that shapes the repository."""
    first = build_history(source, tmp_path / "cache")
    made = first.stat().st_ino

    assert first == build_history(source, tmp_path / "cache")
    assert made == first.stat().st_ino
    assert first.name.startswith("blog-")
    (source / "01-first" / "run").chmod(0o644)
    assert first != build_history(source, tmp_path / "cache")


def test_builders_at_the_same_time_agree(source: Path, tmp_path: Path) -> None:
    """One wins, the others use what it made; nothing half-built stays."""
    with ThreadPoolExecutor(8) as pool:
        built = set(pool.map(lambda _: build_history(source, tmp_path / "cache"), range(8)))

    assert 1 == len(built)
    assert built == set((tmp_path / "cache" / "sources").iterdir())


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("parent: 02-second", "parent: 2", 7, "steps.2.parent: 2 is not text"),
        ("parent: 02-second", "parent: 02-secnd", 7, "parent: '02-secnd' is no step above this one"),
        ("branch: apart, ", "", 8, "step '04-apart' has neither tag nor branch"),
        ("[sub/gone]", "[sub/other]", 7, "delete: 'sub/other' is not in the parent"),
        ("head: change", "head: other", 3, "head: 'other' is no step's branch"),
        ("tag: 1.1.0+2.1", "tag: 1.0.0+2.0", 6, "two steps have the tag '1.0.0+2.0'"),
        ("tag: 1.1.0+2.1", "tag: v1", 6, "the tag 'v1' is not a version"),
        ("branch: apart", "branch: a..b", 8, "branch: 'a..b' cannot name a branch"),
        ("folder: 04-apart", "folder: 01-first", 8, "two steps name '01-first'"),
        ("folder: 04-apart", "folder: 05-none", 8, "step '05-none' changes nothing"),
        ("folder: 04-apart", "folder: ../x", 8, "steps.3.folder: '../x' is refused: it should match pattern '^[0-9A-Za-z][0-9A-Za-z._+-]*$'"),
        ("2026-04-10T10:00:00+00:00", "2026-04-10T10:00:00", 8, "steps.3.date: '2026-04-10T10:00:00' is not a date and time with its offset from UTC"),
    ],
)  # fmt: skip
def test_refuses_what_makes_no_history(
    source: Path, old: str, new: str, line: int, what: str
) -> None:
    """Every mistake is named with its line, before git is started."""
    assert old in HISTORY
    (source / "history.yml").write_text(HISTORY.replace(old, new))

    with pytest.raises(InputError) as caught:
        history_ids(source)

    assert f"{source}/history.yml:{line}" == caught.value.where
    assert what == caught.value.what


def test_refuses_links_and_git_folders(source: Path) -> None:
    """What git cannot keep the same everywhere is not kept."""
    (source / "01-first" / "link").symlink_to("run")
    with pytest.raises(InputError, match="'link' of step '01-first' is not a regular file"):
        history_ids(source)

    (source / "01-first" / "link").unlink()
    put(source, "01-first/sub/.git/config", b"")
    with pytest.raises(InputError, match=r"'sub/\.git' cannot be in a commit"):
        history_ids(source)
