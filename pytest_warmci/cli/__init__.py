"""The `warmci` command: the same verbs as the plugin's, for people and timers.

A verb's module is imported when it is called, so that `warmci status` stays quick.
"""

from __future__ import annotations

import errno
import importlib
from typing import Any, Final

import click

from pytest_warmci import __version__
from pytest_warmci.cli.options import state_option, wants_json
from pytest_warmci.errors import Interrupted, NotEvaluated, WarmciError

EPILOG: Final = """\
\b
Exit codes:
  0   done; doctor: nothing is missing
  1   the recipe failed
  2   wrong usage or input, or interrupted
  5   plan: nothing to upgrade
  75  not evaluated, or not possible here
seed ends with the exit status of its pytest run, and with 75 where a green
run could not promote; shell with that of the program it ran.
"""

_COMMANDS: Final = (
    "doctor",
    "live",
    "logs",
    "new",
    "plan",
    "realms",
    "reap",
    "recover",
    "runs",
    "schema",
    "seed",
    "shell",
    "status",
)


class Commands(click.Group):
    """The verbs, loaded one by one; an error of this package becomes one message."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's interface
        """Return the names of the verbs."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        """Import a verb."""
        if cmd_name not in _COMMANDS:
            return None
        found = importlib.import_module(f"{__name__}.{cmd_name}").command
        return found if isinstance(found, click.Command) else None

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb; what it raises on purpose is shown without a traceback."""
        from pytest_warmci.cli.output import exit_status, fail

        try:
            return super().invoke(ctx)
        except WarmciError as error:
            fail(error, as_json=wants_json(ctx))
            ctx.exit(exit_status(error))
        except KeyboardInterrupt:
            stopped = Interrupted("interrupted")
            fail(stopped, as_json=wants_json(ctx))
            ctx.exit(exit_status(stopped))
        except OSError as error:
            if error.errno == errno.EPIPE:  # who read our output has gone: click knows what to do
                raise
            trouble = NotEvaluated(
                error.strerror or str(error),
                where=str(error.filename or ""),
                remedy="warmci doctor says what is missing here",
            )
            fail(trouble, as_json=wants_json(ctx))
            ctx.exit(exit_status(trouble))


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="warmci")
@state_option
def main() -> None:
    """Known-good data of recipes: make it, look at it, see what is missing.

    To test a recipe: pytest recipe_tests/RECIPE (cold), pytest --quick recipe_tests/RECIPE.
    """
