"""Promotion: who may, and that a known-good survives a death at any of its writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_warmci.clients import files
from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.errors import DiskTooSmall, WarmciError
from pytest_warmci.model import KnownGood
from pytest_warmci.runs import promote
from pytest_warmci.runs.recover import recover_canonical
from pytest_warmci.runs.run import Run
from pytest_warmci.store import snapshots
from pytest_warmci.store.alerts import open_alerts
from pytest_warmci.store.registry import RegistryWriter
from tests import ghost
from tests.fakes import stop_all
from tests.unit.haunts import Haunt


class Killed(BaseException):
    """The process dies here: nothing that it does afterwards reaches the disk."""


class Death:
    """Counts durable steps (each write and each rename or removal) and dies at one of them."""

    def __init__(
        self, patch: pytest.MonkeyPatch, at: int, error: Callable[[], BaseException]
    ) -> None:
        self.count = 0
        self.at = at
        self.error = error
        self.dead = False
        for name in ("_write_temp", "sync_folder", "_delete"):
            patch.setattr(files, name, self._counting(getattr(files, name)))

    def _counting(self, real: Callable[..., object]) -> Callable[..., object]:
        def step(*args: object, **kwargs: object) -> object:
            if self.dead:
                raise Killed
            self.count += 1
            if self.count == self.at:
                raised = self.error()
                self.dead = isinstance(raised, Killed)
                raise raised
            return real(*args, **kwargs)

        return step

    def check(self, *_: object) -> None:
        """A dead process asks no engine for anything."""
        if self.dead:
            raise Killed


def published(haunt: Haunt) -> Run:
    return haunt.session(head="published").lane(haunt.recipe).run


def recovered(haunt: Haunt) -> KnownGood | None:
    """Recover as the next run would, in another process."""
    haunt.trouble.clear()
    stop_all()
    place = haunt.place
    with hold(haunt.opened.lock(place.domain), who=Holder("next", "quick", "test"), limit=0):
        recover_canonical(haunt.opened, haunt.engine(), place, "session")
    return haunt.entry()


def count_steps(haunt: Haunt) -> int:
    with pytest.MonkeyPatch.context() as patch:
        counter = Death(patch, 0, Killed)
        assert "" == promote.promote(published(haunt), 1.0)
    return counter.count


def test_a_promotion_moves_the_entry_to_a_new_generation(haunt: Haunt) -> None:
    """With the witness's answer, what proves it, and how long the cold run took."""
    old = haunt.check_known_good()
    run = published(haunt)

    assert "" == promote.promote(run, 12.34)

    new = haunt.check_known_good()
    assert old.generation < new.generation
    assert (run.id, 12.34, {"names": ["ana", "bea"]}) == (
        new.promoted_by,
        new.cold_seconds,
        new.witness,
    )
    assert (2, old.url) == (new.evidence["witnessed"], new.url)


def test_a_death_at_any_write_leaves_a_known_good(haunt: Haunt) -> None:
    """The entry points to a whole snapshot at once, and recovery brings the volumes to it."""
    total = count_steps(haunt)
    moved = []
    assert total > 20
    for number in range(1, total + 1):
        old = haunt.check_known_good()
        with pytest.MonkeyPatch.context() as patch:
            death = Death(patch, number, Killed)
            haunt.trouble["undeploy"] = haunt.trouble["deploy"] = death.check
            with pytest.raises(Killed):
                promote.promote(published(haunt), 1.0)

        entry = haunt.entry()
        assert entry is not None
        snapshots.verify(haunt.place.snapshots, entry.generation, entry.digest)
        after = recovered(haunt)
        assert entry == after
        moved.append(entry.generation != old.generation)
        haunt.check_known_good()
    assert moved == sorted(moved), "the entry moved too early"
    assert any(moved)


