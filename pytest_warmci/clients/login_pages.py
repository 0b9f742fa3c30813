"""The pages of a login, as far as somebody who fills them in must understand them."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from pytest_warmci.clients.http import Response

_PAGE: Final = re.compile(r"/realms/[^/]+/(?:broker|device|login-actions|protocol)(?:/|$)")
_ACTION: Final = re.compile(r"/realms/[^/]+/(?:login-actions/|device$)")
_DEVICE_DONE: Final = re.compile(r"/realms/[^/]+/device/status$")

_VOID: Final = frozenset(
    "area base br col embed hr img input link meta source track wbr".split()  # noqa: SIM905
)
_FIELDS: Final = frozenset({"button", "input", "select", "textarea"})
_PRESSED: Final = frozenset({"button", "image", "reset", "submit"})

TICKED: Final = frozenset({"checkbox", "radio"})
"""Kinds of fields that send something only when they are ticked."""

ACCEPT: Final = "accept"
"""The button that says yes: to what an application wants to know, to terms and conditions."""


@dataclass(slots=True)
class Form:
    """A form of a page.

    `action` is absolute. `values` is what it sends as it stands: hidden fields, and what is filled
    in or ticked already. `asked` are the fields that people see, with their type. `buttons` are
    those that have a name, with their value.
    """

    id: str
    action: str
    method: str
    values: dict[str, str] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What to call it: its id, or where it leads when it has none."""
        return self.id or urlsplit(self.action).path.rpartition("/")[2]

    @property
    def is_keycloaks(self) -> bool:
        """Whether it is a step of a login that somebody can take."""
        if self.method != "post" or not _ACTION.search(urlsplit(self.action).path):
            return False
        return bool(self.asked) or ACCEPT in self.buttons


@dataclass(frozen=True, slots=True)
class Page:
    """A page: where it is (without query), its HTTP status, its heading, what it says in its
    error messages, and its forms.

    `device_is_in` is true of the page that sends somebody who let a device in back to it.
    """

    url: str
    status: int
    title: str
    message: str
    forms: tuple[Form, ...]
    device_is_in: bool = False

    @property
    def is_keycloaks(self) -> bool:
        """Whether it belongs to a login: Keycloak's consoles are applications like others."""
        return bool(_PAGE.search(urlsplit(self.url).path))

    @property
    def form(self) -> Form | None:
        """The form that is the next step of the login."""
        return next((form for form in self.forms if form.is_keycloaks), None)

    def __str__(self) -> str:
        text = f"HTTP {self.status}"
        text += f", page {self.title!r}" if self.title else ""
        text += f": {self.message}" if self.message else ""
        names = ", ".join(form.name for form in self.forms) or "none"
        return f"{text} (forms: {names})"


def bare(url: str) -> str:
    """Return a URL without what may be secret in it: user, password, query and fragment."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def joined(base: str, url: str) -> str:
    """Return `url` as seen from `base`, or nothing when it is no URL."""
    try:
        return urljoin(base, url)
    except ValueError:
        return ""


def read_page(response: Response) -> Page:
    """Read a response; one that is no page has no forms, and a message if it is JSON."""
    url, status = bare(response.url), response.status_code
    kind = response.headers.get("Content-Type", "")
    if "json" in kind:
        return Page(url, status, "", _message_of_json(response), ())
    reader = _Reader(response.url)
    if "html" in kind:
        with suppress(AssertionError):  # html.parser gives up on some markup; not we
            reader.feed(response.text)
    texts = {name: " ".join(text.split()) for name, text in reader.texts.items()}
    title = texts["heading"] or texts["title"]
    parts = urlsplit(response.url)
    device_is_in = bool(_DEVICE_DONE.search(parts.path)) and "error=" not in parts.query
    return Page(url, status, title, texts["message"], tuple(reader.forms), device_is_in)


def _message_of_json(response: Response) -> str:
    try:
        told: Any = response.json()
    except ValueError:
        return ""
    if not isinstance(told, dict):
        return ""
    found = (told.get("error"), told.get("error_description"))
    return ": ".join(text for text in found if isinstance(text, str))


class _Reader(HTMLParser):
    """Gathers forms and texts while a page is fed to it."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.forms: list[Form] = []
        self.texts = {"heading": "", "message": "", "title": ""}
        self._form: Form | None = None
        self._select = self._area = ""
        self._text, self._depth = "", 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            action = joined(self.url, given.get("action", ""))
            self._form = Form(given.get("id", ""), action, given.get("method", "get").lower())
            self.forms.append(self._form)
        elif self._form is not None:
            self._read_field(self._form, tag, given)
        if self._text:
            self._depth += tag not in _VOID
        elif tag not in _VOID:
            self._text = self._what_is_in(tag, given)
            self._depth = 1

    def _what_is_in(self, tag: str, given: dict[str, str]) -> str:
        classes = given.get("class", "").split()
        if tag == "title" and not self.texts["title"]:  # not that of a picture
            return "title"
        if given.get("id") == "kc-page-title":
            return "heading"
        if "kc-feedback-text" in classes or "instruction" in classes:
            self.texts["message"] += " "
            return "message"
        return ""

    def _read_field(self, form: Form, tag: str, given: dict[str, str]) -> None:
        name, value = given.get("name", ""), given.get("value", "")
        kind = given.get("type", "").lower() or {"button": "submit", "input": "text"}.get(tag, tag)
        if tag == "option" and self._select:
            if "selected" in given or self._select not in form.values:
                form.values[self._select] = value
        elif not name or tag not in _FIELDS or "disabled" in given:
            return
        elif kind in _PRESSED:
            form.buttons[name] = value
        elif kind in TICKED:
            form.asked[name] = kind
            if "checked" in given:
                form.values[name] = value or "on"
        else:
            if kind != "hidden":
                form.asked[name] = kind
            if tag == "input":
                form.values[name] = value
            self._select = name if tag == "select" else ""
            self._area = name if tag == "textarea" else ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        if tag in ("form", "select", "textarea"):
            self._select = self._area = ""
        if self._text and tag not in _VOID:
            self._depth -= 1
            if self._depth == 0:
                self._text = ""

    def handle_data(self, data: str) -> None:
        if self._text:
            self.texts[self._text] += data
        if self._area and self._form is not None:
            self._form.values[self._area] = self._form.values.get(self._area, "") + data
