"""Rendering: a recipe's compose files at one commit, for one app, as a `Stack`.

Follows what `docker stack deploy` does with the same files, so that every engine deploys the same.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from pytest_warmci.clients.yamlfile import Plain
from pytest_warmci.errors import InputError
from pytest_warmci.model import (
    ConfigMount,
    Healthcheck,
    Rendering,
    Revision,
    Secret,
    SecretMount,
    Service,
    Shared,
    Stack,
    VolumeMount,
)
from pytest_warmci.naming import stack_name
from pytest_warmci.recipes import composefile, env as environments
from pytest_warmci.recipes.compare import leaves
from pytest_warmci.recipes.composefile import seconds
from pytest_warmci.recipes.interpolation import variables
from pytest_warmci.recipes.project import Project

Files = Callable[[str], bytes | None]

_GRACE: Final = 10.0
_DEFAULT_HINT: Final = (32, True)


def render(
    files: Files,
    *,
    recipe: str,
    domain: str,
    revision: Revision,
    env: Mapping[str, str],
    warn: Callable[[str], None] = lambda _text: None,
) -> Stack:
    """Return what a recipe deploys at one commit.

    Args:
        files: Reads a file of the recipe at that commit; None when there is none.
        recipe: The recipe's name.
        domain: The app's domain; the stack is named after it.
        revision: The commit.
        env: The app's environment (`app_env`). COMPOSE_FILE in it names the compose files,
            separated by colons; without it there is only `compose.yml`.
        warn: Told each variable that has no value and becomes empty.

    Raises:
        InputError: The files are not valid; with recipe, commit, file and line.
    """
    return _Renderer(files, recipe, domain, revision, env, warn).stack()


class _Renderer:
    def __init__(
        self,
        files: Files,
        recipe: str,
        domain: str,
        revision: Revision,
        env: Mapping[str, str],
        warn: Callable[[str], None],
    ) -> None:
        self.files = files
        self.recipe = recipe
        self.domain = domain
        self.revision = revision
        self.app_env = env
        self.name = stack_name(domain)
        self.prefix = f"{recipe}@{revision.commit[:8]}"
        exports = environments.abra_exports(self._text(environments.ABRA_SH))
        self.env = {**env, **exports, "STACK_NAME": self.name}
        names = [name for name in env.get("COMPOSE_FILE", "").split(":") if name]
        self.names = tuple(names or ["compose.yml"])
        self.project = Project(files, self.names, self.prefix, self.env, warn)
        self.top = self.project.top
        self.at = self.project.at

    def stack(self) -> Stack:
        if "app" not in self.top["services"]:
            raise InputError(
                "there is no service named 'app'",
                where=self.at("services"),
                why=f"services: {', '.join(self.top['services']) or 'none'}",
                remedy="name the main service 'app' (abra's lint rule R009)",
            )
        services = {name: self._service(name) for name in self.top["services"]}
        hints = environments.secret_hints(
            self._text(environments.SAMPLE), f"{self.prefix}:{environments.SAMPLE}"
        )
        configs = dict(self._configs())
        return Stack(
            recipe=self.recipe,
            domain=self.domain,
            name=self.name,
            revision=self.revision,
            services=services,
            volumes=tuple(self.top["volumes"]),
            secrets={name: self._secret(name, hints) for name in self.top["secrets"]},
            configs=configs,
            env=dict(self.app_env),
            keys=self._keys(configs),
            networks=tuple(self._own_networks()),
            shared=Shared(dict(self._shared("networks")), dict(self._shared("volumes"))),
            rendering=Rendering(self.names, self._format(), self.env, self._entries()),
        )

    def _own_networks(self) -> Iterator[str]:
        """Yield the networks that the stack makes: one named `default` where nothing says so."""
        networks = self.top["networks"]
        yield from (name for name, entry in networks.items() if not entry.get("external"))
        services = self.top["services"].values()
        if "default" not in networks and not all(each.get("networks") for each in services):
            yield "default"

    def _shared(self, section: str) -> Iterator[tuple[str, str]]:
        """Yield name and full name of what somebody else has made."""
        for name, entry in self.top[section].items():
            if entry.get("external"):
                yield name, str(composefile.external_name(entry) or name)

    def _entries(self) -> dict[str, dict[str, Plain]]:
        return {name: self.top[name] for name in composefile.SECTIONS if name != "services"}

    def _format(self) -> str:
        return str(self.project.documents[0].data.get("version") or "")

    def _service(self, name: str) -> Service:
        content = self.top["services"][name]
        path = ("services", name)
        image = content.get("image") or ""
        needed = variables(str(self.project.said(*path, "image")), without_default=True)
        unset = [each for each in needed if not self.env.get(each)]
        if not isinstance(image, str) or not image or unset:
            raise InputError(
                f"services.{name} has no image",
                where=self.at(*path, "image"),
                why=f"the variable {unset[0]} is not set" if unset else "",
                remedy=f"set {unset[0]} in .env.sample" if unset else "write 'image: name:tag'",
            )
        environment, environment_text = self._environment(name)
        content = {**content, "environment": environment}
        for section in ("secrets", "configs", "networks"):
            for index, item in enumerate(content.get(section) or ()):
                source = item["source"] if isinstance(item, dict) else item
                self._known(source, section, (*path, section, index))
        return Service(
            name=name,
            image=image,
            entrypoint=_words(content.get("entrypoint")),
            command=_words(content.get("command")),
            environment=environment,
            environment_text=environment_text,
            secrets=tuple(
                SecretMount(each["source"], _target(each, "/run/secrets/"))
                for each in content.get("secrets", ())
            ),
            configs=tuple(
                ConfigMount(each["source"], _target(each, "/"), self._mode(each, path))
                for each in content.get("configs", ())
            ),
            volumes=tuple(self._volumes(content.get("volumes", ()), path)),
            depends_on=tuple(self._depends_on(content, path)),
            stop_grace=self._time(content, "stop_grace_period", _GRACE, path),
            healthcheck=self._healthcheck(name, content),
            keys={**dict(leaves(content)), **dict(self._env_files(content, path))},
        )

    def _env_files(
        self, content: Mapping[str, Plain], path: composefile.Path
    ) -> Iterator[tuple[str, str]]:
        """Yield for each file of variables what it holds: the content decides, not the name."""
        named = content.get("env_file") or ()
        for index, each in enumerate([named] if isinstance(named, str) else named):
            where = (*path, "env_file", index)
            inside = each.get("path") if isinstance(each, dict) else each
            yield f"env_file.{index}.content", self._digest(self._file(inside, where))

    def _environment(self, name: str) -> tuple[dict[str, str], dict[str, str]]:
        """Return a service's environment, and what the files say before interpolation."""
        rendered: Mapping[str, str | None] = self.top["services"][name].get("environment", {})
        # a name without a value is taken from the app's environment, or not set at all
        known = {
            key: self.env.get(key) if text is None else text for key, text in rendered.items()
        }
        values = {key: text for key, text in known.items() if text is not None}
        said = self.project.said_environment(name)
        return values, {key: said[key] for key in values}

    def _volumes(self, items: Plain, path: composefile.Path) -> Iterator[VolumeMount]:
        """Yield named volumes; other kinds are only in the keys, for the engine to judge."""
        for index, each in enumerate(items):
            if each["type"] == "volume" and each.get("source"):
                self._known(each["source"], "volumes", (*path, "volumes", index))
                yield VolumeMount(each["source"], each["target"], bool(each.get("read_only")))

    def _depends_on(self, content: Mapping[str, Plain], path: composefile.Path) -> Iterator[str]:
        for index, other in enumerate(content.get("depends_on", {})):
            self._known(other, "services", (*path, "depends_on", index))
            yield other

    def _mode(self, mount: Mapping[str, Plain], path: composefile.Path) -> int:
        mode = mount.get("mode", 0o444)
        try:
            number = int(mode, 8) if isinstance(mode, str) else mode
            if not isinstance(number, bool) and 0 <= number <= 0o7777:
                return int(number)
        except (TypeError, ValueError):
            pass
        raise InputError(
            f"mode {mode!r} is not a file mode",
            where=self.at(*path, "configs"),
            remedy="write it in octal, like 0555",
        )

    def _healthcheck(self, name: str, content: Mapping[str, Plain]) -> Healthcheck | None:
        check = content.get("healthcheck", {})
        test = check.get("test") or []
        if check.get("disable") is True or not test or test[0] == "NONE":
            return None
        path = ("services", name, "healthcheck")
        if test[0] not in ("CMD", "CMD-SHELL") or len(test) < 2:
            raise InputError(
                f"services.{name}.healthcheck.test starts with {test[0]!r}",
                where=self.at(*path, "test"),
                remedy="start the list with CMD, CMD-SHELL or NONE",
            )
        retries = check.get("retries", 3)
        if isinstance(retries, str) and retries.isdigit():
            retries = int(retries)
        if not isinstance(retries, int) or retries < 0:
            raise InputError(f"{retries!r} is not a number", where=self.at(*path, "retries"))
        return Healthcheck(
            test=tuple(test),
            text=self.project.said_test(name),
            interval=self._time(check, "interval", 30.0, path),
            timeout=self._time(check, "timeout", 30.0, path),
            retries=retries or 3,  # 0 means Docker's default, as for the times
            start_period=self._time(check, "start_period", 0.0, path),
        )

    def _secret(self, name: str, hints: Mapping[str, tuple[int, bool]]) -> Secret:
        named = str(composefile.external_name(self.project.said("secrets", name) or {}) or "")
        hint = next((hints[each] for each in variables(named) if each in hints), _DEFAULT_HINT)
        entry = self.top["secrets"][name]
        given = str(composefile.external_name(entry) or "")
        full = given or f"{self.name}_{name}"
        # a secret whose content is a file of the recipe is not ours to make up
        generate = hint[1] and "file" not in entry
        server_name = (given or name) if entry.get("external") else ""
        return Secret(name, full.removeprefix(f"{self.name}_"), hint[0], generate, server_name)

    def _configs(self) -> Iterator[tuple[str, tuple[str, bytes]]]:
        """Yield full name and content of each config that the recipe itself brings."""
        for name, config in self.top["configs"].items():
            if config.get("external"):
                continue
            where = self.at("configs", name, "file")
            path = config.get("file")
            if not isinstance(path, str) or not path:
                raise InputError(f"configs.{name} has no file", where=where)
            content = self._file(path, ("configs", name, "file"))
            yield name, (str(config.get("name") or f"{self.name}_{name}"), content)

    def _file(self, path: Plain, place: composefile.Path) -> bytes:
        """Return the content of a file of the recipe that a compose file names."""
        named, where = ".".join(map(str, place[:2])), self.at(*place)
        inside = posixpath.normpath(str(path))
        if posixpath.isabs(inside) or inside.startswith(".."):
            raise InputError(
                f"{named}: '{path}' is outside of the recipe",
                where=where,
                remedy="put the file into the recipe's repository",
            )
        content = self.files(inside)
        if content is None:
            raise InputError(
                f"{named}: there is no file '{path}'",
                where=where,
                remedy=f"add it, or correct '{place[2]}:'",
            )
        return content

    @staticmethod
    def _digest(content: bytes) -> str:
        return f"sha256:{hashlib.sha256(content).hexdigest()}"

    def _keys(self, configs: Mapping[str, tuple[str, bytes]]) -> dict[str, str]:
        keys: dict[str, str] = {}
        for section in composefile.SECTIONS:
            if section != "services":
                keys |= dict(leaves(self.top[section], (section,)))
        for name, (_, content) in configs.items():
            # the content decides, not what its file is called
            keys.pop(f"configs.{name}.file", None)
            keys[f"configs.{name}.content"] = self._digest(content)
        for name, secret in self.top["secrets"].items():
            if isinstance(secret.get("file"), str):
                place = ("secrets", name, "file")
                keys[f"secrets.{name}.content"] = self._digest(self._file(secret["file"], place))
        return keys

    def _known(self, name: str, section: str, path: composefile.Path) -> None:
        if name not in self.top[section] and (section, name) != ("networks", "default"):
            singular = section.removesuffix("s")
            raise InputError(
                f"{'.'.join(map(str, path[:3]))} names the unknown {singular} '{name}'",
                where=self.project.at_item(*path),
                why=f"{section}: {', '.join(self.top[section]) or 'none'}",
                remedy=f"declare it under '{section}:' at the top level, or correct the name",
            )

    def _time(
        self, holder: Mapping[str, Plain], key: str, default: float, path: composefile.Path
    ) -> float:
        value = holder.get(key)
        return default if value is None else seconds(value, self.at(*path, key))

    def _text(self, path: str) -> str:
        content = self.files(path)
        if content is None:
            return ""
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            raise InputError("is not UTF-8 text", where=f"{self.prefix}:{path}") from None


def _words(value: Plain) -> tuple[str, ...] | None:
    return None if value is None else tuple(value)


def _target(mount: Mapping[str, Plain], folder: str) -> str:
    return posixpath.join(folder, str(mount.get("target") or mount["source"]))
