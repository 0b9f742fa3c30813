"""Maven artifacts: compared with their published SHA-1, put into place when whole, or an error."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_warmci.clients import maven
from pytest_warmci.errors import DigestMismatch, EngineUnavailable, FetchFailed, InputError

COORDINATE = "org.example:thing:1.2.3:tar.gz"
CONTENT = b"an artifact"
SHA1 = hashlib.sha1(CONTENT).hexdigest()  # noqa: S324 - what Maven publishes


class Repository:
    """What a fake jgo finds: content by extension, or an error. Strict about how it is asked."""

    def __init__(self) -> None:
        self.files: dict[str, bytes | Exception] = {
            "tar.gz": CONTENT,
            "tar.gz.sha1": SHA1.encode(),
        }
        self.asked: list[str] = []
        self.folders: list[Path] = []

    def install(self, patch: pytest.MonkeyPatch) -> None:
        module = ModuleType("jgo.maven")
        repository = self

        class Resolver:
            def __init__(self, progress_callback: Any) -> None:
                self.progress = progress_callback

        class Context:
            def __init__(
                self, resolver: Resolver, repo_cache: Path, local_repos: list[str], timeout: float
            ) -> None:
                assert [] == local_repos, "somebody's ~/.m2 would be trusted"
                repository.folders.append(repo_cache)
                self.cache, self.resolver = repo_cache, resolver

            def project(self, group: str, artifact: str) -> Any:
                assert ("org.example", "thing") == (group, artifact)
                return self

            def at_version(self, version: str) -> Any:
                assert "1.2.3" == version
                return self

            def artifact(self, classifier: str, extension: str) -> Any:
                assert "" == classifier
                self.extension = extension
                return self

            def resolve(self) -> str:
                repository.asked.append(self.extension)
                found = repository.files[self.extension]
                if isinstance(found, Exception):
                    raise found
                path = self.cache / f"thing-1.2.3.{self.extension}"
                path.write_bytes(found)
                if self.resolver.progress:
                    with self.resolver.progress(path.name, len(found)) as more:
                        more(4)
                        more(len(found) - 4)
                return str(path)

        module.MavenContext = Context  # type: ignore[attr-defined]
        module.PythonResolver = Resolver  # type: ignore[attr-defined]
        patch.setitem(sys.modules, "jgo.maven", module)


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Repository:
    made = Repository()
    made.install(monkeypatch)
    return made


def test_an_artifact_is_checked_and_put_into_place(repository: Repository, tmp_path: Path) -> None:
    """The folder holds the one file, and nothing lies beside it."""
    told: list[tuple[str, int, int]] = []

    file = maven.fetch(COORDINATE, tmp_path / "cache" / "thing", lambda *seen: told.append(seen))

    assert CONTENT == file.read_bytes()
    assert [file] == list((tmp_path / "cache" / "thing").iterdir())
    assert ["thing"] == [path.name for path in (tmp_path / "cache").iterdir()]
    assert ["tar.gz", "tar.gz.sha1"] == repository.asked
    assert [("thing-1.2.3.tar.gz", 4, 11), ("thing-1.2.3.tar.gz", 11, 11)] == told


@pytest.mark.parametrize(
    "published", [b"", b"0" * 40, SHA1[:-1].encode()], ids=["empty", "other", "cut"]
)
def test_another_digest_is_refused(
    repository: Repository, tmp_path: Path, published: bytes
) -> None:
    """Nothing of it stays."""
    repository.files["tar.gz.sha1"] = published

    with pytest.raises(DigestMismatch) as caught:
        maven.fetch(COORDINATE, tmp_path / "thing")

    assert COORDINATE == caught.value.where
    assert SHA1 in caught.value.why
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "published", [SHA1.upper().encode(), f"{SHA1}  thing-1.2.3.tar.gz\n".encode()]
)
def test_digests_are_published_in_several_ways(
    repository: Repository, tmp_path: Path, published: bytes
) -> None:
    """In capitals, or with the file's name behind."""
    repository.files["tar.gz.sha1"] = published

    assert maven.fetch(COORDINATE, tmp_path / "thing").is_file()


@pytest.mark.parametrize(
    ("error", "what", "remedy"),
    [
        (RuntimeError("x not found in remote repositories"), "no repository has", "image tag"),
        (OSError("no route to host"), "the artifact cannot be fetched", "HTTPS_PROXY"),
    ],
)
def test_what_cannot_be_had_says_why(
    repository: Repository, tmp_path: Path, error: Exception, what: str, remedy: str
) -> None:
    """An artifact that is nowhere and a network that is down need different remedies."""
    repository.files["tar.gz"] = error

    with pytest.raises(FetchFailed) as caught:
        maven.fetch(COORDINATE, tmp_path / "thing")

    assert what in caught.value.what
    assert remedy in caught.value.remedy
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["a:b", "a:b:c", "a:b:c:d:e", "a/b:c:d:jar", "a:b:1:", ""])
def test_another_shape_is_refused(repository: Repository, tmp_path: Path, text: str) -> None:
    """Before anybody is asked."""
    with pytest.raises(InputError, match="is not group:artifact:version:extension"):
        maven.fetch(text, tmp_path / "thing")

    assert [] == repository.asked


def test_somebody_may_have_been_faster(repository: Repository, tmp_path: Path) -> None:
    """What is in place then is as good."""
    (tmp_path / "thing").mkdir()
    (tmp_path / "thing" / "theirs").write_bytes(CONTENT)

    assert "theirs" == maven.fetch(COORDINATE, tmp_path / "thing").name


def test_without_the_client_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The extra, by name; nothing is left."""
    monkeypatch.setitem(sys.modules, "jgo.maven", None)

    with pytest.raises(EngineUnavailable) as caught:
        maven.fetch(COORDINATE, tmp_path / "thing")

    assert "pip install 'pytest-warmci[process]'" == caught.value.remedy
    assert [] == list(tmp_path.iterdir())
