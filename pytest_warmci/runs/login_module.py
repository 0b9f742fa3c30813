"""A recipe's `login.py`: how somebody logs in to the app for real."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pytest_warmci.api import App
from pytest_warmci.errors import InputError, RecipeFailed, WarmciError
from pytest_warmci.model import RealmUser
from pytest_warmci.runs.recipe_module import load

FILE: Final = "login.py"


class LoginModule:
    """The `log_in` of a recipe's `login.py`.

    Raises:
        InputError: It is missing, cannot be imported, or has no such function.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        if not self._path.is_file():
            raise InputError(
                f"there is no {FILE}, and recipe.yml has `sso`",
                where=str(self._path),
                why="only a real login shows that single sign-on works",
                remedy="write log_in(app, user) -> str: log in, return who the app says that is",
            )
        self._module = load(
            self._path,
            ("log_in",),
            contract="write log_in(app, user) -> str",
            broken="mend it: only a real login shows that single sign-on works",
        )

    def log_in(self, app: App, user: RealmUser) -> str:
        """Log a user in; return who the app says that is.

        Raises:
            RecipeFailed: It did not work.
            NotEvaluated: Keycloak was in the way.
            InputError: It returned no text.
        """
        try:
            who = self._module.log_in(app, user)
        except WarmciError:
            raise
        except Exception as error:
            raise RecipeFailed(
                f"{user.username} could not log in",
                where=str(self._path),
                why=f"{type(error).__name__}: {error}",
            ) from error
        if not isinstance(who, str):
            raise InputError(f"log_in() returned {who!r}, not a name", where=str(self._path))
        return who
