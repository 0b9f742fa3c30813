"""A state directory and a recipe made by hand, for the tests of the command line's verbs."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_warmci.model import KnownGood
from pytest_warmci.runs.place import Place
from pytest_warmci.settings import Setting
from pytest_warmci.store import snapshots
from pytest_warmci.store.registry import RegistryWriter
from pytest_warmci.store.results import (
    KnownGoodDigests,
    Result,
    Source,
    TestedVersion,
    write_result,
)
from pytest_warmci.store.state import StateDirectory, open_state

DOMAIN = "warm-miniapp.warmci.localhost"

PROCESS = """\
format: 1
served: {service: app, port: 8080}
services:
  app:
    image: example/app
    artifact: "maven:org.example:app:{tag}:jar"
    install: /opt/app
    entrypoint: [/opt/app/serve]
"""

COMPOSE = """\
version: "3.8"
services:
  app:
    image: example/app:@
    deploy: {labels: ["coop-cloud.${STACK_NAME}.version=@"]}
"""

HISTORY = """\
format: 1
author: {name: A, email: a@example.org}
head: main
steps:
"""

WITNESS = """\
def plant(app):
    return {}
def check(app, planted):
    return 1
"""


def setting(root: Path) -> Setting[Path]:
    """Return a state directory as the command line would."""
    return Setting(root, "--state")


def write_recipe(tests: Path, versions: tuple[str, ...] = ("1.0.0+1.0", "1.1.0+1.1")) -> Path:
    """Write a whole recipe, `miniapp`, whose source has these published versions."""
    folder = tests / "miniapp"
    source = folder / "source"
    source.mkdir(parents=True)
    steps = ""
    parent = "null"
    for number, version in enumerate(versions, 1):
        step = source / f"{number:02}-{version}"
        step.mkdir()
        step.joinpath("compose.yml").write_text(COMPOSE.replace("@", version.partition("+")[2]))
        step.joinpath(".env.sample").write_text("TYPE=miniapp\nDOMAIN=miniapp.example.org\n")
        steps += f"  - {{folder: {step.name}, parent: {parent}, branch: main, tag: {version},"
        steps += f' date: "2026-01-0{number}T10:00:00+00:00"}}\n'
        parent = step.name
    source.joinpath("history.yml").write_text(HISTORY + steps)
    folder.joinpath("recipe.yml").write_text(
        "format: 1\nrecipe: miniapp\nsource: source\nprobe: {path: /, status: [200]}\n"
    )
    folder.joinpath("process.yml").write_text(PROCESS)
    folder.joinpath("witness.py").write_text(WITNESS)
    return folder


def put_known_good(root: Path, **changes: Any) -> KnownGood:
    """Give `miniapp` (or another recipe) a canonical with volumes, a snapshot and an entry."""
    state = open_state(root)
    recipe = changes.get("recipe", "miniapp")
    domain = f"warm-{recipe}.warmci.localhost"
    place = Place(recipe, domain, state.app("process", domain))
    (place.folder / "volumes" / "db").mkdir(parents=True)
    (place.folder / "volumes" / "db" / "data").write_bytes(b"x" * 100_000)
    taken = snapshots.take(
        place.snapshots, "gen-000001-aaaaaa", {"volumes": place.folder / "volumes", **place.roots}
    )
    entry = KnownGood(
        recipe=recipe,
        engine="process",
        domain=domain,
        url="http://localhost:20001",
        version="1.1.0+1.1",
        commit="c" * 40,
        generation="gen-000001-aaaaaa",
        digest=taken.digest,
        witness={"password": "hunter2"},
        promoted_at="2026-01-31T12:00:03Z",
        promoted_by="1a2b3c",
        evidence={"witnessed": 4},
        cold_seconds=99.5,
    )
    entry = replace(entry, **changes)
    RegistryWriter(state).put(entry)
    return entry


def put_result(state: StateDirectory, run_id: str, **changes: Any) -> Result:
    """Give a run of `miniapp` a result, by default that of a promoting cold run."""
    result = Result(
        run_id=run_id,
        session="s",
        recipe="miniapp",
        engine="process",
        mode="cold",
        requested_mode="cold",
        authority=True,
        complete=True,
        verdict="passed",
        reason="",
        source=Source("source", "published"),
        started="2026-01-31T12:00:03Z",
        seconds=61.0,
        head=TestedVersion("1.1.0+1.1", "c" * 40),
        known_good=KnownGoodDigests(None, None),
        promoted=True,
    )
    result = replace(result, **changes)
    state.run(run_id).mkdir(0o700)
    write_result(state.run(run_id), result)
    return result


def fingerprint(root: Path) -> dict[str, Any]:
    """Return what there is below a folder, down to content and time of change."""
    found: dict[str, Any] = {}
    for path in sorted(root.rglob("*")):
        facts = path.lstat()
        content = path.read_bytes() if path.is_file() else os.fspath(path)
        found[str(path)] = (facts.st_mode, facts.st_mtime_ns, facts.st_ino, content)
    return found


def parsed(text: str) -> Any:
    """Return JSON that is the whole of an output."""
    return json.loads(text)
