"""The compose files of one recipe for one app, put together: merged, interpolated, with places."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from pytest_warmci.clients.yamlfile import Plain
from pytest_warmci.recipes import composefile
from pytest_warmci.recipes.interpolation import interpolate, interpolate_tree


class Project:
    """Compose files merged in their order. `top` maps each section to its rendered entries.

    Args:
        files: Reads a file of the recipe; None when there is none.
        names: The compose files.
        prefix: What errors put before a file's name.
        env: The variables.
        warn: Told each variable that has no value and becomes empty, once.

    Raises:
        InputError: A file is missing or not valid.
    """

    def __init__(
        self,
        files: Callable[[str], bytes | None],
        names: Sequence[str],
        prefix: str,
        env: Mapping[str, str],
        warn: Callable[[str], None],
    ) -> None:
        self.env = env
        self.documents = composefile.read_files(files, names, prefix)
        self.top: dict[str, dict[str, Plain]] = {section: {} for section in composefile.SECTIONS}
        warned: set[str] = set()

        def unset(name: str) -> None:
            if name not in warned:
                warned.add(name)
                warn(f"{prefix}: the variable {name} has no value and becomes empty")

        for document in self.documents:
            for section, entries in self.top.items():
                raw = document.data.get(section) or {}
                rendered = interpolate_tree(raw, env, document.at, unset, (section,))
                for key, entry in rendered.items():
                    path = (section, key)
                    value = composefile.mapping(document, entry, path)
                    if section == "services":
                        value = composefile.normalise(document, value, path)
                        value = composefile.merge(entries.get(key, {}), value)
                    entries[key] = value  # of anything else Docker takes the last one whole

    def at(self, *path: str | int) -> str:
        """Return the place of `path` in the last file that says something about it."""
        for end in range(len(path), 0, -1):
            for document in reversed(self.documents):
                if document.has(*path[:end]):
                    return document.at(*path[:end])
        return self.documents[0].at()

    def at_item(self, *path: str | int) -> str:
        """Return the place of a list's item; of the list, where several files make it up."""
        return self.at(*(path if len(self.documents) == 1 else path[:-1]))

    def said(self, *path: str) -> Plain:
        """Return what the last file that says something at `path` says, before interpolation."""
        for document in reversed(self.documents):
            value: Plain = document.data
            for step in path:
                value = value.get(step) if isinstance(value, dict) else None
            if value is not None:
                return value
        return None

    def said_test(self, service: str) -> str:
        """Return the text of a service's healthcheck: the shell's line, else the list as JSON."""
        test = self.said("services", service, "healthcheck", "test")
        if isinstance(test, list) and not (len(test) == 2 and test[0] == "CMD-SHELL"):
            return json.dumps(test, ensure_ascii=False)
        return str(test[1] if isinstance(test, list) else test)

    def said_environment(self, service: str) -> dict[str, str]:
        """Return a service's environment before interpolation of its values."""
        path = ("services", service, "environment")
        result: dict[str, str] = {}
        for document in self.documents:
            entry = (document.data.get("services") or {}).get(service) or {}
            pairs = composefile.pairs(document, entry.get("environment"), path)
            for name, value in pairs.items():
                result[interpolate(name, self.env, document.at(*path))] = value or ""
        return result
