"""Reading our own Markdown: tables, code fences, links, headings. Only what the pages use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
REFERENCE: Final = DOCS / "reference"
PAGES: Final = (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Fence:
    """One fenced block: its language, its text, the page it is in."""

    page: Path
    language: str
    text: str

    @property
    def first_line(self) -> str:
        return self.text.partition("\n")[0]


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


def reference(name: str) -> str:
    return (REFERENCE / f"{name}.md").read_text("utf-8")


def rows(text: str, heading: str) -> list[list[str]]:
    """Return the cells of the tables below a heading, without their head rows."""
    found = re.search(
        rf"^##+ {re.escape(heading)}\n(.*?)(?=^#|\Z)",
        _outside_fences(text),
        re.MULTILINE | re.DOTALL,
    )
    assert found, f"there is no heading {heading!r}"
    tables: list[list[str]] = []
    head = True
    for line in found[1].splitlines():
        if not line.startswith("|"):
            head = True
        elif re.fullmatch(r"[|\s:-]+", line):
            head = False
        elif not head:
            tables.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    assert tables, f"there is no table below {heading!r}"
    return tables


def code(cell: str) -> list[str]:
    """Return the code spans of a cell."""
    return [span.replace("\\|", "|") for span in re.findall(r"`([^`]+)`", cell)]


def names(text: str, heading: str) -> list[str]:
    """Return all code spans in the first column of the tables below a heading."""
    return [name for row in rows(text, heading) for name in code(row[0])]


def fences(page: Path) -> Iterator[Fence]:
    for found in _FENCE.finditer(page.read_text("utf-8")):
        yield Fence(page, found[1], found[2])


def prose(text: str) -> str:
    """Return a page without its code: what is left is sentences."""
    return re.sub(r"`[^`\n]*`", "", _outside_fences(text))


def broken_links(page: Path) -> list[str]:
    """Return the links of a page that lead nowhere inside this project."""
    broken = []
    for target in _LINK.findall(_outside_fences(page.read_text("utf-8"))):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    return broken


def linked_pages(page: Path) -> set[Path]:
    targets = _LINK.findall(_outside_fences(page.read_text("utf-8")))
    return {(page.parent / target.partition("#")[0]).resolve() for target in targets}


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as they are made from their text."""
    headings = re.findall(r"^#+ (.+)$", _outside_fences(page.read_text("utf-8")), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {text.replace(" ", "-") for text in plain}


def bad_words(text: str) -> list[str]:
    """Return what must not be in a page: paths of a machine, foreign hosts, belittling words."""
    found = re.findall(r"(?<![\w.])/(?:root|home|work|tmp|Users)/[\w./-]*", text)
    hosts = re.findall(r"\b(?:[a-z0-9-]+\.)+(?:org|com|io|net|dev|tech)\b(?![:.]\w)", text)
    found += [host for host in hosts if not f".{host}".endswith(_HOSTS)]
    found += re.findall(r"\b(?:easy|easily|simply|just)\b", prose(text), re.IGNORECASE)
    return found


_HOSTS: Final = (".example.org", ".json-schema.org")


def long_lines(text: str) -> list[str]:
    """Return the lines that are too wide; a table's row cannot be broken."""
    outside = _outside_fences(text).splitlines()
    return [line for line in outside if len(line) > 110 and not line.startswith("|")]


def _outside_fences(text: str) -> str:
    return _FENCE.sub("", text)
