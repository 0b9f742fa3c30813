"""Many processes want the same thing of the cache at once: one makes it, and all get it whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.engines.process import artifacts, building, installs
from pytest_warmci.engines.process.artifacts import Artifact
from pytest_warmci.engines.process.config import PrepareStep, ServiceConfig
from pytest_warmci.errors import LockBusy
from tests.unit.process_app import put_artifact

ROOT = Path(__file__).parents[2]
COORDINATE = "maven:org.example:web:1.0:tar.gz"
MANY = 8

GET = f"""
import sys
from pathlib import Path
from pytest_warmci.engines.process import artifacts, installs
from pytest_warmci.engines.process.config import PrepareStep, ServiceConfig

def say(text):
    print(text, flush=True)

say("ready")
sys.stdin.readline()  # all begin together
cache = Path(sys.argv[1])
artifact = artifacts.provide("{COORDINATE}", cache=cache, progress=say)
step = PrepareStep(argv=["/opt/web/bin/web"], keep=["made"])
config = ServiceConfig(image="web", artifact="{COORDINATE}", install="/opt/web", prepare=[step])
around = installs.Surroundings(environment={{}}, base_environment={{"PATH": "/usr/bin:/bin"}}, programs={{}})
made = installs.provide(config, artifact, "k", around, cache=cache, progress=say)
print((made.kept / "0" / "file").read_text().strip(), (artifact.tree / "bin" / "web").is_file())
"""

BUILD = f"""#!/bin/sh
set -e
echo built >> "{{log}}"
mkdir "$WARMCI_INSTALL/made"
{sys.executable} -SE -c 'import time; time.sleep(0.3)'
echo whole > "$WARMCI_INSTALL/made/file"
"""


def get(cache: Path, said: list[str] | None = None) -> Artifact:
    def progress(text: str) -> None:
        if said is not None:
            said.append(text)

    return artifacts.provide(COORDINATE, cache=cache, progress=progress)


def test_many_at_once_build_it_once(tmp_path: Path) -> None:
    """Whoever comes late waits for the one who builds."""
    put_artifact(tmp_path, "web:1.0", {"bin/web": BUILD.format(log=tmp_path / "log")})
    cache = tmp_path / "process"
    all_of_them = [
        subprocess.Popen(
            [sys.executable, "-c", GET, str(cache)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(MANY)
    ]

    for each in all_of_them:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in all_of_them:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    said = [each.communicate(timeout=25)[0].splitlines() for each in all_of_them]

    assert ["whole True"] * MANY == [lines[-1] for lines in said]
    assert "built\n" == (tmp_path / "log").read_text()
    text = "\n".join(line for lines in said for line in lines)
    assert 1 == text.count("unpacked web:1.0")
    assert 1 == text.count("prepared in")
    left = [path.name for path in cache.glob("*/.*")]
    assert [] == left


def test_who_waits_too_long_is_told_for_whom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the process: what it builds belongs to no run alone."""
    put_artifact(tmp_path, "web:1.0", {"bin/web": "#!"})
    cache = tmp_path / "process"
    get(cache)
    [tree] = [path for path in (cache / "trees").iterdir() if path.is_dir()]
    tree.rename(tmp_path / "gone")
    monkeypatch.setattr(building, "_LIMIT", 0.2)
    [lock] = (cache / "locks").glob("*.lock")
    said: list[str] = []

    with (
        hold(lock, who=Holder("", "build", "web:1.0"), limit=0),
        pytest.raises(LockBusy) as caught,
    ):
        get(cache, said)

    assert f"held by a process (build, pid {os.getpid()}, since " in caught.value.why
    assert [f"waiting for {lock.stem}"] == [line.partition(":")[0] for line in said]
    assert "not-evaluated" == caught.value.verdict


def test_what_dead_builders_left_is_swept(tmp_path: Path) -> None:
    """Under the lock, where it can be nobody's; another thing's part stays."""
    put_artifact(tmp_path, "web:1.0", {"bin/web": "#!"})
    cache = tmp_path / "process"
    get(cache)
    [tree] = [path for path in (cache / "trees").iterdir() if path.is_dir()]
    tree.rename(building.part_of(tree))
    for name in (f".{tree.name}.0a1b2c3d", f".{tree.name}.gz.0a1b2c3d", ".garbage-1-1-00"):
        (tree.parent / name).mkdir()

    assert get(cache).tree == tree

    left = [path.name for path in tree.parent.iterdir() if path.name.startswith(".")]
    assert [f".{tree.name}.gz.0a1b2c3d"] == left


def test_a_build_that_was_cut_off_begins_anew(tmp_path: Path) -> None:
    """Half an install is never taken for one."""
    tree = tmp_path / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "bin" / "web").write_text(BUILD.format(log=tmp_path / "log"))
    (tree / "bin" / "web").chmod(0o755)
    artifact = Artifact(COORDINATE, "0" * 64, tree)
    step = PrepareStep(argv=["/opt/web/bin/web"], keep=["made"])
    config = ServiceConfig(image="web", artifact=COORDINATE, install="/opt/web", prepare=[step])
    around = installs.Surroundings({}, {"PATH": "/usr/bin:/bin"}, {})
    part = building.part_of(tmp_path / "prepared" / "k")
    (part / "install" / "made").mkdir(parents=True)

    made = installs.provide(
        config, artifact, "k", around, cache=tmp_path, progress=lambda text: None
    )

    assert "whole\n" == (made.kept / "0" / "file").read_text()
    assert not part.exists()
