"""Recovery: what a dead run had begun is finished, and a damaged snapshot healed or set aside."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.errors import BaselineRotten, SnapshotDamaged, StateDamaged
from pytest_warmci.model import KnownGood
from pytest_warmci.runs import recover
from pytest_warmci.runs.roots import roots_of
from pytest_warmci.store import snapshots
from pytest_warmci.store.alerts import open_alerts
from pytest_warmci.store.journal import Journal
from tests import ghost
from tests.unit.haunts import Haunt


def again(haunt: Haunt) -> list[str]:
    with hold(haunt.opened.lock(haunt.place.domain), who=Holder("r", "quick", "t"), limit=0):
        return recover.recover_canonical(haunt.opened, haunt.engine(), haunt.place, "s")


def ensured(haunt: Haunt, entry: KnownGood) -> tuple[KnownGood, list[str]]:
    return recover.ensure_known_good(haunt.opened, haunt.engine(), haunt.place, entry)


def rot(haunt: Haunt) -> None:
    (first, *_) = sorted(haunt.place.snapshots.rglob("objects/*"))
    first.chmod(0o600)
    first.write_bytes(b"rotten")


def test_nothing_to_do_is_done_quickly(haunt: Haunt) -> None:
    """No journal, nothing running: nobody is asked to stop."""
    assert [] == again(haunt)
    assert [] == haunt.calls()


def test_strange_generations_are_swept(haunt: Haunt) -> None:
    """Only what the entry names counts."""
    entry = haunt.check_known_good()
    snapshots.take(
        haunt.place.snapshots, "gen-000009-aaaaaa", roots_of(haunt.engine(), haunt.place)
    )

    again(haunt)

    assert [entry.generation] == snapshots.generations(haunt.place.snapshots)


def test_an_open_journal_means_restore(haunt: Haunt) -> None:
    """Whatever the volumes look like."""
    Journal(haunt.place.folder).begin("quick", run="dead00", session="s")
    shutil.rmtree(haunt.place.folder / "volumes")

    done = again(haunt)

    assert ["quick of run dead00 was cut short: restored the known-good 1.1.0+1.1"] == done
    assert ["undeploy warm-ghost", "settle warm-ghost"] == haunt.calls()
    haunt.check_known_good()


def test_an_app_that_runs_without_a_journal_is_ended_too(haunt: Haunt) -> None:
    """Nobody knows what it did to the volumes."""
    (haunt.place.folder / "running.json").write_text('{"behaves": []}')

    done = again(haunt)

    assert ["ended a running app", "restore of run an unknown run was cut short: restored"] == [
        line.partition(" the known-good")[0] for line in done
    ]
    haunt.check_known_good()


def test_a_promotion_that_had_written_its_entry_is_finished(haunt: Haunt) -> None:
    """Only the rest is swept; nothing is restored."""
    entry = haunt.check_known_good()
    Journal(haunt.place.folder).begin(
        "promote", run="dead00", session="s", generation=entry.generation
    )

    assert ["promote of run dead00 had written its entry already: finished it"] == again(haunt)
    haunt.check_known_good()


def test_a_first_promotion_that_died_leaves_nothing(fresh: Haunt) -> None:
    """There is no known-good to go back to."""
    fresh.place.folder.mkdir(parents=True, mode=0o700)
    Journal(fresh.place.folder).begin("promote", run="dead00", session="s", generation="g")
    (fresh.place.folder / "volumes").mkdir()
    (fresh.place.folder / "env").write_text("")

    (done,) = again(fresh)

    assert done.endswith("removed what it had made, there was no known-good")
    assert not (fresh.place.folder / "volumes").exists()
    assert not (fresh.place.folder / "env").exists()


def test_a_damaged_journal_never_means_nothing(haunt: Haunt) -> None:
    """It is left for a person, and so is everything else."""
    (haunt.place.folder / "journal.json").write_text("{")

    with pytest.raises(StateDamaged):
        again(haunt)

    assert [] == haunt.calls()


def test_a_restore_from_a_rotten_snapshot_is_loud(haunt: Haunt) -> None:
    """Quarantined, with an alert; the journal stays open."""
    Journal(haunt.place.folder).begin("quick", run="dead00", session="s")
    rot(haunt)

    with pytest.raises(SnapshotDamaged):
        again(haunt)

    assert ["warmci.canonical.quarantined"] == [
        alert["type"] for alert in open_alerts(haunt.opened.alerts)
    ]
    assert (haunt.place.folder / "journal.json").exists()
    assert (haunt.place.folder / "quarantine.json").exists()


def test_a_whole_snapshot_needs_no_healing(haunt: Haunt) -> None:
    """The volumes may be anything then."""
    entry = haunt.check_known_good()
    shutil.rmtree(haunt.place.folder / "volumes")

    assert (entry, []) == ensured(haunt, entry)


def test_a_rotten_snapshot_heals_from_equal_volumes(haunt: Haunt) -> None:
    """The digest never moves, and the damage is reported."""
    entry = haunt.check_known_good()
    rot(haunt)

    healed, notes = ensured(haunt, entry)

    assert (entry.digest, entry.version) == (healed.digest, healed.version)
    assert entry.generation != healed.generation
    assert healed == haunt.check_known_good()
    assert 1 == len(notes)
    assert ["warmci.snapshot.healed"] == [
        alert["type"] for alert in open_alerts(haunt.opened.alerts)
    ]


@pytest.mark.parametrize(
    "damage",
    [
        lambda haunt: (haunt.place.folder / "volumes" / "data" / "database.json").write_text("{}"),
        lambda haunt: (haunt.place.folder / "env").write_text("A=1\n"),
        lambda haunt: shutil.rmtree(haunt.place.folder / "secrets"),
        lambda haunt: (haunt.place.folder / "deployed.json").unlink(),
        lambda haunt: (haunt.place.folder / "volumes" / "new").mkdir(),
    ],
    ids=["volume", "env", "secrets", "version", "another volume"],
)
def test_a_rotten_snapshot_and_other_volumes_are_set_aside(
    haunt: Haunt, damage: Callable[[Haunt], object]
) -> None:
    """Never guessed: quarantine, alert, the entry as it was."""
    entry = haunt.check_known_good()
    rot(haunt)
    damage(haunt)

    with pytest.raises(BaselineRotten, match="and so are the kept volumes"):
        ensured(haunt, entry)

    assert entry == haunt.entry()
    assert ["warmci.canonical.quarantined"] == [
        alert["type"] for alert in open_alerts(haunt.opened.alerts)
    ]
    ghost.drive(haunt.lane("quick"))
    assert "cold" == haunt.session("quick").plan(haunt.recipe).mode


def test_generations_are_numbered_on(haunt: Haunt) -> None:
    """A new name is greater than every old one, whatever lies there."""
    (haunt.place.snapshots / "gen-000041-abcdef").mkdir()

    assert recover.new_generation(haunt.place).startswith("gen-000042-")