def test_the_first_promotion_may_die_at_any_write(fresh: Haunt) -> None:
    """Nothing or all: a canonical without an entry is removed by recovery."""
    for number in range(1, 30, 3):
        with pytest.MonkeyPatch.context() as patch:
            death = Death(patch, number, Killed)
            fresh.trouble["undeploy"] = fresh.trouble["deploy"] = death.check
            try:
                promote.promote(published(fresh), 1.0)
            except Killed:
                pass
            else:
                assert death.count < number  # there were fewer writes

        if recovered(fresh) is not None:
            fresh.check_known_good()
            return
        assert not (fresh.place.folder / "volumes").exists()
        assert not (fresh.place.folder / "journal.json").exists()


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt, lambda: DiskTooSmall("full"), lambda: OSError(5, "I/O")]
)
def test_an_error_at_any_write_is_undone_at_once(
    haunt: Haunt, error: Callable[[], BaseException]
) -> None:
    """The process lives on: it restores the old known-good itself, or the next run does."""
    total = count_steps(haunt)
    for number in range(1, total + 1, 2):
        old = haunt.check_known_good()
        raised: type[BaseException] | None = None
        with pytest.MonkeyPatch.context() as patch:
            Death(patch, number, error)
            try:
                promote.promote(published(haunt), 1.0)
            except (KeyboardInterrupt, DiskTooSmall, OSError) as trouble:
                raised = type(trouble)

        assert recovered(haunt) is not None
        moved = old.generation != haunt.check_known_good().generation
        assert raised is KeyboardInterrupt or moved == (raised is None), number


def test_an_error_after_the_entry_is_in_place_does_not_unsay_it(
    haunt: Haunt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry is the only pointer: what it says is so."""
    old = haunt.check_known_good()
    put = RegistryWriter.put

    def trip(writer: RegistryWriter, entry: KnownGood) -> None:
        put(writer, entry)
        raise OSError(5, "I/O error")

    monkeypatch.setattr(RegistryWriter, "put", trip)
    run = published(haunt)

    assert "" == promote.promote(run, 1.0)

    entry = haunt.check_known_good()
    assert old.generation != entry.generation
    assert any("after the entry" in note for note in run.notes)
    assert [] == open_alerts(haunt.opened.alerts)


def test_what_is_not_published_or_not_witnessed_does_not_promote(haunt: Haunt) -> None:
    """Each with its reason."""
    run = published(haunt)
    chaos = haunt.session().lane(haunt.recipe).run
    blind = replace(run, witness=None)

    assert "" == promote.why_not(run)
    assert "is not a published version" in promote.why_not(chaos)
    assert "data: not witnessed" in promote.why_not(blind)


def test_an_older_version_needs_to_be_asked_for(haunt: Haunt) -> None:
    """`warmci seed --version` goes back."""
    old = haunt.session(head="1.0.0+1.0").lane(haunt.recipe).run
    asked = haunt.session(head="1.0.0+1.0", allow_lower=True).lane(haunt.recipe).run

    assert "1.0.0+1.0 is older than the known-good 1.1.0+1.1" == promote.why_not(old)
    assert "" == promote.why_not(asked)
    assert "" == promote.promote(asked, 1.0)
    assert "1.0.0+1.0" == haunt.check_known_good().version


def test_the_entry_is_read_again_under_the_lock(haunt: Haunt) -> None:
    """Somebody else has promoted a newer one while this run was cold."""
    run = published(haunt)
    entry = haunt.check_known_good()
    RegistryWriter(haunt.opened).put(replace(entry, version="9.0.0+9"))

    reason = promote.promote(run, 1.0)

    assert "1.1.0+1.1 is older than the known-good 9.0.0+9" == reason
    assert [] == haunt.calls("deploy")


def test_a_witness_that_finds_nothing_is_no_known_good(haunt: Haunt) -> None:
    """A promotion without data would make every later upgrade vacuous."""
    before = haunt.check_known_good()
    run = published(haunt)

    class Blind:
        def plant(self, app: object) -> dict[str, object]:
            return {}

        def check(self, app: object, planted: object) -> int:
            return 0

    with pytest.raises(WarmciError, match="finds nothing of what it has just planted"):
        promote.promote(replace(run, witness=Blind()), 1.0)  # type: ignore[arg-type]

    assert before == haunt.check_known_good()


def test_what_goes_wrong_after_the_entry_is_written_does_not_unsay_it(
    haunt: Haunt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The known-good has moved: the result must not say that it has not."""

    def broken(*_: object) -> None:
        raise OSError(5, "I/O error")

    monkeypatch.setattr(snapshots, "remove", broken)
    before = haunt.entry()

    lane = ghost.drive(haunt.lane(head="published"))

    assert before != haunt.entry()
    assert lane.result is not None
    assert lane.result.promoted
