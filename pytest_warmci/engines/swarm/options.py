"""What a session is told about its Swarm."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pytest_warmci.clients.names import answer_for
from pytest_warmci.clients.yamlfile import load_mapping
from pytest_warmci.errors import UsageError

WAYS: Final = ("mount", "engine")

_HOST: Final = re.compile(r"[a-zA-Z0-9.-]+")


@dataclass(frozen=True, slots=True)
class SwarmOptions:
    """How apps of a Swarm are deployed and reached.

    Args:
        overrides: Compose files that are merged after a recipe's own.
        proxy: Where the Swarm's proxy answers, like `http://10.0.0.5:8080`; empty: at the apps'
            own domains, by https.
        volumes: How the data of volumes are reached: `mount` or `engine`; empty: as it can be.
    """

    overrides: tuple[Path, ...] = ()
    proxy: str = ""
    volumes: str = ""

    @classmethod
    def read(cls, pairs: Iterable[tuple[str, str]]) -> SwarmOptions:
        """Return the options of these pairs of name and value.

        Raises:
            UsageError: There is no such option, or one that can be given once was given twice.
        """
        overrides: list[Path] = []
        single: dict[str, str] = {}
        for name, value in pairs:
            if name == "override":
                overrides.append(Path(value))
            elif name not in ("proxy", "volumes"):
                raise UsageError(
                    f"engine swarm has no option '{name}'",
                    remedy="override=FILE (as often as needed), proxy=URL and volumes=WAY are there",
                )
            elif name in single:
                raise UsageError(
                    f"engine swarm was given '{name}' twice",
                    why=f"{single[name]} and {value}",
                    remedy="name one of them",
                )
            else:
                single[name] = value
        return cls(tuple(overrides), **single)

    def words(self) -> tuple[str, ...]:
        """Return the options in words, for results: a file with the digest of its content."""
        found = [
            f"{name}={value}"
            for name, value in (("proxy", self.proxy), ("volumes", self.volumes))
            if value
        ]
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


def _is_base(url: str) -> bool:
    """Tell whether a URL is scheme, host and perhaps a port, and nothing else."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and _HOST.fullmatch(parts.hostname or "")
        more = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
        return bool(known) and parts.port != 0 and not more
    except ValueError:  # brackets that do not match, a port that is none
        return False
