"""What every page must keep: links that lead somewhere, examples that work, plain words."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pytest_warmci.clients import yamlfile
from pytest_warmci.engines.process.config import read_config
from pytest_warmci.errors import InputError
from pytest_warmci.plugin import options
from pytest_warmci.recipes.enrolment import read_enrolment
from pytest_warmci.recipes.history import history_ids
from pytest_warmci.runs.witness import find_witness
from tests.unit import docpages
from tests.unit.docpages import DOCS, PAGES, ROOT, Fence, page_id

FENCES = [fence for page in PAGES for fence in docpages.fences(page)]
YAML = [fence for fence in FENCES if fence.language == "yaml"]
PYTHON = [fence for fence in FENCES if fence.language == "python"]


def fence_id(fence: Fence) -> str:
    return f"{page_id(fence.page)}-{FENCES.index(fence)}"


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page: Path) -> None:
    assert docpages.broken_links(page) == []


def test_the_index_has_every_page() -> None:
    index = DOCS / "index.md"

    assert set(DOCS.rglob("*.md")) - {index} <= docpages.linked_pages(index)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_words_are_fit_to_be_read(page: Path) -> None:
    assert docpages.bad_words(page.read_text("utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_lines_are_not_too_wide(page: Path) -> None:
    assert docpages.long_lines(page.read_text("utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_what_is_mentioned_exists(page: Path) -> None:
    """Options, make targets and verbs that a page names are there."""
    parser = pytest.Parser(_ispytest=True)
    options.add(parser)
    known = {name for option in parser.getgroup("warmci").options for name in option.names()}
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    verbs = {path.stem for path in (ROOT / "pytest_warmci/cli").glob("*.py")}
    text = page.read_text("utf-8")

    assert set(re.findall(r"--warmci-[a-z-]*[a-z]", text)) <= known
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE)) <= targets
    assert set(re.findall(r"(?:^|`)warmci ([a-z]+)", text, re.MULTILINE)) <= verbs


@pytest.mark.parametrize("fence", YAML, ids=fence_id)
def test_yaml_examples_load(fence: Fence, tmp_path: Path) -> None:
    assert load_yaml(fence, tmp_path)


def load_yaml(fence: Fence, folder: Path) -> object:
    """Read an example with the reader of the file that its first line names."""
    name = fence.first_line.removeprefix("# ")
    if name == "recipe.yml":
        found = re.search(r"^recipe: (.*)$", fence.text, re.MULTILINE)
        assert found
        (folder / found[1]).mkdir()
        (folder / found[1] / name).write_text(fence.text)
        return read_enrolment(folder / found[1])
    (folder / name).write_text(fence.text)
    if name == "process.yml":
        for launcher in re.findall(r": (process/\S+)$", fence.text, re.MULTILINE):
            path = folder / launcher
            path.parent.mkdir(exist_ok=True)
            path.touch(mode=0o755)
        return read_config(folder)
    if name == "history.yml":
        for step in re.findall(r"- folder: (\S+)", fence.text):
            (folder / step).mkdir()
            (folder / step / "compose.yml").write_text(f"# {step}\n")
        return history_ids(folder)
    if name.startswith("compose."):
        return yamlfile.load_mapping(folder / name, anchors=True)
    raise AssertionError(f"a YAML example must begin with the file's name, not {name!r}")


@pytest.mark.parametrize("fence", PYTHON, ids=fence_id)
def test_python_examples_run_as_far_as_they_can(fence: Fence, tmp_path: Path) -> None:
    compile(fence.text, page_id(fence.page), "exec")
    if fence.first_line == "# witness.py":
        (tmp_path / "witness.py").write_text(fence.text)
        assert find_witness(tmp_path)


@pytest.mark.parametrize(
    "fence", [fence for fence in FENCES if fence.language == "json"], ids=fence_id
)
def test_json_examples_are_json(fence: Fence) -> None:
    assert json.loads(fence.text)


def test_commands_are_not_split() -> None:
    """What stands in a block without a language and begins with a command fits on a screen."""
    lines = [line for fence in FENCES if not fence.language for line in fence.text.splitlines()]

    assert [
        line for line in lines if line.startswith(("pytest", "make", "warmci")) and len(line) > 110
    ] == []


# -- that these checks can fail ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see [this](gone.md)", ["gone.md"]),
        ("see [this](here.md#no-such-heading)", ["here.md#no-such-heading"]),
        ("see [this](#no-such-heading)", ["#no-such-heading"]),
        ("see [this](here.md#a-heading), [that](#own), [other](https://example.org)\n\n# Own", []),
    ],
)
def test_a_planted_link_is_found(tmp_path: Path, text: str, expected: list[str]) -> None:
    (tmp_path / "here.md").write_text("## A `heading`\n")
    page = tmp_path / "page.md"
    page.write_text(text)

    assert docpages.broken_links(page) == expected


OF_ROOT = "/".join(("", "root", "x"))  # noqa: FLY002 - in parts: it may not stand here either


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("in /home/ana/clone", ["/home/ana/clone"]),
        (f"`{OF_ROOT}`", [OF_ROOT]),
        ("from packages.foreign.net", ["packages.foreign.net"]),
        ("just do it", ["just"]),
        ("`--just` and justly, org.example:wiki, git.example.org", []),
    ],
)
def test_a_planted_word_is_found(text: str, expected: list[str]) -> None:
    assert docpages.bad_words(text) == expected


def test_a_planted_wide_line_is_found() -> None:
    assert docpages.long_lines(f"{'x' * 111}\n| {'x' * 111} |\n") == ["x" * 111]


@pytest.mark.parametrize("text", ["# recipe.yml\nrecipe: x\n", "# process.yml\nformat: 1\n"])
def test_a_planted_bad_example_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError):
        load_yaml(Fence(tmp_path, "yaml", text), tmp_path)


def test_a_nameless_example_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="must begin with the file's name"):
        load_yaml(Fence(tmp_path, "yaml", "a: 1\n"), tmp_path)
