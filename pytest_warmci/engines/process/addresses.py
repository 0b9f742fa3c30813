"""An app's address: chosen once, recorded before anything listens there."""

from __future__ import annotations

from pathlib import Path

from pytest_warmci.clients import ports
from pytest_warmci.clients.files import make_folder, read_record, write_json
from pytest_warmci.model import FORMAT, Address

_FILE = "address.json"


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
    others = [find_address(path) for path in folder.parent.glob("*") if path.is_dir()]
    address = Address(
        port=ports.choose_port({each.port for each in others if each}),
        subnet=ports.choose_subnet({each.subnet for each in others if each}),
    )
    make_folder(folder)
    write_json(folder / _FILE, {"format": FORMAT, "port": address.port, "subnet": address.subnet})
    return address
