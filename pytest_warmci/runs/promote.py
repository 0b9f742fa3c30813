"""Moving the known-good forward: only after a complete green cold run of a published version."""

from __future__ import annotations

from contextlib import ExitStack, suppress

from pytest_warmci.clients import interrupts
from pytest_warmci.clients.files import make_folder
from pytest_warmci.clients.machine import utc_now
from pytest_warmci.errors import BaselineRotten, SnapshotDamaged, WarmciError
from pytest_warmci.model import FORMAT, KnownGood
from pytest_warmci.recipes.versions import parse_version
from pytest_warmci.runs import recover
from pytest_warmci.runs.deploying import deploy, take_down
from pytest_warmci.runs.place import Place
from pytest_warmci.runs.planning import check_base
from pytest_warmci.runs.roots import clear_roots, roots_of
from pytest_warmci.runs.run import Run
from pytest_warmci.store import snapshots
from pytest_warmci.store.alerts import raise_alert, settle_alert
from pytest_warmci.store.journal import Journal
from pytest_warmci.store.quarantine import clear_quarantine, quarantine_reason
from pytest_warmci.store.registry import Registry, RegistryWriter


def why_not(run: Run) -> str:
    """Return why a green, complete run must not promote; empty when it must.

    The caller has seen that the run was asked for as cold, complete and green.
    """
    head = run.plan.head
    if not head.published:
        return f"head {head} is not a published version"
    if run.witness is None:
        return "data: not witnessed (there is no witness.py)"
    entry = Registry(run.state).find(run.engine.name, run.recipe)
    return _why_not_over(run, entry)


def _why_not_over(run: Run, entry: KnownGood | None) -> str:
    head = run.plan.head
    if entry is None:
        return ""
    older = parse_version(head.version) < parse_version(entry.version)
    if older and not run.settings.allow_lower.value:
        return f"{head.version} is older than the known-good {entry.version}"
    return ""


def promote(run: Run, cold_seconds: float) -> str:
    """Make head the known-good, on a canonical deployed fresh for it.

    Until the entry is written, the old known-good stands: recovery restores it.

    Args:
        run: The run, complete and green.
        cold_seconds: How long the cold run took, for comparing quick runs with it.

    Returns:
        Why it did not promote after all; empty when it did.

    Raises:
        NotEvaluated: The promotion was due and failed; the old known-good is in its place.
    """
    place = run.canonical
    run.release_realms()  # nobody waits for an app who holds Keycloak
    lock = run.hold(place, "promotion", limit=run.settings.lock_limit.value)
    with ExitStack() as held:
        with interrupts.interruptible():
            held.enter_context(lock)
        _recover(run, place)
        old = Registry(run.state).find(run.engine.name, run.recipe)
        if old is not None:
            check_base(old, place.domain)  # made by another session while this one ran
        reason = _why_not_over(run, old)
        if reason:
            return reason
        if old is not None and not quarantine_reason(place.folder):
            try:
                old, healed = recover.ensure_known_good(run.state, run.engine, place, old)
                run.notes += healed
            except BaselineRotten as error:
                # Nothing is left to protect: this promotion is what takes the canonical back.
                run.notes.append(error.summary)
        _promote(run, place, old, cold_seconds)
    return ""


def _recover(run: Run, place: Place) -> None:
    """Recover; what a dead run left of a known-good that nothing can restore here goes."""
    try:
        run.notes += recover.recover_canonical(run.state, run.engine, place, run.settings.session)
    except (SnapshotDamaged, snapshots.NotCarried) as error:
        run.notes.append(error.summary)
        Journal(place.folder).end()


def _promote(run: Run, place: Place, old: KnownGood | None, cold_seconds: float) -> None:
    generation = recover.new_generation(place)
    journal = Journal(place.folder)
    make_folder(place.folder)
    run.engine.address(place)  # chosen once and recorded before anything is made
    journal.begin("promote", run=run.id, session=run.settings.session, generation=generation)
    run.place = place
    try:
        with run.phases("promote"):
            with interrupts.interruptible():
                entry = _make(run, place, generation, cold_seconds)
            RegistryWriter(run.state).put(entry)
    except BaseException as error:
        if not _give_up(run, place, generation, error):
            raise
    try:
        _clean_up(run, place, old)
    except (OSError, WarmciError) as error:
        # The known-good has moved. What is left of the old one goes with the next recovery, which
        # the open journal asks for.
        run.notes.append(f"promoted, but cleaning up was cut short: {error}")


def _clean_up(run: Run, place: Place, old: KnownGood | None) -> None:
    clear_quarantine(place.folder)
    for kind in ("canonical.quarantined", "baseline.rotten", "promotion.failed"):
        settle_alert(run.state.alerts, kind, run.recipe)
    if old is not None:
        snapshots.remove(place.snapshots, old.generation)
    Journal(place.folder).end()


def _make(run: Run, place: Place, generation: str, cold_seconds: float) -> KnownGood:
    head, plan = run.plan.head, run.plan
    clear_roots(run.engine, place)
    place.create(plan.source, head)
    run.wire(place)
    deployed = deploy(run.engine, place, plan.enrolment, plan.source, head, run.wired)
    run.plant(deployed)
    take_down(run.engine, place, plan.enrolment)
    run.unwire(place)
    taken = snapshots.take(place.snapshots, generation, roots_of(run.engine, place))
    return KnownGood(
        recipe=run.recipe,
        engine=run.engine.name,
        domain=place.domain,
        url=run.engine.address(place),
        version=head.version,
        commit=head.commit,
        generation=generation,
        digest=taken.digest,
        witness=run.planted or {},
        promoted_at=utc_now(),
        promoted_by=run.id,
        evidence={
            "run": run.id,
            "session": run.settings.session,
            "proof": deployed.proof,
            "witnessed": run.before or 0,
            "bytes": taken.size_bytes,
        },
        cold_seconds=round(cold_seconds, 2),
        format=FORMAT,
    )


def _give_up(run: Run, place: Place, generation: str, error: BaseException) -> bool:
    """Put the old known-good back, or see that the new one is there after all.

    An error can come after the entry was renamed into its place: then the known-good has moved.

    Returns:
        Whether it has, and nobody has stopped us.
    """
    run.notes += recover.recover_canonical(run.state, run.engine, place, run.settings.session)
    if not isinstance(error, Exception):
        return False  # somebody has stopped it, and knows
    entry = Registry(run.state).find(run.engine.name, run.recipe)
    if entry is not None and entry.generation == generation:
        run.notes.append(f"promoted, though an error came after the entry: {_summary(error)}")
        return True
    with suppress(WarmciError, OSError):  # what went wrong is raised all the same
        raise_alert(
            run.state.alerts,
            kind="promotion.failed",
            subject=run.recipe,
            what=f"{run.plan.head.version} was green but could not be promoted: {_summary(error)}",
            where=place.domain,
            facts={"run": run.id},
            remedy="look at the run's logs; the old known-good stands",
        )
    return False


def _summary(error: BaseException) -> str:
    return error.summary if isinstance(error, WarmciError) else repr(error)
