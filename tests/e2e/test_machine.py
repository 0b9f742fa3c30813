"""A fresh machine: somebody else's user, no network, a cache that cannot be trusted."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_warmci.clients import command
from tests.e2e.workshop import ROOT, Outcome, Workshop, clean_environment

NOBODY = 65_534


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may walk through, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="warmci-user-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.nightly
@pytest.mark.cost(240)
def test_make_quick_as_a_normal_user(seeded: tuple[Workshop, Outcome], open_folder: Path) -> None:
    """A clone, a venv and a state of its own; the README's first command, nothing else.

    Only downloads are shared. As a normal user already: the same as ourselves.
    """
    as_user: list[str] = []
    command.run(["git", "clone", "-q", ROOT, open_folder / "clone"], timeout=60)
    state = open_folder / "state"
    (state / "cache" / "process").mkdir(parents=True)
    downloads = seeded[0].root / "cache" / "process" / "artifacts"
    shutil.copytree(downloads, state / "cache" / "process" / "artifacts")
    state.chmod(0o700)
    (open_folder / "home").mkdir()
    if os.geteuid() == 0:
        command.run(["chown", "-R", f"{NOBODY}:{NOBODY}", open_folder], timeout=60)
        words = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")
        as_user = [*words]
    python = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else "python3"
    environment = {
        **clean_environment(),
        "HOME": str(open_folder / "home"),
        "WARMCI_STATE": str(state),
        "TMPDIR": str(open_folder),
    }
    environment = {k: v for k, v in environment.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}

    first = command.run(
        [*as_user, "make", "-C", open_folder / "clone", "quick", f"PYTHON={python}"],
        timeout=800,
        env=environment,
        check=False,
    )
    again = command.run(
        [*as_user, "make", "-C", open_folder / "clone", "quick", f"PYTHON={python}"],
        timeout=400,
        env=environment,
        check=False,
    )

    assert first.code == 0, first.output
    assert "known-good promoted: none ->" in first.text
    assert first.text.count("quick on process: passed") == 1
    assert "run again: .venv/bin/pytest --quick recipe_tests/keycloak" in first.text
    assert again.code == 0, again.output
    assert "promoted" not in again.text
    assert again.text.count("quick on process: passed") == 1
    status = command.run(
        ["git", "-c", "safe.directory=*", "-C", open_folder / "clone", "status", "--porcelain"],
        timeout=30,
    )
    assert status.text == ""


@pytest.mark.core
@pytest.mark.cost(5)
def test_no_network_and_a_cold_cache_is_not_evaluated(tmp_path: Path) -> None:
    """One clear error; nothing is deployed, nothing is left."""
    workshop = Workshop(tmp_path / "state")

    outcome = workshop.pytest(
        "--warmci-head=published", env={"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}
    )

    assert outcome.status == 75, outcome.text
    assert outcome.result["verdict"] == "not-evaluated"
    assert "cannot be fetched" in outcome.result["reason"]
    assert "HTTPS_PROXY" in outcome.text
    assert not list(workshop.state.apps("process").glob("*/volumes"))


@pytest.mark.core
@pytest.mark.cost(10)
def test_a_cached_artifact_that_changed_is_not_evaluated(
    seeded: tuple[Workshop, Outcome], tmp_path: Path
) -> None:
    """What was fetched is compared with its digest before it is unpacked again."""
    workshop = Workshop(tmp_path / "state")
    artifacts = workshop.state.cache / "process" / "artifacts"
    artifacts.parent.mkdir(parents=True)
    shutil.copytree(seeded[0].root / "cache" / "process" / "artifacts", artifacts)
    for archive in artifacts.glob("*/*"):
        data = bytearray(archive.read_bytes())
        data[len(data) // 2] ^= 0xFF
        archive.write_bytes(data)

    outcome = workshop.pytest("--warmci-head=published")

    assert outcome.status == 75, outcome.text
    assert outcome.result["verdict"] == "not-evaluated"
    assert "is not what was fetched" in outcome.result["reason"]
