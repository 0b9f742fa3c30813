"""A recipe to test the plugin with, run by the fake engine: its folder, its history, its state."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_warmci.model import Mode, Phase, Stage
from pytest_warmci.protocols import Engine
from pytest_warmci.runs.lane import Lane
from pytest_warmci.runs.session import SessionRuns
from pytest_warmci.settings import Setting, Settings
from pytest_warmci.store.state import StateDirectory
from tests.fakes import FakeEngine

RECIPE = """\
format: 1
recipe: {name}
source: source
probe:
  path: /health
  status: [200]
  contains: up
timeouts:
  deploy: 20
  stop: 5
"""

WITNESS = """\
import requests

def plant(app):
    head = {"X-Password": app.secret("admin_password")}
    for name in ("ana", "bea"):
        requests.put(f"{app.url}/rows/{name}", "here", headers=head, timeout=5).raise_for_status()
    return {"names": ["ana", "bea"]}

def check(app, planted):
    rows = requests.get(f"{app.url}/rows", timeout=5).json()
    return sum(1 for name in planted["names"] if rows.get(name) == "here")
"""

COMPOSE = """\
version: "3.8"
services:
  app:
    image: example.org/ghost:{image}
    environment:
      BEHAVES: "{behaves}"
    secrets:
      - admin_password
    volumes:
      - {volume}:/data
    deploy:
      labels:
        - "coop-cloud.${{STACK_NAME}}.version={version}"{more}
volumes:
  {volume}:
secrets:
  admin_password:
    external: true
    name: ${{STACK_NAME}}_admin_password_${{SECRET_ADMIN_PASSWORD_VERSION}}
"""

SAMPLE = "TYPE=ghost\nDOMAIN=ghost.example.org\nSECRET_ADMIN_PASSWORD_VERSION=v1\n"


@dataclass(frozen=True)
class Step:
    """One commit: a published version (`tag`), or a branch off `parent`."""

    parent: str | None
    image: str
    tag: str = ""
    branch: str = "main"
    behaves: str = ""
    volume: str = "data"
    more: str = ""
    readme: str = ""

    @property
    def name(self) -> str:
        return self.tag or self.branch


V1, V2 = "1.0.0+1.0", "1.1.0+1.1"

PUBLISHED = (Step(None, "1.0", tag=V1), Step(V1, "1.1", tag=V2))

HEADS = (
    Step(V2, "1.2", branch="upgrade"),
    Step(V2, "1.2", branch="fails-at-once", behaves="fails-at-once"),
    Step(V2, "1.2", branch="fails-late", behaves="fails-late"),
    Step(V2, "1.2", branch="loses-data", behaves="loses-data"),
    Step(V2, "1.2", branch="renamed-volume", volume="other"),
    Step(V2, "1.2", branch="restarts", behaves="restarts"),
    Step(V2, "1.2", branch="leaves-rubbish", behaves="leaves-rubbish"),
    Step(V2, "1.2", branch="engine-down", behaves="engine-down"),
    Step(V2, "1.2", branch="interrupts", behaves="interrupts"),
    Step(V2, "1.1", branch="no-change", readme="say more"),
    Step(
        V2,
        "1.1",
        branch="ignored-key",
        more="\n      resources: {limits: {memory: 64M}}",
    ),
    Step(V1, "1.2", branch="aside"),
)

STEPS = PUBLISHED + HEADS


def write_source(folder: Path, steps: Sequence[Step] = STEPS, head: str = "upgrade") -> None:
    """Write a history of steps into a folder."""
    shutil.rmtree(folder, ignore_errors=True)
    lines = ["format: 1", "author: {name: Ghost, email: ghost@example.org}", f"head: {head}"]
    lines.append("steps:")
    for number, step in enumerate(steps):
        lines += [
            f"  - folder: {step.name}",
            f"    parent: {step.parent or 'null'}",
            f"    branch: {step.branch}",
            *([f"    tag: {step.tag}"] if step.tag else []),
            f'    date: "2026-01-{number + 1:02d}T10:00:00+00:00"',
        ]
        place = folder / step.name
        place.mkdir(parents=True)
        (place / "compose.yml").write_text(
            COMPOSE.format(
                image=step.image,
                behaves=step.behaves,
                volume=step.volume,
                version=step.tag or V2,
                more=step.more,
            )
        )
        if step.parent is None:
            (place / ".env.sample").write_text(SAMPLE)
        if step.readme:
            (place / "README.md").write_text(f"# Ghost\n{step.readme}\n")
    (folder / "history.yml").write_text("\n".join(lines) + "\n")


def write_recipe(
    recipe_tests: Path, name: str = "ghost", steps: Sequence[Step] = STEPS, head: str = "upgrade"
) -> Path:
    """Write a recipe's folder, without tests of its own, and return it."""
    folder = recipe_tests / name
    folder.mkdir(parents=True)
    (folder / "recipe.yml").write_text(RECIPE.format(name=name))
    (folder / "witness.py").write_text(WITNESS)
    write_source(folder / "source", steps, head)
    return folder


def session(
    state: Path,
    calls: Path,
    *,
    mode: Mode = "cold",
    head: str = "HEAD",
    make_engine: Callable[[Path, StateDirectory], Engine] | None = None,
    allow_lower: bool = False,
    said: list[str] | None = None,
) -> SessionRuns:
    """Return the runs of a session, without pytest."""
    settings = Settings(
        mode=Setting(mode, "test"),
        state=Setting(state, "test"),
        head=Setting(head, "test"),
        source=Setting(None, "test"),
        engine=Setting("process", "test"),
        lock_limit=Setting(0.0, "test"),
        allow_lower=Setting(allow_lower, "test"),
        keep=Setting(None, "test"),
        server_keys=Setting(False, "default"),
        session="5e5510",
    )

    def progress(text: str) -> None:
        if said is not None:
            said.append(text)

    return SessionRuns(settings, progress, make_engine or (lambda *_: FakeEngine(calls)))


def drive(lane: Lane, *, close: bool = True) -> Lane:
    """Move a lane through all that its plan has; note one passed test a phase."""
    way: Mapping[Stage, Sequence[Phase]] = {
        "install": ("head", "gone"),
        "upgrade": ("base", "head", "gone"),
    }
    for stage in lane.run.plan.stages:
        for phase in way[stage]:
            item = f"{stage}-{phase}"
            lane.outcomes.expect(item)
            lane.goto(stage, phase)
            if (stage, phase) == ("upgrade", "head"):
                lane.run.check_witness()
            lane.outcomes.note(item, "passed")
    if close:
        lane.close(narrowed=[], interrupted=False)
    return lane


def seed(state: Path, folder: Path, calls: Path) -> Lane:
    """Make a known-good of the newest published version."""
    lane = drive(session(state, calls, head="published").lane(folder))
    assert lane.result is not None
    assert lane.result.promoted, lane.result
    return lane
