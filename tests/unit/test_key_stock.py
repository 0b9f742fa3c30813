"""Key pairs made ahead: each is used by one realm at a time, whoever dies when."""

from __future__ import annotations

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_warmci.clients.rsa import KeyPair
from pytest_warmci.store import key_stock
from pytest_warmci.store.key_stock import MOST, KeyStock
from tests.fakes import hurry


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> list[KeyPair]:
    """The pairs that were made, which cost nothing here; nor is the disk waited for."""
    hurry(monkeypatch)
    numbers = itertools.count(1)
    found: list[KeyPair] = []

    def make() -> KeyPair:
        number = next(numbers)
        pair = KeyPair(f"private {number}", f"certificate {number}")
        found.append(pair)
        return pair

    monkeypatch.setattr(key_stock, "new_key_pair", make)
    return found


@pytest.fixture
def stock(tmp_path: Path) -> KeyStock:
    return KeyStock(tmp_path)


def pairs(folder: Path) -> list[Path]:
    return sorted((folder / "keys" / "stock").glob("*.json"))


def test_pairs_are_made_ahead_once(stock: KeyStock, tmp_path: Path, made: list[KeyPair]) -> None:
    stock.prepare(3)
    stock.prepare(3)
    stock.prepare(2)

    assert (3, 3) == (len(made), len(pairs(tmp_path)))


def test_a_pair_is_taken_out_of_the_stock(
    stock: KeyStock, tmp_path: Path, made: list[KeyPair]
) -> None:
    """Under the name of the realm that gets it; nothing is computed."""
    stock.prepare(1)

    pair = stock.take("blog-1a2b3c")

    assert [pair] == made
    assert ([], ["blog-1a2b3c"]) == (pairs(tmp_path), stock.used())


def test_an_empty_stock_makes_one(stock: KeyStock, made: list[KeyPair]) -> None:
    """Also where nothing was ever prepared."""
    assert [] == stock.used()

    assert [stock.take("a-1a2b3c")] == made
    assert ["a-1a2b3c"] == stock.used()


def test_what_is_given_back_is_taken_again(
    stock: KeyStock, tmp_path: Path, made: list[KeyPair]
) -> None:
    first = stock.take("a-1a2b3c")

    stock.give_back("a-1a2b3c")

    assert ([], 1) == (stock.used(), len(pairs(tmp_path)))
    assert first == stock.take("b-1a2b3c")
    assert 1 == len(made)


def test_giving_back_twice_is_fine(stock: KeyStock, tmp_path: Path) -> None:
    """And so is what never had one: the stock does not grow of it."""
    stock.take("a-1a2b3c")

    for name in ("a-1a2b3c", "a-1a2b3c", "b-1a2b3c"):
        stock.give_back(name)

    assert 1 == len(pairs(tmp_path))


def test_a_stock_that_is_full_takes_nothing_back(
    stock: KeyStock, tmp_path: Path, made: list[KeyPair]
) -> None:
    stock.prepare(MOST)
    stock.take("a-1a2b3c")
    stock.prepare(MOST)

    stock.give_back("a-1a2b3c")

    assert (MOST, []) == (len(pairs(tmp_path)), stock.used())


def test_only_we_can_read_a_pair(stock: KeyStock, tmp_path: Path) -> None:
    """In the stock and in use."""
    stock.prepare(2)
    stock.take("a-1a2b3c")

    files = [path for path in (tmp_path / "keys").rglob("*") if path.is_file()]
    folders = [path for path in (tmp_path / "keys").rglob("*") if path.is_dir()]
    assert (2, {0o600}) == (len(files), {path.stat().st_mode & 0o777 for path in files})
    assert {0o700} == {path.stat().st_mode & 0o777 for path in folders}


def test_no_two_takers_get_the_same_pair(stock: KeyStock, tmp_path: Path) -> None:
    """However many there are at once, and whatever is given back between."""
    stock.prepare(10)
    names = [f"a-{number:06}" for number in range(40)]

    def take(name: str) -> KeyPair:
        if name.endswith("7"):
            KeyStock(tmp_path).take(f"{name}-gone")
            KeyStock(tmp_path).give_back(f"{name}-gone")
        return KeyStock(tmp_path).take(name)

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(take, names))

    assert 40 == len({pair.private for pair in taken})
    assert names == stock.used()


@pytest.mark.parametrize("text", ["{", "{}", '{"format": 1, "private": "p"}'])
def test_a_damaged_pair_is_thrown_away(
    stock: KeyStock, tmp_path: Path, made: list[KeyPair], text: str
) -> None:
    """It is worth nothing; whoever got it would hand it on for ever."""
    stock.prepare(2)
    pairs(tmp_path)[0].write_text(text)

    taken = [stock.take("a-1a2b3c"), stock.take("b-1a2b3c")]

    assert 2 == len({pair.private for pair in taken})
    assert 3 == len(made)
    assert [] == pairs(tmp_path)
    for path in (tmp_path / "keys" / "used").iterdir():
        assert json.loads(path.read_text())["private"] in [pair.private for pair in taken]
