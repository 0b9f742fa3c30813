"""A calendar of one person that must outlive every upgrade, found again by the same person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from pytest_warmci.api import App

CALENDAR = "witness"
# By name: the line that must be found again, and all of the entry.
EVENTS = {
    "series": ("SUMMARY:Choir", "DTSTART:20190305T190000Z\nRRULE:FREQ=WEEKLY;BYDAY=TU"),
    "day": ("SUMMARY:Swift's birthday", "DTSTART;VALUE=DATE:20280229"),
}


def plant(app: App) -> dict[str, Any]:
    """Plant the calendar unless it is there already, and say what `check` has to find."""
    with session_of(app) as session:
        made = session.request("MKCALENDAR", place(app), timeout=30)
        expect(made, {201, 409})
        for name, (line, rest) in EVENTS.items():
            body = event(name, line, rest)
            expect(session.put(f"{place(app)}{name}.ics", data=body, timeout=30), {201, 204})
    return {"user": app.sso.user.username, "lines": {k: line for k, (line, _) in EVENTS.items()}}


def check(app: App, planted: dict[str, Any]) -> int:
    """Count what the same person still finds."""
    if planted["user"] != app.sso.user.username:
        return 0
    found = 0
    with session_of(app) as session:
        for name, line in planted["lines"].items():
            answer = session.get(f"{place(app)}{name}.ics", timeout=30)
            expect(answer, {200, 404})
            found += answer.status_code == 200 and line in answer.text.splitlines()
    return found


def session_of(app: App) -> requests.Session:
    """Be the app's first user."""
    session = requests.Session()
    session.trust_env = False
    session.auth = (app.sso.user.username, app.sso.user.password)
    return session


def place(app: App) -> str:
    """Say where the calendar is."""
    return f"{app.url}/{app.sso.user.username}/{CALENDAR}/"


def event(name: str, line: str, rest: str) -> str:
    """Write an entry; the same to the byte when it is planted again."""
    inside = f"UID:witness-{name}\nDTSTAMP:20260101T000000Z\n{line}\n{rest}"
    event = f"BEGIN:VEVENT\n{inside}\nEND:VEVENT"
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Witness//EN\n{event}\nEND:VCALENDAR\n"


def expect(answer: requests.Response, statuses: set[int]) -> None:
    """Refuse any other answer."""
    if answer.status_code not in statuses:
        raise AssertionError(f"HTTP {answer.status_code}: {answer.text[:200]}")
