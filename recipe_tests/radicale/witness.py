"""A calendar and an address book that must outlive every upgrade, with entries of several kinds."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self
from xml.etree import ElementTree as ET

import requests

if TYPE_CHECKING:
    from pytest_warmci.api import App

CALENDAR, CONTACTS = "witness-calendar", "witness-contacts"
NAME = "Witness"

# What a clean-up, a change of time zones or a new format could lose: a series that began long ago, a day without a
# time, an hour in a zone. By name: the line that must be found again, and all of the entry.
EVENTS = {
    "series": ("SUMMARY:Bread", "DTSTART:20180305T070000Z\nRRULE:FREQ=WEEKLY;BYDAY=MO"),
    "day": ("SUMMARY:Wren's birthday", "DTSTART;VALUE=DATE:20240229"),
    "hour": ("SUMMARY:Dentist", "DTSTART;TZID=Europe/Berlin:20351017T093000"),
}
CONTACT = ("TEL;TYPE=CELL:+4915112345678", "FN:Ana Zaunkönig\nN:Zaunkönig;Ana;;;")

MAKE = """<?xml version="1.0" encoding="utf-8"?>
<mkcol xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CR="urn:ietf:params:xml:ns:carddav">
  <set><prop>
    <resourcetype><collection/>{kind}</resourcetype><displayname>{name}</displayname>
  </prop></set>
</mkcol>"""
NAMES = '<?xml version="1.0"?><propfind xmlns="DAV:"><prop><displayname/></prop></propfind>'


def plant(app: App) -> dict[str, Any]:
    """Plant both collections unless they are there already, and say what `check` has to find."""
    with Collections(app) as user:
        user.make(CALENDAR, "<C:calendar/>")
        for name, (line, rest) in EVENTS.items():
            user.put(CALENDAR, f"{name}.ics", event(name, line, rest))
        user.make(CONTACTS, "<CR:addressbook/>")
        user.put(CONTACTS, "ana.vcf", card(*CONTACT))
    entries = {f"{CALENDAR}/{name}.ics": line for name, (line, _) in EVENTS.items()}
    return {
        "collections": [CALENDAR, CONTACTS],
        "entries": {**entries, f"{CONTACTS}/ana.vcf": CONTACT[0]},
    }


def check(app: App, planted: dict[str, Any]) -> int:
    """Count what is left: the collections by their names, the entries by what they say."""
    with Collections(app) as user:
        found = [user.name_of(each) == NAME for each in planted["collections"]]
        found += [line in user.lines_of(path) for path, line in planted["entries"].items()]
    return sum(found)


def event(name: str, line: str, rest: str) -> str:
    """Write an entry of a calendar."""
    # A fixed time stamp: planted again, it is the same to the byte.
    body = (
        f"BEGIN:VEVENT\nUID:witness-{name}\nDTSTAMP:20260101T000000Z\n{line}\n{rest}\nEND:VEVENT"
    )
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Witness//EN\n{body}\nEND:VCALENDAR\n"


def card(line: str, rest: str) -> str:
    """Write an entry of an address book."""
    return f"BEGIN:VCARD\nVERSION:3.0\nUID:witness-ana\n{rest}\n{line}\nEND:VCARD\n"


class Collections:
    """The collections of the app's user, who is logged in."""

    def __init__(self, app: App) -> None:
        self._top = f"{app.url}/{app.env['RADICALE_USER']}"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
        self._session.auth = (app.env["RADICALE_USER"], app.secret("password"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def make(self, collection: str, kind: str) -> None:
        """Make a collection unless it is there."""
        body = MAKE.format(kind=kind, name=NAME)
        self._ask("MKCOL", f"{collection}/", body, there={201, 405, 409})

    def put(self, collection: str, name: str, text: str) -> None:
        """Write an entry, over an earlier one."""
        self._ask("PUT", f"{collection}/{name}", text, there={201, 204})

    def name_of(self, collection: str) -> str | None:
        """Return what a collection is called, None when there is none."""
        answer = self._ask("PROPFIND", f"{collection}/", NAMES, there={207, 404}, Depth="0")
        if answer.status_code == 404:
            return None
        return ET.fromstring(answer.content).findtext(".//{DAV:}displayname")  # noqa: S314

    def lines_of(self, path: str) -> list[str]:
        """Return the lines of an entry, none when there is none."""
        answer = self._ask("GET", path, "", there={200, 404})
        return answer.content.decode().splitlines() if answer.status_code == 200 else []

    def _ask(
        self, verb: str, path: str, body: str, *, there: set[int], **headers: str
    ) -> requests.Response:
        answer = self._session.request(
            verb, f"{self._top}/{path}", data=body.encode(), headers=headers, timeout=30
        )
        if answer.status_code not in there:
            raise AssertionError(f"{verb} {path}: HTTP {answer.status_code}: {answer.text[:200]}")
        return answer
