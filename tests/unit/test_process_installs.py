"""Installs: prepared once, keyed by what shaped them, hard-linked but where they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_warmci.engines.process import installs
from pytest_warmci.engines.process.artifacts import Artifact
from pytest_warmci.engines.process.config import PrepareStep, ServiceConfig
from pytest_warmci.errors import RecipeFailed


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    """A tree with a program, data and a link."""
    tree = tmp_path / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "conf").mkdir()
    (tree / "bin" / "build").write_text(
        '#!/bin/sh\nset -e\necho run >> "$HOME/../../runs"\nenv > "$WARMCI_INSTALL/made/env"\n'
    )
    (tree / "bin" / "build").chmod(0o755)
    (tree / "made").mkdir()
    (tree / "made" / "old").write_text("old")
    (tree / "conf" / "own").write_text("conf")
    (tree / "bin" / "link").symlink_to("build")
    return Artifact("maven:g:thing:1:jar", "0" * 64, tree)


def config(**more: object) -> ServiceConfig:
    step = PrepareStep(argv=["/opt/thing/bin/build"], without=["OTH*"], keep=["made"])
    known: dict[str, object] = {
        "image": "thing",
        "artifact": "maven:g:thing:{tag}:jar",
        "install": "/opt/thing",
        "writable": ["conf"],
        "prepare": [step],
    }
    return ServiceConfig(**{**known, **more})  # type: ignore[arg-type]


def provide(
    tmp_path: Path, artifact: Artifact, key: str = "k", **environment: str
) -> installs.Prepared:
    around = installs.Surroundings(
        environment={"DB_URL": "/opt/thing/db", "OTHER": "x", **environment},
        base_environment={"PATH": "/usr/bin:/bin"},
        programs={},
    )
    return installs.provide(
        config(), artifact, key, around, cache=tmp_path / "cache", progress=lambda text: None
    )


def test_steps_run_once_without_what_they_do_without(tmp_path: Path, artifact: Artifact) -> None:
    """Paths of the container are those of the install that is being made."""
    first = provide(tmp_path, artifact)
    second = provide(tmp_path, artifact)

    said = (first.kept / "0" / "env").read_text().splitlines()
    assert first == second
    assert [line for line in said if line.startswith("DB_URL=")] != ["DB_URL=/opt/thing/db"]
    assert not [line for line in said if line.startswith("OTHER=")]
    assert "run\n" == (tmp_path / "cache" / "runs").read_text()
    assert not (artifact.tree / "made" / "env").exists()


def test_a_failing_step_is_the_recipes_fault(tmp_path: Path, artifact: Artifact) -> None:
    """With what it said; nothing is taken for prepared, and the next try begins anew."""
    (artifact.tree / "bin" / "build").write_text("#!/bin/sh\necho bad option >&2\nexit 2\n")

    for _ in range(2):
        with pytest.raises(RecipeFailed, match="preparing the install failed") as caught:
            provide(tmp_path, artifact)

        assert "bad option" in caught.value.why
    assert not (tmp_path / "cache" / "prepared" / "k").exists()


def test_an_install_shares_all_but_what_is_written(tmp_path: Path, artifact: Artifact) -> None:
    """Writing into one app's install changes no other one, nor the cache."""
    prepared = provide(tmp_path, artifact)
    target = tmp_path / "app"

    installs.install(prepared, config(), target)

    def same(name: str) -> bool:
        return (target / name).stat().st_ino == (artifact.tree / name).stat().st_ino

    assert (True, False) == (same("bin/build"), same("conf/own"))
    assert "build" == str((target / "bin" / "link").readlink())
    (target / "made" / "env").write_text("changed")
    (target / "conf" / "own").write_text("changed")
    assert "changed" != (prepared.kept / "0" / "env").read_text()
    assert "conf" == (artifact.tree / "conf" / "own").read_text()


def test_a_writable_folder_is_there_even_when_the_artifact_has_none(
    tmp_path: Path, artifact: Artifact
) -> None:
    """A server may want to make its data folder there."""
    installs.link_tree(artifact.tree, tmp_path / "app", ["data", "conf"])

    assert (tmp_path / "app" / "data").is_dir()


def test_the_key_holds_everything_that_shapes_an_install(artifact: Artifact) -> None:
    """Each of these gives another one."""
    env = {"DB_URL": "a", "OTHER": "x"}
    step = PrepareStep(argv=["/opt/thing/bin/build", "-v"], without=["OTH*"], keep=["made"])
    keys = [
        installs.prepare_key(config(), artifact, env, "l"),
        installs.prepare_key(config(prepare=[step]), artifact, env, "l"),
        installs.prepare_key(config(writable=[]), artifact, env, "l"),
        installs.prepare_key(config(), artifact, {**env, "DB_URL": "b"}, "l"),
        installs.prepare_key(config(), artifact, env, "other launchers"),
        installs.prepare_key(
            config(), Artifact(artifact.coordinate, "1" * 64, artifact.tree), env, "l"
        ),
        installs.prepare_key(
            config(), Artifact("maven:g:thing:2:jar", "0" * 64, artifact.tree), env, "l"
        ),
    ]

    assert len(keys) == len(set(keys))


def test_the_key_holds_nothing_else(artifact: Artifact) -> None:
    """A variable that no step reads must not build it anew."""
    one = installs.prepare_key(config(), artifact, {"DB_URL": "a", "OTHER": "x"}, "l")

    assert one == installs.prepare_key(config(), artifact, {"OTHER": "y", "DB_URL": "a"}, "l")
