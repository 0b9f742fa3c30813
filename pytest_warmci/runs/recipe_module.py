"""Importing a Python file of a recipe's folder, which is no part of any package."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from pytest_warmci.errors import InputError


def load(path: Path, functions: Sequence[str], *, contract: str, broken: str) -> ModuleType:
    """Import a file and see that it has the functions that it must have.

    Args:
        path: The file.
        functions: Their names.
        contract: What to write when one is missing.
        broken: What to do when it cannot be imported.

    Raises:
        InputError: It cannot be imported, or lacks one.
    """
    name = f"warmci_{path.stem}_{path.parent.name}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError("cannot be imported", where=str(path), remedy=broken)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(
            "cannot be imported",
            where=str(path),
            why=f"{type(error).__name__}: {error}",
            remedy=broken,
        ) from error
    for function in functions:
        if not callable(getattr(module, function, None)):
            raise InputError(
                f"there is no function '{function}'", where=str(path), remedy=contract
            )
    return module
