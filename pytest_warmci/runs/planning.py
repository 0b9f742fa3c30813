"""What a run will do: mode, stages, base and head. Starts nothing, changes no app."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pytest_warmci.errors import EngineCannotSee, EngineUnavailable, NotAnAncestor, NotEvaluated
from pytest_warmci.model import Enrolment, KnownGood, Mode, Revision, SsoSpec, Stack, Stage
from pytest_warmci.naming import canonical_domain
from pytest_warmci.protocols import Differences, Engine
from pytest_warmci.recipes.compare import differing_keys
from pytest_warmci.recipes.compose import render
from pytest_warmci.recipes.env import app_env
from pytest_warmci.recipes.source import Source
from pytest_warmci.runs import wiring

NOTHING = "nothing to upgrade"


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What one run is going to do.

    `fallback` says why a quick run goes cold, `skip` why the upgrade stage is skipped,
    `obstacle` why it cannot be evaluated; `notes` are facts worth showing.
    """

    enrolment: Enrolment
    source: Source
    head_ref: str
    requested_mode: Mode
    mode: Mode
    fallback: str
    stages: tuple[Stage, ...]
    head: Revision
    base: Revision | None
    skip: str = ""
    obstacle: NotEvaluated | None = None
    notes: tuple[str, ...] = ()


def plan_run(
    enrolment: Enrolment,
    source: Source,
    engine: Engine,
    *,
    requested: Mode,
    head_ref: str,
    known_good: KnownGood | None,
    quarantine: str,
) -> RunPlan:
    """Decide what a run does.

    Args:
        enrolment: The recipe.
        source: Its opened git source.
        engine: What will deploy it.
        requested: The mode that was asked for.
        head_ref: `HEAD`, `published` or a git ref.
        known_good: The registry entry, None when there is none.
        quarantine: Why the canonical is set aside; empty when it is not.

    Raises:
        InputError: The source or the head is not usable.
    """
    head = source.resolve(head_ref)
    if requested == "quick" and known_good is not None and not quarantine:
        return _plan_quick(enrolment, source, engine, head_ref, head, known_good)
    fallback = ""
    if requested == "quick":
        fallback = f"canonical quarantined: {quarantine}" if quarantine else "no canonical"
    return _plan_cold(enrolment, source, engine, head_ref, head, requested, fallback)


def check_base(known_good: KnownGood, domain: str) -> None:
    """See that a canonical is at the domain that its recipe's canonical has in this session.

    It never moves: the app's data contain its address.

    Raises:
        EngineUnavailable: It is at another one, because the session has another base domain.
    """
    there, here = known_good.domain, domain.partition(".")[2]
    if there == domain:
        return
    raise EngineUnavailable(
        f"the canonical is at {there}, and this session's base domain is {here}",
        where=f"{known_good.recipe} on {known_good.engine}",
        why="a canonical cannot move: its data contain its address",
        remedy=f"give the engine option domain={there.partition('.')[2]}; or remove the canonical,"
        " and seed anew (docs/how-to/free-disk-or-move-state.md)",
    )


def _plan_quick(
    enrolment: Enrolment,
    source: Source,
    engine: Engine,
    head_ref: str,
    head: Revision,
    known_good: KnownGood,
) -> RunPlan:
    base = Revision(known_good.commit, known_good.version, True)
    skip = ""
    obstacle: NotEvaluated | None = None
    if not source.is_ancestor(base.commit, head.commit):
        obstacle = NotAnAncestor(
            f"the known-good {base} is not an ancestor of head {head}",
            where=enrolment.recipe,
            remedy=f"rebase head onto {base.version}, or run cold: pytest recipe_tests/"
            f"{enrolment.recipe}",
        )
    else:
        found = differences(enrolment, source, engine, base, head)
        skip, obstacle = _judge(found, engine, base)
    return RunPlan(
        enrolment=enrolment,
        source=source,
        head_ref=head_ref,
        requested_mode="quick",
        mode="quick",
        fallback="",
        stages=("upgrade",),
        head=head,
        base=base,
        skip=skip,
        obstacle=obstacle,
    )


def _plan_cold(
    enrolment: Enrolment,
    source: Source,
    engine: Engine,
    head_ref: str,
    head: Revision,
    requested: Mode,
    fallback: str,
) -> RunPlan:
    def planned(
        stages: tuple[Stage, ...],
        base: Revision | None,
        obstacle: NotEvaluated | None = None,
        notes: tuple[str, ...] = (),
    ) -> RunPlan:
        return RunPlan(
            enrolment=enrolment,
            source=source,
            head_ref=head_ref,
            requested_mode=requested,
            mode="cold",
            fallback=fallback,
            stages=stages,
            head=head,
            base=base,
            obstacle=obstacle,
            notes=notes,
        )

    older = [
        each
        for each in reversed(source.published())
        if each.commit != head.commit and source.is_ancestor(each.commit, head.commit)
    ]
    for base in older:
        found = differences(enrolment, source, engine, base, head)
        skip, obstacle = _judge(found, engine, base)
        if not skip:
            return planned(("install", "upgrade"), base, obstacle)
    why = "no published version deploys differently" if older else "no older published version"
    return planned(("install",), None, notes=(f"upgrade stage not applicable: {why}",))


def differences(
    enrolment: Enrolment, source: Source, engine: Engine, base: Revision, head: Revision
) -> Differences:
    """Compare what two revisions deploy with the `.env` that the base gave the app."""
    domain = canonical_domain(enrolment.recipe, engine.base_domain)
    env = _wired_env(source, enrolment.recipe, base, domain, enrolment.sso)
    stacks = [
        render(
            reader(source, revision),
            recipe=enrolment.recipe,
            domain=domain,
            revision=revision,
            env=env,
        )
        for revision in (base, head)
    ]
    return engine.classify(differing_keys(*stacks))


def sample_env(source: Source, recipe: str, revision: Revision, domain: str) -> Mapping[str, str]:
    """Return the `.env` that a fresh app of a revision gets."""
    sample = (source.read(revision.commit, ".env.sample") or b"").decode("utf-8", "replace")
    return app_env(sample, domain, f"{recipe}@{revision.commit[:8]}:.env.sample")


def sample_stack(
    source: Source, recipe: str, revision: Revision, domain: str, sso: SsoSpec | None = None
) -> Stack:
    """Render a revision as a fresh app would have it, with its single sign-on if it gets one."""
    return render(
        reader(source, revision),
        recipe=recipe,
        domain=domain,
        revision=revision,
        env=_wired_env(source, recipe, revision, domain, sso),
    )


def _wired_env(
    source: Source, recipe: str, revision: Revision, domain: str, sso: SsoSpec | None
) -> Mapping[str, str]:
    return {
        **sample_env(source, recipe, revision, domain),
        **wiring.sample_env(sso, domain),
    }


def reader(source: Source, revision: Revision) -> Callable[[str], bytes | None]:
    """Return a function that reads the recipe's files at a revision."""
    return lambda path: source.read(revision.commit, path)


def _judge(
    found: Differences, engine: Engine, base: Revision
) -> tuple[str, EngineCannotSee | None]:
    if found.unseen:
        shown = ", ".join(found.unseen[:5]) + (", ..." if len(found.unseen) > 5 else "")
        return "", EngineCannotSee(
            f"engine {engine.name} cannot see: {shown}",
            why=f"these differ between base {base} and head, and the engine ignores them",
            remedy="run on an engine that honours them",
        )
    if not found.seen:
        return f"{NOTHING}: head deploys the same as {base}", None
    return "", None
