"""The reference says what the program does: no more, no less."""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema
import pydantic
import pytest

import pytest_warmci
from pytest_warmci import api
from pytest_warmci.engines.process import config, keys
from pytest_warmci.errors import WarmciError
from pytest_warmci.model import KnownGood, RealmClient, RealmUser
from pytest_warmci.plugin import hookspecs, options, summary
from pytest_warmci.plugin.asserts import RULES
from pytest_warmci.plugin.rules import Rule
from pytest_warmci.recipes import enrolment, history
from pytest_warmci.recipes.compare import is_inert
from pytest_warmci.store import state
from pytest_warmci.store.result_schema import RESULT_SCHEMA
from tests.unit.docpages import REFERENCE, code, fences, names, reference, rows

PACKAGE = Path(pytest_warmci.__file__).parent


@pytest.fixture(scope="module")
def parser() -> pytest.Parser:
    made = pytest.Parser(_ispytest=True)
    options.add(made)
    return made


def sources(below: str = "") -> Iterator[ast.Module]:
    for path in (PACKAGE / below).rglob("*.py"):
        yield ast.parse(path.read_text("utf-8"))


def constants(tree: ast.AST, pattern: str) -> set[str]:
    """Return the texts in a module that are nothing but what the pattern describes."""
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Constant))
    texts = (node.value for node in nodes if isinstance(node.value, str))
    return {text for text in texts if re.fullmatch(pattern, text)}


# -- command line ---------------------------------------------------------------------------


def test_options(parser: pytest.Parser) -> None:
    live = {
        f"{name} {option.attrs().get('metavar') or ''}".strip()
        for option in parser.getgroup("warmci").options
        for name in option.names()
    }

    assert live == set(names(reference("options"), "Command line options"))


def test_ini_keys(parser: pytest.Parser) -> None:
    assert set(parser._inidict) == set(names(reference("options"), "Ini keys"))


def test_environment_variables() -> None:
    launched = set().union(*(constants(tree, "WARMCI_[A-Z_]+") for tree in sources("engines")))
    everywhere = set().union(*(constants(tree, "WARMCI_[A-Z_]+") for tree in sources()))
    shell = ast.parse((PACKAGE / "runs/shell.py").read_text("utf-8"))
    beside = constants(shell, "WARMCI_[A-Z_]+")

    assert launched == set(names(reference("process-yml"), "What a launcher gets"))
    assert beside == set(names(reference("cli"), "What the program gets"))
    assert everywhere - launched - beside == set(
        names(reference("options"), "Environment variables")
    )


def test_what_is_refused() -> None:
    """Whatever ends with a usage error is in the table, with all the flags that clash."""
    tree = ast.parse((PACKAGE / "plugin/options.py").read_text("utf-8"))
    messages = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    clashes = [_flags(re.split(r" contradict|would|: ", text, maxsplit=1)[0]) for text in messages]
    documented = [_flags(row[0]) for row in rows(reference("options"), "What is refused")]

    assert clashes
    assert [flags for flags in clashes if flags and flags not in documented] == []


def _flags(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text))


def commands(name: str = "warmci", command: Any = None) -> Mapping[str, Any]:
    """Return a command and those below it, by what people write."""
    import click

    from pytest_warmci import cli

    command = command or cli.main
    found = {name: command}
    if isinstance(command, click.Group):
        context = click.Context(command)
        for below in command.list_commands(context):
            found |= commands(f"{name} {below}", command.get_command(context, below))
    return found


def test_commands() -> None:
    headings = set(re.findall(r"^##+ `(warmci[^`]*)`$", reference("cli"), re.MULTILINE))

    assert set(commands()) == headings


def test_options_of_commands() -> None:
    import click

    for name, command in commands().items():
        live = set()
        for parameter in command.params:
            if isinstance(parameter, click.Argument):
                live.add(parameter.make_metavar(click.Context(command)))
            else:
                live |= {f"{name} {parameter.metavar or ''}".strip() for name in parameter.opts}

        documented = names(reference("cli"), f"`{name}`") if command.params else []
        assert live == set(documented), name


def test_exit_codes() -> None:
    ours = {
        value
        for name, value in vars(summary).items()
        if name.startswith("EXIT_") and isinstance(value, int)
    }
    documented = [int(name) for name in names(reference("exit-codes"), "Codes")]

    assert sorted(ours | {int(value) for value in pytest.ExitCode}) == documented


