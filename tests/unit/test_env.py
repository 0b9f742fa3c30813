"""The app's environment: samples, hints, exports and `.env` files."""

from __future__ import annotations

import random

import pytest

from pytest_warmci.errors import InputError
from pytest_warmci.recipes import env


def test_a_new_apps_environment() -> None:
    """The app's domain replaces the sample's, also where other values name it."""
    sample = (
        "TYPE=blog\nDOMAIN=blog.example.org\nURL=https://$DOMAIN/\nNAME=${STACK_NAME}_x\n#A=1\n"
    )

    assert {
        "DOMAIN": "a-1.warmci.localhost",
        "STACK_NAME": "a-1_warmci_localhost",
        "TYPE": "blog",
        "URL": "https://a-1.warmci.localhost/",
        "NAME": "a-1_warmci_localhost_x",
    } == env.app_env(sample, "a-1.warmci.localhost")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=1 # comment", "1"),
        ("A='x # y'", "x # y"),
        ('A="a\\nb"', "a\nb"),
        ("A=", ""),
        ("export A=1", "1"),
        ("A=1\nA=2", "2"),
        ('A="compose.yml"\nA="$A:compose.db.yml"', "compose.yml:compose.db.yml"),
        ("B=1\nA='$B'", "$B"),
        ('B=1\nA="\\$B"', "$B"),
        ("A=${B:-x y}", "x y"),
        ("B=\nA=${B:-x}", "x"),
        ("B=1\nA=${B:-x}", "1"),
        ("A=${HOME}$PATH", ""),
        ("A=a$", "a$"),
    ],
)
def test_values_as_abra_reads_them(text: str, value: str) -> None:
    """Quotes, references to lines above, and never our own environment."""
    assert value == env.parse_env(text)["A"]


@pytest.mark.parametrize("line", ["no equals", "A", "1A=2", "A B=1", "A='x"])
def test_refuses_what_is_no_assignment(line: str) -> None:
    """The error names file and line, and shows no value."""
    with pytest.raises(InputError) as caught:
        env.parse_env(f"B=1\n\n{line}\n", "x@1:.env.sample")

    assert "x@1:.env.sample:3" == caught.value.where
    assert "is not NAME=value" == caught.value.what
    assert "write NAME=value, or a comment that starts with #" == caught.value.remedy


def test_hints_about_secrets() -> None:
    """Length and whether to generate stand in the comment of the secret's version."""
    sample = (
        "SECRET_A_VERSION=v1\nSECRET_B_VERSION=v1 # length=64\n"
        "SECRET_C_VERSION=v2 # generate=false, length=8\n#SECRET_D_VERSION=v1\nOTHER=1 # length=9\n"
    )

    assert {
        "SECRET_A_VERSION": (32, True),
        "SECRET_B_VERSION": (64, True),
        "SECRET_C_VERSION": (8, False),
    } == env.secret_hints(sample)


def test_refuses_an_absurd_length() -> None:
    """A secret of no characters protects nothing."""
    with pytest.raises(InputError) as caught:
        env.secret_hints("\nSECRET_A_VERSION=v1 # length=0\n", "f")

    assert "f:2: SECRET_A_VERSION: length=0 is not between 1 and 1024" == str(caught.value)


def test_exports_are_read_and_never_run() -> None:
    """Only plain versions count; a command in their place is not executed."""
    text = """\
#!/bin/bash
export A_VERSION=v1
  export B_VERSION="v2" C_VERSION='v3' # why
# export D_VERSION=v1
E_VERSION=v1
export F=1
export G_VERSION=$(touch /tmp/never)
export H_VERSION="unfinished
"""

    assert {"A_VERSION": "v1", "B_VERSION": "v2", "C_VERSION": "v3"} == env.abra_exports(text)


def test_what_is_dumped_reads_back() -> None:
    """Any text survives a `.env` file."""
    chosen = random.Random(7)
    letters = "aZ0 $\\\"'#=\n\r\t{}:-`;&|é\u2028/"
    values = ["".join(chosen.choices(letters, k=chosen.randrange(12))) for _ in range(500)]
    values += ["", "$HOME", "${A}", "\\$", "\\\\", "a'b\"c", " x ", "export A=1", "#"]
    names = {f"V{index}": value for index, value in enumerate(values)}

    assert names == env.parse_env(env.dump_env(names))


def test_plain_values_stay_plain() -> None:
    """People read these files: no quotes where none are needed."""
    assert "A=https://x.y/z?\n" != env.dump_env({"A": "https://x.y/z?"})
    assert "A=10.5.0+26.4.7\nB='a b'\n" == env.dump_env({"A": "10.5.0+26.4.7", "B": "a b"})


@pytest.mark.parametrize(("name", "value"), [("A B", "1"), ("", "1"), ("A", "\0"), ("A\n", "1")])
def test_refuses_to_dump_what_cannot_be_read(name: str, value: str) -> None:
    """A wrong name would change the lines around it."""
    with pytest.raises(InputError, match="cannot be in an environment"):
        env.dump_env({name: value})
