"""How much memory there is for us, by what the kernel and the control groups say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_warmci.clients import memory as memories
from pytest_warmci.clients.memory import Memory, memory

MEMINFO = """\
MemTotal:        8000000 kB
MemFree:          100000 kB
MemAvailable:    4000000 kB
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Write what the kernel says; groups by their path."""
    monkeypatch.setattr(memories, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memories, "_CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(memories, "_GROUPS", tmp_path / "groups")
    (tmp_path / "meminfo").write_text(MEMINFO)

    def write(own: str, **groups: tuple[str, int, int]) -> None:
        (tmp_path / "cgroup").write_text(f"1:name=x:/y\n0::/{own}\n")
        for name, (limit, used, droppable) in groups.items():
            folder = tmp_path / "groups" / name.replace("_", "/")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "memory.max").write_text(f"{limit}\n")
            (folder / "memory.current").write_text(f"{used}\n")
            (folder / "memory.stat").write_text(f"anon 5\ninactive_file {droppable}\n")

    return write


def test_the_machines_memory(machine: Callable[..., None]) -> None:
    """Where no group is limited, or there are none."""
    assert Memory(8_000_000 * 1024, 4_000_000 * 1024) == memory()

    machine("a", a=("max", 5, 0))
    assert Memory(8_000_000 * 1024, 4_000_000 * 1024) == memory()


def test_a_containers_memory(machine: Callable[..., None]) -> None:
    """The tightest group on the way up; cached files count as free."""
    machine("a/b", a=("3000000", 2_500_000, 400_000), a_b=("max", 9, 0))

    assert Memory(3_000_000, 900_000) == memory()


def test_more_used_than_allowed(machine: Callable[..., None]) -> None:
    """Never less than nothing."""
    machine("a", a=("1000", 2000, 0))

    assert Memory(1000, 0) == memory()


def test_this_machines_memory() -> None:
    """The real one has some."""
    assert memory().total >= memory().available > 0
