"""An app's address: chosen once, recorded before anything listens there."""

from __future__ import annotations

from pathlib import Path

from pytest_warmci.clients import ports
from pytest_warmci.clients.files import make_folder, read_record, write_json
from pytest_warmci.clients.locks import Holder, hold
from pytest_warmci.model import FORMAT, Address

_FILE = "address.json"
_LIMIT = 30.0
"""Seconds; choosing takes milliseconds."""


def find_address(folder: Path) -> Address | None:
    """Return an app's recorded address, None when it has none yet."""
    path = folder / _FILE
    if not path.is_file():
        return None
    data = read_record(path, "address record")
    return Address(port=int(data["port"]), subnet=str(data["subnet"]))


def provide_address(folder: Path) -> Address:
    """Return an app's address, choosing and recording one that no other app here has."""
    found = find_address(folder)
    if found is not None:
        return found
    make_folder(folder)
    who = Holder(run=folder.name, mode="address", why="choose an address that no other app has")
    with hold(folder.parent / ".addresses.lock", who=who, limit=_LIMIT):
        return find_address(folder) or _choose(folder)


def _choose(folder: Path) -> Address:
    others = [find_address(path) for path in folder.parent.glob("*") if path.is_dir()]
    address = Address(
        port=ports.choose_port({each.port for each in others if each}),
        subnet=ports.choose_subnet({each.subnet for each in others if each}),
    )
    write_json(folder / _FILE, {"format": FORMAT, "port": address.port, "subnet": address.subnet})
    return address
