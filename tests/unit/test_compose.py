"""Rendering compose files: interpolation, merging, and every form of every key."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_warmci.errors import InputError
from pytest_warmci.model import (
    ConfigMount,
    Healthcheck,
    Secret,
    SecretMount,
    Service,
    VolumeMount,
)
from pytest_warmci.recipes import composefile
from pytest_warmci.recipes.interpolation import interpolate, variables
from tests.unit.compose_stack import DOMAIN, SMALL, STACK, app, stack


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
            ".env.sample": "SECRET_DB_VERSION=v1 # length=64\nSECRET_OLD_VERSION=v1 # generate=false\n",
            "kept": "",
        },
    )

    assert {
        "db": Secret("db", "db_v2", 64, generate=True, server_name=f"{STACK}_db_v2"),
        "old": Secret("old", "old_v1", 32, generate=False, server_name=f"{STACK}_old_v1"),
        "plain": Secret("plain", "plain", 32, generate=True, server_name="plain"),
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


@pytest.mark.parametrize("name", ["../other", "/etc/passwd", "a/../../b"])
@pytest.mark.parametrize(
    ("services", "top", "said"),
    [
        ({"env_file": "NAME"}, {}, "services.app"),
        ({"env_file": ["inside", "NAME"]}, {}, "services.app"),
        ({}, {"secrets": {"s": {"file": "NAME"}}}, "secrets.s"),
        ({}, {"configs": {"c": {"file": "NAME"}}}, "configs.c"),
    ],
)
def test_a_file_outside_of_the_recipe_is_refused(
    services: dict[str, Any], top: dict[str, Any], said: str, name: str
) -> None:
    """Whoever deploys would read it on their machine."""
    text = json.dumps({"services": {"app": {"image": "x:1", **services}}, **top})

    with pytest.raises(InputError) as caught:
        stack(text.replace("NAME", name), None, {"inside": ""})

    assert f"{said}: '{name}' is outside of the recipe" == caught.value.what


def test_what_a_file_of_variables_and_a_secret_hold_is_compared() -> None:
    """Another content under the same name is a difference."""

    def keys(content: str) -> dict[str, str]:
        compose = {
            "services": {"app": {"image": "x:1", "env_file": ["a", "./b"]}},
            "secrets": {"s": {"file": "a"}},
        }
        made = stack(compose, None, {"a": content, "b": "same"})
        return {**made.services["app"].keys, **made.keys}

    one, other = keys("1"), keys("2")

    differing = {key for key in one if one[key] != other[key]}
    assert {"env_file.0.content", "secrets.s.content"} == differing
    assert one["env_file.1.content"].startswith("sha256:")
