"""Sessions that run at the same time, each a real pytest process that can be watched and awaited."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pytest_warmci.clients.waiting import Look, wait_until
from tests.e2e.workshop import LIMIT, ROOT, Outcome, clean_environment

GATE_SECONDS = 120


@dataclass(frozen=True)
class Running:
    """A session that goes on. What it says and its results are in files of its own."""

    process: subprocess.Popen[bytes]
    log: Path
    target: Path

    @property
    def text(self) -> str:
        """What it has said so far."""
        return self.log.read_text("utf-8", "replace")

    def wait_for(self, words: str) -> None:
        """Wait until it has said something."""

        def look() -> Look:
            assert self.process.poll() is None, self.text
            return Look(words in self.text, self.text[-2_000:])

        wait_until(look, timeout=60, every=0.05)

    def end(self) -> Outcome:
        """Wait until it ends."""
        status = self.process.wait(LIMIT)
        data = json.loads(self.target.read_text("utf-8")) if self.target.exists() else {}
        return Outcome(status, self.text, data)


class Crowd:
    """Starts sessions on state directories; `folder` is for what they say.

    Use it as a context manager: what still runs at its end is killed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._all: list[Running] = []
        folder.mkdir(exist_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._all:
            each.process.kill()
            each.process.wait()

    def start(self, state: Path, *words: str | Path, env: dict[str, str] | None = None) -> Running:
        """Start a session; `words` are what to run, and how."""
        name = f"{len(self._all):02d}"
        log, target = self._folder / f"{name}.log", self._folder / f"{name}.json"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "pytest", "-o", f"cache_dir={target}.cache"),
                    *(f"--warmci-state={state}", f"--warmci-json={target}"),
                    *map(str, words),
                ],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={**clean_environment(), "PYTHONPATH": str(ROOT), **(env or {})},
            )
        self._all.append(Running(process, log, target))
        return self._all[-1]

    def end(self) -> list[Outcome]:
        """Wait for all of them."""
        return [each.end() for each in self._all]


@contextmanager
def gate(folder: Path) -> Iterator[tuple[dict[str, str], Path, Path]]:
    """A place in a session where it stops until it is let through; it is opened at the end.

    Yields:
        The environment that stops it there (add STRIKE_AT, load tests.faults.strike), the file
        that says it has come, and the file that lets it through.
    """
    script, come, opened = folder / "gate.sh", folder / "come", folder / "open"
    script.write_text(
        f"touch {come}\n"
        f"for each in $(seq {GATE_SECONDS * 20}); do\n"
        f"  test -e {opened} && exit 0\n"
        "  sleep 0.05\n"
        "done\n"
    )
    try:
        yield {"STRIKE_WITH": f"run:/bin/sh {script}"}, come, opened
    finally:
        opened.touch()


def copy_recipe(recipe: Path, recipe_tests: Path, name: str = "") -> Path:
    """Copy a recipe's folder, under another name when one is given; return the copy."""
    folder = recipe_tests / (name or recipe.name)
    shutil.copytree(recipe, folder, ignore=shutil.ignore_patterns("__pycache__"))
    file = folder / "recipe.yml"
    file.write_text(file.read_text().replace(f"recipe: {recipe.name}", f"recipe: {folder.name}"))
    return folder


def wait_for_file(path: Path, running: Running, seconds: float = 60) -> None:
    """Wait until a session has made a file."""

    def look() -> Look:
        assert running.process.poll() is None, running.text
        return Look(path.exists(), f"{path} is not there")

    wait_until(look, timeout=seconds, every=0.05)


def same_apps(outcomes: Iterable[Outcome]) -> list[str]:
    """List what two runs have in common that must be a run's own: its id and its cold domain."""
    seen: list[str] = []
    for outcome in outcomes:
        for result in outcome.results:
            seen.append(result["run_id"])
            seen += {
                each["domain"]
                for each in result["held"]
                if each["domain"] != result["canonical_domain"]
            }
    return sorted(each for each in set(seen) if seen.count(each) > 1)
