"""What a session is told about its Swarm."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pytest_warmci.clients.names import answer_for
from pytest_warmci.clients.yamlfile import load_mapping
from pytest_warmci.errors import UsageError

WAYS: Final = ("mount", "engine")

_SINGLE: Final = ("domain", "proxy", "volumes")
"""Options that can be given once."""

NAMES: Final = (*_SINGLE, "override")
"""All options."""

_HOST: Final = re.compile(r"[a-zA-Z0-9.-]+")
_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")

_LONGEST_BASE: Final = 47
"""Characters of a base domain: a service `app` of a throw-away app has 63 for its whole name."""


@dataclass(frozen=True, slots=True)
class SwarmOptions:
    """How apps of a Swarm are deployed and reached.

    Args:
        overrides: Compose files that are merged after a recipe's own.
        proxy: Where the Swarm's proxy answers, like `http://10.0.0.5:8080`; empty: at the apps'
            own domains, by https.
        domain: What the domains of all apps end in, like `ci.example.org`; empty: the default.
        volumes: How the data of volumes are reached: `mount` or `engine`; empty: as it can be.
    """

    overrides: tuple[Path, ...] = ()
    proxy: str = ""
    domain: str = field(default="", kw_only=True)
    volumes: str = field(default="", kw_only=True)

    @classmethod
    def read(cls, pairs: Iterable[tuple[str, str]]) -> SwarmOptions:
        """Return the options of these pairs of name and value.

        Raises:
            UsageError: There is no such option, or one that can be given once was given twice.
        """
        given: dict[str, list[str]] = {name: [] for name in NAMES}
        for name, value in pairs:
            if name not in given:
                raise UsageError(
                    f"engine swarm has no option '{name}'",
                    remedy="domain=BASE, override=FILE (as often as needed), proxy=URL and volumes=WAY"
                    " are there",
                )
            given[name].append(value)
        for name in _SINGLE:
            if len(given[name]) > 1:
                raise UsageError(
                    f"engine swarm was given the option '{name}' twice",
                    why=" and ".join(given[name]),
                    remedy="name one of them",
                )
        overrides = tuple(map(Path, given["override"]))
        return cls(overrides, **{name: "".join(given[name]) for name in _SINGLE})

    def words(self) -> tuple[str, ...]:
        """Return the options in words, for results: a file with the digest of its content."""
        single = {"domain": self.domain, "proxy": self.proxy, "volumes": self.volumes}
        found = [f"{name}={value}" for name, value in single.items() if value]
        for path in self.overrides:
            try:
                content = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
            except OSError as error:
                content = f"cannot be read: {error.strerror}"
            found.append(f"override={path} {content}")
        return tuple(found)

    def contents(self) -> list[Mapping[str, Any]]:
        """Return what the override files say, as plain data.

        Raises:
            InputError: One is not valid YAML.
        """
        return [load_mapping(path, anchors=True).data for path in self.overrides]

    def check(self) -> None:
        """See that the options make sense.

        Raises:
            UsageError: They do not.
            InputError: An override file is not valid YAML.
        """
        for path in self.overrides:
            if not path.is_file():
                raise UsageError(
                    f"the override file {path} is not there",
                    remedy="correct the engine option 'override'",
                )
        self.contents()
        if self.domain:
            _check_domain(self.domain)
        if self.volumes not in ("", *WAYS):
            raise UsageError(
                f"'{self.volumes}' is no way to the data of volumes",
                remedy=f"correct the engine option 'volumes': {' or '.join(WAYS)}",
            )
        if self.proxy and not _is_base(self.proxy):
            raise UsageError(
                f"'{self.proxy}' is not where a proxy answers",
                remedy="write it like http://10.0.0.5:8080",
            )

    def url(self, domain: str) -> str:
        """Return the base URL of an app, which this process finds at the proxy from now on."""
        if not self.proxy:
            return f"https://{domain}"
        parts = urlsplit(self.proxy)
        answer_for(domain, parts.hostname or "")
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{domain}{port}"


def _check_domain(text: str) -> None:
    """See that a base domain is one in DNS, and short enough for Docker.

    Raises:
        UsageError: It is not.
    """
    labels = text.split(".")
    if not all(map(_LABEL.fullmatch, labels)) or labels[-1].isdigit():
        raise UsageError(
            f"'{text}' is no base domain",
            why="it must be a domain name in small letters, without a dot at its ends",
            remedy="write it like domain=ci.example.org",
        )
    if len(text) > _LONGEST_BASE:
        raise UsageError(
            f"the base domain {text} has {len(text)} characters",
            why=f"with more than {_LONGEST_BASE} the names of services get too long for Docker",
            remedy="choose a shorter one",
        )


def _is_base(url: str) -> bool:
    """Tell whether a URL is scheme, host and perhaps a port, and nothing else."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and _HOST.fullmatch(parts.hostname or "")
        more = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
        return bool(known) and parts.port != 0 and not more
    except ValueError:  # brackets that do not match, a port that is none
        return False
