"""Artifacts: which one stands for an image, and how it gets out of its archive."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from pytest_warmci.clients import maven
from pytest_warmci.engines.process.artifacts import (
    Artifact,
    coordinate_for,
    image_parts,
    provide,
)
from pytest_warmci.errors import DigestMismatch, EngineCannotSee, InputError, NotEvaluated
from tests.unit.process_app import put_artifact

COORDINATE = "maven:org.example:web:1.0:tar.gz"


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("postgres:16.4", ("postgres", "16.4")),
        ("docker.io/library/postgres:16.4", ("postgres", "16.4")),
        ("library/postgres:16", ("postgres", "16")),
        ("docker.io/org/app:v1", ("org/app", "v1")),
        ("quay.io/keycloak/keycloak:26.4.7", ("quay.io/keycloak/keycloak", "26.4.7")),
        ("localhost:5000/app:1", ("localhost:5000/app", "1")),
    ],
)
def test_an_image_has_a_repository_and_a_tag(image: str, expected: tuple[str, str]) -> None:
    """Docker's own prefixes mean nothing."""
    assert expected == image_parts(image)


@pytest.mark.parametrize(
    "image", ["postgres", "localhost:5000/app", "a:1@sha256:00", "a@sha256:00", "a:", "a:-x"]
)
def test_an_image_without_a_tag_has_no_version(image: str) -> None:
    """There is nothing to choose an artifact by."""
    with pytest.raises(InputError, match="has no tag"):
        image_parts(image)


def test_the_tag_chooses_the_artifact() -> None:
    """The template is process.yml's, the version the recipe's."""
    found = coordinate_for("maven:g:a:{tag}.0:jar", "postgres", "docker.io/postgres:16.4")

    assert "maven:g:a:16.4.0:jar" == found


def test_another_image_is_not_what_was_described() -> None:
    """A fork of it, say."""
    with pytest.raises(EngineCannotSee, match="runs image 'other/postgres'"):
        coordinate_for("maven:g:a:{tag}:jar", "postgres", "other/postgres:16.4")


def get(cache: Path, member: str | None = None, strip: int = 0) -> Artifact:
    return provide(COORDINATE, member=member, strip=strip, cache=cache, progress=lambda text: None)


def test_an_artifact_is_unpacked_once(tmp_path: Path) -> None:
    """Modes are kept; the second time nothing is read."""
    file = put_artifact(tmp_path, "web:1.0", {"bin/web": "#!", "lib/data": "1"})
    cache = tmp_path / "process"

    first = get(cache)
    file.unlink()
    second = get(cache)

    assert first == second
    assert ("#!", "1") == (
        (first.tree / "bin" / "web").read_text(),
        (first.tree / "lib" / "data").read_text(),
    )
    assert 0o755 == (first.tree / "bin" / "web").stat().st_mode & 0o777


def test_leading_parts_are_stripped(tmp_path: Path) -> None:
    """What lies above them is dropped; trees of another shape live beside each other."""
    put_artifact(tmp_path, "web:1.0", {"web-1.0/bin/web": "#!", "top": "x"})
    cache = tmp_path / "process"

    assert ["bin"] == [path.name for path in get(cache, strip=1).tree.iterdir()]
    assert {"top", "web-1.0"} == {path.name for path in get(cache).tree.iterdir()}


def test_an_archive_in_an_archive(tmp_path: Path) -> None:
    """Only the member that is wanted."""
    inner = put_artifact(tmp_path / "inner", "web:1.0", {"bin/web": "#!"}).read_bytes()
    file = put_artifact(tmp_path, "web:1.0", {})
    with zipfile.ZipFile(file, "w") as outer:
        outer.writestr("linux.tgz", inner)
        outer.writestr("other", "x")

    assert ["bin"] == [path.name for path in get(tmp_path / "process", "linux.tgz").tree.iterdir()]
    with pytest.raises(NotEvaluated, match="cannot be unpacked"):
        get(tmp_path / "process", "windows.tgz")


