"""The records that the layers hand to each other. Pure data, no behaviour beyond reading it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

FORMAT: Final = 1
"""Version of every file format of this package; a higher one was written by a newer version."""

DEFAULT_ENGINE: Final = "process"
"""The engine to test on where nobody says another one."""

AUTO_ENGINE: Final = "auto"
"""What is named instead of an engine to have one chosen for each recipe."""

RUN_ENV: Final = "run.env"
"""File of an app with the variables that it has for one run only; they win over its `.env`."""

RUN_USERS: Final = "run.users"
"""Folder of an app with the passwords of those who can log in during one run, by their names."""

RUN_SECRETS: Final = "run.secrets"
"""Folder of an app with the secrets that it has for one run only, by their names in the compose
file; they stand before the ones that it keeps."""

Mode = Literal["cold", "quick"]
Stage = Literal["install", "upgrade"]
Phase = Literal["base", "head", "gone"]
Verdict = Literal["passed", "failed", "skipped", "not-evaluated"]

STAGES: Final[tuple[Stage, ...]] = ("install", "upgrade")
PHASES: Final[tuple[Phase, ...]] = ("base", "head", "gone")


@dataclass(frozen=True, slots=True)
class Revision:
    """One commit of a recipe.

    `version` is the published tag at this commit, else what the compose file's version label
    says (may be empty); `published` tells the two apart.
    """

    commit: str
    version: str
    published: bool

    def __str__(self) -> str:
        short = self.commit[:8]
        return f"{self.version} ({short})" if self.published else f"{short} ({self.version}+chaos)"


@dataclass(frozen=True, slots=True)
class SecretMount:
    """A secret as one service sees it: `name` of the compose file, `target` inside it."""

    name: str
    target: str


@dataclass(frozen=True, slots=True)
class ConfigMount:
    """A config as one service sees it; `mode` is the file mode (e.g. 0o555)."""

    name: str
    target: str
    mode: int


@dataclass(frozen=True, slots=True)
class VolumeMount:
    """A named volume as one service sees it."""

    name: str
    target: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class Healthcheck:
    """A compose healthcheck. `test` is the list form (`CMD`, `CMD-SHELL` or `NONE` first);
    times are seconds."""

    test: tuple[str, ...]
    text: str
    interval: float
    timeout: float
    retries: int
    start_period: float


@dataclass(frozen=True, slots=True)
class Service:
    """One service of a rendered compose file.

    `environment` is rendered, `environment_text` is what the compose file says before
    interpolation. `entrypoint` and `command` are None where the file does not set them.
    `keys` maps each dotted path of every leaf of the rendered service (`deploy.resources.limits.memory`,
    `labels.traefik.enable`) to its value as text, for comparing two revisions.
    """

    name: str
    image: str
    entrypoint: tuple[str, ...] | None
    command: tuple[str, ...] | None
    environment: Mapping[str, str]
    environment_text: Mapping[str, str]
    secrets: tuple[SecretMount, ...]
    configs: tuple[ConfigMount, ...]
    volumes: tuple[VolumeMount, ...]
    depends_on: tuple[str, ...]
    stop_grace: float
    healthcheck: Healthcheck | None
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret of the stack: `name` in the compose file, `full_name` on the server without the
    stack's prefix (`db_password_v1`), `length` in characters (from `.env.sample`'s hint).

    `server_name` is its whole name on the server; empty where its content is a file of the recipe.
    """

    name: str
    full_name: str
    length: int
    generate: bool
    server_name: str = ""


@dataclass(frozen=True, slots=True)
class Shared:
    """What a stack uses and does not own: the full names on the server of external networks and
    volumes, by their names in the compose file."""

    networks: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rendering:
    """What a stack was rendered from.

    `files` are the compose files in their order, `version` is the format that the first one
    names (empty: none), `variables` are what they were interpolated with: `.env`, the exports of
    `abra.sh`, STACK_NAME. `entries` is what the files, interpolated, say at the top level of
    everything but services: by section (`volumes`, `configs` ...) and name.
    """

    files: tuple[str, ...] = ("compose.yml",)
    version: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    entries: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stack:
    """A recipe at one commit rendered for one app: what an engine deploys.

    `configs` maps a config's name in the compose file to its full name and content. `keys` has the
    leaves of everything at the top level of the compose file that is not a service. `networks` are
    those that belong to the stack, by their names in the compose file; `shared` is what it uses of
    others.
    """

    recipe: str
    domain: str
    name: str
    revision: Revision
    services: Mapping[str, Service]
    volumes: tuple[str, ...]
    secrets: Mapping[str, Secret]
    configs: Mapping[str, tuple[str, bytes]]
    env: Mapping[str, str]
    keys: Mapping[str, str]
    networks: tuple[str, ...] = ()
    shared: Shared = field(default_factory=Shared)
    rendering: Rendering = field(default_factory=Rendering)


@dataclass(frozen=True, slots=True)
class ProbeSpec:
    """The functional probe of a recipe: a GET of `path` that answers one of `status` and a body
    with `contains` in it."""

    path: str
    status: tuple[int, ...]
    contains: str


@dataclass(frozen=True, slots=True)
class RealmClient:
    """A client of a realm; `secret` is empty for a public one."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RealmUser:
    """A user of a realm, who can log in with `username` and `password`."""

    username: str
    password: str = field(repr=False)
    email: str
    first_name: str
    last_name: str


@dataclass(frozen=True, slots=True)
class SsoSpec:
    """How an app is given its single sign-on.

    `redirects` are URL paths of the app. `users` are names. `identity` is who the app must say is
    logged in, with `{username}` in it. `env` maps variables of `.env`, and `secrets` secrets of
    the compose file, to text with placeholders: see the reference of recipe.yml.
    """

    client: str
    flows: tuple[str, ...]
    redirects: tuple[str, ...]
    users: tuple[str, ...]
    identity: str
    env: Mapping[str, str]
    secrets: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A valid `recipe.yml`. `folder` holds it; `source` is a path (made absolute) or a URL.
    Timeouts are seconds."""

    recipe: str
    folder: Path
    source: str
    probe: ProbeSpec
    deploy_timeout: float
    stop_timeout: float
    requires: tuple[str, ...]
    sso: SsoSpec | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """Where an app of the process engine listens: the served one on `http://localhost:<port>`,
    the others on addresses of `subnet` (`127.x.y`)."""

    port: int
    subnet: str

    @property
    def url(self) -> str:
        """The app's base URL, without a final slash."""
        return f"http://localhost:{self.port}"


@dataclass(frozen=True, slots=True)
class KnownGood:
    """One registry entry: version, commit and snapshot last proven by a green cold run."""

    recipe: str
    engine: str
    domain: str
    url: str
    version: str
    commit: str
    generation: str
    digest: str
    witness: Mapping[str, Any]
    promoted_at: str
    promoted_by: str
    evidence: Mapping[str, Any]
    cold_seconds: float
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class RunningService:
    """What an engine sees of one running service.

    `version` is what runs as the engine knows it (image id, artifact), `since` when it began
    (seconds since the epoch), `instance` what tells this start of it from another one.
    """

    name: str
    version: str
    since: float
    instance: str
