"""Making a canonical boot fast: learn from one throw-away boot, never inside a run."""

from __future__ import annotations

import time
from pathlib import Path

from pytest_warmci.clients.files import make_folder
from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.model import Revision
from pytest_warmci.naming import cold_domain, new_run_id
from pytest_warmci.recipes.source import open_source
from pytest_warmci.runs.place import Place
from pytest_warmci.runs.planning import sample_stack
from pytest_warmci.runs.recover import remove_app
from pytest_warmci.runs.session import SessionRuns
from pytest_warmci.store.journal import Journal


def train_canonical(runs: SessionRuns, folder: Path) -> str:
    """Boot a throw-away app of the known-good's version so that the canonical boots faster.

    The app has a fresh database of its own; nothing of the canonical is touched.

    Args:
        runs: The session's runs (for its state directory and engine).
        folder: The recipe's folder.

    Returns:
        What was done, in one line; empty when there was nothing to do.

    Raises:
        WarmciError: It could not be done; boots are as they were.
    """
    enrolment = runs.enrolment(folder)
    engine = runs.engine(folder)
    entry = runs.known_good(enrolment.recipe, engine.name)
    if entry is None or enrolment.sso is not None:  # without its realm it would not boot
        return ""
    run_id = new_run_id()
    domain = cold_domain(enrolment.recipe, run_id, engine.base_domain)
    place = Place(enrolment.recipe, domain, runs.state.app(engine.name, domain))
    source = open_source(enrolment.source, runs.state.cache)
    revision = Revision(entry.commit, entry.version, published=True)
    stack = sample_stack(source, enrolment.recipe, revision, domain, enrolment.sso)
    if not engine.needs_training(stack):
        return ""
    runs.progress(
        f"{enrolment.recipe} {entry.version}: one throw-away boot, to boot faster from now on"
        " (half a minute)"
    )
    begun = time.monotonic()
    who = Holder(run=run_id, mode="train", why=f"{enrolment.recipe}: learn from one boot")
    with hold(runs.state.lock(domain), who=who, limit=0):
        make_folder(place.folder)
        Journal(place.folder).begin("train", run=run_id, session=runs.settings.session)
        try:
            place.create(source, revision)
            engine.train(place, stack, enrolment.deploy_timeout)
        finally:
            remove_app(engine, place, enrolment.stop_timeout)
    return f"{enrolment.recipe} {entry.version} boots faster now: {time.monotonic() - begun:.0f} s"
