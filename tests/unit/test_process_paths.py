"""Container paths become this machine's: whole paths and prefixes, longest first, once."""

from __future__ import annotations

import pytest

from pytest_warmci.engines.process.paths import Replacements

TABLE = {
    "/run/secrets/a": "/here/secrets/a_v1",
    "/var/lib/data": "/here/volumes/db",
    "/var/lib/data/sub": "/here/volumes/sub",
    "/opt/app/": "/here/install",
    "/start.sh": "/here/configs/start",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/run/secrets/a", "/here/secrets/a_v1"),
        ("file=/run/secrets/a;b", "file=/here/secrets/a_v1;b"),
        ('"/run/secrets/a"', '"/here/secrets/a_v1"'),
        ("/opt/app/bin/run", "/here/install/bin/run"),
        ("/opt/app", "/here/install"),
        ("/opt/app.", "/here/install."),
        ("/var/lib/data/x", "/here/volumes/db/x"),
        ("/var/lib/data/sub/x", "/here/volumes/sub/x"),
        ("a:/opt/app:/var/lib/data", "a:/here/install:/here/volumes/db"),
        ("cat </run/secrets/a", "cat </here/secrets/a_v1"),
    ],
)
def test_paths_are_replaced(text: str, expected: str) -> None:
    """As a whole or as a prefix of whole parts."""
    assert expected == Replacements(TABLE)(text)


@pytest.mark.parametrize(
    "text",
    [
        "/run/secrets/ab",
        "/run/secrets/a-b",
        "/run/secrets/a.txt",
        "x/run/secrets/a",
        "./opt/app",
        "../opt/app",
        "/my/opt/app",
        "/opt/application",
        "/usr/opt/app/x",
        "",
    ],
)
def test_other_paths_are_left_alone(text: str) -> None:
    """What only looks alike."""
    assert text == Replacements(TABLE)(text)


def test_nothing_is_replaced_twice() -> None:
    """A replacement that holds another container path stays as it is."""
    table = {"/data": "/state/opt/app/volume", "/opt/app": "/install"}

    assert "/state/opt/app/volume /install" == Replacements(table)("/data /opt/app")


def test_a_dot_in_a_path_is_a_dot() -> None:
    """Paths are no patterns."""
    assert "/startXsh" == Replacements(TABLE)("/startXsh")


def test_an_empty_table_changes_nothing() -> None:
    """A service without mounts."""
    assert "/a" == Replacements({})("/a")
