"""HTTP requests of our own (the only owner of `requests` in the package)."""

from __future__ import annotations

import ipaddress
import os
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter, Retry
from requests.cookies import RequestsCookieJar

Response: TypeAlias = requests.Response
Session: TypeAlias = requests.Session

_MOST: Final = 4 * 1024 * 1024
"""Bytes of a body that are read."""

_CHUNK: Final = 64 * 1024

_BUNDLES: Final = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
"""Variables that name a file of certificates, the one that counts first: our sessions take nothing
else from the environment, no proxy above all."""


def authorities() -> str | bool:
    """Return what servers are trusted by, as `requests` takes it for `verify`: the file that the
    environment names, or True for the authorities that everybody trusts."""
    return next(filter(None, map(os.environ.get, _BUNDLES)), True)


def repeat_gets(session: requests.Session, statuses: Collection[int], *, tries: int) -> None:
    """Have a session send a GET again after an answer with one of some statuses.

    Without an answer nothing is sent again, and nothing but a GET ever is. The second try comes at
    once, the third after 0.4 s; the answer to the last one is returned.

    Args:
        session: The session.
        statuses: The statuses.
        tries: How often a GET is sent at most.
    """
    again = Retry(
        total=tries - 1,
        connect=0,
        read=False,
        other=0,
        allowed_methods={"GET"},
        status_forcelist=statuses,
        backoff_factor=0.2,
        raise_on_status=False,
        respect_retry_after_header=False,  # it may ask for minutes
    )
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=again))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: a status (0: nothing answered) and the body (its beginning, when it is
    very long) or the reason."""

    status: int
    text: str

    def __str__(self) -> str:
        head = " ".join(self.text[:200].split())
        return f"HTTP {self.status}: {head}" if self.status else f"no answer: {head}"


def get(url: str, *, timeout: float, headers: dict[str, str] | None = None) -> Answer:
    """GET a URL without following redirects or using a proxy; never raises for an answer.

    Args:
        url: Absolute URL on this machine.
        timeout: Seconds for connecting and for each read.
        headers: Extra request headers.
    """
    return _ask("GET", url, timeout=timeout, headers=headers)


def post_form(url: str, fields: Mapping[str, str], *, timeout: float) -> Answer:
    """POST a form without following redirects or using a proxy; never raises for an answer.

    Args:
        url: Absolute URL on this machine.
        fields: The form's fields; they are in no error and in no answer of ours.
        timeout: Seconds for connecting and for each read.
    """
    return _ask("POST", url, timeout=timeout, data=dict(fields))


def _ask(method: str, url: str, *, timeout: float, **kwargs: Any) -> Answer:
    with requests.Session() as session:
        session.trust_env = False
        session.verify = authorities()
        try:
            response = _send(session, method, url, timeout=timeout, **kwargs)
        except (OSError, ValueError) as error:  # requests' own errors are OSErrors, too
            return Answer(0, str(error))
    try:
        text = response.content.decode(response.encoding or "utf-8", "replace")
    except LookupError:  # there is no such encoding
        text = response.content.decode("utf-8", "replace")
    return Answer(response.status_code, text)


def _send(
    session: requests.Session, method: str, url: str, *, timeout: float, **kwargs: Any
) -> requests.Response:
    """Send one request and read its body, as much of it as comes in time: some pages never end.

    Raises:
        ValueError: It redirects to what is no URL. (requests looks at it, but does not follow.)
    """

    def read(response: requests.Response, *_: Any, **__: Any) -> None:
        body = b""
        end = time.monotonic() + timeout
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) >= _MOST or time.monotonic() > end:
                break
        # Now, and here: to requests, this is all there is. Of a redirect it would read the rest.
        response._content = body  # noqa: SLF001 - there is no other way
        response._content_consumed = True  # type: ignore[attr-defined]  # noqa: SLF001
        response.close()

    return session.request(
        method, url, timeout=timeout, allow_redirects=False, hooks={"response": read}, **kwargs
    )


class NoAnswer(Exception):
    """No answer came, or none that is HTTP; the text says why, without the URL that was asked."""


def exchange(
    session: requests.Session,
    method: str,
    url: str,
    *,
    timeout: float,
    data: Mapping[str, str] | None = None,
) -> requests.Response:
    """Send one request of a session; a redirect is returned, not followed.

    The body of the response is read, at most the first 4 MiB of it, and only as long as `timeout`.

    Args:
        session: Whose cookies, headers and certificates are used.
        method: Its method.
        url: Its URL; a path for a session that is bound to an app.
        timeout: Seconds for connecting, for each read, and for the whole body.
        data: The fields of a form to send.

    Raises:
        NoAnswer: Nobody there, not in time, or not a URL that can be asked or redirected to.
    """
    fields = None if data is None else dict(data)
    try:
        return _send(session, method, url, timeout=timeout, data=fields)
    except requests.Timeout:
        raise NoAnswer(f"no answer within {timeout:g} s") from None
    except (OSError, ValueError) as error:  # requests' own errors are OSErrors, too
        raise NoAnswer(_innermost(error)) from None


def _innermost(error: BaseException) -> str:
    """Say what is at the bottom of an error of requests, whose own text quotes the whole URL."""
    while below := error.__cause__ or error.__context__:
        error = below
    return re.sub(r"[?#][^\s'\"]*", "", str(error)) or type(error).__name__


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address (IPv6 with or without brackets) is this machine's own:
    `localhost`, a name below it, `127.0.0.0/8` or `::1`."""
    name = host.lower().removesuffix(".").strip("[]")
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