def test_exit_codes_of_the_command() -> None:
    from pytest_warmci.cli import output

    ours = [value for name, value in vars(output).items() if name.startswith("EXIT_")]

    assert [0, *ours] == [
        int(code) for code in names(reference("cli"), "Exit codes of the command")
    ]


def test_states_that_status_shows() -> None:
    from pytest_warmci.runs import status

    assert set(typing.get_args(status.State)) == set(names(reference("cli"), "States"))


def test_states_of_a_run() -> None:
    from pytest_warmci.runs import past

    assert set(typing.get_args(past.RunState)) == set(names(reference("cli"), "States of a run"))


# -- what tests see -------------------------------------------------------------------------


def test_marks() -> None:
    assert [line.partition(":")[0] for line in options.MARKS] == names(
        reference("marks-and-asserts"), "Marks"
    )


def test_generic_asserts() -> None:
    documented = {
        code(name)[0]: (stages, code(phase)[0], modes)
        for name, stages, phase, modes, _ in rows(
            reference("marks-and-asserts"), "Generic asserts"
        )
    }

    assert {name: _described(rule) for name, rule in RULES.items()} == documented


def _described(rule: Rule) -> tuple[str, str, str]:
    stages = "the last one" if rule.last_stage_only else ", ".join(rule.stages)
    return stages, rule.phase, ", ".join(rule.modes)


def test_fixtures() -> None:
    from pytest_warmci.plugin import fixtures

    live = {
        name: found._fixture_function_marker.scope
        for name, found in vars(fixtures).items()
        if isinstance(found, _fixture_type()) and not name.startswith("_")
    }
    documented = {code(row[0])[0]: row[1] for row in rows(reference("fixtures"), "Fixtures")}

    assert live == documented


def _fixture_type() -> Any:
    @pytest.fixture
    def made() -> None: ...

    return type(made)


@pytest.mark.parametrize(
    ("heading", "kind"),
    [("app", api.App), ("live_keycloak", api.Keycloak), ("realm", api.Realm), ("sso", api.Sso)],
)
def test_members_of_what_fixtures_give(heading: str, kind: type) -> None:
    live = {name for name in vars(kind) if not name.startswith("_")}

    assert live == {name.partition("(")[0] for name in names(reference("fixtures"), heading)}


@pytest.mark.parametrize(("heading", "kind"), [("Clients", RealmClient), ("Users", RealmUser)])
def test_fields_of_clients_and_users(heading: str, kind: Any) -> None:
    assert [field.name for field in fields(kind)] == names(reference("fixtures"), heading)


def test_hooks() -> None:
    live = {
        name: "yes" if found.pytest_spec["firstresult"] else "no"
        for name, found in vars(hookspecs).items()
        if name.startswith("pytest_")
    }

    assert live == {code(row[0])[0]: row[1] for row in rows(reference("hooks"), "Hooks")}


@pytest.mark.parametrize("hook", [name for name in vars(hookspecs) if name.startswith("pytest_")])
def test_arguments_of_hooks(hook: str) -> None:
    arguments = vars(hookspecs)[hook].__code__.co_varnames

    assert list(arguments) == names(reference("hooks"), hook)


# -- errors and results ---------------------------------------------------------------------


def test_errors() -> None:
    for module in pkgutil.walk_packages([str(PACKAGE)], "pytest_warmci."):
        if module.name.split(".")[1] not in ("__main__", "cli"):
            importlib.import_module(module.name)
    live = {each.__name__: each.verdict for each in _family(WarmciError)}
    documented = {
        code(name)[0]: code(verdict)[0]
        for name, verdict, *_ in rows(reference("errors"), "Errors")
    }

    assert live == documented


def _family(error: type[WarmciError]) -> Iterator[type[WarmciError]]:
    if error.__module__.startswith("pytest_warmci."):
        yield error
    for below in error.__subclasses__():
        yield from _family(below)


def test_fields_of_a_result() -> None:
    documented = [code(row[0])[0] for row in rows(reference("result"), "Fields")]

    assert list(_schema_fields(RESULT_SCHEMA)) == documented


