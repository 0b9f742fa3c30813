"""A login as people do it: open a page, follow it to Keycloak, fill in its forms, be led back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Final
from urllib.parse import parse_qsl, urljoin, urlsplit

from pytest_warmci.clients.http import (
    LoopbackSession,
    NoAnswer,
    Response,
    Session,
    exchange,
    use_loopback_jar,
)
from pytest_warmci.clients.login_pages import ACCEPT, TICKED, Form, Page, bare, read_page
from pytest_warmci.errors import KeycloakTrouble, LoginStopped
from pytest_warmci.masking import blotted

_MOST_STEPS: Final = 30
"""Requests of one login. A login with a profile, a new password and a consent takes ten."""

_SECRET: Final = re.compile(r"assert|code|hash|otp|pass|secret|state|token", re.IGNORECASE)
"""In the names of fields and of parameters whose values nobody should read in a report."""

_LEAST: Final = 6
"""Characters of a value in a URL that is blotted out: a `state` of one letter is in every text."""


def login(
    url: str,
    answers: Mapping[str, str],
    *,
    session: Session | None = None,
    until: str | None = None,
    timeout: float = 30.0,
) -> Response:
    """Open a page and log in through Keycloak's own pages, like a browser.

    Consent is given. Each form is answered once: shown again, it means refused. When Keycloak
    has lost the login half-way (it was restarted) and begins again, so does this, once.

    Args:
        url: Where to begin: a page of an app, which leads to Keycloak, or Keycloak's own.
        answers: The values of form fields, by name: `username`, `password`, and if they should be
            asked for `email`, `firstName`, `lastName`, `password-new`, `password-confirm` ...
        session: Whose cookies are used and kept; it gets a `LoopbackJar`. None for a fresh one.
        until: The beginning of a URL; the redirect that leads there is returned unfetched, with
            the code in its `Location`. None follows every redirect.
        timeout: Seconds for connecting, for each read, and for each body, of every request.

    Returns:
        The last response: that redirect, the app's page, or the page on which Keycloak sends
        somebody back to their device. Its body is read, the first 4 MiB of it at most. Whoever
        asks the app who is logged in knows more than this tells.

    Raises:
        KeycloakTrouble: Keycloak does not answer, or with a 5xx.
        LoginStopped: Keycloak refused, or showed a page that cannot be answered; the app refused
            or does not answer; or it never led to `until`. It says which page that was, and holds
            neither passwords nor codes.
    """
    with ExitStack() as stack:
        if session is None:
            session = stack.enter_context(LoopbackSession())
        use_loopback_jar(session)
        return _Login(session, answers, until, timeout).run(url)


class _Login:
    """One login on its way."""

    def __init__(
        self, session: Session, answers: Mapping[str, str], until: str | None, timeout: float
    ) -> None:
        self.session = session
        self.answers = answers
        self.until = until
        self.timeout = timeout
        self.answered: set[tuple[str, ...]] = set()
        self.begun_again = False
        self.steps = 0
        self.sent_back = ""
        self.secrets = {value for name, value in answers.items() if _SECRET.search(name)}

    def run(self, url: str) -> Response:
        """Go from page to page until there is an end."""
        response = self.ask("GET", url)
        while True:
            target = self.session.get_redirect_target(response)
            if target is not None:
                target = urljoin(response.url, target)
                self.remember(target)
                if self.until is not None and target.startswith(self.until):
                    return response
                # Whatever kind of redirect it is: a form is never sent to another place.
                response = self.ask("GET", target)
                continue
            page = read_page(response)
            form = page.form if page.status < 500 else None
            if form is None:
                self.judge_end(page)
                return response
            fields = self.fill(page, form, was_sent=response.request.method == "POST")
            response = self.ask("POST", form.action, fields)

    def ask(self, method: str, url: str, fields: Mapping[str, str] | None = None) -> Response:
        """Send one request."""
        if self.steps == _MOST_STEPS:
            raise LoginStopped(
                f"the login has not come to an end after {self.steps} requests",
                where=bare(url),
                why="the pages redirect in a circle" + self.sent_back,
                remedy="see the app's log, or end before with `until`",
            )
        self.steps += 1
        try:
            return exchange(self.session, method, url, timeout=self.timeout, data=fields)
        except NoAnswer as error:
            where, why = bare(url), self.clean(str(error))
            if "/realms/" in urlsplit(url).path:
                raise KeycloakTrouble("Keycloak does not answer", where=where, why=why) from None
            raise LoginStopped(
                "the login led to where nobody answers",
                where=where,
                why=why + self.sent_back,
                remedy="see the app's log, or end before with `until`",
            ) from None

    def remember(self, url: str) -> None:
        """Take note of what a redirect carries."""
        parts = urlsplit(url)
        given = dict(parse_qsl(parts.query) + parse_qsl(parts.fragment))
        self.secrets |= {
            value for name, value in given.items() if len(value) >= _LEAST and _SECRET.search(name)
        }
        if "error" in given:
            told = ": ".join(filter(None, (given["error"], given.get("error_description"))))
            self.sent_back = f"\n{bare(url)} was told the error {self.clean(told)}"

    def fill(self, page: Page, form: Form, *, was_sent: bool) -> dict[str, str]:
        """Return what to send for a form.

        Args:
            page: The page that it is on.
            form: The form.
            was_sent: Whether the page is the very answer to another form.
        """
        known = (form.id, *sorted(form.asked))
        if known in self.answered:
            # What is refused comes at once; what comes by a redirect is another beginning.
            if was_sent:
                raise self.stopped(
                    f"Keycloak refused what {form.name} was answered with",
                    page,
                    remedy="correct the answers, or the user",
                )
            if self.begun_again:
                raise self.stopped(
                    "Keycloak began the login again and again", page, remedy="see Keycloak's log"
                )
            self.begun_again = True
            self.answered.clear()
        self.answered.add(known)
        given = {name: self.answers[name] for name in form.asked if name in self.answers}
        fields = {**form.values, **given}
        if ACCEPT in form.buttons:
            fields[ACCEPT] = form.buttons[ACCEPT]
        empty = [
            name
            for name, kind in form.asked.items()
            if kind not in TICKED and not fields.get(name)
        ]
        # Others may stay empty: not every line of a profile has to be filled in.
        if any(form.asked[name] == "password" for name in empty) or (empty and not given):
            raise self.stopped(
                f"{form.name} asks for what there is no answer to: {', '.join(empty)}",
                page,
                remedy="give the answers, or the user what is missing",
            )
        return fields

    def judge_end(self, page: Page) -> None:
        """Accept a page without a form of Keycloak as the end, or raise."""
        if page.is_keycloaks and page.status >= 500:
            raise KeycloakTrouble(
                "Keycloak does not answer as it should",
                where=page.url,
                why=self.clean(str(page)),
            )
        if page.is_keycloaks and not page.device_is_in:
            raise self.stopped(
                "Keycloak showed a page with nothing to answer",
                page,
                remedy="see the settings of the client, and Keycloak's log",
            )
        if page.status >= 400:
            raise self.stopped("the app refused the login", page, remedy="see the app's log")
        if self.until is not None:
            raise self.stopped(
                f"the login ended before it came to {bare(self.until)}",
                page,
                remedy="compare `until` with where the app sends people",
            )

    def stopped(self, what: str, page: Page, *, remedy: str) -> LoginStopped:
        """Make the error that says which page it was."""
        why = self.clean(str(page)) + self.sent_back
        return LoginStopped(what, where=page.url, why=why, remedy=remedy)

    def clean(self, text: str) -> str:
        """Blot out what nobody should read."""
        return blotted(text, self.secrets)
