"""Rendering compose files: interpolation, merging, and every form of every key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from pytest_warmci.errors import InputError
from pytest_warmci.model import (
    ConfigMount,
    Healthcheck,
    Revision,
    Secret,
    SecretMount,
    Service,
    Stack,
    VolumeMount,
)
from pytest_warmci.recipes import composefile
from pytest_warmci.recipes.compose import render
from pytest_warmci.recipes.interpolation import interpolate, variables

REVISION = Revision("1a2b3c4d" + "0" * 32, "1.0.0+1", published=True)
DOMAIN = "warm-blog.warmci.localhost"
STACK = "warm-blog_warmci_localhost"
SMALL = "services:\n  app:\n    image: x:1\n"


def stack(
    compose: str | Mapping[str, Any] = SMALL,
    env: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    warnings: list[str] | None = None,
) -> Stack:
    """Render a recipe of this compose file and these others."""
    text = compose if isinstance(compose, str) else yaml.safe_dump(compose, sort_keys=False)
    contents = {"compose.yml": text, **(files or {})}
    return render(
        lambda path: contents[path].encode() if path in contents else None,
        recipe="blog",
        domain=DOMAIN,
        revision=REVISION,
        env={"DOMAIN": DOMAIN, **(env or {})},
        warn=(warnings if warnings is not None else []).append,
    )


def app(content: Mapping[str, Any], **top: Any) -> Service:
    """Render one service with these keys."""
    return stack({"services": {"app": {"image": "x:1", **content}}, **top}).services["app"]


def refusal(compose: str | Mapping[str, Any]) -> InputError:
    with pytest.raises(InputError) as caught:
        stack(compose)
    return caught.value


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$A ${A}", "1 1"), ("a$A", "a1"), ("$$A $${A}", "$A ${A}"), ("$$$A", "$1"), ("100 %", "100 %"),
        ("${EMPTY}", ""), ("${EMPTY-d}", ""), ("${EMPTY:-d}", "d"), ("${NONE-d}", "d"), ("${NONE:-d e}", "d e"),
        ("${A:-d}", "1"), ("${NONE:-}", ""), ("${NONE:-http://x:1/?a=b}", "http://x:1/?a=b"),
        ("${A?why}", "1"), ("${A:?why}", "1"), ("${EMPTY?why}", ""), ("$A.x-$A_B", "1.x-2"),
    ],
)  # fmt: skip
def test_interpolates_as_docker_does(text: str, result: str) -> None:
    """Both spellings, defaults for unset and for empty, and dollars that stay."""
    env = {"A": "1", "A_B": "2", "EMPTY": ""}

    assert result == interpolate(text, env, "here")


@pytest.mark.parametrize(
    "text", ["$", "a $ b", "${}", "${A", "$1", "${A:+x}", "${A-${B}", "$ {A}"]
)
def test_a_dollar_that_starts_no_variable(text: str) -> None:
    """It is said how to write a dollar; text is never passed on half-done."""
    if text == "${A-${B}":
        assert "${B" == interpolate(text, {}, "here")  # as with Docker: the first } ends it
        return
    with pytest.raises(InputError) as caught:
        interpolate(text, {"A": "1"}, "f:3")

    assert "f:3" == caught.value.where
    assert f"a '$' that starts no variable in {text!r}" == caught.value.what
    assert "write $$ for a dollar sign" in caught.value.remedy


@pytest.mark.parametrize(("text", "env"), [("${A?why not}", {}), ("${A:?why not}", {"A": ""})])
def test_a_variable_that_must_have_a_value(text: str, env: dict[str, str]) -> None:
    """The recipe's own words are the reason."""
    with pytest.raises(InputError) as caught:
        interpolate(text, env, "f:3")

    assert ("the variable A has no value", "why not") == (caught.value.what, caught.value.why)


def test_names_of_variables() -> None:
    """Escaped ones are none; those with a default can be left out."""
    text = "$A ${B} ${C:-x} $$D"

    assert ["A", "B", "C"] == list(variables(text))
    assert ["A", "B"] == list(variables(text, without_default=True))


def test_variables_come_from_the_app_from_abra_and_from_the_stack() -> None:
    """abra.sh wins over the app's env; an unset variable is empty and said once."""
    warnings: list[str] = []
    rendered = stack(
        {
            "services": {
                "app": {
                    "image": "x:$A",
                    "environment": {
                        "B": "${B_VERSION}",
                        "S": "$STACK_NAME",
                        "N": "$NONE$NONE",
                        "D": "$DOMAIN",
                    },
                }
            },
            "x-more": {"left": "$alone: $ "},
        },
        {"A": "1", "B_VERSION": "from env"},
        {"abra.sh": "export B_VERSION=v9\n"},
        warnings,
    )

    service = rendered.services["app"]
    assert "x:1" == service.image
    assert {"B": "v9", "S": STACK, "N": "", "D": DOMAIN} == service.environment
    assert "$NONE$NONE" == service.environment_text["N"]
    assert ["blog@1a2b3c4d: the variable NONE has no value and becomes empty"] == warnings
    assert {"DOMAIN": DOMAIN, "A": "1", "B_VERSION": "from env"} == rendered.env


