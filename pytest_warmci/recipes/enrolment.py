"""Which recipes are enrolled: reading `recipe.yml`, the declaration that a recipe is tested."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import pydantic

from pytest_warmci.clients import yamlfile
from pytest_warmci.errors import InputError
from pytest_warmci.model import Enrolment, ProbeSpec, SsoSpec
from pytest_warmci.naming import is_recipe_name

RECIPE_FILE: Final = "recipe.yml"

PLACES: Final = ("issuer", "realm", "server", "client_id", "url", "domain")
"""What `{...}` may name in the values of `sso.env`; `sso.secrets` know `client_secret` too."""

_SCHEMES: Final = ("https://", "ssh://", "file://")
_SCP_FORM: Final = re.compile(r"[A-Za-z0-9._-]+@[A-Za-z0-9._-]+:(?!//).+")
_SCHEME_LIKE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(//|:)")
_CREDENTIALS: Final = re.compile(r"https://[^/]*@|ssh://[^/@]*:[^/]*@")

Seconds = Annotated[float, pydantic.Field(gt=0, le=24 * 3600)]


def _url_path(path: str) -> str:
    if not path.startswith("/") or re.search(r"[\s\x00-\x1f]", path):
        raise ValueError(f"{path!r} is not a URL path that starts with /")
    return path


_UrlPath = Annotated[str, pydantic.AfterValidator(_url_path)]


_OF_A_PROXY: Final = (404, 502, 503, 504)
"""Statuses with which a proxy answers itself while it does not reach the app: Traefik says 404 of a
domain that it does not route, and the others of one whose tasks do not answer."""


def _of_the_app(status: int) -> int:
    if status in _OF_A_PROXY:
        raise ValueError(
            f"{status} is what a proxy answers while the app is not there: "
            "choose a path that the app serves"
        )
    return status


_Status = Annotated[
    int,
    pydantic.Field(ge=100, le=599, json_schema_extra={"not": {"enum": list(_OF_A_PROXY)}}),
    pydantic.AfterValidator(_of_the_app),
]


class _Probe(yamlfile.Strict):
    path: _UrlPath
    status: Annotated[tuple[_Status, ...], pydantic.Field(min_length=1)]
    contains: str = ""


class _Timeouts(yamlfile.Strict):
    deploy: Seconds = 300.0
    stop: Seconds = 120.0


_Variable = Annotated[str, pydantic.Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
_SecretName = Annotated[str, pydantic.Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
_UserName = Annotated[str, pydantic.Field(pattern=r"^[a-z][a-z0-9._-]{2,39}$")]
_Flow = Literal["code", "password", "service"]


class _SsoClient(yamlfile.Strict):
    id: Annotated[str, pydantic.Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$")]
    flows: Annotated[tuple[_Flow, ...], pydantic.Field(min_length=1)] = ("code",)
    redirects: tuple[_UrlPath, ...] = ()

    @pydantic.model_validator(mode="after")
    def _fit(self) -> _SsoClient:
        if "code" in self.flows and not self.redirects:
            raise ValueError(
                "the flow code needs redirects: the paths that Keycloak leads back to"
            )
        return self


class _Sso(yamlfile.Strict):
    client: _SsoClient
    users: Annotated[tuple[_UserName, ...], pydantic.Field(min_length=1)] = ("ana",)
    identity: Annotated[str, pydantic.Field(min_length=1)] = "{username}"
    env: dict[_Variable, str]
    secrets: dict[_SecretName, str] = pydantic.Field(default_factory=dict)

    @pydantic.field_validator("users")
    @classmethod
    def _different(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError("the same name is listed twice")
        return names

    @pydantic.field_validator("identity", "env", "secrets")
    @classmethod
    def _known(cls, value: str | dict[str, str], info: pydantic.ValidationInfo) -> object:
        known = {"identity": ("username",), "env": PLACES, "secrets": (*PLACES, "client_secret")}
        allowed = known[str(info.field_name)]
        for text in value.values() if isinstance(value, dict) else (value,):
            for name in re.findall(r"\{([^{}]*)\}", text):
                if name not in allowed:
                    hint = ", a secret belongs into secrets" if name == "client_secret" else ""
                    raise ValueError(
                        f"{{{name}}} is no placeholder here{hint} (there are: {', '.join(allowed)})"
                    )
        return value


class _RecipeFile(yamlfile.Strict):
    format: Literal[1]
    recipe: str
    source: Annotated[str, pydantic.Field(min_length=1)]
    probe: _Probe
    timeouts: _Timeouts = _Timeouts()
    requires: tuple[Literal["keycloak"], ...] = ()
    sso: _Sso | None = None

    @pydantic.field_validator("requires")
    @classmethod
    def _reasonable(cls, names: tuple[str, ...], info: pydantic.ValidationInfo) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError("the same name is listed twice")
        if info.data.get("recipe") in names:
            raise ValueError("a recipe cannot require itself")
        return names


def read_enrolment(folder: Path) -> Enrolment:
    """Read `recipe.yml` of a recipe's folder.

    Raises:
        InputError: It is missing or not valid; with file, line and what to write instead.
    """
    folder = folder.absolute()
    path = folder / RECIPE_FILE
    content = yamlfile.load(path, _RecipeFile)
    document = yamlfile.load_mapping(path)
    if content.recipe != folder.name:
        raise InputError(
            f"recipe: '{content.recipe}' is not the folder's name",
            where=document.at("recipe"),
            remedy=f"write 'recipe: {folder.name}' or rename the folder",
        )
    if not is_recipe_name(content.recipe):
        raise InputError(
            f"recipe: '{content.recipe}' cannot name a recipe",
            where=document.at("recipe"),
            remedy="use at most 40 of a-z, 0-9 and -, beginning and ending with a letter or digit",
        )
    if content.sso is not None and "keycloak" not in content.requires:
        raise InputError(
            "sso needs a Keycloak that nothing asks for",
            where=document.at("sso"),
            remedy="write `requires: [keycloak]` above it",
        )
    return Enrolment(
        recipe=content.recipe,
        folder=folder,
        source=absolute_source(content.source, folder, document.at("source")),
        probe=ProbeSpec(content.probe.path, content.probe.status, content.probe.contains),
        deploy_timeout=content.timeouts.deploy,
        stop_timeout=content.timeouts.stop,
        requires=content.requires,
        sso=None if content.sso is None else _spec(content.sso),
    )


def _spec(sso: _Sso) -> SsoSpec:
    return SsoSpec(
        client=sso.client.id,
        flows=sso.client.flows,
        redirects=sso.client.redirects,
        users=sso.users,
        identity=sso.identity,
        env=sso.env,
        secrets=sso.secrets,
    )


def recipe_schema() -> dict[str, Any]:
    """Return the JSON schema of `recipe.yml`, for editors."""
    return yamlfile.json_schema(_RecipeFile, f"{RECIPE_FILE} of pytest-warmci")


def is_url(location: str) -> bool:
    """Tell whether a source's location is a URL (and not a path)."""
    return location.startswith(_SCHEMES) or _SCP_FORM.fullmatch(location) is not None


def absolute_source(location: str, base: Path, where: str) -> str:
    """Return a source's location with a path made absolute, seen from the folder `base`.

    Raises:
        InputError: It is a URL of a kind that is not read, or carries credentials.
    """
    if is_url(location):
        if _CREDENTIALS.match(location):
            raise InputError(
                "a URL with credentials in it is refused",
                where=where,
                why="they would show in process lists and reports",
                remedy="leave them out; put them into ~/.netrc, or use an ssh:// URL and a key",
            )
        return location
    if _SCHEME_LIKE.match(location):
        raise InputError(
            f"'{location.partition(':')[0]}' is no kind of URL that is read",
            where=where,
            remedy=f"use {', '.join(_SCHEMES)}, git@host:path or a path",
        )
    # not resolve(): messages should name the path as it was written, symlinks and all
    return os.path.abspath(base / Path(location).expanduser())  # noqa: PTH100
