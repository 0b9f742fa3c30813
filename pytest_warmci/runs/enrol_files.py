"""The first text of each file of a recipe's folder. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from pytest_warmci.model import Service, Stack

_PLAIN: Final = re.compile(r"[A-Za-z0-9./_-]*[A-Za-z/_-][A-Za-z0-9./_-]*")
_WORDS: Final = frozenset({"null", "true", "false", "~", "-"})
_PORT: Final = re.compile(r"traefik\.http\.services\..*\.loadbalancer\.server\.port$")

STILL_TEMPLATE: Final = "is still the template: write plant() and check()"
"""What a witness.py says as long as nobody has written it."""

_RECIPE: Final = """\
# The declaration that {recipe} is tested. Every key: docs/reference/recipe-yml.md of pytest-warmci.
format: 1
recipe: {recipe_value}
source: {source}

# One request that fails while the app cannot do its work. An open port or a start page proves
# little: ask for something that needs the app's data.
probe:
  path: {probe}
  status: [200]
  # contains: a word of the answer

# timeouts: {{deploy: 300, stop: 120}}
"""

_WITNESS: Final = '''\
"""What must outlive every upgrade of {recipe}.

Nothing is planted yet, so plant() and check() fail: no run of {recipe} passes until they are
written, and nothing becomes known-good. Write into plant() what a migration could lose (a page,
a file, a user with a password), through the app's own interface, and let check() find it again by
the same identity. The contract: docs/reference/witness.md of pytest-warmci.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_warmci.api import App

TEMPLATE = "witness.py of {recipe} {still}"


def plant(app: App) -> dict[str, Any]:
    """Plant data unless they are there; return what check() needs to find them (JSON).

    `app.url` is the app's address, `app.env` its .env, `app.secret(name)` a secret of the compose
    file. The answer is kept with the data, so put no secret into it.
    """
    raise NotImplementedError(TEMPLATE)


def check(app: App, planted: dict[str, Any]) -> int:
    """Return how much of what was planted is there: 0 is nothing, fewer than before is a loss."""
    raise NotImplementedError(TEMPLATE)
'''

_TEST: Final = '''\
"""What people do with {recipe}. Each test runs in every stage: fresh install, and after an upgrade.

What a test may ask for: docs/reference/fixtures.md of pytest-warmci.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_warmci.api import Http


def test_first_page(http: Http) -> None:
    """It answers. Write here what your people would miss first."""
    assert http.get({probe}).status_code == 200
'''

_PROCESS: Final = """\
# How {recipe} runs without containers. What is run, and with which options, is the recipe's own.
# Begun from {version}. It is refused until every TODO is filled in.
# Every key: docs/reference/process-yml.md of pytest-warmci.
format: 1

# The service that people reach, and the port that it listens on in its container.{about_port}
served: {{service: app, port: {port}}}

services:
"""

_SERVICE: Final = """\
  {name}:
    image: {image}
    # What stands for the image, at every version: a Maven coordinate. {{tag}} is the image's tag{tag}.
    artifact: "TODO: maven:<group>:<artifact>:{{tag}}:<extension>"
    # Where the image has the program.
    install: "TODO: /opt/<program>"
    # The image's own (docker image inspect says it), used where the recipe sets none:
    # {about_entrypoint}
    entrypoint: []
    # {about_command}
    command: []
    # Each program that the image brings and the recipe calls, with its launcher: process/<program>
    programs: {{}}
"""


def recipe_yml(recipe: str, source: str, probe: str) -> str:
    """Return a recipe.yml."""
    return _RECIPE.format(
        recipe=recipe, recipe_value=_value(recipe), source=_value(source), probe=_value(probe)
    )


def witness_py(recipe: str) -> str:
    """Return a witness.py that fails until it is written."""
    return _WITNESS.format(recipe=recipe, still=STILL_TEMPLATE)


def test_py(recipe: str, probe: str) -> str:
    """Return a first test."""
    return _TEST.format(recipe=recipe, probe=json.dumps(probe))


def process_yml(stack: Stack) -> str:
    """Return a process.yml with the services of a stack; it is not valid until it is written."""
    port = _served_port(stack)
    about_port = (
        "" if port else "\n# TODO: the recipe does not say the port in a label of traefik."
    )
    head = _PROCESS.format(
        recipe=stack.recipe,
        version=_comment(str(stack.revision)),
        port=port,
        about_port=about_port,
    )
    return head + "\n".join(_service(each) for each in stack.services.values())


def _service(service: Service) -> str:
    repository, tag = _image(service.image)
    text = _SERVICE.format(
        name=_value(service.name),
        image=_value(repository),
        tag=f", now {_comment(tag)}" if tag else "",
        about_entrypoint=_about("entrypoint", service.entrypoint),
        about_command=_about("command", service.command),
    )
    return text + "".join(f"    {line}\n" for line in _stand_ins(service))


def _about(name: str, words: tuple[str, ...] | None) -> str:
    if words is None:
        return f"the recipe sets no {name}"
    return f"the recipe sets the {name} {json.dumps(list(words))}"


def _stand_ins(service: Service) -> Iterator[str]:
    """Yield comments with the texts that may not hold outside a container, as they are written."""
    named = {name: text for name, text in service.environment_text.items() if "${DOMAIN}" in text}
    check = service.healthcheck
    if not named and check is None:
        return
    yield "# What may not hold outside a container: the recipe's text, and what stands for it here."
    yield "# stand_ins:"
    if named:
        yield "#   environment:"
    for name, text in named.items():
        stands = text.replace("https://${DOMAIN}", "http://localhost:{port}")
        stands = stands.replace("${DOMAIN}", "localhost:{port}")
        pair = f"{{text: {json.dumps(text)}, value: {json.dumps(stands)}}}"
        yield f"#     {_value(name)}: {pair}"
    if check is not None:
        yield "#   healthcheck:"
        yield f"#     text: {json.dumps(check.text)}"
        yield "#     http: {port: 8080, path: /, status: 200}"


def _served_port(stack: Stack) -> int:
    """Return the port of service app that the recipe tells traefik; 0, which is refused, if none."""
    for key, text in stack.services["app"].keys.items():
        if _PORT.search(key) and text.isascii() and text.isdigit():
            return int(text) if 0 < int(text) < 65536 else 0
    return 0


def _image(image: str) -> tuple[str, str]:
    """Return repository and tag as process.yml wants them; the tag is empty where there is none."""
    name = image.partition("@")[0]
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = name, ""
    for prefix in ("docker.io/library/", "docker.io/", "library/"):
        repository = repository.removeprefix(prefix)
    return repository, tag


def _comment(text: str) -> str:
    """Return somebody else's text as a comment may hold it: it must not end the line."""
    return "".join(each if each.isprintable() else "?" for each in text)


def _value(text: str) -> str:
    """Return a text as a YAML scalar, quoted where it would be read as something else."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)
