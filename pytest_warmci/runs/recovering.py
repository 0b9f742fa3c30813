"""Recovery of many apps: by hand, and by whoever outlives the runs of a session."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.errors import InputError, LockBusy, WarmciError
from pytest_warmci.naming import canonical_recipe
from pytest_warmci.protocols import Engine
from pytest_warmci.runs import recover
from pytest_warmci.runs.place import Place
from pytest_warmci.runs.reap import reap
from pytest_warmci.store.journal import Journal
from pytest_warmci.store.kept import KeptApp, read_kept
from pytest_warmci.store.registry import Registry
from pytest_warmci.store.state import StateDirectory

Outcome = Literal["nothing to do", "recovered", "busy", "failed"]

_WHY: Final = "recover what a dead run left"


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of one app: `done` has one sentence for each thing that was done."""

    domain: str
    engine: str
    outcome: Outcome
    done: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**asdict(self), "done": list(self.done)}


def recover_session(state: StateDirectory, engine: Engine, session: str) -> list[str]:
    """Recover what the dead runs of a session left; those that live hold their locks.

    Returns:
        What was done, one sentence each.
    """
    done: list[str] = []
    for place in _places(state, engine):
        try:
            begun, kept = Journal(place.folder).read(), read_kept(place.folder)
        except WarmciError:
            continue  # whose it is cannot be known; the next run of that recipe says so
        if begun is None or begun.get("session") != session or kept is not None:
            continue
        found = recover_one(state, engine, place, session, limit=0, end_kept=False)
        done += [f"{place.domain}: {text}" for text in found.done]
    return done


def recover_one(
    state: StateDirectory,
    engine: Engine,
    place: Place,
    session: str,
    *,
    limit: float,
    on_wait: Callable[[str], None] | None = None,
    end_kept: bool = True,
) -> Recovered:
    """Recover one app under its lock: a canonical is put back, any other one removed.

    Args:
        state: The state directory.
        engine: What deployed it.
        place: The app.
        session: Who does it, for journals.
        limit: Seconds to wait for the app's lock.
        on_wait: Told who holds it.
        end_kept: Also when it is kept for somebody to look at.
    """
    if canonical_recipe(place.domain) is None:
        gone = reap(state, engine, session=session, only=place.domain, end_kept=end_kept)
        outcomes: dict[str, Outcome] = {"kept": "busy", "failed": "failed"}
        outcome = outcomes.get(gone[0].outcome, "recovered") if gone else "nothing to do"
        return Recovered(place.domain, engine.name, outcome, tuple(str(each) for each in gone))
    who = Holder(run="recover", mode="recover", why=_WHY)
    try:
        with hold(state.lock(place.domain), who=who, limit=limit, on_wait=on_wait):
            kept = read_kept(place.folder)
            if kept is not None and not end_kept and not kept.expired(datetime.now(UTC)):
                return Recovered(place.domain, engine.name, "nothing to do", (_spared(kept),))
            done = recover.recover_canonical(state, engine, place, session)
            entry = Registry(state).find(engine.name, place.recipe)
            if entry is not None and entry.domain == place.domain:
                done += recover.ensure_known_good(state, engine, place, entry)[1]
    except LockBusy as busy:
        return Recovered(place.domain, engine.name, "busy", (busy.why,))
    except (OSError, WarmciError) as error:  # another app may well be recovered
        return Recovered(place.domain, engine.name, "failed", (str(error),))
    return Recovered(
        place.domain, engine.name, "recovered" if done else "nothing to do", tuple(done)
    )


def find_places(
    state: StateDirectory, engines: Sequence[Engine], app: str | None
) -> list[tuple[Engine, Place]]:
    """Return all apps of these engines, or those of one name, each with its engine.

    Args:
        state: The state directory.
        engines: What deployed them.
        app: A recipe (its canonical on each engine) or a domain; None for all.

    Raises:
        InputError: There is no such app.
    """
    places = [(engine, place) for engine in engines for place in _places(state, engine)]
    if app is None:
        return places
    found = [each for each in places if app and app in (each[1].recipe, each[1].domain)]
    if not found:
        names = ", ".join(dict.fromkeys(place.domain for _, place in places))
        where = state.apps(engines[0].name) if len(engines) == 1 else state.root / "apps"
        raise InputError(
            f"there is no app '{app}'",
            where=str(where),
            why=f"there are: {names}" if names else "there is none at all",
            remedy="name a recipe or a domain, or leave it out",
        )
    return found


def _places(state: StateDirectory, engine: Engine) -> Iterator[Place]:
    apps = state.apps(engine.name)
    for folder in sorted(apps.iterdir()) if apps.is_dir() else []:
        if folder.is_dir() and not folder.name.startswith((".", "live-")):
            yield Place(canonical_recipe(folder.name) or "", folder.name, folder)


def recover_all(
    state: StateDirectory,
    engines: Sequence[Engine],
    app: str | None,
    *,
    limit: float,
    on_wait: Callable[[str], None] | None = None,
) -> Iterator[Recovered]:
    """Recover one app, or all of them but those that somebody looks at.

    Args:
        state: The state directory.
        engines: What deployed them.
        app: A recipe (its canonical on each engine) or a domain; None for all.
        limit: Seconds to wait for each app that is in use.
        on_wait: Told who holds one.

    Raises:
        InputError: There is no such app.
    """
    for engine, place in find_places(state, engines, app):
        kept = read_kept(place.folder)
        if app is None and kept is not None and not kept.expired(datetime.now(UTC)):
            # Nobody waits for it.
            yield Recovered(place.domain, engine.name, "nothing to do", (_spared(kept),))
        else:
            yield recover_one(
                state,
                engine,
                place,
                "recover",
                limit=limit,
                on_wait=on_wait,
                end_kept=app is not None,
            )


def _spared(kept: KeptApp) -> str:
    return f"run {kept.run} keeps it until {kept.until}; name it to end it now"
