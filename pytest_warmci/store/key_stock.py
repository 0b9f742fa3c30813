"""Key pairs for realms, made ahead, each used by one realm at a time.

A realm that signs with another one's key would make tokens that both accept. So a pair is moved
out of the stock under the name of the realm that gets it, and comes back when that is gone.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from pytest_warmci.clients import files
from pytest_warmci.clients.rsa import KeyPair, new_key_pair
from pytest_warmci.model import FORMAT

MOST: Final = 64
"""Pairs above which one that comes back is thrown away."""


class KeyStock:
    """The stock of one live-warm Keycloak.

    Args:
        folder: Its folder in the state directory.
    """

    def __init__(self, folder: Path) -> None:
        self._stock = folder / "keys" / "stock"
        self._used = folder / "keys" / "used"

    def prepare(self, count: int) -> None:
        """Make pairs until `count` of them are in the stock."""
        for folder in (self._stock, self._used):
            files.make_folder(folder)
        for _ in range(count - len(list(self._stock.glob("*.json")))):
            self._write(self._stock / f"{secrets.token_hex(8)}.json", new_key_pair())

    def take(self, realm: str) -> KeyPair:
        """Return a pair that no other realm has, making one when the stock is empty."""
        for folder in (self._stock, self._used):
            files.make_folder(folder)
        used = self._used / f"{realm}.json"
        for path in self._stock.glob("*.json"):
            with suppress(FileNotFoundError):  # somebody else took it
                path.rename(used)
                return self._read(used)
        pair = new_key_pair()
        self._write(used, pair)
        return pair

    def give_back(self, realm: str) -> None:
        """Take back the pair of a realm that is gone; fine when it had none."""
        used = self._used / f"{realm}.json"
        with suppress(FileNotFoundError):
            if len(list(self._stock.glob("*.json"))) >= MOST:
                used.unlink()
            else:
                used.rename(self._stock / f"{secrets.token_hex(8)}.json")

    def used(self) -> list[str]:
        """Return the names of the realms that have a pair."""
        return sorted(path.stem for path in self._used.glob("*.json"))

    @staticmethod
    def _read(path: Path) -> KeyPair:
        data = files.read_record(path, "key pair")
        return KeyPair(str(data["private"]), str(data["certificate"]))

    @staticmethod
    def _write(path: Path, pair: KeyPair) -> None:
        files.write_json(
            path, {"format": FORMAT, "private": pair.private, "certificate": pair.certificate}
        )
