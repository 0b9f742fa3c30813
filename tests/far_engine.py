"""A fake engine that keeps an app's data elsewhere, one root for each volume, as container engines do.

A volume is there or not whatever is in it: `<engine's apps>/.far/<domain>/<volume>/_data`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from pytest_warmci.clients import files
from pytest_warmci.protocols import AppPlace, Root
from tests.fakes import FakeEngine
from tests.tar_folder import FolderRoot

_ROOT: Final = "volumes/"


class FarEngine(FakeEngine):
    """The fake engine with volumes that have a life of their own."""

    name = "far"

    def data(self, app: AppPlace) -> Mapping[str, Root]:
        return {_ROOT + name: self._volume(app, name) for name in self.volumes(app)}

    def make_data(self, app: AppPlace, roots: Collection[str]) -> Mapping[str, Root]:
        self._check_still(app)
        for root in roots:
            self._must(root.startswith(_ROOT), "makes room for what is none of the data")
            files.make_folder(self._volume(app, root.removeprefix(_ROOT)))
        return self.data(app)

    def drop_data(self, app: AppPlace, keep: Collection[str]) -> None:
        self._check_still(app)
        for name in self.volumes(app):
            if _ROOT + name not in keep:
                files.remove_tree(far(app) / name)
        if far(app).is_dir():
            files.sweep_garbage(far(app))  # of a call that was killed

    def remove(self, app: AppPlace) -> None:
        super().remove(app)
        files.remove_tree(far(app))

    def volumes(self, app: AppPlace) -> list[str]:
        """The names of the app's volumes, also of those that have lost their data."""
        return sorted(path.name for path in far(app).glob("[!.]*"))

    def _volume(self, app: AppPlace, name: str) -> Path:
        return far(app) / name / "_data"


class StreamEngine(FarEngine):
    """The same, and its volumes are reached as streams only."""

    def data(self, app: AppPlace) -> Mapping[str, Root]:
        return {_ROOT + name: FolderRoot(self._volume(app, name)) for name in self.volumes(app)}


def far(app: AppPlace) -> Path:
    """Return where an app's volumes are: not in its folder."""
    return app.folder.parent / ".far" / app.domain
