"""A DuckDB table that was put back is compared with what it was, every column of every row."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from guard.engines.child.duckdb_compared import Beside, is_as_before
from guard.engines.child.duckdb_tables import table_of

MAKE = "SELECT i::INTEGER AS id, i % 7 AS n, 'a' || i AS t, i / 4 AS d FROM range(5000) r(i)"
COLUMNS = {
    "mixed": "id INTEGER PRIMARY KEY, n BIGINT, t VARCHAR, d DOUBLE",
    "native": "id INTEGER PRIMARY KEY, n BIGINT, t BIGINT, d DECIMAL(9, 2)",
    "texts": "id VARCHAR PRIMARY KEY, n VARCHAR, t VARCHAR, d VARCHAR",
}


@pytest.fixture(params=COLUMNS)
def connection(request: pytest.FixtureRequest) -> Iterator[duckdb.DuckDBPyConnection]:
    made = MAKE.replace("'a' || i", "i") if request.param == "native" else MAKE
    with duckdb.connect(config={"threads": "2"}) as opened:
        for name in ("was", "now"):
            opened.execute(f"CREATE TABLE {name}({COLUMNS[request.param]})")
            opened.execute(f"INSERT INTO {name} {made}")
        opened.execute("BEGIN TRANSACTION")
        yield opened


def _is_as_before(connection: duckdb.DuckDBPyConnection) -> bool:
    its = Beside(table=table_of(connection, "now"), was="main.was")
    return is_as_before(connection, its, aligned=True)


def test_what_is_the_same_is_as_before(connection: duckdb.DuckDBPyConnection) -> None:
    assert _is_as_before(connection)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE now SET n = 9 WHERE id = '4999'",
        "UPDATE now SET t = '8' WHERE id = '0'",
        "UPDATE now SET d = NULL WHERE id = '2500'",
        "UPDATE now SET id = '9999' WHERE id = '4999'",
        "DELETE FROM now WHERE id = '4999'",
        "INSERT INTO now VALUES ('5000', NULL, NULL, NULL)",
        "INSERT INTO was VALUES ('5000', NULL, NULL, NULL)",
        "DELETE FROM now",
    ],
)
def test_promise_06_one_value_or_row_of_another_kind_is_not_as_before(
    connection: duckdb.DuckDBPyConnection, change: str
) -> None:
    connection.execute(change)
    assert not _is_as_before(connection)
