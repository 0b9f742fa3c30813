"""Rendering compose files: several of them, anchors, and what is refused."""

from __future__ import annotations

import pytest

from pytest_warmci.errors import InputError
from pytest_warmci.model import (
    Healthcheck,
    SecretMount,
    VolumeMount,
)
from pytest_warmci.recipes import composefile
from tests.unit.compose_stack import DOMAIN, SMALL, refusal, stack


def test_merges_the_files_that_the_app_names() -> None:
    """Mappings are merged, commands and tests replaced, mounts matched, other lists joined."""
    first = """\
services:
  app:
    image: x:1
    command: [a, b]
    environment: [A=1, B=$$1]
    secrets: [s]
    volumes: [data:/data, data:/other]
    networks: [one]
    ports: ["1:1", "2:2"]
    healthcheck: {test: [CMD, old, words], interval: 5s}
    deploy: {labels: [x=1, y=1], replicas: 1}
  db: {image: y:1}
secrets: {s: {external: true}}
networks: {one: , two: }
volumes: {data: }
"""
    second = """\
services:
  app:
    command: c
    environment: {B: "2", C: $DOMAIN}
    secrets: [{source: s, target: t}]
    volumes: ["more:/data"]
    networks: {two: {aliases: [z]}}
    ports: ["2:2", "3:3"]
    healthcheck: {test: new}
    deploy: {labels: {y: "2"}}
  cache: {image: z:1}
volumes: {more: {driver: local}}
"""
    rendered = stack(
        first, {"COMPOSE_FILE": ":compose.yml:compose.two.yml"}, {"compose.two.yml": second}
    )

    service = rendered.services["app"]
    assert ["app", "db", "cache"] == list(rendered.services)
    assert ("data", "more") == rendered.volumes
    assert ("x:1", ("c",)) == (service.image, service.command)
    assert {"A": "1", "B": "2", "C": DOMAIN} == service.environment
    assert {"A": "1", "B": "2", "C": "$DOMAIN"} == service.environment_text
    assert (SecretMount("s", "/run/secrets/t"),) == service.secrets
    assert (
        VolumeMount("data", "/other", read_only=False),
        VolumeMount("more", "/data", read_only=False),
    ) == service.volumes
    assert Healthcheck(("CMD-SHELL", "new"), "new", 5, 30, 3, 0) == service.healthcheck
    keys = service.keys
    assert ("1", "2", "1") == (
        keys["deploy.labels.x"],
        keys["deploy.labels.y"],
        keys["deploy.replicas"],
    )
    assert ["1:1", "2:2", "3:3"] == [keys[f"ports.{n}"] for n in range(3)]
    assert ("", "z") == (keys["networks.one"], keys["networks.two.aliases.0"])
    assert "local" == rendered.keys["volumes.more.driver"]


def test_anchors_of_a_compose_file() -> None:
    """Recipes share environments between services with them."""
    text = (
        "x-env: &env {A: 1}\nservices:\n  app:\n    image: x\n    environment: {<<: *env, B: 2}\n"
    )

    assert {"A": "1", "B": "2"} == stack(text).services["app"].environment


