"""A recipe's login.py: how somebody logs in for real, and whose fault it is when they cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from pytest_warmci.errors import InputError, KeycloakTrouble, LoginStopped, RecipeFailed
from pytest_warmci.model import RealmUser
from pytest_warmci.runs.login_module import LoginModule

ANA = RealmUser("ana", "pw", "ana@example.org", "Ana", "Tester")
APP = cast("Any", "the app")


def module(folder: Path, text: str) -> LoginModule:
    (folder / "login.py").write_text(text)
    return LoginModule(folder)


def test_it_says_who_logged_in(tmp_path: Path) -> None:
    found = module(tmp_path, "def log_in(app, user): return f'{user.username} of {app}'")

    assert "ana of the app" == found.log_in(APP, ANA)


def test_without_one_there_is_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        LoginModule(tmp_path)

    assert (
        f"{tmp_path}/login.py: there is no login.py, and recipe.yml has `sso`\n"
        "  why: only a real login shows that single sign-on works\n"
        "  do:  write log_in(app, user) -> str: log in, return who the app says that is"
    ) == str(caught.value)


@pytest.mark.parametrize(
    ("text", "what", "why"),
    [
        ("import nothing_like_it", "cannot be imported", "ModuleNotFoundError: No module named"),
        ("def log_in(", "cannot be imported", "SyntaxError: "),
        ("1 / 0", "cannot be imported", "ZeroDivisionError: division by zero"),
        ("def login(app, user): pass", "there is no function 'log_in'", ""),
        ("log_in = 'later'", "there is no function 'log_in'", ""),
    ],
)
def test_one_that_is_none_is_refused(tmp_path: Path, text: str, what: str, why: str) -> None:
    with pytest.raises(InputError) as caught:
        module(tmp_path, text)

    assert (what, str(tmp_path / "login.py")) == (caught.value.what, caught.value.where)
    assert caught.value.why.startswith(why)


def test_two_recipes_have_two(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first = module(tmp_path / "a", "WHO = 'a'\ndef log_in(app, user): return WHO")
    second = module(tmp_path / "b", "WHO = 'b'\ndef log_in(app, user): return WHO")

    assert ("a", "b") == (first.log_in(APP, ANA), second.log_in(APP, ANA))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("assert user.username == 'bea', 'not bea'", "AssertionError: not bea"),
        ("raise KeyError('token')", "KeyError: 'token'"),
        ("import requests; raise requests.ConnectionError('gone')", "ConnectionError: gone"),
    ],
)
def test_whatever_it_raises_is_the_recipes_failure(tmp_path: Path, text: str, why: str) -> None:
    found = module(tmp_path, f"def log_in(app, user):\n    {text}")

    with pytest.raises(RecipeFailed, match="ana could not log in") as caught:
        found.log_in(APP, ANA)

    assert (why, str(tmp_path / "login.py")) == (caught.value.why, caught.value.where)


@pytest.mark.parametrize("error", [LoginStopped, KeycloakTrouble, InputError])
def test_our_own_errors_say_themselves_whose_fault_it_is(
    tmp_path: Path, error: type[Exception]
) -> None:
    found = module(
        tmp_path,
        f"from pytest_warmci.errors import {error.__name__}\n"
        f"def log_in(app, user): raise {error.__name__}('so')",
    )

    with pytest.raises(error, match="so"):
        found.log_in(APP, ANA)


@pytest.mark.parametrize("value", ["None", "7", "True", "['ana']"])
def test_it_must_return_a_name(tmp_path: Path, value: str) -> None:
    """True would say nothing of who it was."""
    found = module(tmp_path, f"def log_in(app, user): return {value}")

    with pytest.raises(InputError, match="not a name") as caught:
        found.log_in(APP, ANA)

    assert f"log_in() returned {value}, not a name" == caught.value.what


def test_being_stopped_is_no_failure(tmp_path: Path) -> None:
    found = module(tmp_path, "def log_in(app, user): raise KeyboardInterrupt")

    with pytest.raises(KeyboardInterrupt):
        found.log_in(APP, ANA)
