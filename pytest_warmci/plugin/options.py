"""Command line options, ini keys and marks; which of them exclude each other."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from pytest_warmci.settings import EngineOptions, Setting, Settings

MARKS: Final = (
    "cold: every recipe item of a cold session; an author's own mark means: only there",
    "quick: every recipe item of a quick session",
    "before_upgrade: runs on the base, before the upgrade to head",
    "generic: the asserts that every recipe gets without writing a test",
)

_TIME: Final = re.compile(r"([0-9]{1,6})(s|min|h|d)")
_UNITS: Final = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
_LONGEST: Final = 7 * 86_400
"""Seconds: a kept app takes memory, and a canonical's next run waits for nobody."""

SESSION = "warmci_session"
"""Key of `workerinput` under which an xdist worker finds the session's id."""


def add(parser: pytest.Parser) -> None:
    """Add options and ini keys. Only `--quick` is without the prefix `--warmci-`."""
    group = parser.getgroup("warmci", "recipes on real data (pytest-warmci)")
    group.addoption(
        "--quick",
        action="store_true",
        help="Upgrade the recipe's canonical instead of deploying fresh. Advisory: never promotes,"
        " never gates.",
    )
    group.addoption(
        "--warmci-state",
        metavar="DIR",
        help="State directory. Also WARMCI_STATE or ini warmci_state. Default: the user's own.",
    )
    group.addoption(
        "--warmci-engine",
        metavar="NAME",
        help="What deploys: process (default), swarm, or auto to have it chosen for each recipe."
        " Also WARMCI_ENGINE or ini warmci_engine.",
    )
    group.addoption(
        "--warmci-engine-option",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="Something that the engine is told, as often as needed. Engine swarm:"
        " domain=BASE, override=FILE, proxy=URL, volumes=WAY."
        " Also ini warmci_engine_options, one a line.",
    )
    group.addoption(
        "--warmci-head",
        metavar="REF",
        help="What to test: HEAD of the source (default), published (newest version), or a tag,"
        " branch or commit.",
    )
    group.addoption(
        "--warmci-source",
        metavar="PATH|URL",
        help="Git repository to test instead of the one that recipe.yml names.",
    )
    group.addoption(
        "--warmci-lock-limit",
        metavar="SECONDS",
        type=_seconds,
        help="How long to wait for an app that another run holds. Default: 1800.",
    )
    group.addoption(
        "--warmci-keep",
        metavar="TIME",
        nargs="?",
        const="2h",
        help="Leave an app that did not pass running for TIME (2h when none is given; 90s, 30min,"
        " 1d), to look at it with `warmci shell`. Write it with `=`, or last.",
    )
    group.addoption(
        "--warmci-seed",
        action="store_true",
        help="Let a green cold run promote a version that is older than the known-good (used by"
        " `warmci seed --version`).",
    )
    group.addoption(
        "--warmci-server-keys",
        action="store_true",
        help="Let Keycloak make the keys of every realm itself, which takes four times as long.",
    )
    group.addoption(
        "--warmci-json",
        metavar="FILE",
        help="Write the session's results as JSON.",
    )
    parser.addini("warmci_engine", "What deploys (see --warmci-engine)")
    parser.addini(
        "warmci_engine_options",
        "What the engine is told, one NAME=VALUE a line (see --warmci-engine-option)",
        type="linelist",
    )
    parser.addini("warmci_state", "State directory (see --warmci-state)")


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if value < 0:
        raise pytest.UsageError(f"--warmci-lock-limit: '{text}' is not a number of seconds >= 0")
    return value


def check(config: pytest.Config) -> None:
    """Refuse flags that contradict each other.

    Raises:
        pytest.UsageError: With the way out.
    """
    option = config.option
    if option.quick and (option.markexpr or "").strip() == "cold":
        raise pytest.UsageError(
            "--quick and -m cold contradict each other: drop --quick for a cold run,"
            " or -m cold for a quick one"
        )
    if option.quick and option.warmci_seed:
        raise pytest.UsageError(
            "--quick and --warmci-seed contradict each other: a quick run never promotes;"
            " drop one of them"
        )
    if option.quick and option.warmci_head == "published":
        raise pytest.UsageError(
            "--quick --warmci-head published: a published version is tested cold, which is what"
            " can promote it; drop --quick, or name the tag to try it out"
        )


