"""Secrets: private files, generated when missing, kept, never shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_warmci.engines.secrets import (
    mask,
    provide_secrets,
    read_secret,
    secret_path,
    secret_values,
)
from pytest_warmci.errors import InputError
from pytest_warmci.model import RUN_SECRETS, Revision, Secret, Stack

STACK = Stack(
    recipe="tiny",
    domain="tiny.localhost",
    name="tiny_localhost",
    revision=Revision("a" * 40, "1.0.0+1", published=True),
    services={},
    volumes=(),
    secrets={
        "password": Secret("password", "password_v1", 40, generate=True),
        "token": Secret("token", "token_v2", 16, generate=True),
    },
    configs={},
    env={},
    keys={},
)


def test_missing_secrets_are_generated(tmp_path: Path) -> None:
    """As long as was asked for, different, readable by us only."""
    provide_secrets(tmp_path, STACK)

    values = [read_secret(tmp_path, STACK, name) for name in ("password", "token")]
    assert [40, 16] == [len(value) for value in values]
    assert all(value.isalnum() for value in values)
    assert 0o700 == (tmp_path / "secrets").stat().st_mode & 0o777
    assert {0o600} == {path.stat().st_mode & 0o777 for path in (tmp_path / "secrets").iterdir()}


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    """A redeploy with a new secret generates only that one."""
    provide_secrets(tmp_path, STACK)
    before = read_secret(tmp_path, STACK, "password")
    more = replace(
        STACK, secrets={**STACK.secrets, "new": Secret("new", "new_v1", 8, generate=True)}
    )

    provide_secrets(tmp_path, more)

    assert before == read_secret(tmp_path, more, "password")
    assert 8 == len(read_secret(tmp_path, more, "new"))


def test_a_new_version_of_a_secret_is_a_new_secret(tmp_path: Path) -> None:
    """That is how operators rotate them."""
    provide_secrets(tmp_path, STACK)
    old = read_secret(tmp_path, STACK, "token")
    rotated = replace(STACK, secrets={"token": Secret("token", "token_v3", 16, generate=True)})

    provide_secrets(tmp_path, rotated)

    assert old != read_secret(tmp_path, rotated, "token")
    assert (tmp_path / "secrets" / "token_v2").exists()


def test_a_secret_that_is_not_to_be_generated_must_be_given(tmp_path: Path) -> None:
    """With the place to write it to."""
    stack = replace(STACK, secrets={"key": Secret("key", "key_v1", 8, generate=False)})

    with pytest.raises(InputError) as caught:
        provide_secrets(tmp_path, stack)

    assert str(tmp_path / "secrets" / "key_v1") in caught.value.remedy
    (tmp_path / "secrets" / "key_v1").write_text("given\n")
    provide_secrets(tmp_path, stack)
    assert "given" == read_secret(tmp_path, stack, "key")


def test_an_unknown_secret_names_those_that_are_known(tmp_path: Path) -> None:
    """By their names in the compose file."""
    with pytest.raises(InputError) as caught:
        read_secret(tmp_path, STACK, "passwort")

    assert "name one of: password, token" == caught.value.remedy


def test_every_secret_is_blotted_out(tmp_path: Path) -> None:
    """Also one of an older version; an empty one blots out nothing."""
    provide_secrets(tmp_path, STACK)
    (tmp_path / "secrets" / "old_v0").write_text("hunter2\n")
    (tmp_path / "secrets" / "empty").write_text("\n")
    password = read_secret(tmp_path, STACK, "password")

    assert "a ******** b ********" == mask(tmp_path, f"a {password} b hunter2")


def test_an_app_without_secrets_has_nothing_to_hide(tmp_path: Path) -> None:
    """Not even a folder."""
    assert "text" == mask(tmp_path, "text")


def test_a_secret_inside_another_does_not_show_the_rest(tmp_path: Path) -> None:
    """The longer one goes first."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "a").write_text("abc")
    (tmp_path / "secrets" / "b").write_text("abcdef")

    assert "def" not in mask(tmp_path, "abcdef")


def give(folder: Path, name: str, value: str) -> None:
    """Let an app have a secret for one run only."""
    (folder / RUN_SECRETS).mkdir(exist_ok=True)
    (folder / RUN_SECRETS / name).write_text(value)


def test_a_secret_for_one_run_stands_before_the_kept_one(tmp_path: Path) -> None:
    """By its name in the compose file, whatever its version is; the kept one stays as it is."""
    provide_secrets(tmp_path, STACK)
    kept = read_secret(tmp_path, STACK, "password")

    give(tmp_path, "password", "for one run\n")

    assert "for one run" == read_secret(tmp_path, STACK, "password")
    assert tmp_path / RUN_SECRETS / "password" == secret_path(tmp_path, STACK.secrets["password"])
    assert kept == (tmp_path / "secrets" / "password_v1").read_text()
    (tmp_path / RUN_SECRETS / "password").unlink()
    assert kept == read_secret(tmp_path, STACK, "password")


def test_a_secret_for_one_run_is_not_generated_beside_it(tmp_path: Path) -> None:
    """What is kept would be in the snapshot, and of no use; one that must be given is given."""
    stack = replace(
        STACK,
        secrets={**STACK.secrets, "key": Secret("key", "key_v1", 8, generate=False)},
    )
    for name in ("password", "key"):
        give(tmp_path, name, "x")

    provide_secrets(tmp_path, stack)

    assert ["token_v2"] == [path.name for path in (tmp_path / "secrets").iterdir()]


def test_secrets_for_one_run_are_blotted_out(tmp_path: Path) -> None:
    """With the kept ones that they stand before."""
    provide_secrets(tmp_path, STACK)
    give(tmp_path, "password", "hunter2")
    kept = (tmp_path / "secrets" / "password_v1").read_text()

    assert {"hunter2", kept} <= secret_values(tmp_path)
    assert "hunter2" not in mask(tmp_path, "the password is hunter2")


def test_an_app_without_secrets_has_none(tmp_path: Path) -> None:
    assert frozenset() == secret_values(tmp_path)