@pytest.mark.parametrize(
    ("text", "line", "what", "remedy"),
    [
        ("services: {}\n", 1, "there is no service named 'app'", "name the main service 'app' (abra's lint rule R009)"),
        ("services:\n  app:\n    command: x\n", 2, "services.app has no image", "write 'image: name:tag'"),
        ("services:\n  app:\n    image: x:${TAG}\n", 3, "services.app has no image", "set TAG in .env.sample"),
        ("services:\n  app: [x]\n", 2, "services.app: is not a mapping", ""),
        ("services: [x]\n", 1, "services: is not a mapping", ""),
        (SMALL + "    environment:\n      A: yes\n      B: true\n", 6, "services.app.environment.B: True is not text or a number", "put it into quotes"),
        (SMALL + "    command: 'a ''b'\n", 4, "services.app.command: cannot be split into words (No closing quotation)", ""),
        (SMALL + "    command: a $ b\n", 4, "a '$' that starts no variable in 'a $ b'", "write $$ for a dollar sign, ${NAME} or ${NAME:-default} for a variable"),
        (SMALL + "    secrets:\n      - a\n      - b\nsecrets: {a: {external: true}}\n", 6, "services.app.secrets names the unknown secret 'b'", "declare it under 'secrets:' at the top level, or correct the name"),
        (SMALL + "    configs: [a]\n", 4, "services.app.configs names the unknown config 'a'", "declare it under 'configs:' at the top level, or correct the name"),
        (SMALL + "    volumes:\n      - a:/a\n", 5, "services.app.volumes names the unknown volume 'a'", "declare it under 'volumes:' at the top level, or correct the name"),
        (SMALL + "    networks: [a]\n", 4, "services.app.networks names the unknown network 'a'", "declare it under 'networks:' at the top level, or correct the name"),
        (SMALL + "    depends_on:\n      - a\n", 5, "services.app.depends_on names the unknown service 'a'", "declare it under 'services:' at the top level, or correct the name"),
        (SMALL + "    volumes: ['a:/a:x']\n", 4, "services.app.volumes.0: 'x' is no option of a volume", ""),
        (SMALL + "    volumes: [':/a']\n", 4, "services.app.volumes.0: ':/a' is not source:target or source:target:ro", ""),
        (SMALL + "    volumes: [{type: volume}]\n", 4, "services.app.volumes.0: has no 'target'", ""),
        (SMALL + "    volumes: {a: /a}\n", 4, "services.app.volumes: is not a list", ""),
        (SMALL + "    secrets: [{target: x}]\n", 4, "services.app.secrets.0: has no 'source'", ""),
        (SMALL + "    stop_grace_period: 60\n", 4, "60 is not a duration", "write it like 90s or 1m30s"),
        (SMALL + "    healthcheck:\n      test: [curl, x]\n", 5, "services.app.healthcheck.test starts with 'curl'", "start the list with CMD, CMD-SHELL or NONE"),
        (SMALL + "    healthcheck:\n      test: x\n      retries: few\n", 6, "'few' is not a number", ""),
        (SMALL + "    configs: [{source: a, mode: rwx}]\nconfigs: {a: {external: true}}\n", 4, "mode 'rwx' is not a file mode", "write it in octal, like 0555"),
        (SMALL + "configs:\n  a:\n    file: none\n", 6, "configs.a: there is no file 'none'", "add it, or correct 'file:'"),
        (SMALL + "configs:\n  a:\n    file: x/../../y\n", 6, "configs.a: 'x/../../y' is outside of the recipe", "put the file into the recipe's repository"),
        (SMALL + "configs:\n  a:\n    file: /etc/passwd\n", 6, "configs.a: '/etc/passwd' is outside of the recipe", "put the file into the recipe's repository"),
        (SMALL + "configs:\n  a: {}\n", 5, "configs.a has no file", ""),
        (SMALL + "    image: y\n", 4, "the key 'image' is there twice", "remove one of them"),
    ],
)  # fmt: skip
def test_refuses_with_file_line_and_remedy(text: str, line: int, what: str, remedy: str) -> None:
    """Each error names recipe, commit, file and line."""
    error = refusal(text)

    assert f"blog@1a2b3c4d:compose.yml:{line}" == error.where
    assert (what, remedy) == (error.what, error.remedy)


def test_names_the_file_that_says_it() -> None:
    """With several files, the place is in the one that is wrong."""
    with pytest.raises(InputError) as caught:
        stack(
            SMALL,
            {"COMPOSE_FILE": "compose.yml:compose.two.yml"},
            {"compose.two.yml": "services:\n  app:\n    depends_on: [none]\n"},
        )

    assert "blog@1a2b3c4d:compose.two.yml:3" == caught.value.where


def test_a_compose_file_that_is_not_there() -> None:
    """COMPOSE_FILE is where its name comes from."""
    with pytest.raises(InputError) as caught:
        stack(SMALL, {"COMPOSE_FILE": "compose.yml:compose.none.yml"})

    assert "blog@1a2b3c4d:compose.none.yml: there is no compose.none.yml" in str(caught.value)
    assert "it is named by COMPOSE_FILE" == caught.value.why


@pytest.mark.parametrize(
    ("content", "label"),
    [
        ("{deploy: {labels: ['a=b', 'coop-cloud.${STACK_NAME}.version=1.0.0+2']}}", "1.0.0+2"),
        ("{labels: {'coop-cloud.$STACK_NAME.version': 1.0.0+2}}", "1.0.0+2"),
        ("{labels: {'coop-cloud.other.version': 1.0.0+2}}", ""),
        ("{}", ""),
    ],
)
def test_what_a_compose_file_says_its_version_is(content: str, label: str) -> None:
    """In either place and form; another stack's label is not ours."""
    assert label == composefile.version_label(f"services: {{app: {content}}}".encode())


def test_a_later_file_replaces_what_is_no_service() -> None:
    """As Docker does: of volumes, networks, secrets and configs an entry is taken whole."""
    first = """\
services: {app: {image: x:1, configs: [c]}}
networks: {inner: {driver: overlay, attachable: true}}
volumes: {data: {driver_opts: {o: x}}, kept: {driver: local}}
configs: {c: {name: old, file: c.conf, template_driver: golang}}
"""
    second = """\
services: {app: {networks: [inner]}}
networks: {inner: {internal: true}}
volumes: {data: }
configs: {c: {file: c.conf}}
"""
    rendered = stack(
        first,
        {"COMPOSE_FILE": "compose.yml:compose.two.yml"},
        {"compose.two.yml": second, "c.conf": "x"},
    )

    expected = {
        "networks": {"inner": {"internal": True}},
        "volumes": {"data": {}, "kept": {"driver": "local"}},
        "configs": {"c": {"file": "c.conf"}},
        "secrets": {},
    }
    assert expected == rendered.rendering.entries
