"""The `sso` of a recipe.yml: what can be said, and what is refused, with file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_warmci.errors import InputError
from pytest_warmci.model import SsoSpec
from pytest_warmci.recipes import enrolment

VALID = """\
format: 1
recipe: blog
source: source
probe: {path: /health, status: [200]}
requires: [keycloak]
sso:
  client:
    id: blog
    flows: [code]
    redirects: [/back]
  users: [ana, bea]
  identity: "@{username}"
  env:
    OIDC_ISSUER: "{issuer}"
  secrets:
    oidc_secret: "{client_secret}"
"""

SHORT = """\
format: 1
recipe: blog
source: source
probe: {path: /health, status: [200]}
requires: [keycloak]
sso:
  client: {id: blog, flows: [password]}
  env: {}
"""


def read(folder: Path, text: str) -> SsoSpec | None:
    recipe = folder / "blog"
    recipe.mkdir()
    (recipe / "recipe.yml").write_text(text)
    return enrolment.read_enrolment(recipe).sso


def test_all_that_can_be_said_is_kept(tmp_path: Path) -> None:
    assert SsoSpec(
        client="blog",
        flows=("code",),
        redirects=("/back",),
        users=("ana", "bea"),
        identity="@{username}",
        env={"OIDC_ISSUER": "{issuer}"},
        secrets={"oidc_secret": "{client_secret}"},
    ) == read(tmp_path, VALID)


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    assert SsoSpec(
        client="blog",
        flows=("password",),
        redirects=(),
        users=("ana",),
        identity="{username}",
        env={},
        secrets={},
    ) == read(tmp_path, SHORT)


def test_without_it_there_is_none(tmp_path: Path) -> None:
    assert read(tmp_path, VALID[: VALID.index("sso:")]) is None


def test_a_code_flow_is_what_an_app_has_unless_it_says_so(tmp_path: Path) -> None:
    found = read(tmp_path, VALID.replace("    flows: [code]\n", ""))

    assert found is not None
    assert ("code",) == found.flows


@pytest.mark.parametrize("name", enrolment.PLACES)
def test_every_placeholder_may_be_in_variables_and_secrets(tmp_path: Path, name: str) -> None:
    text = VALID.replace('"{issuer}"', f'"x {{{name}}} y"').replace(
        '"{client_secret}"', f'"{{{name}}}{{client_secret}}"'
    )

    found = read(tmp_path, text)

    assert found is not None
    assert (f"x {{{name}}} y", f"{{{name}}}{{client_secret}}") == (
        found.env["OIDC_ISSUER"],
        found.secrets["oidc_secret"],
    )


THERE_ARE = "(there are: issuer, realm, server, client_id, url, domain"


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("requires: [keycloak]\n", "", 5, "sso needs a Keycloak that nothing asks for"),
        ("requires: [keycloak]", "requires: []", 6, "sso needs a Keycloak that nothing asks for"),
        ("id: blog", "id: my blog", 8, "sso.client.id: 'my blog' is refused"),
        ("id: blog", "id: ''", 8, "sso.client.id: '' is refused"),
        ("    id: blog\n", "", 7, "missing key 'id' in 'sso.client'"),
        ("flows: [code]", "flows: [implicit]", 9, "sso.client.flows.0: 'implicit' is not "),
        ("flows: [code]", "flows: []", 9, "sso.client.flows: must not be empty"),
        ("flows: [code]", "flows: code", 9, "sso.client.flows: "),
        ("redirects: [/back]", "redirects: []", 7, "the flow code needs redirects: the paths that Keycloak leads back to"),
        ("    redirects: [/back]\n", "", 7, "the flow code needs redirects"),
        ("redirects: [/back]", "redirects: [back]", 10, "'back' is not a URL path that starts with /"),
        ("redirects: [/back]", "redirects: [http://x/back]", 10, "is not a URL path that starts with /"),
        ("redirects: [/back]", "redirects: ['/b ck']", 10, "is not a URL path that starts with /"),
        ("users: [ana, bea]", "users: []", 11, "sso.users: must not be empty"),
        ("users: [ana, bea]", "users: [ana, Bea]", 11, "sso.users.1: 'Bea' is refused"),
        ("users: [ana, bea]", "users: [al]", 11, "sso.users.0: 'al' is refused"),
        ("users: [ana, bea]", "users: [ana, ana]", 11, "sso.users: the same name is listed twice"),
        ('identity: "@{username}"', 'identity: "{user}"', 12, "{user} is no placeholder here (there are: username)"),
        ('identity: "@{username}"', "identity: ''", 12, "sso.identity: must not be empty"),
        ('OIDC_ISSUER: "{issuer}"', 'OIDC-ISSUER: "{issuer}"', 14, "OIDC-ISSUER"),
        ('OIDC_ISSUER: "{issuer}"', 'OIDC_ISSUER: "{isuer}"', 13, f"{{isuer}} is no placeholder here {THERE_ARE})"),
        ('OIDC_ISSUER: "{issuer}"', 'OIDC_ISSUER: "{client_secret}"', 13, f"{{client_secret}} is no placeholder here, a secret belongs into secrets {THERE_ARE})"),
        ('OIDC_ISSUER: "{issuer}"', "OIDC_ISSUER: 7", 14, "sso.env.OIDC_ISSUER: "),
        ("  env:\n    OIDC_ISSUER: \"{issuer}\"\n", "", 6, "missing key 'env' in 'sso'"),
        ('oidc_secret: "{client_secret}"', 'oidc_secret: "{secret}"', 15, f"{{secret}} is no placeholder here {THERE_ARE}, client_secret)"),
        ('oidc_secret: "{client_secret}"', '../x: "{client_secret}"', 16, "../x"),
        ('oidc_secret: "{client_secret}"', '.x: "{client_secret}"', 16, ".x"),
        ("  users: [ana, bea]", "  user: [ana, bea]", 11, "unknown key 'user'"),
        ("    flows: [code]", "    flow: [code]", 9, "unknown key 'flow'"),
        ("  users: [ana, bea]", "  public: true", 11, "unknown key 'public'"),
    ],
)  # fmt: skip
def test_refuses_with_file_and_line(
    tmp_path: Path, old: str, new: str, line: int, what: str
) -> None:
    """One error for each mistake, and no traceback of anything else."""
    assert old in VALID

    with pytest.raises(InputError) as caught:
        read(tmp_path, VALID.replace(old, new))

    assert what in caught.value.what
    assert f"{tmp_path}/blog/recipe.yml:{line}" == caught.value.where


def test_what_is_missing_is_said_with_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, VALID.replace("requires: [keycloak]\n", ""))

    assert "write `requires: [keycloak]` above it" == caught.value.remedy


def test_editors_know_of_it() -> None:
    """The schema has every key."""
    text = json.dumps(enrolment.recipe_schema())

    for key in ("sso", "client", "flows", "redirects", "users", "identity", "env", "secrets"):
        assert f'"{key}"' in text