@pytest.mark.parametrize("form", ["list", "mapping"])
def test_environment_and_labels_in_both_forms(form: str) -> None:
    """The two forms render the same; a name without value comes from the app's environment."""
    environment: Any = {"A": "x=${T}", "N": 5, "F": 1.5, "T": None, "UNSET": None, "E": ""}
    labels: Any = {"a.b": "c=d", "empty": ""}
    if form == "list":
        environment = ["A=x=${T}", "N=5", "F=1.5", "T", "UNSET", "E="]
        labels = ["a.b=c=d", "empty"]
    content = {"environment": environment, "labels": labels, "deploy": {"labels": labels}}

    compose = {"services": {"app": {"image": "x:1", **content}}}
    service = stack(compose, {"T": "t"}).services["app"]

    assert {"A": "x=t", "N": "5", "F": "1.5", "T": "t", "E": ""} == service.environment
    assert {"A": "x=${T}", "N": "5", "F": "1.5", "T": "", "E": ""} == service.environment_text
    assert {
        "image": "x:1",
        "environment.A": "x=t",
        "environment.N": "5",
        "environment.F": "1.5",
        "environment.T": "t",
        "environment.E": "",
        "labels.a.b": "c=d",
        "labels.empty": "",
        "deploy.labels.a.b": "c=d",
        "deploy.labels.empty": "",
    } == service.keys


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("sh -c 'a b' \"c $$d\"", ("sh", "-c", "a b", "c $d")),
        (["sh", "-c", "a b", 5], ("sh", "-c", "a b", "5")),
        ("", ()),
        ([], ()),
        (None, None),
    ],
)
def test_commands(value: Any, result: tuple[str, ...] | None) -> None:
    """A text is split as a shell would, a list is kept."""
    service = app({"command": value, "entrypoint": value})

    assert (result, result) == (service.command, service.entrypoint)


def test_secrets_and_configs_in_both_forms() -> None:
    """Where they appear in the container, and with which mode."""
    service = app(
        {
            "secrets": ["a", {"source": "b", "target": "c"}, {"source": "b", "target": "/d/e"}],
            "configs": [
                "a",
                {"source": "b", "target": "/x", "mode": 0o555},
                {"source": "b", "target": "rel", "mode": "0440"},
            ],
        },
        secrets={"a": {"external": True}, "b": {"external": True}},
        configs={"a": {"external": True}, "b": {"external": True}},
    )

    assert (
        SecretMount("a", "/run/secrets/a"),
        SecretMount("b", "/run/secrets/c"),
        SecretMount("b", "/d/e"),
    ) == service.secrets
    assert (
        ConfigMount("a", "/a", 0o444),
        ConfigMount("b", "/x", 0o555),
        ConfigMount("b", "/rel", 0o440),
    ) == service.configs


def test_octal_modes_are_read_as_docker_reads_them() -> None:
    """`mode: 0555` in YAML is octal."""
    text = SMALL + "    configs: [{source: a, mode: 0555}]\nconfigs: {a: {external: true}}\n"

    assert 0o555 == stack(text).services["app"].configs[0].mode


def test_secrets_of_the_stack() -> None:
    """Full names without the stack's prefix, lengths from the sample's comments."""
    rendered = stack(
        {
            "services": {"app": {"image": "x:1"}},
            "secrets": {
                "db": {"external": True, "name": "${STACK_NAME}_db_${SECRET_DB_VERSION}"},
                "old": {"external": {"name": "${STACK_NAME}_old_${SECRET_OLD_VERSION}"}},
                "plain": {"external": True},
                "kept": {"file": "./kept"},
            },
        },
        {"SECRET_DB_VERSION": "v2", "SECRET_OLD_VERSION": "v1"},
        {
            ".env.sample": "SECRET_DB_VERSION=v1 # length=64\nSECRET_OLD_VERSION=v1 # generate=false\n"
        },
    )

    assert {
        "db": Secret("db", "db_v2", 64, generate=True),
        "old": Secret("old", "old_v1", 32, generate=False),
        "plain": Secret("plain", "plain", 32, generate=True),
        "kept": Secret("kept", "kept", 32, generate=False),
    } == rendered.secrets
    assert f"{STACK}_db_v2" == rendered.keys["secrets.db.name"]


