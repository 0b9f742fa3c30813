"""Secrets of an app: files that only we can read, generated when missing and then kept."""

from __future__ import annotations

import secrets
import string
from pathlib import Path

from pytest_warmci.clients.files import make_folder, write_text
from pytest_warmci.errors import InputError
from pytest_warmci.masking import blotted
from pytest_warmci.model import RUN_SECRETS, Secret, Stack

_ALPHABET = string.ascii_letters + string.digits


def provide_secrets(folder: Path, stack: Stack) -> None:
    """Generate every secret of the stack that the app does not have yet.

    Raises:
        InputError: A missing secret is marked as not to be generated.
    """
    make_folder(folder / "secrets")
    for secret in stack.secrets.values():
        path = secret_path(folder, secret)
        if path.exists():
            continue
        if not secret.generate:
            raise InputError(
                f"secret '{secret.full_name}' is missing and marked generate=false",
                where=f"{stack.recipe} .env.sample",
                remedy=f"write it to {path} (mode 0600)",
            )
        value = "".join(secrets.choice(_ALPHABET) for _ in range(secret.length))
        write_text(path, value)


def secret_path(folder: Path, secret: Secret) -> Path:
    """Return the file of a secret: the one for this run only if there is one, else the kept one."""
    own = folder / RUN_SECRETS / secret.name
    return own if own.is_file() else folder / "secrets" / secret.full_name


def read_secret(folder: Path, stack: Stack, name: str) -> str:
    """Return one secret's value.

    Raises:
        InputError: The compose file has no such secret.
    """
    secret = stack.secrets.get(name)
    if secret is None:
        raise InputError(
            f"there is no secret '{name}'",
            where=stack.recipe,
            remedy=f"name one of: {', '.join(sorted(stack.secrets))}",
        )
    return secret_path(folder, secret).read_text("utf-8").strip()


def secret_values(folder: Path) -> frozenset[str]:
    """Return the values of all secrets that an app has."""
    files: list[Path] = []
    for place in (folder / "secrets", folder / RUN_SECRETS):
        files += place.iterdir() if place.is_dir() else ()
    return frozenset(path.read_text("utf-8", "replace").strip() for path in files)


def mask(folder: Path, text: str) -> str:
    """Return `text` with the value of every secret of the app blotted out."""
    return blotted(text, secret_values(folder))
