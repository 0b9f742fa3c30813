"""What separates two rendered stacks."""

from __future__ import annotations

import pytest

from pytest_warmci.model import Revision, Stack
from pytest_warmci.recipes.compare import differing_keys, is_inert
from pytest_warmci.recipes.compose import render

BASE = """\
services:
  app:
    image: x:1
    environment: [A=1, B=2]
    configs: [c]
    deploy:
      labels:
        - "traefik.enable=true"
        - "coop-cloud.${STACK_NAME}.version=1.0.0+1"
        - "coop-cloud.${STACK_NAME}.timeout=300"
  db:
    image: y:1
    volumes: ["data:/data"]
secrets: {s: {external: true, name: "${STACK_NAME}_s_v1"}}
configs: {c: {file: entry.sh}}
volumes: {data: }
"""


def stack(
    *changes: tuple[str, str], entry: str = "x", domain: str = "a.localhost", commit: str = "1"
) -> Stack:
    text = BASE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    contents = {"compose.yml": text.encode(), "entry.sh": entry.encode(), "e": entry.encode()}
    return render(
        contents.get,
        recipe="blog",
        domain=domain,
        revision=Revision(commit * 40, "", published=False),
        env={},
    )


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        ("image: x:1", "image: x:2", ["services.app.image"]),
        ("A=1", "A=2", ["services.app.environment.A"]),
        ("A=1, ", "", ["services.app.environment.A"]),
        ("enable=true", "enable=false", ["services.app.deploy.labels.traefik.enable"]),
        ("_s_v1", "_s_v2", ["secrets.s.name"]),
        ("/data", "/var/data", ["services.db.volumes.0.target"]),
        ("data: }", "data: {driver: nfs}}", ["volumes.data", "volumes.data.driver"]),
        ("  db:", "  database:", ["services.database", "services.db"]),
        ("image: y:1", "image: y:1\n    stop_grace_period: 1m", ["services.db.stop_grace_period"]),
        ("[A=1, B=2]", "{B: '2', A: '1'}", []),
        ("[c]", "[{source: c}]", []),
        ('["data:/data"]', "[{type: volume, source: data, target: /data}]", []),
        ("entry.sh", "./e", []),
        ("version=1.0.0+1", "version=1.1.0+1", []),
        ("timeout=300", "timeout=900", []),
        ("image: x:1", "# a comment\n    image: 'x:1'", []),
    ],
)
def test_names_every_key_that_differs(old: str, new: str, keys: list[str]) -> None:
    """Only what changes the deployment: not its spelling, its order, or the version's label."""
    assert keys == differing_keys(stack(), stack((old, new), commit="2"))
    assert keys == differing_keys(stack((old, new)), stack())


def test_the_content_of_a_config_counts() -> None:
    """A config is a file of the recipe: the compose file may be the same."""
    assert ["configs.c.content"] == differing_keys(stack(), stack(entry="y"))


def test_only_stacks_of_one_domain_compare() -> None:
    """The domain is in labels and secrets, so all of them would differ."""
    with pytest.raises(ValueError, match=r"rendered for a\.localhost and for b\.localhost"):
        differing_keys(stack(), stack(domain="b.localhost"))


@pytest.mark.parametrize(
    ("key", "inert"),
    [
        ("services.app.deploy.labels.coop-cloud.a_localhost.version", True),
        ("services.app.labels.coop-cloud.a_localhost.chaos-version", True),
        ("deploy.labels.coop-cloud.a_localhost.chaos", True),
        ("deploy.labels.coop-cloud.a_localhost.recipe", True),
        ("deploy.labels.coop-cloud.a_localhost.app.version", True),
        ("deploy.labels.coop-cloud.a_localhost.timeout", True),
        ("deploy.labels.coop-cloud.a_localhost.other", False),
        ("deploy.labels.coop-cloud.a_localhost.version.more", False),
        ("deploy.labels.backupbot.backup", False),
        ("environment.coop-cloud.a.version", False),
        ("services.app.image", False),
    ],
)
def test_labels_that_run_nothing(key: str, inert: bool) -> None:
    """They say which version this is, or how long to wait."""
    assert inert is is_inert(key)