def test_configs_of_the_stack() -> None:
    """Full name and content; what is outside of the recipe has no content."""
    rendered = stack(
        {
            "services": {"app": {"image": "x:1"}},
            "configs": {
                "a": {
                    "name": "${STACK_NAME}_a_v1",
                    "file": "./a.tmpl",
                    "template_driver": "golang",
                },
                "b": {"file": "a.tmpl"},
                "c": {"external": True},
            },
        },
        files={"a.tmpl": "{{ $x }}"},
    )

    assert {
        "a": (f"{STACK}_a_v1", b"{{ $x }}"),
        "b": (f"{STACK}_b", b"{{ $x }}"),
    } == rendered.configs
    assert "golang" == rendered.keys["configs.a.template_driver"]
    assert "true" == rendered.keys["configs.c.external"]
    assert "configs.a.file" not in rendered.keys
    assert rendered.keys["configs.a.content"].startswith("sha256:")
    assert rendered.keys["configs.a.content"] == rendered.keys["configs.b.content"]


def test_volumes_in_both_forms() -> None:
    """Named ones are mounts; all kinds are in the keys, so that an engine can refuse them."""
    service = app(
        {
            "volumes": [
                "data:/data",
                "data:/again:ro",
                {"type": "volume", "source": "data", "target": "/long", "read_only": True},
                "./here:/bind:rw",
                "/anonymous",
                {"type": "tmpfs", "target": "/tmp/x"},  # noqa: S108 - a path in a container
            ]
        },
        volumes={"data": None},
    )

    assert (
        VolumeMount("data", "/data", read_only=False),
        VolumeMount("data", "/again", read_only=True),
        VolumeMount("data", "/long", read_only=True),
    ) == service.volumes
    kinds = {key: value for key, value in service.keys.items() if key.endswith(".type")}
    assert ["volume", "volume", "volume", "bind", "volume", "tmpfs"] == list(kinds.values())
    assert "./here" == service.keys["volumes.3.source"]
    assert "volumes.4.source" not in service.keys
    assert "true" == service.keys["volumes.1.read_only"]


@pytest.mark.parametrize("value", [["db"], {"db": {"condition": "service_healthy"}}])
def test_depends_on(value: Any) -> None:
    """Both forms name the other services."""
    compose = {"services": {"app": {"image": "x", "depends_on": value}, "db": {"image": "y"}}}

    assert ("db",) == stack(compose).services["app"].depends_on


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10), ("1m30s", 90), ("2m", 120), ("1.5h", 5400), ("500ms", 0.5), ("0", 0), (0, 0)],
)
def test_durations(text: Any, seconds: float) -> None:
    """Written as Go writes them."""
    assert seconds == composefile.seconds(text, "here")
    assert seconds == app({"stop_grace_period": text}).stop_grace


@pytest.mark.parametrize("text", ["10", "", "s", "1x", "1 s", "-1s", 5, True, "1s x", [1]])
def test_what_is_no_duration(text: Any) -> None:
    """A number without unit could be anything."""
    with pytest.raises(InputError) as caught:
        composefile.seconds(text, "f:1")

    assert f"{text!r} is not a duration" == caught.value.what
    assert "write it like 90s or 1m30s" == caught.value.remedy


def test_healthchecks() -> None:
    """The test rendered and as written; Docker's defaults for what is not said."""
    full = {"interval": "5s", "timeout": "1m", "retries": 7, "start_period": "2m"}

    assert (
        Healthcheck(("CMD-SHELL", "a $b"), "a $$b", 30, 30, 3, 0)
        == app({"healthcheck": {"test": "a $$b"}}).healthcheck
    )
    assert (
        Healthcheck(("CMD-SHELL", "a $b"), "a $$b", 5, 60, 7, 120)
        == app({"healthcheck": {"test": ["CMD-SHELL", "a $$b"], **full}}).healthcheck
    )
    assert (
        Healthcheck(("CMD", "é", "$x"), '["CMD", "é", "$$x"]', 30, 30, 3, 0)
        == app({"healthcheck": {"test": ["CMD", "é", "$$x"]}}).healthcheck
    )


@pytest.mark.parametrize(
    "check", [None, {"disable": True, "test": "x"}, {"test": ["NONE"]}, {"test": []}, {}]
)
def test_no_healthcheck(check: Any) -> None:
    """Switched off is as good as not there."""
    assert app({"healthcheck": check}).healthcheck is None


def test_defaults_of_a_service() -> None:
    """A service that says nothing but its image."""
    assert (
        Service("app", "x:1", None, None, {}, {}, (), (), (), (), 10.0, None, {"image": "x:1", "environment": "{}"})
        == stack().services["app"]
    )  # fmt: skip


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
