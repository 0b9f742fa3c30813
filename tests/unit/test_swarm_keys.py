"""Which compose keys a Swarm takes notice of."""

from __future__ import annotations

import pytest

from pytest_warmci.engines.swarm.keys import classify

IGNORED = (
    "build", "cgroup_parent", "cgroupns_mode", "container_name", "depends_on", "devices",
    "domainname", "expose", "external_links", "ipc", "links", "mac_address", "network_mode", "pid",
    "privileged", "restart", "security_opt", "shm_size", "userns_mode",
)  # fmt: skip


@pytest.mark.parametrize(
    "key",
    [
        "services.app.image",
        "services.app.command.0",
        "services.app.env_file.0",
        "services.app.deploy.resources.limits.memory",
        "services.app.deploy.restart_policy.condition",
        "services.app.deploy.labels.restart",
        "services.app.environment.build",
        "services.app.user",
        "services.app.profiles.0",
        "services.app.restarts",
        "services.app.pids_limit",
        "services.new",
        "services.build",
        "networks.links",
        "networks.inner.driver",
        "volumes.devices.driver",
        "volumes.db.driver_opts.type",
        "secrets.a.name",
        "configs.version.content",
        "versions",
    ],
)
def test_honoured(key: str) -> None:
    """All that Docker does not call unsupported is deployed, or refused."""
    found = classify([key])

    assert ((key,), ()) == (found.seen, found.unseen)


@pytest.mark.parametrize(
    "key",
    ["version"]
    + [f"services.app.{key}" for key in IGNORED]
    + ["services.app.build.context", "services.app.depends_on.0", "services.build.restart"],
)
def test_a_difference_that_is_none(key: str) -> None:
    """Docker's command line names it as ignored, so nothing would be upgraded."""
    found = classify([key])

    assert ((), ()) == (found.seen, found.unseen)


def test_the_others_stay_in_their_order() -> None:
    found = classify(["services.b.image", "version", "services.a.image", "services.a.restart"])

    assert ("services.b.image", "services.a.image") == found.seen
