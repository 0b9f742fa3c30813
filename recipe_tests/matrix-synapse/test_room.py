"""A room as a chat app meets it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from conftest import Person


def say(person: Person, room: str, text: str) -> str:
    """Send a message; answer its id."""
    body = {"msgtype": "m.text", "body": text}
    sent = person.put(f"{room}/send/m.room.message/{uuid.uuid4()}", body)
    return str(sent["event_id"])


def texts(person: Person, room: str) -> list[str]:
    """Read what was said, the latest first."""
    found = person.get(f"{room}/messages?dir=b&limit=50")["chunk"]
    return [each["content"]["body"] for each in found if each["type"] == "m.room.message"]


def test_what_one_says_the_other_reads(ana: Person, ben: Person, room: str) -> None:
    """Invite, join, talk."""
    ana.post(f"{room}/invite", {"user_id": ben.id})
    ben.post(f"{room}/join", {})
    say(ana, room, "Bread?")
    say(ben, room, "Yes, please 🐦")

    assert texts(ana, room) == texts(ben, room) == ["Yes, please 🐦", "Bread?"]


def test_who_is_not_invited_sees_nothing(ana: Person, ben: Person, room: str) -> None:
    """Not what was said, not who is there, and the door stays shut."""
    event = say(ana, room, "Ben's birthday is on Friday.")

    paths = (f"{room}/messages?dir=b", f"{room}/joined_members", f"{room}/state")
    assert {ben.ask("GET", path).status_code for path in paths} == {403}
    assert ben.ask("GET", f"{room}/event/{quote(event)}").status_code == 404
    assert ben.ask("POST", f"{room}/join", json={}).status_code == 403


def test_a_message_that_is_sent_twice_is_one(ana: Person, room: str) -> None:
    """A phone without network asks again, with the same number."""
    path = f"{room}/send/m.room.message/again"
    first, second = (ana.put(path, {"msgtype": "m.text", "body": "Bread?"}) for _ in range(2))

    assert first == second
    assert texts(ana, room) == ["Bread?"]


def test_a_file_comes_back_as_it_was(ana: Person) -> None:
    """What is stored beside the database, for those who are logged in."""
    content = bytes(range(256)) * 16
    stored = ana.ask("POST", "media/v3/upload?filename=bread.bin", data=content)
    assert stored.status_code == 200, stored.text
    place = stored.json()["content_uri"].removeprefix("mxc://")

    assert ana.ask("GET", f"client/v1/media/download/{place}").content == content
    stranger = ana.ask("GET", f"client/v1/media/download/{place}", headers={"Authorization": ""})
    assert stranger.status_code == 401
