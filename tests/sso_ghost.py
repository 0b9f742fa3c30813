"""The recipe of `tests.ghost` with single sign-on, a Keycloak to require, and an engine that serves
both: an app is a database file, a Keycloak is realms in one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests import ghost
from tests.fake_keycloak import FakeKeycloak, Server
from tests.fakes import FakeEngine
from tests.ghost import Step

SSO = """\
requires: [keycloak]
sso:
  client: {id: ghost, flows: [password, code], redirects: [/back]}
  users: [ana, bea]
  identity: "@{username}"
  env:
    OIDC_ISSUER: "{issuer}"
    OIDC_CLIENT: "{client_id}"
    OIDC_BACK: "{url}/back"
  secrets:
    oidc_secret: "{client_secret}"
"""

LOGIN = """\
def log_in(app, user):
    assert app.secret("oidc_secret") == app.sso.client.secret
    told = app.sso.realm.token(user, app.sso.client)
    return "@" + told["access_token"].removeprefix("of ")
"""

SERVER = """\
format: 1
recipe: keycloak
source: source
probe:
  path: /realms/master
  status: [200]
  contains: master
timeouts:
  deploy: 20
  stop: 5
"""

K1, K2 = "10.0.0+26.0", "10.1.0+26.1"


def write_recipes(recipe_tests: Path) -> Path:
    """Write the folders of `ghost` and `keycloak`; return the one of `ghost`."""
    folder = ghost.write_recipe(recipe_tests)
    with (folder / "recipe.yml").open("a") as stream:
        stream.write(SSO)
    (folder / "login.py").write_text(LOGIN)
    for compose in (folder / "source").glob("*/compose.yml"):
        compose.write_text(_with_sso(compose.read_text()))
    for sample in (folder / "source").glob("*/.env.sample"):
        with sample.open("a") as stream:
            stream.write("OIDC_ISSUER=https://sso.example.org\nSECRET_OIDC_SECRET_VERSION=v1\n")
    server = ghost.write_recipe(
        recipe_tests, "keycloak", (Step(None, "26.0", tag=K1), Step(K1, "26.1", tag=K2)), "main"
    )
    (server / "recipe.yml").write_text(SERVER)
    (server / "witness.py").unlink()
    with (server / "source" / K1 / ".env.sample").open("a") as stream:
        stream.write("ADMIN_USERNAME=admin\n")
    return folder


SECRET = """\
secrets:
  oidc_secret:
    external: true
    name: ${STACK_NAME}_oidc_secret_${SECRET_OIDC_SECRET_VERSION}
"""


def _with_sso(compose: str) -> str:
    for old, new in (
        ("    environment:\n", '    environment:\n      ISSUER: "${OIDC_ISSUER}"\n'),
        ("      - admin_password\n", "      - admin_password\n      - oidc_secret\n"),
        ("\nsecrets:\n", f"\n{SECRET}"),
    ):
        assert old in compose
        compose = compose.replace(old, new)
    return compose


class KeycloakEngine(FakeEngine):
    """The fake engine, whose app is a Keycloak."""

    def serve(self, port: int, database: Path, password: str, serves: bool) -> KeycloakApp:
        return KeycloakApp(port, database, password, self._must)


class KeycloakApp:
    """A Keycloak whose realms are kept in a database file."""

    def __init__(
        self, port: int, database: Path, password: str, must: Callable[[bool, str], None]
    ) -> None:
        self._must = must
        self._database = database
        realms = json.loads(database.read_text()).get("realms", {})
        self.fake = FakeKeycloak(password, realms, keep=self._keep)
        self._server = Server(self.fake, port)

    def _keep(self) -> None:
        data = json.loads(self._database.read_text())
        self._database.write_text(json.dumps({**data, "realms": self.fake.realms}))

    def stop(self) -> None:
        self._server.stop()
        self._must([] == self.fake.wrong, f"Keycloak was asked: {self.fake.wrong}")
