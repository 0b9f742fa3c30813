"""How the live-warm Keycloak is, and whose its realms are. Starts and changes nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from pytest_warmci.clients.locks import describe, holder
from pytest_warmci.errors import NotEvaluated
from pytest_warmci.naming import realm_run
from pytest_warmci.protocols import Engine
from pytest_warmci.runs.live import running
from pytest_warmci.runs.live_keycloak import LiveKeycloak, LivePlace
from pytest_warmci.runs.reap_realms import judge
from pytest_warmci.runs.status import age_seconds
from pytest_warmci.store import realm_records
from pytest_warmci.store.live_records import read_live
from pytest_warmci.store.state import StateDirectory

Condition = Literal["works", "broken", "stopped"]


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """The live-warm Keycloak now.

    `why` says what is wrong with it, `realms` how many realms of runs it has, `used_by` who holds
    it (empty for nobody). `started` is UTC.
    """

    condition: Condition
    url: str = ""
    version: str = ""
    commit: str = ""
    started: str = ""
    why: str = ""
    realms: int = 0
    used_by: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RealmStatus:
    """One realm of a run: who holds it (empty when nobody does), and what `warmci reap` would do.

    `made` is UTC (empty when it is not recorded), `age` seconds since then.
    """

    realm: str
    run: str
    recipe: str
    condition: str
    made: str
    age: float | None
    holder: str
    reap: str
    why: str

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def look(state: StateDirectory, engine: Engine) -> LiveStatus:
    """Look at the live-warm Keycloak.

    Raises:
        StateDamaged: Its record cannot be read.
    """
    place = LivePlace(state, engine)
    record = read_live(place.folder)
    if record is None:
        return LiveStatus("stopped")
    held = holder(place.lock)
    facts: dict[str, Any] = {
        "url": record.url,
        "version": record.version,
        "commit": record.commit,
        "started": record.started,
        "used_by": describe(held) if held is not None else "",
    }
    try:
        found = running(place)
        if found is None:
            return LiveStatus("broken", **facts, why="its processes are gone: nobody stopped it")
        names = [each.name for each in found.administrator.realms()]
    except NotEvaluated as error:
        return LiveStatus("broken", **facts, why=error.summary)
    return LiveStatus("works", **facts, realms=sum(realm_run(name) is not None for name in names))


def realms_of_runs(live: LiveKeycloak) -> list[RealmStatus]:
    """List the realms on the live-warm Keycloak that belong to runs, by name.

    Raises:
        KeycloakTrouble: It does not answer.
    """
    records = {each.realm: each for each in realm_records.of_all(live.service.state)}
    found = []
    for each in sorted(live.administrator.realms(), key=lambda one: one.name):
        run = realm_run(each.name)
        if run is None:
            continue
        record = records.get(each.name)
        lease = holder(live.service.state.run(run) / "lease.lock")
        judged = judge(live, each.name)
        found.append(
            RealmStatus(
                realm=each.name,
                run=run,
                recipe=record.recipe if record else "",
                condition="live" if each.enabled else "disabled",
                made=record.made if record else "",
                age=age_seconds(record.made) if record else None,
                holder=describe(lease) if lease is not None else "",
                reap="remove" if judged.outcome == "removed" else "keep",
                why=judged.why,
            )
        )
    return found
