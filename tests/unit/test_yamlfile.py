"""Strict YAML: what is read, and what every refusal says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pydantic
import pytest

from pytest_warmci.clients import yamlfile
from pytest_warmci.errors import InputError


class Hook(yamlfile.Strict):
    name: str
    seconds: Annotated[float, pydantic.Field(gt=0)] = 1.0
    lines: tuple[int, ...] = ()


class Example(yamlfile.Strict):
    format: Literal[1]
    hooks: tuple[Hook, ...] = ()
    timeouts: dict[str, float] = pydantic.Field(default_factory=dict)
    kind: Literal["a", "b"] = "a"
    on: bool = False


def write(folder: Path, text: str) -> Path:
    path = folder / "example.yml"
    path.write_text(text)
    return path


def refusal(folder: Path, text: str) -> tuple[str, str, str]:
    """Return the line, the sentence and the remedy of the error that `text` gives."""
    path = write(folder, text)
    with pytest.raises(InputError) as caught:
        yamlfile.load(path, Example)
    where, _, line = caught.value.where.rpartition(":")
    assert str(path) == where
    return line, caught.value.what, caught.value.remedy


def test_reads_a_valid_file(tmp_path: Path) -> None:
    """Lists become tuples, whole numbers may stand where fractions are meant."""
    text = "format: 1\nhooks:\n  - {name: a, seconds: 2, lines: [1, 2]}\non: true\n"

    example = yamlfile.load(write(tmp_path, text), Example)

    assert (Hook(name="a", seconds=2.0, lines=(1, 2)),) == example.hooks
    assert example.on is True


@pytest.mark.parametrize(
    ("text", "line", "what", "remedy"),
    [
        (
            "format: 1\nhookz: []\n",
            "2",
            "unknown key 'hookz'",
            "did you mean 'hooks'? known keys: format, hooks, kind, on, timeouts",
        ),
        (
            "format: 1\nhooks:\n  - name: a\n    secs: 3\n",
            "4",
            "unknown key 'secs'",
            "did you mean 'seconds'? known keys: lines, name, seconds",
        ),
        ("format: 1\nhooks:\n  - name: a\n  - lines: []\n", "4", "missing key 'name' in 'hooks.1'", "add it"),
        ("on: true\n", "1", "missing key 'format'", "add it"),
        ("format: 1\ntimeouts: {deploy: abc}\n", "2", "timeouts.deploy: 'abc' is not a number", ""),
        ("format: 1\ntimeouts:\n\n  deploy: '5'\n", "4", "timeouts.deploy: '5' is not a number", ""),
        ("format: 1\non: yes\n", "2", "on: 'yes' is not true or false", ""),
        ("format: 1\nkind: c\n", "2", "kind: 'c' is not 'a' or 'b'", ""),
        ("format: 1\nhooks: a\n", "2", "hooks: 'a' is not a list", ""),
        ("format: 1\nhooks: [a]\n", "2", "hooks.0: 'a' is not a mapping", ""),
        ("format: 1\nhooks: [{name: 3}]\n", "2", "hooks.0.name: 3 is not text", ""),
        ("format: 1\nhooks: [{name: a, lines: [1.5]}]\n", "2", "hooks.0.lines.0: 1.5 is not a whole number", ""),
        (
            "format: 1\nhooks: [{name: a, seconds: 0}]\n",
            "2",
            "hooks.0.seconds: 0 is refused: it should be greater than 0",
            "",
        ),
        ("format: 0\n", "1", "format: 0 is not 1", ""),
        ("format: 1\non: true\non: false\n", "3", "the key 'on' is there twice", "remove one of them"),
        (
            "format: 1\ntimeouts: &x {a: 1}\n",
            "2",
            "anchors and aliases are not allowed here",
            "write the value out",
        ),
        ("format: 1\non: !!python/name:os.system x\n", "2", "the tag 'tag:yaml.org,2002:python/name:os.system' is not allowed", ""),
        ("format: 1\n? [a]\n: 1\n", "2", "a key must be plain text", ""),
        ("format: 1\non: [\n", "3", "is not valid YAML", ""),
        ("format: 1\n---\nformat: 1\n", "2", "is not valid YAML", ""),
        ("", "1", "is empty", "start it with 'key: value' lines"),
        ("- 1\n", "1", "is not a mapping of keys to values", "start it with 'key: value' lines"),
        ("format: 1\non: " + "[" * 50 + "]" * 50, "2", "nested deeper than 40", ""),
        ("format: 1\non: !!int x\n", "2", "'x' does not fit its tag", ""),
    ],
)  # fmt: skip
def test_says_what_is_wrong_where_and_what_to_do(
    tmp_path: Path, text: str, line: str, what: str, remedy: str
) -> None:
    """Each problem is one error with line, sentence and remedy."""
    assert (line, what, remedy) == refusal(tmp_path, text)


def test_a_newer_format_is_told_apart_from_a_mistake(tmp_path: Path) -> None:
    """Unknown keys of a newer format are not called mistakes."""
    line, what, remedy = refusal(tmp_path, "later: 1\nformat: 2\n")

    assert ("2", "written for a newer version of pytest-warmci") == (line, what)
    assert "upgrade pytest-warmci" == remedy


def test_further_problems_are_named_too(tmp_path: Path) -> None:
    """The error is about the first problem; the others are listed with their lines."""
    path = write(tmp_path, "format: 1\nkind: c\non: 5\n")

    with pytest.raises(InputError) as caught:
        yamlfile.load(path, Example)

    assert "also line 3: on: 5 is not true or false" == caught.value.why


@pytest.mark.parametrize(
    ("content", "what", "line"),
    [
        (b"a: \xff\n", "is not UTF-8 text", ":1"),
        (b"a: 1\nb: \x00\n", "is not valid YAML", ":2"),
        (b"a: " + b"x" * yamlfile.MAX_BYTES, "larger than 256 KiB", ""),
    ],
)
def test_refuses_what_is_no_text_of_ours(
    tmp_path: Path, content: bytes, what: str, line: str
) -> None:
    """Bytes that nobody typed are refused before anything is made of them."""
    path = tmp_path / "x.yml"
    path.write_bytes(content)

    with pytest.raises(InputError) as caught:
        yamlfile.load_mapping(path)

    assert what == caught.value.what
    assert f"{path}{line}" == caught.value.where


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The path and the system's reason are in the error."""
    with pytest.raises(InputError) as caught:
        yamlfile.load_mapping(tmp_path / "none.yml")

    assert f"{tmp_path}/none.yml: cannot be read" in str(caught.value)
    assert "No such file or directory" == caught.value.why


