"""`warmci schema`: the schemas that editors get say what the readers say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result

from pytest_warmci.cli import main
from pytest_warmci.clients.yamlfile import load_mapping
from pytest_warmci.runs.schemas import SCHEMAS
from tests.unit import docpages
from tests.unit.docpages import PAGES, REFERENCE, ROOT
from tests.unit.warm_state import parsed

EXAMPLES = [
    fence
    for page in PAGES
    for fence in docpages.fences(page)
    if fence.language == "yaml" and re.match(r"# (recipe|process|history)\.yml", fence.text)
]
OWN = [
    ROOT / "recipe_tests/keycloak/recipe.yml",
    ROOT / "recipe_tests/keycloak/process.yml",
    ROOT / "recipe_tests/keycloak/source/history.yml",
]


def warmci(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["schema", *arguments])


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_file_beside_the_reference_is_what_is_printed(kind: str) -> None:
    done = warmci(kind)
    schema = parsed(done.stdout)

    assert (0, "") == (done.exit_code, done.stderr)
    assert json.loads((REFERENCE / f"{kind}.schema.json").read_text("utf-8")) == schema
    assert f"{kind}.yml of pytest-warmci" == schema["title"]
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("path", OWN, ids=lambda path: str(path.name))
def test_our_own_files_fit(path: Path) -> None:
    check(path.stem, load_mapping(path).data)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_examples_fit(number: int) -> None:
    text = EXAMPLES[number].text
    kind = re.match(r"# (\w+)\.yml", text)
    assert kind

    check(kind[1], load_mapping(text).data)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("recipe", {"sauce": "x"}),
        ("recipe", {"probe": {"path": "/", "status": []}}),
        ("recipe", {"timeouts": {"deploy": 0}}),
        ("process", {"served": {"service": "app", "port": 0}}),
        ("process", {"services": {}}),
        ("history", {"steps": []}),
    ],
)
def test_what_the_reader_refuses_does_not_fit(kind: str, change: dict[str, Any]) -> None:
    (path,) = [path for path in OWN if path.stem == kind]
    data = load_mapping(path).data

    with pytest.raises(jsonschema.ValidationError):
        check(kind, data | change)


def test_wrong_usage() -> None:
    """Names those that there are."""
    done = warmci("compose")

    assert (2, "") == (done.exit_code, done.stdout)
    assert "'recipe', 'process', 'history'" in done.stderr
    assert 2 == warmci().exit_code


def test_the_choices_are_all_of_them() -> None:
    from pytest_warmci.cli.schema import command

    (argument,) = command.params

    assert list(SCHEMAS) == list(argument.type.choices)  # type: ignore[attr-defined]


def check(kind: str, data: object) -> None:
    jsonschema.validate(data, SCHEMAS[kind]())
