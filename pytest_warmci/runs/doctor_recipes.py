"""What is wrong with a recipe's own files, before a run finds out."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from pytest_warmci.engines.process.config import read_config
from pytest_warmci.model import AUTO_ENGINE, DEFAULT_ENGINE, Enrolment, Stack
from pytest_warmci.naming import canonical_domain
from pytest_warmci.protocols import Engine
from pytest_warmci.recipes.enrolment import is_url, read_enrolment
from pytest_warmci.recipes.source import Source, open_source
from pytest_warmci.runs.choosing import Chosen, choose, own_options
from pytest_warmci.runs.doctor import Check, made
from pytest_warmci.runs.doctor_swarm import check_stacks
from pytest_warmci.runs.engines import open_engine
from pytest_warmci.runs.enrol_files import STILL_TEMPLATE
from pytest_warmci.runs.live_keycloak import keycloak_beside
from pytest_warmci.runs.login_module import LoginModule
from pytest_warmci.runs.planning import plan_run, sample_stack
from pytest_warmci.runs.summary import describe_engine
from pytest_warmci.runs.witness import find_witness
from pytest_warmci.settings import EngineOptions
from pytest_warmci.store.state import StateDirectory


def check_chosen(
    folder: Path, state: StateDirectory, engine: str, options: EngineOptions
) -> Iterator[Check]:
    """Look at a recipe on the engine that is named, or that `auto` chooses for it.

    Args:
        folder: The recipe's folder.
        state: The state directory, in which nothing is made.
        engine: The engine, or `auto`.
        options: What it is told beside its name.
    """
    if engine != AUTO_ENGINE:
        yield from check_recipe(folder, engine, options)
        return
    name = f"{folder.name}: engine"
    chosen: list[Chosen] = []

    def look() -> Check:
        chosen.append(choose(folder, state, lambda _: None, options))
        return Check(name, "ok", describe_engine(chosen[0].engine.name, chosen[0].reason))

    yield made(name, look)
    for each in chosen:
        own = own_options(each.engine.name, options)
        yield from check_recipe(folder, each.engine.name, own)


def check_recipe(
    folder: Path, engine: str = DEFAULT_ENGINE, options: EngineOptions = ()
) -> Iterator[Check]:
    """Look at a recipe: its files, its source, and whether the engine can run its versions."""
    name = folder.name
    enrolled = made(f"{name}: recipe.yml", partial(_enrolment, folder))
    yield enrolled
    runnable = True
    if engine == DEFAULT_ENGINE:
        found = made(f"{name}: process.yml", partial(_process, folder))
        runnable = found.outcome != "missing"
        yield found
    yield made(f"{name}: witness.py", partial(_witness, folder))
    if enrolled.outcome == "missing":
        return
    enrolment = read_enrolment(folder)
    if enrolment.requires:
        yield made(f"{name}: single sign-on", partial(_sign_on, enrolment))
    if is_url(enrolment.source):
        text = f"{enrolment.source}: not looked at, it would have to be fetched"
        yield Check(f"{name}: source", "ok", text)
        return
    with tempfile.TemporaryDirectory(prefix="warmci-doctor-") as scratch:
        state = StateDirectory(Path(scratch), uuid="")
        opened = made(f"{name}: source", partial(_source, enrolment, state.cache))
        yield opened
        if not runnable or opened.outcome == "missing":
            return  # for a reason that has been said
        source = open_source(enrolment.source, state.cache)
        for head in ("HEAD",) if opened.outcome == "warn" else ("published", "HEAD"):
            stacks: list[Stack] = []
            opener = partial(open_engine, engine, folder, state, lambda _: None, options)
            yield made(f"{name}: {head}", partial(_head, enrolment, opener, source, head, stacks))
            if engine == "swarm" and stacks:
                given = frozenset(enrolment.sso.secrets) if enrolment.sso else frozenset()
                yield from check_stacks(f"{name}: {head}", stacks, given)


def _enrolment(folder: Path) -> Check:
    read_enrolment(folder)
    return Check(f"{folder.name}: recipe.yml", "ok", "valid")


def _process(folder: Path) -> Check:
    services = ", ".join(sorted(read_config(folder).services))
    return Check(f"{folder.name}: process.yml", "ok", f"valid, for {services}")


def _witness(folder: Path) -> Check:
    name = f"{folder.name}: witness.py"
    with no_bytecode():
        found = find_witness(folder)
    if found is None:
        remedy = "write witness.py with plant(app) -> dict and check(app, planted) -> int"
        return Check(name, "warn", "none: no run will become known-good", remedy)
    if STILL_TEMPLATE in (folder / "witness.py").read_text("utf-8", "replace"):
        remedy = "write plant(app) -> dict and check(app, planted) -> int in witness.py"
        return Check(name, "missing", "still the template: no run can pass", remedy)
    return Check(name, "ok", "plants and checks")


def _sign_on(enrolment: Enrolment) -> Check:
    """See that what single sign-on needs is there."""
    name = f"{enrolment.recipe}: single sign-on"
    beside = keycloak_beside(enrolment.folder)
    if enrolment.sso is not None:
        with no_bytecode():
            LoginModule(enrolment.folder)
    return Check(name, "ok", f"Keycloak is made of {beside.name}, beside it")


def _source(enrolment: Enrolment, cache: Path) -> Check:
    name = f"{enrolment.recipe}: source"
    published = open_source(enrolment.source, cache).published()
    if not published:
        remedy = "publish a version (abra recipe release), or fetch the tags"
        return Check(name, "warn", f"{enrolment.source}: nothing is published", remedy)
    text = f"{len(published)} published, the newest {published[-1]}"
    return Check(name, "ok", f"{enrolment.source}: {text}")


def _head(
    enrolment: Enrolment,
    open_it: Callable[[], Engine],
    source: Source,
    head: str,
    stacks: list[Stack],
) -> Check:
    """Plan a cold run of a head, and ask the engine whether it can run what that deploys.

    What that is, is added to `stacks`.
    """
    name = f"{enrolment.recipe}: {head}"
    engine = open_it()
    plan = plan_run(
        enrolment,
        source,
        engine,
        requested="cold",
        head_ref=head,
        known_good=None,
        quarantine="",
    )
    domain = canonical_domain(enrolment.recipe, engine.base_domain)
    for revision in filter(None, (plan.head, plan.base)):
        stacks.append(sample_stack(source, enrolment.recipe, revision, domain, enrolment.sso))
        engine.examine(stacks[-1])
    if plan.obstacle is not None:
        return Check(name, "warn", plan.obstacle.summary, plan.obstacle.remedy)
    base = f", upgraded from {plan.base}" if plan.base else ", without an upgrade"
    return Check(name, "ok", f"{plan.head}{base}")


@contextmanager
def no_bytecode() -> Iterator[None]:
    """Import without leaving a __pycache__ in the recipe's folder."""
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
