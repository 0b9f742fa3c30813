"""A calendar from its creation to its end, as a calendar app meets it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_warmci.api import Http

EVENT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Tests//EN
BEGIN:VEVENT
UID:{uid}
DTSTAMP:20260101T000000Z
DTSTART:{begin}
SUMMARY:{uid}
END:VEVENT
END:VCALENDAR
"""

MAY = """<?xml version="1.0"?>
<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">
  <prop><C:calendar-data/></prop>
  <C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">
    <C:time-range start="20270501T000000Z" end="20270601T000000Z"/>
  </C:comp-filter></C:comp-filter></C:filter>
</C:calendar-query>"""


def test_a_calendar_lives_and_ends(dav: Http, collection: str) -> None:
    """Make, write, ask for a month, change, delete."""
    assert dav.request("MKCALENDAR", collection).status_code == 201
    for uid, begin in (("in-may", "20270517T100000Z"), ("in-june", "20270602T100000Z")):
        text = EVENT.format(uid=uid, begin=begin)
        assert dav.put(f"{collection}{uid}.ics", data=text).status_code == 201

    found = dav.request("REPORT", collection, data=MAY, headers={"Depth": "1"})
    assert found.status_code == 207, found.text
    assert "SUMMARY:in-may" in found.text
    assert "SUMMARY:in-june" not in found.text

    moved = EVENT.format(uid="in-may", begin="20270603T100000Z")
    assert dav.put(f"{collection}in-may.ics", data=moved).status_code in {201, 204}
    found = dav.request("REPORT", collection, data=MAY, headers={"Depth": "1"})
    assert "SUMMARY:in-may" not in found.text

    assert dav.delete(collection).status_code == 200
    assert dav.get(collection).status_code == 404


def test_two_apps_do_not_overwrite_each_other(dav: Http, collection: str) -> None:
    """Who writes with the tag of an older state is told so."""
    assert dav.request("MKCALENDAR", collection).status_code == 201
    path = f"{collection}event.ics"
    first = EVENT.format(uid="event", begin="20270517T100000Z")
    tag = dav.put(path, data=first).headers["ETag"]
    second = EVENT.format(uid="event", begin="20270518T100000Z")
    assert dav.put(path, data=second, headers={"If-Match": tag}).ok

    late = dav.put(path, data=first, headers={"If-Match": tag})

    assert late.status_code == 412
    assert "20270518T100000Z" in dav.get(path).text