class LoopbackJar(RequestsCookieJar):
    """A cookie jar that keeps a `Secure` cookie of a loopback host as one that may travel over
    plain http, as browsers do; for every other host the ordinary rules hold.

    requests sends cookies from copies of the jar that know nothing of this class, so it is the
    cookie that is changed, when it comes, and not the rule, when it goes.
    """

    def make_cookies(self, response: Any, request: Any) -> Any:
        """Return the cookies of a response."""
        cookies = list(super().make_cookies(response, request))
        # The host that Python's own rules take the cookies to be of: the Host header, if one is
        # set. Not the domain of a cookie: that of `localhost` is called `localhost.local` there,
        # which may well be another machine.
        if is_loopback(urlsplit(request.get_full_url()).hostname or ""):
            for cookie in cookies:
                # `Domain=.local` would take it to the neighbours.
                if not cookie.domain_specified or is_loopback(cookie.domain.lstrip(".")):
                    cookie.secure = False
        return cookies

    def copy(self) -> LoopbackJar:
        """Return a copy, which is one of these too."""
        made = LoopbackJar()
        made.set_policy(self.get_policy())
        made.update(self)
        return made


def use_loopback_jar(session: requests.Session) -> None:
    """Give a session a `LoopbackJar`, with the cookies that it has, unless it has one."""
    if not isinstance(session.cookies, LoopbackJar):
        jar = LoopbackJar()
        jar.update(session.cookies)
        session.cookies = jar


class LoopbackSession(requests.Session):
    """A `requests.Session` for servers on this machine: no proxies, `authorities`, and cookies in
    a `LoopbackJar`."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.verify = authorities()
        self.cookies = LoopbackJar()

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a prepared request."""
        # Python's rules take `localhost.local` and what is below it for `localhost`.
        host = (urlsplit(request.url or "").hostname or "").removesuffix(".")
        if host.endswith(".local") and is_loopback(host.removesuffix(".local")):
            request.headers.pop("Cookie", None)
        return super().send(request, **kwargs)


class AppSession(LoopbackSession):
    """A session bound to one app: relative URLs are the app's, and no request waits for ever
    (`timeout` defaults to 30 s)."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base.rstrip("/") + "/"

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> Any:
        """Send a request; `url` may be a path."""
        kwargs.setdefault("timeout", 30)
        address = url.decode() if isinstance(url, bytes) else url
        return super().request(method, urljoin(self.base, address.lstrip("/")), *args, **kwargs)
