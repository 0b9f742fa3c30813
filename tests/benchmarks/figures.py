"""Collecting figures: printed, and written where WARMCI_FIGURES says."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path


def report(name: str, figures: dict[str, float]) -> None:
    """Print figures, and add them to the file of this machine's figures."""
    shown = {key: round(value, 3) for key, value in figures.items()}
    print(f"figures {name}: {json.dumps(shown)}")
    target = os.environ.get("WARMCI_FIGURES")
    if not target:
        return
    path = Path(target)
    known = json.loads(path.read_text("utf-8")) if path.exists() else {}
    known["machine"] = {"cores": os.cpu_count(), "python": platform.python_version()}
    known[name] = shown
    path.write_text(json.dumps(known, indent=2) + "\n", "utf-8")


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)
