"""The compose file that adds our labels: everything else stays as the recipe has it."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_warmci.engines.swarm import labels
from pytest_warmci.engines.swarm.override import overriding
from tests.unit.compose_stack import REVISION, STACK, stack

OWNED = {"pytest-warmci.state": "uuid"}
MARKED = {
    **OWNED,
    "pytest-warmci.deploy": "token",
    "pytest-warmci.commit": REVISION.commit,
}


def made_of(compose: str, files: dict[str, str] | None = None, **env: str) -> dict[str, Any]:
    """Render a recipe; return the file that is merged last."""
    return overriding(stack(compose, env, files), state="uuid", token="token")


def test_services_are_marked_and_nothing_else_of_them_is_said() -> None:
    """What changes is on the service, not on its containers: those would be restarted by each
    deployment. Whose they are is on both."""
    found = made_of("services: {app: {image: x:1}, db: {image: y:1}}")

    marked = {"labels": {labels.STATE: "uuid"}, "deploy": {"labels": MARKED}}
    assert {"app": marked, "db": marked} == found["services"]


@pytest.mark.parametrize(
    ("first", "expected"),
    [("version: '3.8'\n", "3.8"), ("version: 3.8\n", "3.8"), ("", None)],
)
def test_the_version_is_that_of_the_first_file(first: str, expected: str | None) -> None:
    """Client 20.10 refuses files of different ones; a file without one must stay without."""
    found = made_of(f"{first}services: {{app: {{image: x:1}}}}")

    assert expected == found.get("version")


def test_the_network_that_nobody_wrote_down_is_owned() -> None:
    found = made_of("services: {app: {image: x:1}}")

    assert {"services", "networks"} == found.keys()
    assert {"default": {"labels": OWNED}} == found["networks"]


def test_an_entry_is_repeated_whole() -> None:
    """Docker replaces it by ours: a config would lose its name, a network its driver."""
    found = made_of(
        """\
services:
  app: {image: x:1, networks: [inner], configs: [conf], volumes: ["data:/data"]}
networks:
  inner: {driver: overlay, attachable: true, labels: [a=b=c, d]}
volumes:
  data: {driver_opts: {o: size=1G}, labels: {backup: "yes"}}
configs:
  conf: {name: "${STACK_NAME}_conf_$VERSION", file: conf.tmpl, template_driver: golang}
""",
        {"conf.tmpl": "x"},
        VERSION="v2",
    )

    assert {
        "driver": "overlay",
        "attachable": True,
        "labels": {"a": "b=c", "d": "", **OWNED},
    } == found["networks"]["inner"]
    assert {
        "driver_opts": {"o": "size=1G"},
        "labels": {"backup": "yes", **OWNED},
    } == found["volumes"]["data"]
    assert {
        "name": f"{STACK}_conf_v2",
        "file": "conf.tmpl",
        "template_driver": "golang",
        "labels": OWNED,
    } == found["configs"]["conf"]


def test_a_dollar_that_is_left_stays_one() -> None:
    """Docker interpolates our file too."""
    found = made_of(
        "services: {app: {image: x:1}}\nvolumes: {data: {labels: {a: $$A, b: ['$$B']}}}"
    )

    assert {"a": "$$A", "b": ["$$B"], **OWNED} == found["volumes"]["data"]["labels"]


def test_what_belongs_to_others_is_left_alone() -> None:
    """Docker refuses labels on what is external; a secret of ours gets them when it is made."""
    found = made_of(
        """\
services: {app: {image: x:1, networks: [proxy]}}
networks: {proxy: {external: true}}
volumes: {shared: {external: true}}
secrets: {password: {external: true, name: "${STACK_NAME}_password_v1"}}
configs: {there: {external: true}}
"""
    )

    assert {"services"} == found.keys()


def test_a_secret_whose_content_is_in_the_recipe_is_owned() -> None:
    found = made_of(
        "services: {app: {image: x:1, networks: [n]}}\n"
        "networks: {n: {external: true}}\n"
        "secrets: {words: {file: words.txt}}",
        {"words.txt": "x"},
    )

    assert {"words": {"file": "words.txt", "labels": OWNED}} == found["secrets"]
    assert {"services", "secrets"} == found.keys()
