"""The demo shop and Chinook, each with its vocabulary."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.planner import Vocabulary
from demo.people import customers
from demo.shop import write_shop
from tests.agent.planner.support import CHINOOK, chinook_vocabulary, shop_vocabulary


@pytest.fixture(scope="session")
def shop_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("planner") / "shop.sqlite"
    write_shop(path, customers(), lambda _what, _part: None)
    return path


@pytest.fixture(scope="session")
def shop(shop_file: Path) -> Vocabulary:
    return shop_vocabulary(shop_file)


@pytest.fixture(scope="session")
def chinook() -> Vocabulary:
    if not CHINOOK.exists():
        pytest.skip(f"Chinook is not at {CHINOOK}; set GATEHOUSE_CASES")
    return chinook_vocabulary()


@pytest.fixture(scope="session")
def databases(shop_file: Path) -> Iterator[dict[str, sqlite3.Connection]]:
    with closing(sqlite3.connect(f"file:{shop_file}?mode=ro", uri=True)) as shop_db:
        opened = {"shop": shop_db}
        if CHINOOK.exists():
            opened["chinook"] = sqlite3.connect(f"file:{CHINOOK}?mode=ro", uri=True)
        yield opened
        if "chinook" in opened:
            opened["chinook"].close()
