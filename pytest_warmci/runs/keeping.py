"""Leaving an app that did not pass running for a while, for a person to look at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pytest_warmci.runs.place import Place
from pytest_warmci.runs.run import Run
from pytest_warmci.store.kept import KeptApp, write_kept


def keep_running(run: Run, place: Place, seconds: float) -> None:
    """Mark the app as kept for some seconds from now, and say so.

    Its journal stays open: who removes or restores it later is `reap`, or the next run.

    Raises:
        DiskTooSmall: There is no room for the mark.
    """
    head = run.plan.head
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    run.kept = KeptApp(
        run=run.id,
        recipe=run.recipe,
        domain=place.domain,
        url=run.engine.address(place),
        until=until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        why=run.settings.keep.origin,
        commit=head.commit,
        version=head.version,
    )
    write_kept(place.folder, run.kept)
    if run.sign_on is not None:
        run.sign_on.keep()
    run.notes.append(
        f"kept running at {run.kept.url} until {run.kept.until}, or until the next run of this"
        f" recipe on the same data: warmci shell {run.id}"
    )