def test_a_cached_file_that_changed_is_refused(tmp_path: Path) -> None:
    """With the command that fetches it again."""
    file = put_artifact(tmp_path, "web:1.0", {"a": "1"})
    record = file.parent.with_name(f"{file.parent.name}.json")
    record.write_text(json.dumps({"format": 1, "sha256": "0" * 64}))

    with pytest.raises(DigestMismatch) as caught:
        get(tmp_path / "process")

    assert hashlib.sha256(file.read_bytes()).hexdigest() in caught.value.why
    assert caught.value.remedy.startswith("rm -r ")


def test_what_is_missing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, with progress told."""
    asked: list[str] = []
    told: list[str] = []

    def fetch(coordinate: str, folder: Path, report: object) -> Path:
        asked.append(coordinate)
        made = put_artifact(tmp_path / "made", "web:1.0", {"a": "1"})
        folder.mkdir()
        return made.rename(folder / made.name)

    monkeypatch.setattr(maven, "fetch", fetch)

    def progress(text: str) -> None:
        told.append(text)

    for _ in range(2):
        provide(COORDINATE, member=None, strip=0, cache=tmp_path / "process", progress=progress)

    assert ["org.example:web:1.0:tar.gz"] == asked
    assert ["fetching", "fetched", "unpacked"] == [text.split()[0] for text in told]


@pytest.mark.parametrize(
    ("name", "kind", "target"),
    [
        ("../out", tarfile.REGTYPE, ""),
        ("/out", tarfile.REGTYPE, ""),
        ("link", tarfile.SYMTYPE, "../../out"),
        ("link", tarfile.SYMTYPE, "/etc"),
        ("link", tarfile.LNKTYPE, "../../out"),
        ("device", tarfile.CHRTYPE, ""),
        ("fifo", tarfile.FIFOTYPE, ""),
    ],
)
def test_what_leads_out_of_the_archive_is_refused(
    tmp_path: Path, name: str, kind: bytes, target: str
) -> None:
    """Nothing is written outside, and no half tree stays in its place."""
    file = put_artifact(tmp_path, "web:1.0", {})
    with tarfile.open(file, "w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        archive.addfile(info, io.BytesIO())

    with pytest.raises(NotEvaluated, match="cannot be unpacked"):
        get(tmp_path / "process")

    trees = tmp_path / "process" / "trees"
    assert not (trees / "out").exists()
    assert not [path for path in trees.iterdir() if not path.name.startswith(".")]


def test_writing_through_a_link_is_refused(tmp_path: Path) -> None:
    """A link inside, then a file behind it: also where the link stays inside at first."""
    (tmp_path / "out").mkdir()
    file = put_artifact(tmp_path, "web:1.0", {})
    with tarfile.open(file, "w:gz") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "out")
        archive.addfile(link)
        archive.addfile(tarfile.TarInfo("link/file"), io.BytesIO())

    with pytest.raises(NotEvaluated):
        get(tmp_path / "process")

    assert [] == list((tmp_path / "out").iterdir())


def test_links_inside_are_kept(tmp_path: Path) -> None:
    """Servers come with many."""
    file = put_artifact(tmp_path, "web:1.0", {})
    with tarfile.open(file, "w:gz") as archive:
        real = tarfile.TarInfo("top/lib/a.so.1")
        real.size = 1
        archive.addfile(real, io.BytesIO(b"x"))
        for name, kind, target in (
            ("top/lib/a.so", tarfile.SYMTYPE, "a.so.1"),
            ("top/hard", tarfile.LNKTYPE, "top/lib/a.so.1"),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)

    tree = get(tmp_path / "process", strip=1).tree

    assert "a.so.1" == str((tree / "lib" / "a.so").readlink())
    assert (tree / "hard").stat().st_ino == (tree / "lib" / "a.so.1").stat().st_ino


def test_a_cut_download_is_not_evaluated(tmp_path: Path) -> None:
    """An archive that ends too early."""
    file = put_artifact(tmp_path, "web:1.0", {"a": "1" * 9999})
    file.write_bytes(file.read_bytes()[:60])

    with pytest.raises(NotEvaluated, match="cannot be unpacked"):
        get(tmp_path / "process")
