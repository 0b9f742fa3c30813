"""A recipe's witness: data planted in an app and looked for after every upgrade."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pytest_warmci.api import App
from pytest_warmci.errors import InputError, NotEvaluated, RecipeFailed
from pytest_warmci.runs.recipe_module import load

FILE = "witness.py"


class WitnessModule:
    """The `plant` and `check` of a recipe's `witness.py`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._module = load(
            path,
            ("plant", "check"),
            contract="write plant(app) -> dict and check(app, planted) -> int",
            broken="mend it, or remove it (then data are not witnessed)",
        )

    def plant(self, app: App) -> dict[str, Any]:
        """Plant, and return what the witness wants back (JSON).

        Raises:
            RecipeFailed: It cannot plant.
            InputError: It returned something that is not a JSON object.
        """
        try:
            planted = self._module.plant(app)
        except NotEvaluated:
            raise
        except Exception as error:
            raise RecipeFailed(
                "the witness cannot plant its data",
                where=str(self._path),
                why=f"{type(error).__name__}: {error}",
            ) from error
        try:
            answer = json.loads(json.dumps(planted))
        except (TypeError, ValueError) as error:
            raise InputError(
                "plant() returned no JSON", where=str(self._path), why=str(error)
            ) from None
        if not isinstance(answer, dict):
            raise InputError("plant() returned no dict", where=str(self._path))
        return answer

    def check(self, app: App, planted: dict[str, Any]) -> int:
        """Return how much of what was planted is there; what cannot even be asked for is not.

        Raises:
            RecipeFailed: It cannot look.
            InputError: It returned something that is not a count.
        """
        try:
            found = self._module.check(app, dict(planted))
        except NotEvaluated:
            raise
        except Exception as error:
            raise RecipeFailed(
                "the witness cannot look for its data",
                where=str(self._path),
                why=f"{type(error).__name__}: {error}",
            ) from error
        if not isinstance(found, int) or isinstance(found, bool) or found < 0:
            raise InputError(f"check() returned {found!r}, not a count", where=str(self._path))
        return found


def find_witness(folder: Path) -> WitnessModule | None:
    """Return the witness of a recipe's folder, None when it has none."""
    path = folder / FILE
    return WitnessModule(path) if path.is_file() else None
