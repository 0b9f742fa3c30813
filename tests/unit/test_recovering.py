"""Recovery of many apps: by hand, and by whoever outlives the runs of a session."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.errors import InputError
from pytest_warmci.runs import reap as reaping, recovering
from pytest_warmci.runs.reap import Reaped, reap
from pytest_warmci.runs.recovering import Recovered, recover_all, recover_session
from pytest_warmci.store.journal import Journal
from pytest_warmci.store.kept import KeptApp, read_kept, write_kept
from tests.unit.haunts import Haunt

WHO = Holder("live00", "quick", "test")


def die(haunt: Haunt, session: str = "5e5510") -> None:
    """Let a quick run die in the middle of the canonical's upgrade."""
    Journal(haunt.place.folder).begin("quick", run="dead00", session=session)
    shutil.rmtree(haunt.place.folder / "volumes")


def cold(haunt: Haunt, domain: str = "ghos-dead00.warmci.localhost") -> Path:
    """What a dead cold run left."""
    folder = haunt.opened.app("process", domain)
    folder.mkdir()
    Journal(folder).begin("cold", run="dead00", session="5e5510")
    return folder


def keep(folder: Path, hours: int) -> None:
    until = datetime.now(UTC) + timedelta(hours=hours)
    words = {
        "run": "dead00",
        "recipe": "ghost",
        "url": "http://localhost:1",
        "why": "",
        "version": "",
    }
    write_kept(
        folder,
        KeptApp(
            **words,
            domain=folder.name,
            commit="c0ffee",
            until=until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        ),
    )


def every(haunt: Haunt, app: str | None = None) -> dict[str, Recovered]:
    found = recover_all(haunt.opened, [haunt.engine()], app, limit=0)
    return {each.domain.partition(".")[0]: each for each in found}


def test_all_that_died_is_recovered_by_hand(haunt: Haunt) -> None:
    """A canonical is put back, a throw-away app goes; the second time there is nothing to do."""
    die(haunt)
    left = cold(haunt)

    found = every(haunt)

    assert {"warm-ghost": "recovered", "ghos-dead00": "recovered"} == {
        name: each.outcome for name, each in found.items()
    }
    assert not left.exists()
    haunt.check_known_good()
    assert ["nothing to do"] == [each.outcome for each in every(haunt).values()]


@pytest.mark.parametrize("name", ["ghost", "warm-ghost.warmci.localhost"])
def test_one_is_recovered_by_its_name(haunt: Haunt, name: str) -> None:
    """Recipe or domain; the others stay as they are."""
    die(haunt)
    left = cold(haunt)

    assert ["warm-ghost"] == list(every(haunt, name))
    assert left.exists()


@pytest.mark.parametrize("name", ["zombie", "../ghost", "", "warm-zombie.warmci.localhost"])
def test_a_name_that_is_none_is_refused(haunt: Haunt, name: str) -> None:
    """With what there is."""
    with pytest.raises(InputError, match="there is no app") as caught:
        every(haunt, name)

    assert "warm-ghost.warmci.localhost" in caught.value.why


def test_what_a_live_run_holds_is_left_alone(haunt: Haunt) -> None:
    """It is named, with who holds it."""
    die(haunt)
    left = cold(haunt)

    with (
        hold(haunt.opened.lock(haunt.place.domain), who=WHO, limit=0),
        hold(haunt.opened.lock(left.name), who=WHO, limit=0),
    ):
        found = every(haunt)

    assert ["busy", "busy"] == [each.outcome for each in found.values()]
    assert all("run live00 (quick, pid " in each.done[0] for each in found.values())
    assert [] == haunt.calls()
    assert left.exists()


def test_a_session_recovers_what_is_its_own(haunt: Haunt) -> None:
    """Another session's dead runs are its next start's."""
    die(haunt, session="other")
    left = cold(haunt)

    done = recover_session(haunt.opened, haunt.engine(), "5e5510")

    assert [f"{left.name}: removed {left.name}: run dead00 died"] == [
        text.partition(", it had")[0] for text in done
    ]
    assert Journal(haunt.place.folder).read() is not None
    assert recover_session(haunt.opened, haunt.engine(), "other")
    haunt.check_known_good()


