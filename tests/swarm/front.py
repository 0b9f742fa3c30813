"""A Swarm with a proxy in front: Traefik, deployed by our own engine from its recipe."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_warmci.clients import files
from pytest_warmci.engines.swarm.engine import SwarmEngine
from pytest_warmci.engines.swarm.options import SwarmOptions
from pytest_warmci.naming import stack_name
from pytest_warmci.recipes.enrolment import read_enrolment
from pytest_warmci.recipes.source import open_source
from pytest_warmci.runs import deploying
from pytest_warmci.runs.deploying import Deployed
from pytest_warmci.runs.place import Place
from tests.authority import Authority
from tests.swarm import catalog, ground
from tests.swarm.engine import Swarm

RECIPE = Path(__file__).parents[2] / "recipe_tests" / "traefik"
BASE = "warmci.localhost"
OWN_BASE = "ci.example.org"
"""A base domain of an operator's own: in no name server that we would ask."""

DOMAIN = f"live-traefik.{BASE}"
NETWORK = "proxy"
SERVING_SECONDS = 60.0

HEAD = 'version: "3.8"\nservices:\n'

# Names without a virtual address: those need IPVS, which not every kernel has.
DNSRR_SERVICE = "  {name}:\n    deploy:\n      endpoint_mode: dnsrr\n"

# Nine tenths of a run of a small app are the ten seconds to its first check of health, and the five
# that Swarm watches a new task. A test that is about neither can do without.
HURRIED_SERVICE = """\
  {name}:
    healthcheck: {{interval: 1s}}
    stop_grace_period: 2s
    deploy:
      restart_policy: {{delay: 1s}}
      update_config: {{monitor: 1s}}
"""


@dataclass(frozen=True)
class Front:
    """A Swarm whose apps are reached through its proxy, by https and by their domains.

    Attributes:
        swarm: The Swarm.
        folder: What there is of the proxy: its app, the authority's certificate, override files.
    """

    swarm: Swarm
    folder: Path

    @property
    def proxy_url(self) -> str:
        """Where the proxy answers."""
        return f"https://{self.swarm.node_ip}"

    @property
    def ca_file(self) -> Path:
        """The certificate of the authority that the proxy's own certificate is of."""
        return self.folder / "authority.pem"

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs in its environment to deploy here, and to reach what it deployed."""
        return {
            "DOCKER_HOST": self.swarm.docker_host,
            "REQUESTS_CA_BUNDLE": str(self.ca_file),
        }

    @property
    def place(self) -> Place:
        """The proxy's app."""
        return Place("traefik", DOMAIN, self.folder / "apps" / DOMAIN)

    def dnsrr(self, *services: str) -> Path:
        """Return an override file without which services do not get along on every kernel.

        Args:
            services: All services of a recipe, by their names in its compose file.
        """
        path = self.folder / f"dnsrr-{'-'.join(services)}.yml"
        text = HEAD + "".join(DNSRR_SERVICE.format(name=name) for name in services)
        files.write_text(path, text)
        return path

    def hurried(self, *services: str) -> Path:
        """Return an override file with which services that check their health are up in seconds.

        Args:
            services: The services, by their names in the recipe's compose file.
        """
        path = self.folder / f"hurried-{'-'.join(services)}.yml"
        text = HEAD + "".join(HURRIED_SERVICE.format(name=name) for name in services)
        files.write_text(path, text)
        return path

    def options(self, *overrides: Path) -> SwarmOptions:
        """Return what an engine for apps behind the proxy is told."""
        return SwarmOptions(overrides, self.proxy_url)

    def engine(self, *overrides: Path) -> SwarmEngine:
        """Return an engine for apps behind the proxy; `environment` has to be set."""
        return SwarmEngine("front", self.options(*overrides), lambda _text: None)

    def open(self) -> Deployed:
        """Make the network, the certificates, and the proxy; return when it serves.

        Raises:
            RecipeFailed: It does not come up.
            NotEvaluated: Something around it failed.
        """
        shutil.rmtree(self.folder, ignore_errors=True)  # of a session that was killed
        files.make_folder(self.folder)
        words = ("network", "create", "--driver", "overlay", "--attachable", NETWORK)
        self.swarm.docker(*words)
        enrolment = read_enrolment(RECIPE)
        source = open_source(enrolment.source, self.folder / "cache")
        revision = source.resolve("published")
        self.place.create(source, revision)
        self._certify()
        image = self.place.stack(source, revision).services["app"].image
        catalog.provide(self.swarm, image)
        with self.entered():
            engine = self.engine(self.dnsrr("app"))
            return deploying.deploy(engine, self.place, enrolment, source, revision)

    def wait_serving(self) -> None:
        """Wait until the proxy serves, as after a restart of its engine.

        Raises:
            RecipeFailed: It does not.
        """
        with self.entered():
            url = self.engine().address(self.place)
            probe = read_enrolment(RECIPE).probe
            deploying.wait_serving(url, probe, SERVING_SECONDS, "the proxy")

    def _certify(self) -> None:
        """Have a certificate for all domains of both bases; the authority's key ends with us."""
        authority = Authority()
        files.write_bytes(self.ca_file, authority.pem)
        certificate, key = authority.issue(f"*.{BASE}", f"*.{OWN_BASE}")
        secrets = {"ssl_cert": certificate.decode(), "ssl_key": key.decode()}
        self.place.wire({}, secrets, {})

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Have `environment` for the block."""
        with pytest.MonkeyPatch.context() as patch:
            for name, text in self.environment.items():
                patch.setenv(name, text)
            yield

    @property
    def stack(self) -> str:
        """The name of the proxy's stack."""
        return stack_name(DOMAIN)


@contextmanager
def proxied() -> Iterator[Front]:
    """Have a Swarm of our own with a proxy in front for the block.

    Raises:
        RecipeFailed: The proxy does not come up.
        NotEvaluated: It cannot be made here; `room.why_not` knows the usual reasons.
    """
    with ground.swarm() as swarm:
        front = Front(swarm, swarm.base / "front")
        front.open()
        try:
            yield front
        finally:
            shutil.rmtree(front.folder, ignore_errors=True)
