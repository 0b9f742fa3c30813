"""A login as a calendar app does it: name and password with every request."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import requests

if TYPE_CHECKING:
    from pytest_warmci.api import App
    from pytest_warmci.model import RealmUser

WHO = (
    '<?xml version="1.0"?><propfind xmlns="DAV:"><prop><current-user-principal/></prop></propfind>'
)


def log_in(app: App, user: RealmUser) -> str:
    """Ask whose the collections are that we see; answer the name that Radicale knows us by."""
    with requests.Session() as session:
        session.trust_env = False
        session.auth = (user.username, user.password)
        answer = session.request(
            "PROPFIND", f"{app.url}/", data=WHO, headers={"Depth": "0"}, timeout=30
        )
    if answer.status_code != 207:
        raise AssertionError(f"HTTP {answer.status_code}: {answer.text[:200]}")
    principal = ET.fromstring(answer.content).findtext(  # noqa: S314
        ".//{DAV:}current-user-principal/{DAV:}href"
    )
    return (principal or "nobody").strip("/")
