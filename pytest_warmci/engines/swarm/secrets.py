"""The secrets of an app on its Swarm: made of the files that the app keeps.

Docker tells nobody the value of a secret, so the app's folder is where they are; on the Swarm they
are only while the app is deployed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pytest_warmci.engines.secrets import provide_secrets, secret_path
from pytest_warmci.engines.swarm import labels
from pytest_warmci.engines.swarm.belongings import Belongings, labels_of
from pytest_warmci.errors import NotEvaluated
from pytest_warmci.model import Stack


def create_secrets(belongings: Belongings, folder: Path, stack: Stack) -> None:
    """Create every secret of the stack that the Swarm does not have.

    Those that the app does not have yet are generated. Those on the Swarm are kept while something
    of the app is deployed; otherwise they are made anew, because nobody knows what is in them.

    Args:
        belongings: The app's things.
        folder: The app's folder.
        stack: What is about to be deployed.

    Raises:
        InputError: A missing secret is marked as not to be generated.
        NotEvaluated: A secret of that name belongs to somebody else, or to another app.
    """
    ours = {name: each for name, each in stack.secrets.items() if each.server_name}
    provide_secrets(folder, replace(stack, secrets=ours))
    deployed = bool(belongings.services())
    owned = labels.of_app(belongings.stack, belongings.state)
    for secret in ours.values():
        found = belongings.docker.find_secret(secret.server_name)
        if found is not None:
            if not owned.items() <= labels_of(found).items():
                raise NotEvaluated(
                    f"the secret {secret.server_name} is not ours",
                    where=belongings.docker.endpoint.url,
                    why=f"it has not the labels {labels.NAMESPACE} and {labels.STATE} of this app",
                    remedy="remove it, or choose another base domain",
                )
            if deployed:
                continue
            if not belongings.docker.remove("secret", str(found["ID"])):
                raise NotEvaluated(
                    f"the secret {secret.server_name} is in use",
                    where=belongings.docker.endpoint.url,
                    why="it is of an app that is not deployed",
                    remedy="remove the service that uses it: docker service ls shows them all",
                )
        value = secret_path(folder, secret).read_bytes().strip()
        belongings.docker.create_secret(secret.server_name, value, owned)
