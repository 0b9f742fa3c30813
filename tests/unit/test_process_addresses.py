"""An app's address: chosen once, on record, nobody else's."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from pytest_warmci.clients import ports
from pytest_warmci.engines.process.addresses import find_address, provide_address
from pytest_warmci.errors import StateDamaged
from pytest_warmci.model import Address


def test_an_address_is_kept(tmp_path: Path) -> None:
    """Whoever asks again gets the same one: app data contains it."""
    first = provide_address(tmp_path / "app")

    assert first == provide_address(tmp_path / "app") == find_address(tmp_path / "app")
    assert f"http://localhost:{first.port}" == first.url


def test_asking_chooses_nothing(tmp_path: Path) -> None:
    """An app without an address keeps having none."""
    assert find_address(tmp_path / "app") is None
    assert not (tmp_path / "app").exists()


def test_what_other_apps_have_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when nothing of them runs now."""
    provide_address(tmp_path / "one")
    (tmp_path / "empty").mkdir()
    one = find_address(tmp_path / "one")
    assert one is not None
    seen: list[Collection[object]] = []

    def port(taken: Collection[int]) -> int:
        seen.append(taken)
        return 1

    def subnet(taken: Collection[str]) -> str:
        seen.append(taken)
        return "127.1.1"

    monkeypatch.setattr(ports, "choose_port", port)
    monkeypatch.setattr(ports, "choose_subnet", subnet)

    assert Address(1, "127.1.1") == provide_address(tmp_path / "two")
    assert [{one.port}, {one.subnet}] == seen


def test_a_damaged_record_is_never_none(tmp_path: Path) -> None:
    """A canonical would get a new address, and its data hold the old one."""
    provide_address(tmp_path / "app")
    (tmp_path / "app" / "address.json").write_text("{")

    with pytest.raises(StateDamaged):
        provide_address(tmp_path / "app")
