"""Which compose keys the process engine honours."""

from __future__ import annotations

import pytest

from pytest_warmci.engines.process.keys import classify


@pytest.mark.parametrize(
    "key",
    [
        "services.app.image",
        "services.app.command.0",
        "services.app.entrypoint",
        "services.app.environment.A",
        "services.app.healthcheck.test.1",
        "services.app.depends_on.0",
        "services.app.volumes.0.target",
        "services.app.stop_grace_period",
        "services.app.secrets.0.source",
        "services.app.configs.0.mode",
        "services.new",
        "volumes.db",
        "volumes.db.name",
        "secrets.a.name",
        "configs.a.content",
    ],
)
def test_honoured(key: str) -> None:
    """A difference here is deployed."""
    found = classify([key])

    assert ((key,), ()) == (found.seen, found.unseen)


@pytest.mark.parametrize(
    "key",
    [
        "services.app.deploy.resources.limits.memory",
        "services.app.labels.traefik.enable",
        "services.app.deploy.labels.traefik.enable",
        "services.app.user",
        "services.app.ports.0",
        "services.app.networks.0",
        "services.app.imagex",
        "services.image.user",
        "services.app.ulimits.environment",
        "services.app.cap_add.0",
        "services.app.sysctls.net",
        "networks.proxy.external",
        "volumes.db.driver",
        "volumes.db.driver_opts.type",
        "x-volumes.db",
        "something",
    ],
)
def test_ignored(key: str) -> None:
    """A difference here cannot be seen, so nothing may pass for tested."""
    found = classify([key])

    assert ((), (key,)) == (found.seen, found.unseen)


def test_inert_keys_fall_out() -> None:
    """They change nothing for anybody."""
    found = classify(["version", "services.app.image"])

    assert (("services.app.image",), ()) == (found.seen, found.unseen)
