"""What a training boot learnt is used only while it is what was published."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_warmci.clients import processes
from pytest_warmci.engines.process import boot
from pytest_warmci.engines.process.checks import check_paths
from pytest_warmci.engines.process.engine import ProcessEngine
from pytest_warmci.errors import EngineUnavailable, NotEvaluated
from pytest_warmci.runs.place import Place

OWNER = processes.ProcessId(1, 1, "boot")


def publish(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    made.write_bytes(b"learnt" * 1000)
    made.chmod(0o444)
    boot.publish(made, tmp_path / "cache" / "key")
    return tmp_path / "cache" / "key"


def test_what_was_published_is_found(tmp_path: Path) -> None:
    """It is moved, so that nothing of the throw-away app is needed any more."""
    target = publish(tmp_path)

    assert target == boot.find(target)
    assert not (tmp_path / "made").exists()
    assert b"learnt" * 1000 == target.read_bytes()


@pytest.mark.parametrize("harm", ["byte", "cut", "record", "file"])
def test_what_has_changed_is_not_used(tmp_path: Path, harm: str) -> None:
    """A runtime may crash on a damaged file, so it is not even given one."""
    target = publish(tmp_path)
    record = target.with_name("key.json")
    data = target.read_bytes()
    if harm == "byte":
        target.write_bytes(data[:-1] + b"\0")
    elif harm == "cut":
        target.write_bytes(data[:100])
    elif harm == "record":
        record.write_text("{")
    else:
        target.unlink()

    assert boot.find(target) is None


def test_what_was_never_learnt_is_not_found(tmp_path: Path) -> None:
    """Booting goes on without it."""
    assert boot.find(tmp_path / "cache" / "key") is None


@pytest.mark.parametrize("path", ["/srv/my state", "/srv/$HOME", "/srv/a'b", "/srv/ä", "/srv/a;b"])
def test_a_path_that_a_script_would_have_to_quote_is_refused(path: str) -> None:
    """Container paths are replaced in the recipe's scripts, where nobody quotes them."""
    plain = Path("/srv/plain")
    with pytest.raises(EngineUnavailable, match="the state directory's path has") as caught:
        check_paths(plain, Path(path))
    with pytest.raises(EngineUnavailable, match="the recipe folder's path has") as other:
        check_paths(Path(path), plain)

    assert "--warmci-state" in caught.value.remedy
    assert "move the checkout" in other.value.remedy


def test_a_plain_path_is_fine() -> None:
    """What mktemp and platformdirs make."""
    check_paths(Path("/src/recipe_tests/radicale"), Path("/var/lib/warm-ci/state_1.2+x"))


def test_a_process_that_runs_another_install_is_no_proof(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A JVM was seen to run another version's jars out of a boot cache that named them."""
    place = Place("blog", "warm-blog.warmci.localhost", tmp_path / "app")
    engine = ProcessEngine(tmp_path, tmp_path / "cache", lambda text: None)
    own = str(place.folder / "run/app/install/lib/a.jar")
    other = str(tmp_path / "other/run/app/install/lib/a.jar")
    monkeypatch.setattr(processes, "open_files", lambda owner: [own, "/usr/lib/x.so", other])

    with pytest.raises(NotEvaluated, match="not of its own install") as caught:
        engine._prove_files(place, OWNER)

    assert other in caught.value.why
    assert own not in caught.value.why


def test_a_process_that_runs_its_own_install_is_proof(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is no jar does not matter."""
    place = Place("blog", "warm-blog.warmci.localhost", tmp_path / "app")
    engine = ProcessEngine(tmp_path, tmp_path / "cache", lambda text: None)
    own = str(place.folder / "run/app/install/lib/a.jar")
    monkeypatch.setattr(processes, "open_files", lambda owner: [own, "/var/log/x.log"])

    engine._prove_files(place, OWNER)
