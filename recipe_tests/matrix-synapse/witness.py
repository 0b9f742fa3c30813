"""A room that must outlive every upgrade, with what was said and shown in it, and who it was."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import requests

if TYPE_CHECKING:
    from pytest_warmci.api import App

USER = "ana"
ALIAS = "witness"
TOPIC = "What must outlive every upgrade"
NAME = "Ana Zaunkönig"
# Little enough to stay in SQLite's write-ahead log until the upgrade: a head that loses the log shows.
MESSAGES = (
    "Grüße, und 🐦 dazu",
    "\n".join(f"line {number}" for number in range(1, 1000)),  # more than a page of SQLite holds
)
FILE, CONTENT = "witness.bin", bytes(range(256)) * 64


def plant(app: App) -> dict[str, Any]:
    """Plant what of it is not there yet, and say what `check` has to find."""
    with Member(app) as ana:
        ana.rename(NAME)
        room = ana.room() or ana.make_room()
        said = ana.messages(room)
        for text in MESSAGES:
            if text not in said:
                ana.say(room, {"msgtype": "m.text", "body": text})
        if FILE not in said:
            ana.say(room, {"msgtype": "m.file", "body": FILE, "url": ana.upload(CONTENT)})
        said = ana.messages(room)
        return {
            "user": ana.id,
            "room": room,
            "messages": {text: said[text]["event_id"] for text in MESSAGES},
            "file": said[FILE]["content"]["url"],
        }


def check(app: App, planted: dict[str, Any]) -> int:
    """Count what is left: the user, their name, the room, its topic, each message, the file."""
    room = planted["room"]
    with Member(app) as ana:
        found = [
            ana.id == planted["user"],
            ana.name() == NAME,
            ana.room() == room,
            ana.topic(room) == TOPIC,
            ana.download(planted["file"]) == CONTENT,
        ]
        found += [ana.text(room, event) == text for text, event in planted["messages"].items()]
    return sum(found)


class Member:
    """The witness's user, logged in through Keycloak as a Matrix client does it."""

    def __init__(self, app: App) -> None:
        self._url = f"{app.url}/_matrix"
        self._session = requests.Session()
        self._session.trust_env = False
        try:
            self.id = self._log_in(app)
        except BaseException:
            self._session.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def room(self) -> str | None:
        """Return the id of the room that has the witness's alias, None when there is none."""
        alias = f"#{ALIAS}:{self.id.partition(':')[2]}"
        answer = self._ask("GET", f"client/v3/directory/room/{quote(alias)}", there={200, 404})
        room: str | None = answer.json().get("room_id")
        return room

    def make_room(self) -> str:
        """Make that room, for nobody else."""
        wanted = {"preset": "private_chat", "room_alias_name": ALIAS, "topic": TOPIC}
        room: str = self._ask("POST", "client/v3/createRoom", json=wanted).json()["room_id"]
        return room

    def messages(self, room: str) -> dict[str, dict[str, Any]]:
        """Return the latest messages of a room by what they say."""
        query = urlencode({"dir": "b", "limit": 100, "filter": '{"types": ["m.room.message"]}'})
        answer = self._ask("GET", f"client/v3/rooms/{quote(room)}/messages?{query}")
        return {event["content"]["body"]: event for event in answer.json()["chunk"]}

    def say(self, room: str, content: dict[str, str]) -> None:
        """Send a message."""
        path = f"client/v3/rooms/{quote(room)}/send/m.room.message/{uuid.uuid4()}"
        self._ask("PUT", path, json=content)

    def text(self, room: str, event: str) -> str | None:
        """Return what a message says, None when it is not there or not for this user."""
        path = f"client/v3/rooms/{quote(room)}/event/{quote(event)}"
        answer = self._ask("GET", path, there={200, 403, 404})
        text: str | None = answer.json().get("content", {}).get("body")
        return text

    def topic(self, room: str) -> str | None:
        """Return a room's topic, None when there is none or not for this user."""
        path = f"client/v3/rooms/{quote(room)}/state/m.room.topic"
        answer = self._ask("GET", path, there={200, 403, 404})
        topic: str | None = answer.json().get("topic")
        return topic

    def name(self) -> str | None:
        """Return what the user is called."""
        path = f"client/v3/profile/{quote(self.id)}/displayname"
        name: str | None = self._ask("GET", path, there={200, 404}).json().get("displayname")
        return name

    def rename(self, name: str) -> None:
        """Call the user something else."""
        path = f"client/v3/profile/{quote(self.id)}/displayname"
        self._ask("PUT", path, json={"displayname": name})

    def upload(self, content: bytes) -> str:
        """Store a file; return its address (`mxc://...`)."""
        address: str = self._ask("POST", "media/v3/upload", data=content).json()["content_uri"]
        return address

    def download(self, address: str) -> bytes | None:
        """Return a stored file, None when there is none."""
        path = f"client/v1/media/download/{address.removeprefix('mxc://')}"
        answer = self._ask("GET", path, there={200, 404})
        return answer.content if answer.status_code == 200 else None

    def _log_in(self, app: App) -> str:
        page = f"{self._url}/static/client/login"
        start = f"{self._url}/client/v3/login/sso/redirect?{urlencode({'redirectUrl': page})}"
        back = app.sso.realm.login(app.sso.users[USER], start, until=page)
        [token] = parse_qs(urlsplit(back.headers["Location"]).query)["loginToken"]
        wanted = {"type": "m.login.token", "token": token}
        granted = self._ask("POST", "client/v3/login", json=wanted).json()
        self._session.headers["Authorization"] = f"Bearer {granted['access_token']}"
        return str(granted["user_id"])

    def _ask(
        self, verb: str, path: str, *, there: set[int] | None = None, **more: Any
    ) -> requests.Response:
        answer = self._session.request(verb, f"{self._url}/{path}", timeout=30, **more)
        if answer.status_code not in (there or {200}):
            raise AssertionError(f"{verb} {path}: HTTP {answer.status_code}: {answer.text[:200]}")
        return answer