@pytest.mark.parametrize(("hours", "stays"), [(1, True), (-1, False)])
def test_what_is_kept_goes_when_its_time_is_over(haunt: Haunt, hours: int, *, stays: bool) -> None:
    """Both kinds of apps; one that is named goes at once."""
    die(haunt)
    left = cold(haunt)
    for folder in (left, haunt.place.folder):
        keep(folder, hours)

    found = {each.domain: each.outcome for each in reap(haunt.opened, haunt.engine())}

    expected = ("kept", "kept") if stays else ("removed", "restored")
    assert dict(zip((left.name, haunt.place.domain), expected, strict=True)) == found
    assert stays == left.exists()
    assert stays == (read_kept(haunt.place.folder) is not None)
    if stays:
        assert {"nothing to do"} == {each.outcome for each in every(haunt).values()}
        assert ["recovered", "recovered"] == [
            every(haunt, name)[name.partition(".")[0]].outcome
            for name in (left.name, haunt.place.domain)
        ]
    haunt.check_known_good()


def test_what_is_kept_at_the_last_moment_stays(
    haunt: Haunt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run gives the lock back between our first look and our turn."""
    left = cold(haunt)

    @contextmanager
    def late(*words: Any, **more: Any) -> Iterator[None]:
        keep(left, 1)
        with hold(*words, **more):
            yield

    monkeypatch.setattr(reaping, "hold", late)

    assert ["kept"] == [each.outcome for each in reap(haunt.opened, haunt.engine())]
    assert left.exists()


@pytest.mark.parametrize("canonical", [True, False])
def test_what_is_kept_at_the_last_moment_is_not_recovered(
    haunt: Haunt, monkeypatch: pytest.MonkeyPatch, *, canonical: bool
) -> None:
    """Unless it is named."""
    die(haunt)
    folder = haunt.place.folder if canonical else cold(haunt)
    who = "warm-ghost" if canonical else "ghos-dead00"

    @contextmanager
    def late(*words: Any, **more: Any) -> Iterator[None]:
        keep(folder, 1)
        with hold(*words, **more):
            yield

    monkeypatch.setattr(reaping, "hold", late)
    monkeypatch.setattr(recovering, "hold", late)

    assert every(haunt)[who].outcome in ("nothing to do", "busy")
    assert folder.exists()
    assert read_kept(folder) is not None
    assert "recovered" == every(haunt, folder.name)[who].outcome


def test_a_dry_run_says_what_would_go_and_leaves_it(haunt: Haunt) -> None:
    """The same entries as the real one."""
    left = cold(haunt)

    dry = reap(haunt.opened, haunt.engine(), dry_run=True)

    assert left.exists()
    assert dry == reap(haunt.opened, haunt.engine())
    assert not left.exists()
    assert [] == reap(haunt.opened, haunt.engine(), dry_run=True)


def test_what_cannot_be_removed_hides_nothing_else(haunt: Haunt) -> None:
    """It is told with its reason; the next one is removed all the same."""
    bad, good = cold(haunt, "aaaa-dead01.warmci.localhost"), cold(haunt)
    (bad / "kept-alive.json").write_text("{")

    found = reap(haunt.opened, haunt.engine())

    assert ["failed", "removed"] == [each.outcome for each in found]
    assert "cannot be read" in found[0].why
    assert isinstance(found[0], Reaped)
    assert not good.exists()


def test_unfinished_files_of_the_dead_are_swept(haunt: Haunt) -> None:
    """Wherever a run writes."""
    places = [haunt.state, haunt.state / "sessions", haunt.state / "canonicals" / "process"]
    died = haunt.state / "runs" / "dead00"
    died.mkdir()
    places.append(haunt.state / "cache" / "sources")
    places[-1].mkdir(parents=True, exist_ok=True)
    for place in [*places, died]:
        (place / ".tmp-1-1-ab").write_text("half")
        (place / ".garbage-1-1-ab").mkdir()

    reap(haunt.opened, haunt.engine())

    assert [] == [str(path) for place in [*places, died] for path in place.glob(".[tg]*-1-1-ab")]
