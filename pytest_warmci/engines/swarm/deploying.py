"""`docker stack deploy` of a recipe's own compose files."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from pytest_warmci.clients import command
from pytest_warmci.clients.docker import Endpoint
from pytest_warmci.errors import CommandFailed, InputError, NotEvaluated, RecipeFailed
from pytest_warmci.model import Stack

_SECONDS: Final = 120.0

_PASSED_ON: Final = ("PATH", "HOME", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR")
"""What docker's command line needs of our own environment, beside its own variables."""

_RESERVED: Final = re.compile(
    r"PATH|HOME|TMPDIR|SHELL|SSH_.*|XDG_.*|LD_.*|GO(?:DEBUG|TRACEBACK|MAXPROCS|GC)|SSL_CERT_.*"
    r"|DOCKER_(?:HOST|CONTEXT|CONFIG|CERT_PATH|TLS.*|API_VERSION|CONTENT_TRUST.*|CUSTOM_HEADERS"
    r"|CLI_.*|STACK_ORCHESTRATOR|AUTH_CONFIG)|(?:HTTP|HTTPS|NO|ALL|FTP)_PROXY",
    re.IGNORECASE,
)
"""Variables that would change what the command line itself does."""

_RECIPES_FAULT: Final = (
    "only updates to Labels are allowed",
    "invalid image reference",
    "Additional property",
    "is not a valid",
    "must be a ",
    "undefined",
    "required variable",
)
"""What Docker says of compose files that no place could deploy; anything else may be the place's."""


def check_variables(stack: Stack) -> None:
    """See that no variable of the recipe would steer docker's command line.

    Raises:
        InputError: One would.
    """
    for name in stack.rendering.variables:
        if _RESERVED.fullmatch(name):
            raise InputError(
                f"the variable {name} cannot be used",
                where=f"{stack.recipe} {stack.revision}: .env",
                why="docker's command line would take it for its own",
                remedy="give it another name in .env.sample and in the compose files",
            )


def _named_files(stack: Stack) -> list[str]:
    """Return the files that docker's command line reads beside the compose files and configs."""
    named = [
        text for key, text in stack.keys.items() if re.fullmatch(r"secrets\.[^.]+\.file", key)
    ]
    for service in stack.services.values():
        named += [
            text for key, text in service.keys.items() if re.fullmatch(r"env_file(\.\d+)?", key)
        ]
    return named


def stack_deploy(
    endpoint: Endpoint, stack: Stack, recipe: Path, overrides: Sequence[Path]
) -> None:
    """Deploy; returns when Swarm has taken the specs, long before anything runs.

    Args:
        endpoint: The engine.
        stack: What to deploy.
        recipe: The folder with the recipe's files at its commit.
        overrides: More compose files, merged after the recipe's.

    Raises:
        InputError: A file leads out of the recipe.
        RecipeFailed: Docker refuses the recipe's files.
        NotEvaluated: It refuses for another reason.
    """
    for name in (*stack.rendering.files, *_named_files(stack)):
        _inside(recipe, name, stack)
    argv: list[str | Path] = ["docker", *endpoint.arguments, "stack", "deploy"]
    argv += ["--resolve-image", "never"]  # what runs is what was looked at before
    if _detaches(endpoint):
        argv.append("--detach=true")
    files: list[str | Path] = [*stack.rendering.files, *(path.absolute() for path in overrides)]
    for each in files:
        argv += ["--compose-file", each]
    argv.append(stack.name)
    done = command.run(
        argv,
        timeout=_SECONDS,
        cwd=recipe,
        env=_environment(stack.rendering.variables),
        check=False,
    )
    if done.code != 0:
        raise _refused(stack, done.output)


def _refused(stack: Stack, said: str) -> NotEvaluated | RecipeFailed:
    where = f"{stack.recipe} {stack.revision}"
    if "only updates to Labels are allowed" in said:
        return RecipeFailed(
            "a config was changed and kept its name",
            where=where,
            why=said,
            remedy="count its version up in abra.sh: Swarm never changes a config",
            changed="services before it in the file may have been updated",
        )
    if any(words in said for words in _RECIPES_FAULT):
        return RecipeFailed(
            "Docker refuses the compose files",
            where=where,
            why=said,
            remedy="mend the compose file, or the override file that it was merged with",
        )
    return CommandFailed(
        "docker stack deploy failed",
        where=where,
        why=said,
        remedy="mend what Docker says, and run again",
        changed="part of the stack may have been deployed",
    )


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    ours = {
        name: text
        for name, text in os.environ.items()
        if name in _PASSED_ON or name.startswith("DOCKER_")
    }
    return {**variables, **ours}


@cache
def _detaches(endpoint: Endpoint) -> bool:
    """Tell whether this client knows `--detach`; later ones wait unless it is given."""
    argv = ["docker", *endpoint.arguments, "version", "--format", "{{.Client.Version}}"]
    text = command.run(argv, timeout=_SECONDS).text
    major = text.partition(".")[0].strip()
    return major.isdigit() and int(major) >= 26


def _inside(recipe: Path, name: str, stack: Stack) -> None:
    top = recipe.resolve()
    if not (top / name).resolve().is_relative_to(top):
        raise InputError(
            f"'{name}' leads out of the recipe",
            where=f"{stack.recipe} {stack.revision}",
            remedy="keep the file in the recipe's repository",
        )
