"""What a run will do: mode, stages, base, and why an upgrade is skipped or cannot be judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_warmci.errors import EngineCannotSee, NotAnAncestor
from pytest_warmci.model import Enrolment, KnownGood, Mode, SsoSpec
from pytest_warmci.recipes.enrolment import read_enrolment
from pytest_warmci.recipes.source import Source, open_source
from pytest_warmci.runs.planning import RunPlan, plan_run, sample_stack
from tests import ghost
from tests.fakes import FakeEngine

Plan = Callable[..., RunPlan]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    asks = ghost.Step(ghost.V2, "1.1", branch="wired", behaves="${OIDC_ISSUER:-}")
    return ghost.write_recipe(tmp_path_factory.mktemp("planning"), steps=(*ghost.STEPS, asks))


@pytest.fixture(scope="module")
def source(folder: Path) -> Source:
    return open_source(str(folder / "source"), folder.parent / "cache")


@pytest.fixture
def plan(folder: Path, source: Source, tmp_path: Path) -> Plan:
    def make(
        head: str,
        *,
        requested: Mode = "cold",
        good: str | None = None,
        quarantine: str = "",
        enrolment: Enrolment | None = None,
    ) -> RunPlan:
        return plan_run(
            enrolment or read_enrolment(folder),
            source,
            FakeEngine(tmp_path / "calls"),
            requested=requested,
            head_ref=head,
            known_good=known_good(source, good) if good else None,
            quarantine=quarantine,
        )

    return make


def known_good(source: Source, version: str) -> KnownGood:
    revision = source.resolve(version)
    return KnownGood(
        recipe="ghost",
        engine="process",
        domain="warm-ghost.warmci.localhost",
        url="http://localhost:1",
        version=revision.version,
        commit=revision.commit,
        generation="gen-000001-aaaaaa",
        digest="sha256:" + "0" * 64,
        witness={},
        promoted_at="2026-01-01T00:00:00Z",
        promoted_by="aaaaaa",
        evidence={},
        cold_seconds=1.0,
    )


def test_cold_runs_both_stages_from_the_newest_version(plan: Plan) -> None:
    """That is an ancestor of head."""
    made = plan("upgrade")

    assert made.base is not None
    assert ("cold", ("install", "upgrade"), ghost.V2) == (
        made.mode,
        made.stages,
        made.base.version,
    )
    assert ("", None, "") == (made.fallback, made.obstacle, made.skip)
    assert (False, ghost.V2) == (made.head.published, made.head.version)


def test_cold_passes_by_versions_that_deploy_the_same(plan: Plan) -> None:
    """No vacuous upgrade."""
    base = plan("no-change").base

    assert base is not None
    assert ghost.V1 == base.version


def test_the_head_itself_is_no_base(plan: Plan) -> None:
    """A published head is upgraded from the version before it."""
    made = plan("published")

    assert made.base is not None
    assert (True, ghost.V2, ghost.V1) == (
        made.head.published,
        made.head.version,
        made.base.version,
    )


def test_a_base_from_another_line_is_no_base(plan: Plan) -> None:
    """Only what head descends from."""
    base = plan("aside").base

    assert base is not None
    assert ghost.V1 == base.version


def test_the_oldest_version_has_no_upgrade(plan: Plan) -> None:
    """Not applicable: a note, not a skip."""
    made = plan(ghost.V1)

    assert (("install",), None, "") == (made.stages, made.base, made.skip)
    assert ("upgrade stage not applicable: no older published version",) == made.notes


def test_cold_with_a_difference_that_cannot_be_seen(plan: Plan) -> None:
    """The install can be judged, the upgrade cannot."""
    made = plan("ignored-key")

    assert ("install", "upgrade") == made.stages
    assert isinstance(made.obstacle, EngineCannotSee)
    assert "services.app.deploy.resources.limits.memory" in made.obstacle.what


def test_quick_upgrades_the_known_good(plan: Plan) -> None:
    """And nothing else."""
    made = plan("upgrade", requested="quick", good=ghost.V1)

    assert made.base is not None
    assert ("quick", ("upgrade",), ghost.V1, "") == (
        made.mode,
        made.stages,
        made.base.version,
        made.skip,
    )


@pytest.mark.parametrize(
    ("good", "quarantine", "fallback"),
    [
        (None, "", "no canonical"),
        (ghost.V2, "rotten disk", "canonical quarantined: rotten disk"),
        (None, "rotten disk", "canonical quarantined: rotten disk"),
    ],
)
def test_quick_falls_back_to_cold(
    plan: Plan, good: str | None, quarantine: str, fallback: str
) -> None:
    """Labelled with the reason; what was asked for is kept."""
    made = plan("upgrade", requested="quick", good=good, quarantine=quarantine)

    assert ("cold", "quick", fallback) == (made.mode, made.requested_mode, made.fallback)
    assert ("install", "upgrade") == made.stages


@pytest.mark.parametrize("head", ["no-change", ghost.V2])
def test_quick_with_nothing_to_upgrade(plan: Plan, head: str) -> None:
    """Skipped, not passed."""
    made = plan(head, requested="quick", good=ghost.V2)

    assert made.skip.startswith("nothing to upgrade: head deploys the same as 1.1.0+1.1")
    assert made.obstacle is None


@pytest.mark.parametrize("head", ["aside", ghost.V1])
def test_quick_needs_a_head_that_comes_from_the_known_good(plan: Plan, head: str) -> None:
    """An older tag does not either."""
    made = plan(head, requested="quick", good=ghost.V2)

    assert isinstance(made.obstacle, NotAnAncestor)
    assert "rebase head onto 1.1.0+1.1" in made.obstacle.remedy
    assert made.skip == ""


def test_quick_with_a_commit_that_the_source_does_not_have(plan: Plan, source: Source) -> None:
    """The branch was rewritten: not an ancestor, never a crash."""
    made = plan_run(
        plan("upgrade").enrolment,
        source,
        FakeEngine(Path("/nonexistent")),
        requested="quick",
        head_ref="upgrade",
        known_good=replace(known_good(source, ghost.V2), commit="0" * 40),
        quarantine="",
    )

    assert isinstance(made.obstacle, NotAnAncestor)


SSO = SsoSpec(
    client="ghost",
    flows=("code",),
    redirects=("/back",),
    users=("ana",),
    identity="{username}",
    env={"OIDC_ISSUER": "{issuer}"},
    secrets={},
)


@pytest.mark.parametrize(("sso", "differs"), [(SSO, True), (None, False)])
def test_what_an_app_is_given_to_log_in_with_counts(
    plan: Plan, folder: Path, sso: SsoSpec | None, *, differs: bool
) -> None:
    """Only with it can be seen that head asks for it and base does not."""
    made = plan(
        "wired",
        requested="quick",
        good=ghost.V2,
        enrolment=replace(read_enrolment(folder), sso=sso),
    )

    assert differs == (made.skip == "")
    assert made.obstacle is None


def test_a_recipe_may_require_what_is_provided_elsewhere(plan: Plan, folder: Path) -> None:
    """Who plans a session looks for it: here are only revisions compared."""
    made = plan("upgrade", enrolment=replace(read_enrolment(folder), requires=("keycloak",)))

    assert ("install", "upgrade") == made.stages


def test_a_sample_of_what_is_deployed_has_it_filled_in(folder: Path, source: Source) -> None:
    """So that what is prepared is what will be deployed, but for values."""
    head = source.resolve("wired")

    stack = sample_stack(source, "ghost", head, "ghos-1a2b3c.x", SSO)

    assert "http://localhost/realms/sample" == stack.env["OIDC_ISSUER"]
    assert "http://localhost/realms/sample" == stack.services["app"].environment["BEHAVES"]
    assert "OIDC_ISSUER" not in sample_stack(source, "ghost", head, "ghos-1a2b3c.x").env