def test_knows_the_line_of_every_key_and_item() -> None:
    """A place that is not in the file is the one above it."""
    document = yamlfile.load_mapping("a:\n  b:\n    - x\n    - y: 1\n", "f.yml")

    assert {"a": 1, "a.b": 2, "a.b.0": 3, "a.b.1": 4, "a.b.1.y": 4} == document.lines
    assert "f.yml:4" == document.at("a", "b", 1, "missing", "z")
    assert "f.yml:1" == document.at("other")
    assert (True, False) == (document.has("a", "b", 0), document.has("a", "b", 2))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"), ("on", "on"), ("True", True), ("~", None), ("", None), ("1.10", 1.1),
        ("0555", 0o555), ("0o17", 15), ("0x10", 16), ("089", 89), ("-3", -3), ("1e3", 1000.0),
        ("12:30:00", "12:30:00"), ("2026-01-10", "2026-01-10"), (".inf", ".inf"), ("1_000", "1_000"),
        ("'1'", "1"), ("!!str 1", "1"), ("10.5.0+26.4.7", "10.5.0+26.4.7"), ("<<", "<<"),
    ],
)  # fmt: skip
def test_guesses_few_types(text: str, value: object) -> None:
    """Dates, times and words like yes stay text; a leading zero is octal, as with Docker."""
    read = yamlfile.load_mapping(f"a: {text}\n").data["a"]

    assert value == read
    assert type(value) is type(read)


def test_anchors_where_they_are_allowed() -> None:
    """A merge key gives way to the mapping's own keys, and earlier bases to none."""
    text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  <<: [*x, *y]\n  a: 9\nw: *y\n"

    data = yamlfile.load_mapping(text, anchors=True).data

    assert {"a": 9, "b": 1, "c": 2} == data["z"]
    assert {"b": 2, "c": 2} == data["w"]


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]\n",
        "a: &a {<<: *a}\n",
        "a0: &a0 [x, x]\n"
        + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)),
    ],
    ids=["itself", "merges itself", "bomb"],
)
def test_aliases_that_unfold_without_end(text: str) -> None:
    """A small file cannot become a large one."""
    with pytest.raises(InputError, match=r"unfold into too much|not valid YAML"):
        yamlfile.load_mapping(text, anchors=True)
