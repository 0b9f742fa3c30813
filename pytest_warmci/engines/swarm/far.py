"""A volume that cannot be reached where it lies: read and filled by Docker itself.

Docker mounts the volumes of a container to copy files out of it and into it, also when that never
ran. So a container is created, and never started: no program of any image is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Final

from pytest_warmci.clients.docker import Facts, Mount
from pytest_warmci.engines.swarm import labels
from pytest_warmci.engines.swarm.belongings import Belongings, labels_of
from pytest_warmci.errors import NotEvaluated

IMAGE: Final = "pytest-warmci/nothing:1"
"""What helpers are of: an image of no bytes, made where it is missing. One of the app may be gone
by the time that its volumes must be put back."""


class FarVolume:
    """One volume of an app, as a tar stream.

    Args:
        belongings: The app's things.
        name: The volume's name. It is there, and ours.
    """

    top: str = "volume"

    def __init__(self, belongings: Belongings, name: str) -> None:
        self._belongings = belongings
        self._docker = belongings.docker
        self._name = name
        self._owned = labels.of_app(belongings.stack, belongings.state)

    @property
    def where(self) -> str:
        """What it is and on which engine, for people."""
        return f"volume {self._name} at {self._docker.endpoint.url}"

    @contextmanager
    def read(self) -> Iterator[Iterator[bytes]]:
        """Give the stream of what is in the volume, for a block.

        Raises:
            NotEvaluated: It is not there, or not ours.
        """
        with (
            self._helper(read_only=True) as container,
            closing(self._docker.read_archive(container, f"/{self.top}")) as stream,
        ):
            yield stream

    def fill(self, stream: Iterable[bytes]) -> None:
        """Make the volume anew, with what a stream holds.

        Raises:
            NotEvaluated: It is not there, is not ours, or something uses it.
        """
        found = self._ours()
        self._belongings.remove_volume(self._name)
        self._docker.create_volume(self._name, {**labels_of(found), **self._owned})
        with self._helper(read_only=False) as container:
            # At the top: Docker gives the folder that it unpacks in no owner, mode or time.
            self._docker.write_archive(container, "/", stream)

    @contextmanager
    def _helper(self, *, read_only: bool) -> Iterator[str]:
        """Have a container with the volume, for a block."""
        self._belongings.remove_helpers()
        self._ours()
        if self._docker.find_image(IMAGE) is None:
            self._docker.create_image(IMAGE, {labels.HELPER: "image"})
        # Docker would make a volume that went away just now. Then it has this label, and not
        # that of our state: nothing of ours would take it for the app's.
        stack, state = self._belongings.stack, self._belongings.state
        mistake = labels.of_mistake(stack, state)
        try:
            container = self._docker.create_container(
                f"{stack}_helper",
                IMAGE,
                {**self._owned, labels.HELPER: "volume"},
                Mount(self._name, f"/{self.top}", read_only, mistake),
            )
            self._ours()
            yield container
        finally:
            self._belongings.remove_helpers()

    def _ours(self) -> Facts:
        """Return the volume as it is now, which is there and ours."""
        found = self._docker.find_volume(self._name)
        if found is None or not self._owned.items() <= labels_of(found).items():
            raise NotEvaluated(
                f"the volume {self._name} went away",
                where=self._docker.endpoint.url,
                why="there is none of that name" if found is None else "that one is not ours",
                remedy="see who removes volumes there while a run needs them, then run again",
            )
        return found