def _schema_fields(schema: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    schema = next((each for each in schema.get("anyOf", ()) if "properties" in each), schema)
    for name, below in schema.get("properties", {}).items():
        yield prefix + name
        yield from _schema_fields(below, f"{prefix}{name}.")
        yield from _schema_fields(below.get("items", {}), f"{prefix}{name}[].")


def test_the_schema_file_is_the_schema() -> None:
    file = json.loads((REFERENCE / "result.schema.json").read_text("utf-8"))

    assert file == RESULT_SCHEMA


def test_the_example_of_a_result_fits_the_schema() -> None:
    (example,) = [each for each in fences(REFERENCE / "result.md") if each.language == "json"]

    jsonschema.validate(json.loads(example.text), RESULT_SCHEMA)


def test_phases() -> None:
    live = set().union(*(_timed(tree) for tree in [*sources("runs"), *sources("plugin")]))

    assert live == set(names(reference("result"), "Phases"))


def _timed(tree: ast.Module) -> set[str]:
    """Return the names of the steps that a module times: `run.phases("deploy")`."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "phases":
            (argument,) = node.args
            both = (
                [argument.body, argument.orelse] if isinstance(argument, ast.IfExp) else [argument]
            )
            found |= {str(ast.literal_eval(each)) for each in both}
    return found


def test_session_file() -> None:
    tree = ast.parse((PACKAGE / "plugin/summary.py").read_text("utf-8"))
    dicts = [node for node in ast.walk(tree) if isinstance(node, ast.Dict)]
    written = [[key.value for key in node.keys if isinstance(key, ast.Constant)] for node in dicts]

    assert names(reference("result"), "The session's file") in written


# -- files ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "model"),
    [
        ("recipe-yml", enrolment._RecipeFile),
        ("process-yml", config.ProcessConfig),
        ("history-yml", history._HistoryFile),
    ],
)
def test_keys_of_files(page: str, model: type[pydantic.BaseModel]) -> None:
    documented = {code(row[0])[0]: row[2] == "needed" for row in rows(reference(page), "Keys")}

    assert dict(_model_keys(model)) == documented


def _model_keys(model: type[pydantic.BaseModel], prefix: str = "") -> Iterator[tuple[str, bool]]:
    for name, field in model.model_fields.items():
        yield prefix + name, field.is_required()
        for suffix, below in _models_in(field.annotation):
            yield from _model_keys(below, f"{prefix}{name}{suffix}.")


def _models_in(annotation: Any) -> Iterator[tuple[str, type[pydantic.BaseModel]]]:
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        yield "", annotation
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    sign = {dict: ".*", list: "[]", tuple: "[]"}.get(origin, "") if origin else ""
    if sign or origin in (typing.Union, types.UnionType, typing.Annotated):
        for each in inner:
            yield from ((sign + suffix, found) for suffix, found in _models_in(each))


@pytest.mark.parametrize(
    ("key", "kind"),
    [(code(key)[0], kind) for key, kind, _ in rows(reference("compose-keys"), "Keys")],
)
def test_compose_keys(key: str, kind: str) -> None:
    example = key.replace("*", "x")
    found = keys.classify([] if is_inert(example) else [example])

    assert kind == ("honoured" if found.seen else "ignored" if found.unseen else "inert")


def test_every_honoured_or_inert_compose_key_has_a_row() -> None:
    documented = names(reference("compose-keys"), "Keys")
    live = [f"services.*.{key}" for key in keys.HONOURED]
    live += [f"{key}.*" for key in keys.HONOURED_ABOVE] + list(keys.INERT)

    assert [key for key in live if not any(row.startswith(key) for row in documented)] == []


def test_the_state_directory() -> None:
    assert list(state._FOLDERS) == names(reference("state-directory"), "Top level")


def test_the_registry_entry() -> None:
    live = {field.name for field in fields(KnownGood)}

    assert live == set(names(reference("state-directory"), "Registry entry"))


def test_alerts() -> None:
    calls = [node for tree in sources() for node in ast.walk(tree) if isinstance(node, ast.Call)]
    raised = [call for call in calls if getattr(call.func, "id", "") == "raise_alert"]
    live = {
        str(ast.literal_eval(keyword.value))
        for call in raised
        for keyword in call.keywords
        if keyword.arg == "kind"
    }

    assert live == set(names(reference("state-directory"), "Alerts"))
