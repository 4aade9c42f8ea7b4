"""Each engine setting by itself, without the authorizer in front of it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from guard.engines.child import duckdb_reader, sqlite_reader
from guard.engines.child.sqlite_authorizer import Authorizer, Grants
from tests.guard.engines.support import fingerprint, make


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A connection as the reader opens it, before its authorizer is set."""
    connection = sqlite_reader._open(make("sqlite", tmp_path / "shop.sqlite"))
    yield connection
    connection.close()


@pytest.fixture
def duck(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection as the reader opens it."""
    path = make("duckdb", tmp_path / "shop.duckdb")
    settings = {**duckdb_reader.SETTINGS, "memory_limit": "256MB", "threads": "1"}
    connection = duckdb_reader._open(path, settings)
    yield connection
    connection.close()


def test_promise_05_sqlite_open_read_only_refuses_writes(
    sqlite: sqlite3.Connection, tmp_path: Path
) -> None:
    before = fingerprint(tmp_path)
    sqlite.execute("PRAGMA query_only = 0")
    for sql in ("DELETE FROM people", "CREATE TABLE t (x)", "PRAGMA user_version = 3"):
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            sqlite.execute(sql)
    assert fingerprint(tmp_path) == before


def test_promise_05_sqlite_query_only_refuses_temporary_objects(sqlite: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        sqlite.execute("CREATE TEMP TABLE people (x)")


def test_promise_05_sqlite_attaches_nothing(sqlite: sqlite3.Connection, tmp_path: Path) -> None:
    before = fingerprint(tmp_path)
    for target in (":memory:", str(tmp_path / "out.sqlite")):
        with pytest.raises(sqlite3.OperationalError, match="too many attached"):
            sqlite.execute("ATTACH ? AS x", [target])
    with pytest.raises(sqlite3.OperationalError):
        sqlite.execute("VACUUM INTO ?", [str(tmp_path / "out.sqlite")])
    assert fingerprint(tmp_path) == before


def test_sqlite_values_and_statements_have_a_largest_size(sqlite: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.DataError, match="too big"):
        sqlite.execute("SELECT zeroblob(10000001)").fetchall()
    with pytest.raises(sqlite3.DataError, match="too large"):
        sqlite.execute("SELECT '" + "x" * 1_000_000 + "'")


def test_sqlite_does_not_trust_functions_in_the_schema(sqlite: sqlite3.Connection) -> None:
    assert sqlite.execute("PRAGMA trusted_schema").fetchall() == [(0,)]
    assert sqlite.execute("PRAGMA query_only").fetchall() == [(1,)]
    # Sorting large results stays in memory: no temporary file can be written.
    assert sqlite.execute("PRAGMA temp_store").fetchall() == [(2,)]


def test_sqlite_denies_every_action_that_is_not_listed() -> None:
    allowed = Authorizer(Grants(readable={"people": frozenset({"id"})}))
    actions = {n: v for n, v in vars(sqlite3).items() if n.startswith("SQLITE_")}
    limits = {n for n in actions if n.startswith("SQLITE_LIMIT_") or "ERR" in n}
    granted = {
        name
        for name, code in actions.items()
        if name not in limits
        and isinstance(code, int)
        and code in range(1, 34)
        and allowed(code, "people", "id", "main", None) == sqlite3.SQLITE_OK
    }
    codes = {actions[name] for name in granted}
    assert codes == {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE, sqlite3.SQLITE_READ}


def test_promise_05_duckdb_settings_are_locked(duck: duckdb.DuckDBPyConnection) -> None:
    values = dict(duck.execute("SELECT name, value FROM duckdb_settings()").fetchall())
    assert values["lock_configuration"] == "true"
    for name in (
        "enable_external_access",
        "autoload_known_extensions",
        "autoinstall_known_extensions",
        "allow_community_extensions",
        "allow_unsigned_extensions",
        "python_enable_replacements",
    ):
        assert values[name] == "false", name
        with pytest.raises(duckdb.Error):
            duck.execute(f"SET {name} = true")
    assert values["temp_directory"] == ""
    assert values["disabled_optimizers"] == "common_subplan"
    for sql in ("SET memory_limit = '100GB'", "SET lock_configuration = false", "RESET threads"):
        with pytest.raises(duckdb.Error):
            duck.execute(sql)


def test_promise_05_duckdb_opened_read_only_refuses_writes(
    duck: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    before = fingerprint(tmp_path)
    for sql in (
        "DELETE FROM people",
        "CREATE TABLE t (x INTEGER)",
        "WITH d AS (DELETE FROM people RETURNING id) SELECT * FROM d",
    ):
        with pytest.raises(duckdb.Error, match="read-only"):
            duck.execute(sql)
    assert fingerprint(tmp_path) == before


def test_promise_05_duckdb_reaches_no_file(duck: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("a\n1\n", encoding="ascii")
    before = fingerprint(tmp_path)
    for sql in (
        f"SELECT * FROM read_csv('{tmp_path}/in.csv')",
        f"SELECT * FROM '{tmp_path}/in.csv'",
        f"COPY people TO '{tmp_path}/out.csv'",
        f"EXPORT DATABASE '{tmp_path}/out'",
        f"ATTACH '{tmp_path}/out.duckdb' AS x",
        f"EXPLAIN ANALYZE COPY people TO '{tmp_path}/out.csv'",
        f"SET log_query_path = '{tmp_path}/log'",
        "INSTALL httpfs",
        "LOAD httpfs",
    ):
        with pytest.raises(duckdb.Error):
            duck.execute(sql)
    assert fingerprint(tmp_path) == before


def test_duckdb_keeps_to_its_memory_and_never_spills(duck: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(duckdb.OutOfMemoryException):
        duck.execute("SELECT range FROM range(200000000) ORDER BY hash(range)").fetchall()


def test_duckdb_objects_of_one_statement_are_gone_with_its_connection(
    duck: duckdb.DuckDBPyConnection,
) -> None:
    first = duck.cursor()
    first.execute("CREATE TEMP TABLE people AS SELECT 'shadow' AS name")
    first.execute("CREATE TEMP MACRO lower(x) AS 'shadow'")
    assert first.execute("SELECT name FROM people").fetchall() == [("shadow",)]
    first.close()
    second = duck.cursor()
    assert second.execute("SELECT lower(name) FROM people ORDER BY id LIMIT 1").fetchall() == [
        ("ann",)
    ]
    second.close()


def test_python_variables_are_no_tables(duck: duckdb.DuckDBPyConnection) -> None:
    import pyarrow as pa

    leak = pa.table({"x": ["secret"]})
    with pytest.raises(duckdb.CatalogException):
        duck.sql("SELECT * FROM leak").fetchall()
    assert leak.num_rows == 1


@pytest.mark.parametrize("limit", ["address_space", "file_size"])
def test_the_process_limits_hold_without_any_setting_of_the_engine(
    limit: str, tmp_path: Path
) -> None:
    script = {
        "address_space": "bytearray(2 * 1024**3)",
        "file_size": f"open({str(tmp_path / 'out')!r}, 'wb', 0).write(b'x')",
    }[limit]
    child = textwrap.dedent(f"""
        from guard.engines.child import serve
        hello = serve.Hello(engine="sqlite", path="x", packages=(), address_space=1024**3,
                            file_size=0, memory=0, threads=1, idle_ms=0, writes=False)
        serve._limit(hello)
        try:
            {script}
        except (MemoryError, OSError):
            print("held")
        """)
    run = subprocess.run(
        [sys.executable, "-c", child],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        check=False,
    )
    assert run.stdout == "held\n", run.stderr