def check_recipe_session(config: pytest.Config) -> None:
    """Refuse what would make a recipe's verdict untrue; called when recipes are touched.

    Raises:
        pytest.UsageError: With the way out.
    """
    option = config.option
    if getattr(option, "reruns", None):
        raise pytest.UsageError(
            "--reruns would repeat a test on an app that has changed since: drop it, and wait for"
            " a condition inside the test instead"
        )
    if getattr(option, "dist", "no") == "each":
        raise pytest.UsageError(
            "--dist each would deploy every recipe once a worker: use --dist load"
        )


def read(config: pytest.Config) -> Settings:
    """Return the session's settings, each with its origin."""
    from pytest_warmci.settings import DEFAULT_LOCK_LIMIT, Setting, Settings

    option = config.option
    limit = option.warmci_lock_limit
    return Settings(
        mode=Setting("quick", "--quick") if option.quick else Setting("cold", "default"),
        state=_state(config),
        head=_or_default(option.warmci_head, "--warmci-head", "HEAD"),
        source=_or_default(option.warmci_source, "--warmci-source", None),
        engine=_engine(config),
        lock_limit=_or_default(limit, "--warmci-lock-limit", DEFAULT_LOCK_LIMIT),
        allow_lower=(
            Setting(True, "--warmci-seed") if option.warmci_seed else Setting(False, "default")
        ),
        keep=_keep(option.warmci_keep),
        server_keys=(
            Setting(True, "--warmci-server-keys")
            if option.warmci_server_keys
            else Setting(False, "default")
        ),
        session=_session(config),
        engine_options=_engine_options(config),
    )


def _keep(given: str | None) -> Setting[float | None]:
    from pytest_warmci.settings import Setting

    if given is None:
        return Setting(None, "default")
    found = _TIME.fullmatch(given)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= _LONGEST:
        raise pytest.UsageError(
            f"--warmci-keep: '{given}' is no time up to a week like 90s, 30min, 2h or 1d; write"
            " --warmci-keep=2h, or the option behind the paths"
        )
    return Setting(float(seconds), f"--warmci-keep={given}")


def _or_default(value: Any, origin: str, default: Any) -> Setting[Any]:
    from pytest_warmci.settings import Setting

    return Setting(default, "default") if value is None else Setting(value, origin)


def _state(config: pytest.Config) -> Setting[Path]:
    from pytest_warmci.errors import UsageError
    from pytest_warmci.runs.location import choose_state

    ini = str(config.getini("warmci_state"))
    place = config.rootpath / Path(ini).expanduser() if ini else None
    given = config.option.warmci_state
    try:
        return choose_state(given, "--warmci-state", config.invocation_params.dir, place)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None


def _engine_options(config: pytest.Config) -> Setting[EngineOptions]:
    from pytest_warmci.errors import UsageError
    from pytest_warmci.runs.engines import read_options
    from pytest_warmci.settings import Setting

    given = config.option.warmci_engine_option
    written = config.getini("warmci_engine_options")
    origin = "--warmci-engine-option" if given else "ini warmci_engine_options"
    if not given and not written:
        return Setting((), "default")
    top = config.invocation_params.dir if given else config.rootpath
    try:
        return Setting(read_options(given or written, top, origin), origin)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None


def _engine(config: pytest.Config) -> Setting[str]:
    from pytest_warmci.errors import UsageError
    from pytest_warmci.runs.engines import choose_engine

    ini = str(config.getini("warmci_engine"))
    try:
        return choose_engine(config.option.warmci_engine, "--warmci-engine", ini)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None


def _session(config: pytest.Config) -> str:
    given = getattr(config, "workerinput", {}).get(SESSION)
    return str(given) if given else secrets.token_hex(6)
